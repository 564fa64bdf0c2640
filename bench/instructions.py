"""Instructions of a request: how many the gateway's process executes in user space for one.

`python -m bench.instructions [--requests 500] [--json FILE]`

callgrind counts them (Debian's package valgrind), so that a busy machine changes little: it is for
comparing two versions of the gateway. What the kernel does is not in it, nor what an instruction
waits for. Requests come one after the other on one connection, which was asked before.

The process works by the clock, too: it merges journals, and looks after itself. Under callgrind all
else is some fifty times slower, and this would be most of what is counted. So the requests of a
round come in turns of five, between which the counters are read, and the round's sample is the
lower quartile of its turns: one in which nothing else was done.
"""

import argparse
import http.client
import os
import re
import socket
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from bench.counting import PATH, publish
from bench.figures import Report
from bench.scene import scene
from bench.speed.load import program
from bench.speed.signing import Ask
from bench.speed.stand import ENVIRONMENT, NOTHING_KEPT, SMALL
from tests.acceptance.harness import Document, Gateway
from tests.acceptance.keys import KEYS, WORKSPACE

ROUNDS = 5
TURN = 5
WARMING = 60
PLAIN = "plain/data.bin"
# No file of counts is wanted: what is read are the counters of the running process.
CALLGRIND = ("--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=/dev/null")
# valgrind does not know all of io_uring, which uvloop takes where the kernel has it.
SURROUNDINGS = {**ENVIRONMENT, "UV_USE_IO_URING": "0"}
PATIENCE_SECONDS = 60.0
OF_A_THREAD = re.compile(r"^events-\d+: (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Way:
    """One kind of request; `key` signs it, if any does, and each one anew where it is `fresh`."""

    name: str
    ask: Ask
    key: str | None = "read"
    fresh: bool = False

    def requests(self, url: str, count: int) -> Sequence[bytes]:
        """So many requests: the same, or each with another header signed, as SDKs send it."""
        if self.fresh:
            apart = [{"amz-sdk-invocation-id": str(uuid4())} for _ in range(count)]
            return [self._signed(url, headers) for headers in apart]
        return [self._signed(url, {})] * count

    def _signed(self, url: str, headers: Mapping[str, str]) -> bytes:
        ask = replace(self.ask, headers=headers)
        return ask.plain(url) if self.key is None else ask.signed(url, KEYS[self.key])


COMMITTED = Ask("GET", f"/{WORKSPACE}/{PATH}")
WAYS: Sequence[tuple[Mapping[str, Document], Sequence[Way]]] = (
    (
        NOTHING_KEPT,
        (
            Way("GET 4 KiB, committed", COMMITTED),
            Way("GET 4 KiB, never the same", COMMITTED, fresh=True),
            Way("GET 4 KiB, plain", Ask("GET", f"/{WORKSPACE}/{PLAIN}")),
            Way("GET 4 KiB, artifact door", Ask("GET", f"/{WORKSPACE}/artifact/{PATH}"), None),
            Way("PUT 4 KiB, unsigned", Ask("PUT", f"/{WORKSPACE}/{PLAIN}", bytes(SMALL)), "write"),
        ),
    ),
    ({}, (Way("GET 4 KiB, in memory", COMMITTED),)),
)
"""What the configuration of a gateway says besides, and what this gateway is asked for."""


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    turns = max(options.requests // (ROUNDS * TURN), 2)  # quartiles are of two at least
    command = [program("valgrind", "valgrind"), *CALLGRIND]
    report = Report("What the gateway's process executes for a request, in user space")
    for settings, ways in WAYS:
        with scene(settings, under=command, env=SURROUNDINGS) as here:
            publish(here)
            here.gateway.s3().put_object(Bucket=WORKSPACE, Key=PLAIN, Body=os.urandom(SMALL))
            _tell(here.gateway, "instrumentation", "on")
            for way in ways:
                report.add(way.name, _measure(here.gateway, way, turns), "k instructions")
            _tell(here.gateway, "instrumentation", "off")  # it ends sooner
    report.show(options.json)


def _measure(gateway: Gateway, way: Way, turns: int) -> list[float]:
    """Thousands of instructions for a request, of each round of so many turns."""
    requests = iter(way.requests(gateway.url, WARMING + ROUNDS * turns * TURN))
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE_SECONDS) as line:

        def ask(count: int) -> int:
            """What has been executed when so many more were answered."""
            for _ in range(count):
                _ask(line, next(requests))
            return _executed(gateway)

        samples = []
        before = ask(WARMING)
        for _ in range(ROUNDS):
            taken = []
            for _ in range(turns):
                after = ask(TURN)
                taken.append((after - before) / TURN / 1000)
                before = after
            samples.append(statistics.quantiles(taken, n=4, method="inclusive")[0])
    return samples


def _ask(line: socket.socket, request: bytes) -> None:
    """Return when the answer has come whole; RuntimeError for a refusal."""
    line.sendall(request)
    answer = http.client.HTTPResponse(line)
    answer.begin()
    said = answer.read()
    if answer.status != http.client.OK:
        raise RuntimeError(f"{answer.status} {said[:300]!r}")


def _executed(gateway: Gateway) -> int:
    """The instructions of all threads since they are counted."""
    counts = OF_A_THREAD.findall(_tell(gateway, "status", "internal"))
    if not counts:
        raise RuntimeError("callgrind says nothing of what it has counted")
    return sum(map(int, counts))


def _tell(gateway: Gateway, *words: str) -> str:
    """What callgrind answers to this, in the gateway's process."""
    # A process that waits is woken after that millisecond, and not after a hundred.
    command = [program("vgdb", "valgrind"), "--max-invoke-ms=1", f"--pid={gateway.pid}", *words]
    run = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    if run.returncode:
        raise RuntimeError(f"callgrind does not answer: {run.stderr.strip()}")
    return run.stdout


if __name__ == "__main__":
    main()
