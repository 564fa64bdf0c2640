"""Many clients that do nothing, or little, are no burden to those that do something."""

import http.client
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.acceptance import crowd
from tests.acceptance.harness import WORKSPACE, Backend, Gateway
from tests.acceptance.signer import Signer
from tests.waiting import wait_until

IDLE, SLOW = 1_000, 200
REQUESTS = 60
ATTEMPTS = 5
USUAL_LIMIT = 1_024  # of open files, where nobody asked for more
KNOWN = f"/{WORKSPACE}/crowds/small"
LARGE = f"/{WORKSPACE}/crowds/large"


@contextmanager
def open_files(soft: int) -> Iterator[None]:
    """As many files as that may be open in this process, and in those that it starts."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module")
def own(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that was started as most systems start processes."""
    client = backend.client()
    client.put_object(Bucket=WORKSPACE, Key="crowds/small", Body=b"small")
    client.put_object(Bucket=WORKSPACE, Key="crowds/large", Body=bytes(8_000_000))
    running = Gateway(
        backend,
        tmp_path_factory.mktemp("crowds"),
        settings={"system": {"bucket": "system-of-the-crowds", "prefix": ""}},
    )
    with open_files(USUAL_LIMIT):
        running.start()
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def surrounded(gateway: Gateway) -> Iterator[None]:
    """The crowd is there, and nobody of it was sent away."""
    signer = Signer(f"127.0.0.1:{gateway.port}")
    command = [
        *(sys.executable, str(Path(crowd.__file__)), str(gateway.port), str(IDLE), str(SLOW)),
        *(signer.presigned("GET", LARGE), signer.presigned("PUT", f"{LARGE}-put")),
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        assert wait_until(lambda: _connections(gateway) >= IDLE + SLOW, 60)
        yield
        assert process.communicate("", timeout=30)[0] == "0\n"
    finally:
        process.kill()
        process.communicate()
    assert wait_until(lambda: _connections(gateway) < IDLE)


def _connections(gateway: Gateway) -> int:
    listening = gateway.port
    there = psutil.Process(gateway.pid).net_connections("tcp")
    return sum(each.laddr.port == listening and each.status == "ESTABLISHED" for each in there)


def latency(gateway: Gateway) -> float:
    """The median of how long a small object takes, in seconds."""
    target = Signer(f"127.0.0.1:{gateway.port}").presigned("GET", KNOWN)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    taken = []
    for _ in range(REQUESTS):
        start = time.perf_counter()
        connection.request("GET", target)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"small")
        taken.append(time.perf_counter() - start)
    connection.close()
    return statistics.median(taken)


def test_crowd_leaves_the_latency_of_others_within_twice_that_of_an_idle_gateway(
    own: Gateway,
) -> None:
    with open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
        measured = []
        for _ in range(ATTEMPTS):
            before = latency(own)
            with surrounded(own):
                among = latency(own)
            after = latency(own)
            measured.append((before, among, after))
            if among < 2 * max(before, after):
                return
    raise AssertionError(f"seconds before, among and after the crowd: {measured}")


def test_gateway_that_can_hold_no_more_rests_and_recovers(own: Gateway) -> None:
    process = psutil.Process(own.pid)
    before = resource.prlimit(own.pid, resource.RLIMIT_NOFILE)
    assert before[0] == before[1] > USUAL_LIMIT
    known = http.client.HTTPConnection("127.0.0.1", own.port, timeout=30)
    assert _is_alive(known)
    resource.prlimit(own.pid, resource.RLIMIT_NOFILE, (process.num_fds() + 20, before[1]))
    others = []
    try:
        for _ in range(100):
            other = socket.socket()
            other.settimeout(0)
            other.connect_ex(("127.0.0.1", own.port))
            others.append(other)
        time.sleep(0.2)
        start, used = time.monotonic(), _cpu(process)
        assert _is_alive(known)
        time.sleep(1)
        assert _cpu(process) - used < (time.monotonic() - start) / 2
        assert _is_alive(known)
    finally:
        for other in others:
            other.close()
        resource.prlimit(own.pid, resource.RLIMIT_NOFILE, before)
    known.close()
    assert wait_until(lambda: own.request("GET", "/_health/ready").status == 200)
    assert latency(own) > 0


def _is_alive(connection: http.client.HTTPConnection) -> bool:
    connection.request("GET", "/_health/live")
    answer = connection.getresponse()
    return answer.status == 200 and bool(answer.read())


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
