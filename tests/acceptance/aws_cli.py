"""aws-cli as people have it, without waiting each time until Python has read its modules.

A process of its own has imported them, and forks for every call (`aws_process`): a call has its
own process, arguments, environment and folder.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

PROGRAM = Path(__file__).with_name("aws_process.py")
LONGEST = 1 << 20  # bytes of arguments and environment
SECONDS = 120


class AwsCli:
    """Calls of aws-cli; the process behind them ends with this one."""

    def __init__(self) -> None:
        self._line, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST)
        with there:
            self._process = subprocess.Popen([sys.executable, str(PROGRAM)], stdin=there.fileno())

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> subprocess.CompletedProcess[str]:
        """What came of `aws` with these arguments, as `subprocess.run` would tell it."""
        call = json.dumps([list(arguments), dict(environment), str(folder)]).encode()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with here:
                with there:
                    streams = [out.fileno(), errors.fileno(), there.fileno()]
                    socket.send_fds(self._line, [call], streams)
                code = self._ended(here, arguments)
            return subprocess.CompletedProcess(["aws", *arguments], code, _text(out), _text(errors))

    def _ended(self, call: socket.socket, arguments: Sequence[str]) -> int:
        """The exit code that the call tells before it ends."""
        call.settimeout(SECONDS)
        pid = int(call.recv(32))
        try:
            code = call.recv(32)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"aws {arguments} takes more than {SECONDS} s") from None
        assert code, f"aws {arguments} died"
        return int(code)


@cache
def aws_cli() -> AwsCli:
    """The one of this run; it ends when this process does."""
    return AwsCli()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()
