"""What counting costs: the same file counted and `silent`, alternating in one run.

`python -m bench.counting [--rounds 45] [--seconds 1] [--rate 2000] [--json FILE]`

The gateway as a process says what a request costs, in CPU. An answer from memory at a steady rate
says what clients wait: there, nothing but the counting takes its time. wrk sends the requests to
the gateway (Debian's package of that name). Many short turns tell more than a few long ones: what
else goes on in a machine changes from one second to the next.
"""

import argparse
import asyncio
import multiprocessing
import os
import re
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import uvloop
from aiohttp import web
from sqlalchemy import insert

from bench.figures import Report
from bench.scene import Scene, scene
from gateway.config import Stats
from gateway.services.statistics.counting import Counting
from gateway.storage import tables
from gateway.storage.counters import Counters
from gateway.storage.database import Database
from gateway.storage.workers import WorkersFolder

FILE_BYTES = 4_096
CONNECTIONS = 16
PATH = "public/bench/example/data.bin"
WAYS = ("counted", "silent")
# What is promised, of the silent way: CPU in per cent, and latencies.
CPU, MIDDLE, TAIL = 105.0, 102.0, 110.0
REQUESTS = re.compile(r"(\d+) requests in")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=45)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--rate", type=int, default=2_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report = Report(f"Counting a download of {FILE_BYTES} bytes")
    with scene() as here:
        measure_cpu(report, here, options.rounds, options.seconds)
    measure_latency(report, options.rounds, options.seconds, options.rate)
    report.show(options.json)


def measure_cpu(report: Report, here: Scene, rounds: int, seconds: float) -> None:
    """Add the CPU of the gateway's process per request, and how the two compare."""
    publish(here)
    spent: dict[str, list[float]] = {way: [] for way in WAYS}
    url = f"{here.gateway.url}/{here.gateway.workspace}/artifact/{PATH}"
    targets = {"counted": url, "silent": f"{url}?silent=true"}
    for turn in range(rounds + 1):
        for way in WAYS if turn % 2 else reversed(WAYS):
            cost = _cpu_of(here.gateway.pid, targets[way], seconds)
            if turn:  # the first warms up
                spent[way].append(cost)
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


def measure_latency(report: Report, rounds: int, seconds: float, rate: int) -> None:
    """Add what clients wait for an answer from memory, at a steady rate, and how they compare."""
    middles: dict[str, list[float]] = {way: [] for way in WAYS}
    tails: dict[str, list[float]] = {way: [] for way in WAYS}
    with answering() as port:
        for turn in range(rounds + 1):
            for way in WAYS if turn % 2 else reversed(WAYS):
                waits = uvloop.run(_ask(port, f"/{way}", seconds, rate))
                if turn:
                    ordered = statistics.quantiles(waits, n=100)
                    middles[way].append(ordered[49])
                    tails[way].append(ordered[98])
    for name, samples, most in (("p50", middles, MIDDLE), ("p99", tails, TAIL)):
        for way in WAYS:
            report.add(f"{name} of an answer from memory at {rate}/s, {way}", samples[way], "µs")
        _compare(report, f"{name}, counted to silent", samples, most)


def _compare(report: Report, name: str, samples: Mapping[str, list[float]], most: float) -> None:
    pairs = zip(samples["counted"], samples["silent"], strict=True)
    report.add(name, [100 * counted / silent for counted, silent in pairs], "%", most=most)


@contextmanager
def answering() -> Iterator[int]:
    """The port of a process that answers from memory, with the gateway's own counting in it."""
    with TemporaryDirectory(prefix="bench-") as folder:
        context = multiprocessing.get_context("spawn")
        near, far = context.Pipe()
        process = context.Process(target=_answer, args=(Path(folder), far), daemon=True)
        process.start()
        try:
            yield int(near.recv())
        finally:
            near.send("stop")
            process.join()


def _answer(folder: Path, commands: Connection) -> None:
    uvloop.run(_serve(folder, commands))


async def _serve(folder: Path, commands: Connection) -> None:
    """Answer `/counted` and `/silent` until something is said."""
    body = os.urandom(FILE_BYTES)
    async with Database(f"sqlite:///{folder / 'bench.db'}") as database:
        async with database.writing() as connection:
            row = insert(tables.artifact).values(workspace_id="w", prefix="p")
            result = await connection.execute(row.returning(tables.artifact.c.id))
            artifact_id = int(result.scalar_one())
        counting = Counting(
            Counters(database),
            WorkersFolder(folder / "journal"),
            lambda: datetime.now(UTC),
            Stats(),
            os.urandom(32),
        )

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            if request.path == "/counted":
                counting.download(artifact_id, 0, "data.bin", 500_000, size=FILE_BYTES)
                await counting.settled()
            return web.Response(body=body)

        async with counting:
            server = web.Server(answer)
            with socket.create_server(("127.0.0.1", 0)) as listener:
                loop = asyncio.get_running_loop()
                serving = await loop.create_server(server, sock=listener)
                commands.send(listener.getsockname()[1])
                await asyncio.to_thread(commands.recv)
                serving.close()
                await server.shutdown()


async def _ask(port: int, target: str, seconds: float, rate: int) -> list[float]:
    """What each request waited, in microseconds; they are sent when they are due."""
    waits: list[float] = []
    pause = CONNECTIONS / rate
    asked = f"GET {target} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()

    async def client(offset: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        due = time.perf_counter() + offset
        end = due + seconds
        while due < end:
            await asyncio.sleep(due - time.perf_counter())
            began = time.perf_counter()
            writer.write(asked)
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(FILE_BYTES)
            waits.append((time.perf_counter() - began) * 1e6)
            due += pause
        writer.close()

    await asyncio.gather(*(client(pause * n / CONNECTIONS) for n in range(CONNECTIONS)))
    return waits


if __name__ == "__main__":
    main()
