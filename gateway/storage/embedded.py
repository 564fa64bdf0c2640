"""The embedded backend: a real S3 server as a child process that ends with the gateway."""

import asyncio
import fcntl
import logging
import os
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from gateway import launcher
from gateway.processes import Backoff, end
from gateway.storage import seaweed

READY_SECONDS = 30.0
STOP_SECONDS = 8.0

_log = logging.getLogger(__name__)


class EmbeddedFailed(Exception):
    """The embedded backend can't be started: the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class EmbeddedBackend:
    """Where the embedded server answers, and the key that it takes."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)


class EmbeddedServer:
    """One S3 server with its data below `data_dir`, from `start` to `stop`.

    When it dies it is started again, at the same address and with the same key. It dies with
    the thread that runs `start`, even when its process is killed: that is to be the main
    thread. One gateway at a time uses a folder.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir.absolute() / "embedded"
        self._locks: list[int] = []
        self._process: Process | None = None
        self._supervisor: asyncio.Task[None] | None = None

    async def __aenter__(self) -> EmbeddedBackend:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def pid(self) -> int | None:
        """The id of the server's process, None before the first one."""
        return None if self._process is None else self._process.pid

    async def start(self) -> EmbeddedBackend:
        """The backend, once it answers; EmbeddedFailed, with nothing left running."""
        try:
            binary = seaweed.find_binary()
            await self._lock()
            identity = seaweed.prepare(self._folder)
            command = seaweed.command(binary, self._folder, identity)
            port = identity.ports["s3"]
            await self._launch(command, port)
        except seaweed.SeaweedMissing as error:
            raise EmbeddedFailed(str(error)) from error
        except BaseException:
            await self.stop()
            raise
        self._supervisor = asyncio.create_task(self._supervise(command, port))
        return _backend(identity)

    async def stop(self) -> None:
        """Ends the server, by force when it takes longer than STOP_SECONDS."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            self._supervisor = None
        if self._process is not None:
            await end(self._process, STOP_SECONDS)
        while self._locks:
            os.close(self._locks.pop())

    async def _supervise(self, command: list[str], port: int) -> None:
        clock = asyncio.get_running_loop().time
        backoff, born = Backoff(), clock()
        while process := self._process:
            code = await process.wait()
            pause = backoff.after(clock() - born)
            _log.error("the embedded backend ended (%s): starts again in %.1f s", code, pause)
            await asyncio.sleep(pause)
            born = clock()
            try:
                await self._launch(command, port)
            except (EmbeddedFailed, OSError) as error:
                _log.error("the embedded backend did not start: %s", error)

    async def _launch(self, command: list[str], port: int) -> None:
        output = self._folder / "log" / "output.log"
        if output.exists():
            output.replace(output.with_name("output.log.1"))  # a death's last words
        with output.open("wb") as file:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                launcher.__file__,
                str(os.getpid()),
                *command,
                stdin=PIPE,  # never written: it ends when this process does
                stdout=file,
                stderr=STDOUT,
                cwd=self._folder / "run",
                env=seaweed.environment(self._folder),
                start_new_session=True,  # an interrupt from the keyboard is the gateway's
                pass_fds=self._locks[1:],
            )
        await self._wait_until_ready(self._process, port, output)

    async def _wait_until_ready(self, process: Process, port: int, output: Path) -> None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                while process.returncode is None:
                    if await _refuses_strangers(port):
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            await end(process, STOP_SECONDS)
        raise EmbeddedFailed(f"SeaweedFS did not start, see {output.parent}: {_last_lines(output)}")

    async def _lock(self) -> None:
        """Takes the folder: from another gateway never, from a server that is ending soon."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._take("gateway.lock"):
            raise EmbeddedFailed(
                f"another gateway uses {self._folder.parent}: stop it, or choose another --data-dir"
            )
        # The server holds this one too, so that it is free when the last server is gone.
        for _ in range(int(STOP_SECONDS / 0.1)):
            if self._take("server.lock"):
                return
            await asyncio.sleep(0.1)
        raise EmbeddedFailed(f"a server of an earlier gateway still uses {self._folder}")

    def _take(self, name: str) -> bool:
        lock = os.open(self._folder / name, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._locks.append(lock)
        return True


def running(data_dir: Path) -> EmbeddedBackend | None:
    """The backend that a gateway runs in `data_dir` at this moment; None where none does."""
    folder = data_dir.absolute() / "embedded"
    try:
        lock = os.open(folder / "gateway.lock", os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return _backend(seaweed.identity(folder))
    finally:
        os.close(lock)
    return None


def _backend(identity: seaweed.Identity) -> EmbeddedBackend:
    return EmbeddedBackend(
        f"http://{seaweed.LOOPBACK}:{identity.ports['s3']}",
        identity.access_key_id,
        identity.secret_access_key,
    )


def _last_lines(output: Path) -> str:
    return " / ".join(output.read_text(errors="replace").strip().splitlines()[-3:])


async def _refuses_strangers(port: int) -> bool:
    """Whether S3 answers on `port`, and answers a request without signature with 403."""
    try:
        reader, writer = await asyncio.open_connection(seaweed.LOOPBACK, port)
    except OSError:
        return False
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return (await reader.readline()).split()[1:2] == [b"403"]
    except OSError:
        return False
    finally:
        writer.close()
