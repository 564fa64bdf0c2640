"""Programs of Python, without waiting at each start until it has read their modules.

For each program, a process of its own has imported them, and forks for every run (`forking`): a
run has its own process, arguments, environment, folder and limits, and never outlives the tests.
`test_page` starts aws-cli, and `commands/test_serve` the gateway, as people do.
"""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, TypeAlias

Outcome: TypeAlias = subprocess.CompletedProcess[str]

FORKING = Path(__file__).with_name("forking.py")
LONGEST = 1 << 20  # bytes of arguments and environment

_making = threading.Lock()


class Run:
    """A running program, or what came of it: as much of a Popen as tests need."""

    def __init__(self, arguments: Sequence[str], line: socket.socket) -> None:
        self._arguments = arguments
        self._line = line
        self.returncode: int | None = None
        self.pid = int(line.recv(32))

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative where a signal ended it; subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                told = self._line.recv(32)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(list(self._arguments), timeout or 0) from None
            self._line.close()
            self.returncode = int(told) if told else -signal.SIGKILL
        return self.returncode

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        """Send the signal, where there is still somebody to hear it."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Program:
    """A program whose modules have been read: `main` of the first one is called in each run."""

    def __init__(self, *modules: str) -> None:
        self._line, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST)
        with there:
            # It ends when this process does, and with it all that it has forked.
            self._process = subprocess.Popen(
                [sys.executable, str(FORKING), *modules], stdin=there.fileno()
            )

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        out: IO[Any],
        errors: IO[Any],
    ) -> Run:
        """The program, running with these arguments."""
        files = resource.getrlimit(resource.RLIMIT_NOFILE)
        call = json.dumps([list(arguments), dict(environment), str(folder), files]).encode()
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            descriptors = [there.fileno(), out.fileno(), errors.fileno()]
            socket.send_fds(self._line, [call], descriptors)
        return Run(arguments, here)

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        seconds: float = 120,
    ) -> Outcome:
        """What came of the program with these arguments; subprocess.TimeoutExpired."""
        with TemporaryFile("w+") as out, TemporaryFile("w+") as errors:
            running = self.start(arguments, environment, folder, out, errors)
            try:
                code = running.wait(seconds)
            finally:
                running.kill()
            out.seek(0)
            errors.seek(0)
            return Outcome(list(arguments), code, out.read(), errors.read())


@cache
def _made(*modules: str) -> Program:
    return Program(*modules)


def _only(*modules: str) -> Program:
    """The one program of these modules; of threads that ask at once, the first starts it."""
    with _making:
        return _made(*modules)


def aws_cli() -> Program:
    """aws-cli."""
    return _only("awscli.clidriver", "awscli.handlers")


def moto() -> Program:
    """moto's S3."""
    return _only("tests.moto")


def gateway() -> Program:
    """The gateway's command line, with all that its commands read."""
    return _only("tests.acceptance.warmed")
