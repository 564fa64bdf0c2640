"""Pipes that bytes of bodies go through, as large as they may be, and not too many."""

import fcntl
import os
from typing import NamedTuple

PIPE_BYTES = 1 << 20
"""How much goes at a time: with less it costs more, and a pipe may hold no more."""

MOST_PIPES = 64
"""How many pipes a process has. Those in use are full, and their readers slow."""


class Pipe(NamedTuple):
    """Both ends of one: what goes into it comes out."""

    out: int
    into: int


class Pipes:
    """The pipes of this process, empty when nobody has them."""

    def __init__(self) -> None:
        self._free: list[Pipe] = []
        self._made = 0

    def take(self) -> Pipe | None:
        """A pipe; None where there are enough, or the system gives none that is large enough."""
        if self._free:
            return self._free.pop()
        if self._made >= MOST_PIPES:
            return None
        try:
            pipe = Pipe(*os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError:
            return None
        self._made += 1
        try:
            fcntl.fcntl(pipe.into, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            self.destroy(pipe)
            return None
        return pipe

    def give_back(self, pipe: Pipe) -> None:
        """Nothing; an empty pipe is there for others."""
        self._free.append(pipe)

    def destroy(self, pipe: Pipe) -> None:
        """Nothing; a pipe is gone, and all that was in it."""
        self._made -= 1
        os.close(pipe.out)
        os.close(pipe.into)


PIPES = Pipes()
"""Those of this process."""
