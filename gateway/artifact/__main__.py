"""The validating process: `python -m gateway.artifact SECONDS BYTES`, tasks in, answers out.

The one module of this floor that reads and writes. Frames are four bytes of length, big-endian,
then JSON; an empty frame says that the process is ready. It ends when its parent does, which
closes the pipe, and when a task takes longer than SECONDS, should nobody be left to end it.
"""

import contextlib
import resource
import signal
import sys
from typing import BinaryIO

from gateway.artifact.task import answer

MEMORY = 512 << 20
# The parent ends a task at its limit; this is for when there is no parent any more.
GRACE_SECONDS = 1.0


def main() -> None:
    """Answer tasks until the pipe is closed."""
    seconds, limit = float(sys.argv[1]), int(sys.argv[2])
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    with contextlib.suppress(BrokenPipeError):
        _write(sink, b"")
        while (request := _read(source)) is not None:
            # An alarm's default action ends the process, whatever library it is in.
            signal.setitimer(signal.ITIMER_REAL, seconds + GRACE_SECONDS)
            reply = answer(request, limit)
            signal.setitimer(signal.ITIMER_REAL, 0)
            _write(sink, reply)


def _read(source: BinaryIO) -> bytes | None:
    """The next frame; None at the end, also in the middle of one."""
    header = source.read(4)
    size = int.from_bytes(header, "big")
    body = source.read(size)
    return body if len(header) == 4 and len(body) == size else None  # noqa: PLR2004


def _write(sink: BinaryIO, body: bytes) -> None:
    sink.write(len(body).to_bytes(4, "big") + body)
    sink.flush()


if __name__ == "__main__":
    main()
