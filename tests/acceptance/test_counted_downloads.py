"""No download is lost, none counts twice: through SIGKILL, and without a database for a while.

`make downloads` does ten thousand, with five kills.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.downloaders import Downloaders, Target
from tests.acceptance.harness import WORKSPACE, Backend, Document, Gateway
from tests.acceptance.steps import make_gallery, publish
from tests.postgresql import PostgreSQL, postgresql_server

DOWNLOADS = int(os.environ.get("DOWNLOADS", "1000"))
KILLS = int(os.environ.get("DOWNLOAD_KILLS", "2"))
WEIGHTS = {"nothing.bin": 0.0, "half.bin": 0.5, "one.bin": 1.0}
FILES = {path: path[:1].encode() * 4_096 for path in WEIGHTS}
CHANCE = random.Random()  # noqa: S311 - no secret

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def server() -> Iterator[PostgreSQL]:
    """A PostgreSQL of this test's own, to be stopped."""
    with postgresql_server() as server:
        yield server


def gateway_of(backend: Backend, folder: Path, settings: Document, name: str) -> Gateway:
    system = {"bucket": "artifact-gateway-system", "prefix": f"{name}/"}
    return Gateway(backend, folder, {"system": system, **settings}).start()


def published(gateway: Gateway) -> str:
    """The prefix of a public dataset of three files."""
    gallery = gateway.new_prefix(public=True)
    make_gallery(gateway, gallery)
    files = [{"path": path, "download_weight": weight} for path, weight in WEIGHTS.items()]
    publish(gateway, f"{gallery}/example", FILES, files=files)
    return f"{gallery}/example"


def targets(gateway: Gateway, prefix: str) -> Iterator[Target]:
    """Each file through each door: artifact, S3 without a key, presigned by S3 and by RPC."""
    for path, data in FILES.items():
        key = f"{prefix}/{path}"
        presigned = gateway.s3("read").generate_presigned_url(
            "get_object", {"Bucket": WORKSPACE, "Key": key}
        )
        by_rpc = gateway.rpc("get_file", key="read", prefix=prefix, path=path)
        for url in (
            f"{gateway.url}/{WORKSPACE}/artifact/{key}",
            f"{gateway.url}/{WORKSPACE}/{key}",
            presigned,
            by_rpc,
        ):
            yield Target(path, len(data), url)


def counted(gateway: Gateway, prefix: str) -> tuple[dict[str, int], float]:
    """Downloads of each file, and the weighted count, as the database has them."""
    stats = gateway.rpc("stats", key="read", prefix=prefix)
    downloads = {
        path: sum(day["downloads"] for day in stats["files"].get(path, [])) for path in FILES
    }
    weighted = sum(day["download_count"] for day in stats["series"])
    assert weighted == stats["download_count"]
    return downloads, float(stats["download_count"])


def check(
    gateways: list[Gateway], prefix: str, clients: Downloaders, begun: dict[str, int] | None = None
) -> None:
    """The counts are those of the clients, and at most those more that broke off."""
    for gateway in gateways:
        gateway.rpc("stats", key="read", prefix=prefix)  # merges what its host has counted
    downloads, weighted = counted(gateways[0], prefix)
    before = begun or dict.fromkeys(FILES, 0)
    for path, number in downloads.items():
        whole = before[path] + clients.whole[path]
        assert whole <= number <= whole + clients.unsure[path], path
    assert weighted == sum(WEIGHTS[path] * number for path, number in downloads.items())


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.01)


def test_kills_lose_no_download(backend: Backend, tmp_path: Path) -> None:
    gateway = gateway_of(backend, tmp_path, {}, "killed-downloads")
    try:
        prefix = published(gateway)
        moments = sorted(CHANCE.randrange(DOWNLOADS // 10, DOWNLOADS) for _ in range(KILLS))
        with Downloaders([*targets(gateway, prefix)], DOWNLOADS) as clients:
            for moment in moments:
                wait_for(lambda moment=moment: clients.done >= moment)  # type: ignore[misc]
                gateway.kill()
                gateway.start()
        assert clients.refused == []
        assert clients.done == DOWNLOADS
        check([gateway], prefix, clients)
    finally:
        gateway.stop()


def test_two_gateways_lose_no_download_while_one_is_killed_and_the_database_is_away(
    backend: Backend, tmp_path: Path, server: PostgreSQL
) -> None:
    settings = {"database_url": server.url}
    gateways = [
        gateway_of(backend, tmp_path / name, settings, "two-gateways") for name in ("one", "two")
    ]
    try:
        prefix = published(gateways[0])
        everywhere = [target for gateway in gateways for target in targets(gateway, prefix)]
        # Without an end: it takes a server longer to start than a gateway to answer all of them.
        with Downloaders(everywhere) as clients:
            wait_for(lambda: clients.done >= DOWNLOADS // 5)
            server.stop()
            without = clients.done
            wait_for(lambda: clients.done >= without + DOWNLOADS // 5)
            server.start()
            for _ in range(KILLS):
                moment = clients.done + CHANCE.randrange(DOWNLOADS // 10)
                wait_for(lambda moment=moment: clients.done >= moment)  # type: ignore[misc]
                gateways[1].kill()
                gateways[1].start()
            wait_for(lambda: clients.done >= DOWNLOADS)
        assert clients.refused == []
        check(gateways, prefix, clients)
    finally:
        for gateway in gateways:
            gateway.stop()


def test_a_reset_under_traffic_lets_nothing_come_back(backend: Backend, tmp_path: Path) -> None:
    gateway = Gateway(backend, tmp_path)
    listen = gateway.configuration()["listen"] | {"workers": 4}
    system = {"bucket": "artifact-gateway-system", "prefix": "reset/"}
    gateway.settings = {"listen": listen, "system": system}
    gateway.start()
    try:
        prefix = published(gateway)
        before, after = dict.fromkeys(FILES, 0), dict.fromkeys(FILES, 0)
        with Downloaders([*targets(gateway, prefix)]) as clients:
            for _ in range(2):
                enough = clients.done + 100
                wait_for(lambda enough=enough: clients.done >= enough)  # type: ignore[misc]
                before = {path: clients.whole[path] for path in FILES}
                gateway.rpc("reset_stats", key="admin", prefix=prefix)
                after = {path: clients.begun[path] for path in FILES}
        downloads, _ = counted(gateway, prefix)
        for path, number in downloads.items():
            # What arrived before the reset is gone; what began after it is there.
            assert clients.whole[path] - after[path] <= number, path
            assert number <= clients.whole[path] - before[path], path
    finally:
        gateway.stop()
