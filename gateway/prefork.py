"""Several processes that serve one socket, and the parent that keeps them.

The parent gives each worker the socket, and an assignment on its standard input, which stays
open: when it ends the parent is gone, and the worker stops. Where the kernel can, it does not wait
for that, but kills the worker: none keeps the port from the next start (`launcher`). A worker
says `ready` on its standard output. One that dies is replaced; those that live go on meanwhile.
"""

import asyncio
import json
import logging
import os
import socket
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gateway import launcher, settings
from gateway.assembly.application import build
from gateway.config import Config
from gateway.processes import Backoff, end
from gateway.settings import Overrides
from gateway.storage.embedded import EmbeddedBackend
from gateway.web import server
from gateway.web.server import Ready

READY = b"ready\n"
STDIN = 0
LONGEST_STOP = server.STOP_SECONDS + 5  # seconds until a worker that won't end is killed

_log = logging.getLogger(__name__)


class WorkerFailed(Exception):
    """The first worker ended before it served anything; it has said why."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a process is to serve: a configuration as text, and what goes before it.

    All workers read the text that the parent has read, whatever became of the file.
    """

    text: str = field(repr=False)
    overrides: Overrides = field(default_factory=Overrides)
    embedded: EmbeddedBackend | None = None

    def config(self) -> Config:
        """The configuration; ConfigError."""
        return settings.parse(self.text, os.environ, self.overrides)

    def to_json(self) -> bytes:
        """One line of JSON, with secrets in it."""
        return json.dumps(asdict(self), default=str).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> "Assignment":
        """What `to_json` was given."""
        document = json.loads(line)
        overrides, embedded = document["overrides"], document["embedded"]
        data_dir = overrides["data_dir"]
        return cls(
            document["text"],
            Overrides(**overrides | {"data_dir": data_dir and Path(data_dir)}),
            embedded and EmbeddedBackend(**embedded),
        )


async def lead(
    assignment: Assignment,
    listener: socket.socket,
    count: int,
    stopping: asyncio.Event,
    ready: Ready,
) -> None:
    """Keeps `count` workers until `stopping` is set; WorkerFailed where the first can't start.

    The others start when the first one is ready, so that what a start does once is done.
    """
    started = asyncio.Event()
    keepers = [asyncio.create_task(_keep(assignment, listener, started))]
    waiting = [asyncio.create_task(event.wait()) for event in (started, stopping)]
    try:
        await asyncio.wait([*keepers, *waiting], return_when=asyncio.FIRST_COMPLETED)
        if stopping.is_set():
            return
        if not started.is_set():
            raise WorkerFailed
        keepers.extend(
            asyncio.create_task(_keep(assignment, listener, started)) for _ in range(count - 1)
        )
        await ready()
        await stopping.wait()
    finally:
        for task in (*keepers, *waiting):
            task.cancel()
        await asyncio.gather(*keepers, *waiting, return_exceptions=True)


async def work(descriptor: int, stopping: asyncio.Event) -> None:
    """Serves, as a worker, the socket that `descriptor` is, until `stopping` is set."""
    assignment = Assignment.from_json(sys.stdin.buffer.readline())

    def hear() -> None:
        if not os.read(STDIN, 1):
            asyncio.get_running_loop().remove_reader(STDIN)
            stopping.set()

    async def ready() -> None:
        sys.stdout.buffer.write(READY)
        sys.stdout.buffer.flush()

    asyncio.get_running_loop().add_reader(STDIN, hear)
    app = build(assignment.config(), embedded=assignment.embedded)
    await server.serve(app, socket.socket(fileno=descriptor), stopping, ready)


async def _keep(assignment: Assignment, listener: socket.socket, started: asyncio.Event) -> None:
    """One worker after the other; ends by itself only while nothing has `started` yet."""
    clock = asyncio.get_running_loop().time
    backoff = Backoff()
    while True:
        born = clock()
        process = await _spawn(assignment, listener)
        try:
            if process.stdout is not None and await process.stdout.readline() == READY:
                started.set()
            code = await process.wait()
        finally:
            await end(process, LONGEST_STOP)
        if not started.is_set():
            return
        pause = backoff.after(clock() - born)
        _log.error("worker %s ended (%s): another starts in %.1f s", process.pid, code, pause)
        await asyncio.sleep(pause)


async def _spawn(assignment: Assignment, listener: socket.socket) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        launcher.__file__,
        "--hears",
        str(os.getpid()),
        sys.executable,
        "-m",
        "gateway",
        "worker",
        str(listener.fileno()),
        stdin=PIPE,
        stdout=PIPE,
        pass_fds=(listener.fileno(),),
        start_new_session=True,  # an interrupt from the keyboard is the parent's
    )
    if process.stdin is not None:
        process.stdin.write(assignment.to_json())
    return process
