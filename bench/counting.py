"""What counting costs: the same file counted and `silent`, alternating in one run.

`python -m bench.counting [--rounds 120] [--seconds 1] [--rate 2000] [--only latency] [--json FILE]`

The gateway answers from memory, where counting is the greatest part of what a request costs. CPU is
that of its process while wrk (Debian's package of that name) asks as fast as it is answered; what
clients wait is measured at a steady rate. What else goes on in a machine changes from one second to
the next, by more than counting costs: so there are many short rounds, and in each both ways have
two turns, the one before and after the other's.
"""

import argparse
import os
import re
import select
import shutil
import socket
import statistics
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from bench.figures import Report
from bench.scene import Scene, scene

FILE_BYTES = 4_096
CONNECTIONS = 16
PATH = "public/bench/example/data.bin"
WAYS = ("counted", "silent")
ROUND = ("counted", "silent", "silent", "counted")
# What is promised, of the silent way: CPU in per cent, and latencies.
CPU, MIDDLE, TAIL = 105.0, 102.0, 110.0
# Connections at a steady rate: more than are ever busy on a machine that keeps up.
LINES = 32
PATIENCE_SECONDS = 5.0
REQUESTS = re.compile(r"(\d+) requests in")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=120)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--rate", type=int, default=2_000)
    parser.add_argument("--only", choices=("cpu", "latency"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report = Report(f"Counting a download of {FILE_BYTES} bytes")
    with scene() as here:
        publish(here)
        if options.only != "latency":
            measure_cpu(report, here, options.rounds, options.seconds)
        if options.only != "cpu":
            measure_latency(report, here, options.rounds, options.seconds, options.rate)
    report.show(options.json)


def measure_cpu(report: Report, here: Scene, rounds: int, seconds: float) -> None:
    """Add the CPU of the gateway's process per request, and how the two compare."""
    spent: dict[str, list[float]] = {way: [] for way in WAYS}
    targets = _targets(here)
    for turn in range(rounds + 1):
        costs: dict[str, list[float]] = {way: [] for way in WAYS}
        for way in _ways(turn):
            costs[way].append(_cpu_of(here.gateway.pid, targets[way], seconds))
        if turn:  # the first warms up
            for way in WAYS:
                spent[way].append(statistics.mean(costs[way]))
    for way in WAYS:
        report.add(f"CPU of a request to the gateway, {way}", spent[way], "µs")
    _compare(report, "CPU of a request, counted to silent", spent, CPU)


def publish(here: Scene) -> None:
    """Commit the file, in public."""
    collection = {"type": "collection", "name": "Bench"}
    here.gateway.rpc("create", prefix="public/bench", manifest=collection)
    prefix, name = PATH.rsplit("/", 1)
    here.gateway.rpc("create", prefix=prefix, manifest={"type": "dataset"}, stage=True)
    here.gateway.s3().put_object(
        Bucket=here.gateway.workspace, Key=f"{prefix}/{name}", Body=os.urandom(FILE_BYTES)
    )
    here.gateway.rpc("commit", prefix=prefix)


def _cpu_of(pid: int, url: str, seconds: float) -> float:
    """The CPU that a process takes for one of wrk's requests, in microseconds."""
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("wrk is not installed: it is a package of Debian's")
    process = psutil.Process(pid)
    before = process.cpu_times()
    command = [program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    after = process.cpu_times()
    found = REQUESTS.search(said)
    if found is None or "Non-2xx" in said:
        raise RuntimeError(said)
    used = after.user + after.system - before.user - before.system
    return used * 1e6 / int(found[1])


def measure_latency(report: Report, here: Scene, rounds: int, seconds: float, rate: int) -> None:
    """Add what clients wait for the file at a steady rate, and how the two ways compare."""
    middles: dict[str, list[float]] = {way: [] for way in WAYS}
    tails: dict[str, list[float]] = {way: [] for way in WAYS}
    targets = _targets(here)
    for turn in range(rounds + 1):
        waits: dict[str, list[float]] = {way: [] for way in WAYS}
        for way in _ways(turn):
            waits[way] += _ask(targets[way], seconds, rate)
        if turn:
            for way in WAYS:
                ordered = statistics.quantiles(waits[way], n=100)
                middles[way].append(ordered[49])
                tails[way].append(ordered[98])
    for name, samples, most in (("p50", middles, MIDDLE), ("p99", tails, TAIL)):
        for way in WAYS:
            report.add(f"{name} at {rate}/s, {way}", samples[way], "µs")
        _compare(report, f"{name} at {rate}/s, counted to silent", samples, most)


def _ways(turn: int) -> Sequence[str]:
    """The ways of a round, in their order: those of the next are the other way round."""
    return ROUND if turn % 2 else [WAYS[way == WAYS[0]] for way in ROUND]


def _targets(here: Scene) -> dict[str, str]:
    """The URL of the file, by the way that it is asked for."""
    url = f"{here.gateway.url}/{here.gateway.workspace}/artifact/{PATH}"
    return {"counted": url, "silent": f"{url}?silent=true"}


def _compare(report: Report, name: str, samples: Mapping[str, list[float]], most: float) -> None:
    pairs = zip(samples["counted"], samples["silent"], strict=True)
    report.add(name, [100 * counted / silent for counted, silent in pairs], "%", most=most)


def _ask(url: str, seconds: float, rate: int) -> list[float]:
    """What each request waited from when it was due, in microseconds.

    They are due at a steady rate, whatever becomes of those before, on connections that have been
    asked before: where they open at once, it is their beginning that makes the p99. `select` waits
    to the microsecond, where timers of event loops are rounded to milliseconds.
    """
    split = urlsplit(url)
    target = f"{split.path}?{split.query}" if split.query else split.path
    asked = f"GET {target} HTTP/1.1\r\nHost: {split.netloc}\r\n\r\n".encode()
    place = split.hostname or "", split.port or 80
    waits: list[float] = []
    with ExitStack() as stack:
        lines = [_Line(stack.enter_context(socket.create_connection(place))) for _ in range(LINES)]
        for line in lines:
            line.ask(asked, 0)
            while not line.take():
                pass
        free, busy = deque(lines), dict[socket.socket, _Line]()
        total, asked_for = int(seconds * rate), 0
        began = time.perf_counter()
        while len(waits) < total:
            now = time.perf_counter()
            while asked_for < total and free and began + asked_for / rate <= now:
                line = free.popleft()
                line.ask(asked, began + asked_for / rate)
                busy[line.socket] = line
                asked_for += 1
            due = began + asked_for / rate - time.perf_counter()
            pause = max(due, 0.0) if free and asked_for < total else PATIENCE_SECONDS
            for found in select.select(list(busy), [], [], pause)[0]:
                if busy[found].take():
                    line = busy.pop(found)
                    free.append(line)
                    waits.append((time.perf_counter() - line.due) * 1e6)
    return waits


class _Line:
    """One connection; `due` is when what is asked on it now should have been asked."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.due = 0.0
        self._left = 0
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, asked: bytes, due: float) -> None:
        """Send the request."""
        self.due = due
        self._left = -1
        self.socket.sendall(asked)

    def take(self) -> bool:
        """Whether the answer has come whole; RuntimeError for another than is expected."""
        data = self.socket.recv(1 << 16)
        if self._left < 0:
            head = data.find(b"\r\n\r\n") + 4
            if not data.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(data[:head].decode() or "the gateway closed the connection")
            self._left = head + FILE_BYTES
        self._left -= len(data)
        return not self._left


if __name__ == "__main__":
    main()
