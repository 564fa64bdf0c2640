"""A commit is seen whole or not at all, and no put during one is lost."""

import contextlib
import io
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.acceptance.harness import WORKSPACE, Gateway, RpcError
from tests.acceptance.steps import content, manifest, publish, put

FILES = 200


def _generation(number: int) -> dict[str, bytes]:
    return {f"part-{i:03}": b"v" * number for i in range(FILES)}


class Witness:
    """Looks at an artifact during its commit; each request has to show one version."""

    def __init__(self, gateway: Gateway, prefix: str, parties: int) -> None:
        self.gateway, self.prefix = gateway, prefix
        self.door = f"/{WORKSPACE}/artifact/{prefix}"
        self.seen: set[int] = set()
        self.ready = threading.Barrier(parties, timeout=30)
        self.over = threading.Event()

    def one(self, sizes: set[int]) -> None:
        """Every file has the size that is its version's number."""
        assert len(sizes) == 1, f"a mix of versions: {sizes}"
        self.seen |= sizes

    def listings(self) -> None:
        client = self.gateway.s3("read")
        answer = client.list_objects_v2(Bucket=WORKSPACE, Prefix=f"{self.prefix}/part-")
        assert len(answer["Contents"]) == FILES
        self.one({each["Size"] for each in answer["Contents"]})

    def manifests(self) -> None:
        page = self.gateway.anonymous("GET", self.door, params={"silent": "true"}).json()
        assert page["name"] == f"version {page['_version']}"
        assert len(page["files"]) == FILES
        self.one({each["size"] for each in page["files"]})
        assert {each["size"] for each in page["files"]} == {page["_version"]}

    def archives(self) -> None:
        answer = self.gateway.anonymous("GET", self.door, params={"format": "zip"})
        assert answer.status_code == 200, answer.text
        archive = zipfile.ZipFile(io.BytesIO(answer.content))
        assert archive.testzip() is None
        files = [each for each in archive.infolist() if "part-" in each.filename]
        assert len(files) == FILES
        self.one({each.file_size for each in files})

    def first_version(self) -> None:
        params = {"version": "1"}
        for name in ("part-000", f"part-{FILES - 1}"):
            answer = self.gateway.anonymous("GET", f"{self.door}/{name}", params=params)
            assert (answer.status_code, answer.content) == (200, b"v")
        page = self.gateway.rpc("read", key="read", prefix=self.prefix, version=1, silent=True)
        assert (page["name"], len(page["files"])) == ("version 1", FILES)
        assert {each["size"] for each in page["files"]} == {1}

    def until_over(self, look: Callable[[], None]) -> int:
        """How often `look` looked: before the commit, during it, and once after it."""
        try:
            look()
        except BaseException:
            self.ready.abort()
            raise
        self.ready.wait()
        rounds = 2
        while not self.over.is_set():
            look()
            rounds += 1
        look()
        return rounds


Look = Callable[[Witness], None]


@pytest.mark.parametrize(
    "looks",
    [(Witness.listings, Witness.manifests, Witness.first_version), (Witness.archives,)],
    ids=["lists and reads", "reads zips"],
)
def test_a_commit_of_200_files_is_seen_whole_or_not_at_all(
    gateway: Gateway, public_prefix: str, looks: tuple[Look, ...]
) -> None:
    prefix, client = public_prefix, gateway.s3()
    witness = Witness(gateway, prefix, len(looks) + 1)
    with ThreadPoolExecutor(12) as pool:

        def upload(number: int) -> None:
            put(client, prefix, {"_manifest.yaml": manifest(name=f"version {number}")})
            files = _generation(number).items()
            for each in [pool.submit(put, client, prefix, dict([file])) for file in files]:
                each.result()

        upload(1)
        assert gateway.rpc("commit", prefix=prefix)["version"] == 1
        upload(2)
        watching = [pool.submit(witness.until_over, partial(look, witness)) for look in looks]
        with contextlib.suppress(threading.BrokenBarrierError):  # told below, by its result
            witness.ready.wait()
        try:
            assert gateway.rpc("commit", prefix=prefix)["version"] == 2
        finally:
            witness.over.set()
        assert all(each.result() > 2 for each in watching)
    assert witness.seen == {1, 2}


def test_a_file_put_during_a_commit_is_in_it_or_still_staged(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"data.csv": b"0"}, name="one")
    client, last = gateway.s3(), b"0"
    with ThreadPoolExecutor(1) as pool:
        for number in range(1, 9):
            put(client, prefix, {"data.csv": b"%d" % (2 * number - 1)})
            committing = pool.submit(gateway.rpc, "commit", prefix=prefix)
            last = b"%d" % (2 * number)
            put(client, prefix, {"data.csv": last})
            committing.result()
            assert content(client, f"{prefix}/data.csv") == last
            seen = content(gateway.s3("read"), f"{prefix}/data.csv")
            assert seen in {b"%d" % (2 * number - 1), last}
    try:
        gateway.rpc("commit", prefix=prefix)
    except RpcError as error:
        if error.code != "NotStaged":
            raise
    assert content(gateway.s3("read"), f"{prefix}/data.csv") == last
