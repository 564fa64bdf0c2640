"""How often each client's download counts, as the table in docs/statistics.md says."""

import hashlib
import http.client
import io
import json
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import duckdb
import duckdb_extension_httpfs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.acceptance.harness import KEYS, REGION, WORKSPACE, Gateway
from tests.acceptance.pages import CHROMIUM, Pages, browsing
from tests.acceptance.steps import make_gallery, publish

PAGE = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text()
COUNTS = {
    client: int(count)
    for client, count in re.findall(r"^\| (.+?) \| .+ \| (\d+) \|$", PAGE, re.MULTILINE)
}
EXTENSION = next(Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension"))
BIG_BYTES = 100 << 20
VIDEO_SECONDS, VIDEO_FRAMES = 12, 8
WIDTH, HEIGHT = 320, 180


@dataclass(frozen=True, slots=True)
class Scene:
    """A public dataset: `big.bin` of 100 MiB, `table.parquet`, `video.webm`."""

    gateway: Gateway
    prefix: str
    digest: str

    @property
    def url(self) -> str:
        return f"{self.gateway.url}/{WORKSPACE}/artifact/{self.prefix}"

    def uri(self, path: str) -> str:
        return f"s3://{WORKSPACE}/{self.prefix}/{path}"

    def counted(self, path: str) -> int:
        """The downloads of a file until now."""
        stats = self.gateway.rpc("stats", key="read", prefix=self.prefix)
        return sum(day["downloads"] for day in stats["files"].get(path, []))


def make_table() -> bytes:
    """A Parquet file with a column of numbers between two of bytes, some 3 MB."""
    rows = 30_000
    noise = [secrets.token_bytes(48) for _ in range(rows)]
    file = io.BytesIO()
    pq.write_table(pa.table({"first": noise, "value": range(rows), "last": noise}), file)
    return file.getvalue()


def make_video() -> bytes:
    """A film of noise in WebM: long enough that a browser does not load it whole."""
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as container:
        stream = container.add_stream("vp8", rate=VIDEO_FRAMES)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 4_000_000
        stream.options = {"deadline": "realtime", "cpu-used": "16"}
        for number in range(VIDEO_SECONDS * VIDEO_FRAMES):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
            for plane in frame.planes:
                plane.update(secrets.token_bytes(plane.buffer_size))
            frame.pts, frame.time_base = number, Fraction(1, VIDEO_FRAMES)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.fixture(scope="module")
def scene(gateway: Gateway) -> Iterator[Scene]:
    gallery = gateway.new_prefix(public=True)
    make_gallery(gateway, gallery)
    block = secrets.token_bytes(1 << 20)
    big = block * (BIG_BYTES >> 20)
    files = {"big.bin": big, "table.parquet": make_table(), "video.webm": make_video()}
    publish(gateway, f"{gallery}/example", files)
    yield Scene(gateway, f"{gallery}/example", hashlib.sha256(big).hexdigest())
    gateway.rpc("delete", prefix=gallery, recursive=True)


def by_aws(scene: Scene, folder: Path) -> Path:
    scene.gateway.aws("s3", "cp", scene.uri("big.bin"), folder / "got", key="read")
    return folder / "got"


def by_boto3(scene: Scene, folder: Path) -> Path:
    client = scene.gateway.s3("read")
    client.download_file(WORKSPACE, f"{scene.prefix}/big.bin", str(folder / "got"))
    return folder / "got"


def by_rclone(scene: Scene, folder: Path) -> Path:
    scene.gateway.rclone(
        "copyto", "--multi-thread-streams=4", "--multi-thread-cutoff=10M",
        f"gw:{WORKSPACE}/{scene.prefix}/big.bin", folder / "got", key="read",
    )  # fmt: skip
    return folder / "got"


def by_s5cmd(scene: Scene, folder: Path) -> Path:
    scene.gateway.s5cmd("cp", scene.uri("big.bin"), folder / "got", key="read")
    return folder / "got"


def by_curl(scene: Scene, folder: Path) -> Path:
    scene.gateway.curl("-o", folder / "got", f"{scene.url}/big.bin")
    return folder / "got"


def by_resumed_curl(scene: Scene, folder: Path) -> Path:
    got, url = folder / "got", f"{scene.url}/big.bin"
    # 28: out of time, with a part of the file.
    scene.gateway.curl("--limit-rate", "20M", "--max-time", "1", "-o", got, url, code=28)
    assert 0 < got.stat().st_size < BIG_BYTES
    scene.gateway.curl("-C", "-", "-o", got, url)
    return got


FETCHES: dict[str, Callable[[Scene, Path], Path]] = {
    "aws-cli, `aws s3 cp` of 100 MiB": by_aws,
    "boto3, `download_file` of 100 MiB": by_boto3,
    "rclone, `copyto` of 100 MiB with four streams": by_rclone,
    "s5cmd, `cp` of 100 MiB": by_s5cmd,
    "curl": by_curl,
    "curl, broken off and resumed with `-C -`": by_resumed_curl,
}


@pytest.mark.parametrize("client", FETCHES)
def test_a_file_that_was_fetched_counts_as_the_page_says(
    scene: Scene, tmp_path: Path, client: str
) -> None:
    before = scene.counted("big.bin")
    got = FETCHES[client](scene, tmp_path)
    with got.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == scene.digest
    got.unlink()
    assert scene.counted("big.bin") - before == COUNTS[client]


def test_a_players_probe(scene: Scene) -> None:
    for probe, ranges in (
        ("a player's probe, `bytes=0-1`", ("bytes=0-1",)),
        ("a player's probe, then `bytes=0-`", ("bytes=0-1", "bytes=0-")),
    ):
        before = scene.counted("video.webm")
        for span in ranges:
            answer = scene.gateway.request(
                "GET", scene.url.removeprefix(scene.gateway.url) + "/video.webm", {"Range": span}
            )
            assert answer.status == http.client.PARTIAL_CONTENT
        assert scene.counted("video.webm") - before == COUNTS[probe]


def test_an_analytical_client_counts_where_it_takes_the_whole(scene: Scene) -> None:
    connection = duckdb.connect()
    connection.load_extension(str(EXTENSION))
    key = KEYS["read"]
    connection.execute(
        f"""
        CREATE SECRET gateway (
            TYPE s3, KEY_ID '{key.access_key_id}', SECRET '{key.secret_access_key}',
            REGION '{REGION}', ENDPOINT '127.0.0.1:{scene.gateway.port}', URL_STYLE 'path',
            USE_SSL false
        )
        """
    )
    for client, question in (
        ("DuckDB, one column of a Parquet file", "SELECT max(value) FROM read_parquet(?)"),
        ("DuckDB, `read_blob` of the file", "SELECT octet_length(content) FROM read_blob(?)"),
    ):
        before = scene.counted("table.parquet")
        (row,) = connection.execute(question, [scene.uri("table.parquet")]).fetchall()
        assert row[0] > 0
        assert scene.counted("table.parquet") - before == COUNTS[client]


WATCHING = """<!doctype html><video muted src=%s></video><script>
const video = document.querySelector("video");
const seen = [];
const once = name => new Promise(resolve => video.addEventListener(name, resolve, {once: true}));
(async () => {
  await once("canplay");
  await video.play();
  for (const part of [0.5, 0.9, 0.1]) {
    video.currentTime = part * video.duration;
    await once("seeked");
    await once("timeupdate");
    seen.push(video.currentTime > 0);
  }
  video.playbackRate = 16;
  await once("ended");
  return {seen, played: video.currentTime, error: null};
})().catch(error => ({error: String(error)})).then(found =>
  fetch("/", {method: "POST", body: JSON.stringify(found)}));
</script>
"""


@pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed; .ci/run does")
def test_a_video_that_is_watched_and_sought_in_counts_once(
    scene: Scene, pages: Pages, tmp_path: Path
) -> None:
    before = scene.counted("video.webm")
    pages.put("/watching", WATCHING % json.dumps(f"{scene.url}/video.webm"))
    with browsing(f"{pages.origin('localhost')}/watching", tmp_path):
        found = pages.told()
    assert found["error"] is None, found
    assert found["seen"] == [True, True, True]
    client = "Chromium, playing a video and seeking in it"
    assert scene.counted("video.webm") - before == COUNTS[client]


def test_what_is_no_download_counts_nothing(scene: Scene) -> None:
    gateway, path = scene.gateway, "big.bin"
    target = f"/{WORKSPACE}/artifact/{scene.prefix}/{path}"
    before = scene.counted(path)
    etag = gateway.request("HEAD", target).headers["ETag"]
    silent = gateway.rpc(
        "get_file", key="read", prefix=scene.prefix, path=path, options={"silent": True}
    )
    for expected, way, headers in (
        (200, target, None),
        (304, target, {"If-None-Match": etag}),
        (412, target, {"If-Match": '"another"'}),
        (416, target, {"Range": f"bytes={BIG_BYTES}-"}),
        (206, target, {"Range": "bytes=5-1000"}),
        (206, f"{target}?silent=true", {"Range": "bytes=0-1000"}),
        (206, silent.removeprefix(gateway.url), {"Range": "bytes=0-1000"}),
        (404, f"{target}.other", None),
    ):
        method = "HEAD" if expected == http.client.OK else "GET"
        assert gateway.request(method, way, headers).status == expected, way
    gateway.s3().put_object(Bucket=WORKSPACE, Key=f"{scene.prefix}/{path}", Body=b"staged")
    staged = gateway.signed("GET", f"/{WORKSPACE}/{scene.prefix}/{path}")
    assert staged.body == b"staged"
    gateway.rpc("discard", prefix=scene.prefix)
    assert scene.counted(path) == before


def test_every_row_of_the_page_is_tested() -> None:
    source = Path(__file__).read_text()
    assert COUNTS
    for client in COUNTS:
        assert source.count(f'"{client}"') == 1, client
