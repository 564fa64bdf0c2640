"""Two worker processes behind one port: one view, and a death that nobody else notices."""

import http.client
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psutil
import pytest

from gateway import launcher
from tests.acceptance.harness import WORKSPACE, Backend, Gateway
from tests.acceptance.processes import free_port
from tests.acceptance.sights import COMMITTED, ONE, bring, check, committed, editing
from tests.acceptance.views import DATA, MANIFEST, Artifact
from tests.acceptance.wire import WireTap
from tests.waiting import wait_until

WORKERS = 2
CONNECTIONS = 24


def two_workers(backend: Backend, folder: Path, system: str, endpoint: str | None) -> Gateway:
    port = free_port()
    settings = {
        "listen": {"host": "127.0.0.1", "port": port, "workers": WORKERS},
        "system": {"bucket": "artifact-gateway-system", "prefix": system},
    }
    return Gateway(backend, folder, settings, endpoint, port=port)


@pytest.fixture(scope="module")
def tap(backend: Backend) -> Iterator[WireTap]:
    """What can stop a worker at a request to the backend."""
    with WireTap(backend.endpoint_url) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(
    backend: Backend, tap: WireTap, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway of two workers, on SQLite."""
    running = two_workers(backend, tmp_path_factory.mktemp("two"), "workers/", tap.url)
    try:
        running.start()
        assert wait_until(lambda: len(answering(running)) == WORKERS)
        yield running
    finally:
        tap.cut()
        running.stop()


def workers(gateway: Gateway) -> Mapping[int, psutil.Process]:
    """The worker processes by their ids."""
    found = {}
    for process in psutil.Process(gateway.pid).children():
        with suppress(psutil.NoSuchProcess):
            if "worker" in process.cmdline():
                found[process.pid] = process
    return found


def connected(gateway: Gateway, stack: ExitStack) -> http.client.HTTPConnection:
    """A new connection, open until the stack is left."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    stack.callback(connection.close)
    connection.connect()
    return connection


def port_of(connection: http.client.HTTPConnection) -> int:
    assert connection.sock is not None
    return int(connection.sock.getsockname()[1])


def answering(gateway: Gateway) -> set[int]:
    """The workers that answer on a number of new connections."""
    with ExitStack() as stack:
        connections = [connected(gateway, stack) for _ in range(CONNECTIONS)]
        for connection in connections:
            connection.request("GET", "/_health/live")
            connection.getresponse().read()
        clients = clients_of(gateway)
        return {clients[port_of(connection)] for connection in connections}


def clients_of(gateway: Gateway) -> Mapping[int, int]:
    """Which worker, by its id, has the connection from which port of a client's."""
    found = {}
    for pid, process in workers(gateway).items():
        with suppress(psutil.NoSuchProcess):
            for connection in process.net_connections("tcp"):
                ours = connection.laddr.port == gateway.port
                if ours and connection.status == psutil.CONN_ESTABLISHED:
                    found[connection.raddr.port] = pid
    return found


def intents(gateway: Gateway) -> int:
    """How many intents the index holds."""
    database = gateway.data_dir / "artifact-gateway.db"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM intent").fetchone()[0])


def get(connection: http.client.HTTPConnection, artifact: Artifact) -> bytes:
    """The file as anybody reads it."""
    connection.request("GET", f"/{WORKSPACE}/{artifact.key(DATA)}")
    answer = connection.getresponse()
    assert answer.status == 200
    return answer.read()


def test_what_is_committed_through_one_worker_each_shows_in_its_next_request(
    gateway: Gateway, public_prefix: str
) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    answered: set[int] = set()
    for number in range(4):
        body = b"number %d" % number
        artifact.put(DATA, body)
        artifact.rpc("commit")
        with ExitStack() as stack:
            connections = [connected(gateway, stack) for _ in range(CONNECTIONS)]
            assert {get(connection, artifact) for connection in connections} == {body}
            clients = clients_of(gateway)
            answered |= {clients[port_of(connection)] for connection in connections}
    assert answered == workers(gateway).keys()
    check(artifact, committed({MANIFEST: ONE, DATA: b"number 3"}, 5))


def test_a_worker_that_is_killed_takes_nothing_of_an_edit_with_it(
    gateway: Gateway, tap: WireTap, public_prefix: str
) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    url = gateway.s3().generate_presigned_url(
        "put_object", Params={"Bucket": WORKSPACE, "Key": artifact.key(DATA)}
    )
    pause = tap.pause_on("PUT", f"{artifact.key(DATA)}$", when="after")
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        connection = connected(gateway, stack)
        connection.request("PUT", url.removeprefix(gateway.url), b"two")
        answer = pool.submit(connection.getresponse)
        pause.wait()
        assert intents(gateway) == 1
        victim = clients_of(gateway)[port_of(connection)]
        (survivor,) = workers(gateway).keys() - {victim}
        workers(gateway)[victim].kill()
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            answer.result(10)
        for _ in range(CONNECTIONS):
            assert get(connected(gateway, stack), artifact) == COMMITTED[DATA]
    tap.cut()
    assert wait_until(lambda: intents(gateway) == 0)
    check(artifact, editing({MANIFEST: ONE, DATA: b"two"}))
    assert wait_until(lambda: len(answering(gateway)) == WORKERS)
    assert survivor in workers(gateway)
    assert victim not in workers(gateway)
    artifact.rpc("discard")
    check(artifact, committed(COMMITTED, 1))


def test_after_a_kill_nothing_keeps_the_port_from_the_next_start(gateway: Gateway) -> None:
    before = list(workers(gateway).values())
    for each in before:
        each.suspend()  # they can notice nothing themselves
    gateway.kill()
    gateway.start()
    assert wait_until(lambda: not any(each.is_running() for each in before))
    assert wait_until(lambda: len(answering(gateway)) == WORKERS)


def test_a_worker_whose_parent_has_gone_before_it_begins_does_not_begin(tmp_path: Path) -> None:
    """The kernel says nothing of a death before it was asked to."""
    begun = tmp_path / "begun"
    follow = [sys.executable, "-I", launcher.__file__, "--hears"]
    for parent, begins in ((str(os.getppid()), False), (str(os.getpid()), True)):
        subprocess.run([*follow, parent, "/bin/touch", str(begun)], check=begins)
        assert begun.exists() == begins


def test_a_stop_leaves_no_process(gateway: Gateway) -> None:
    family = [psutil.Process(gateway.pid), *workers(gateway).values()]
    assert len(family) == WORKERS + 1
    assert gateway.stop() == 0
    assert [each for each in family if each.is_running()] == []
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", gateway.port).connect()
