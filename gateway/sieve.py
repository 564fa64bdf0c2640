"""Bytes from one socket to another that somebody looks at: copied once in, and once out.

As in `passage`, but for the pipe: a body is read into a buffer that the next one uses too, so that
it stays in the processor's cache, and what its sieve lets through is written from there. They are
not spliced after a look: a sender on the same machine could still change pages that it shares.
"""

import os

from gateway.conduit import MOST_PIECES, Blocked, Dry, End, Outlet, Sieve, Tap
from gateway.passage import Passage

BUFFER_BYTES = 3 << 19
"""How much is read, looked at and written in a turn, which takes about a millisecond and a half.

Others wait for as long, and until what the turn before could not write has been written: mostly a
fifth more, twice as long at most. With less it costs more, since each turn finds the caches full of
bodies.
"""

MOST_BUFFERS = 16
"""How many buffers a process has. Those in use are full, and their readers slow."""

_free: list[memoryview] = []
_made = 0


async def sift(begun: bytes, tap: Tap, outlet: Outlet, sieve: Sieve) -> None:
    """Nothing, once all has gone, or as much as can go here: `tap.left` says what has not.

    What has `begun` to come goes first. Dry, Blocked, and what the sieve raises: then something
    may have been taken that has not gone.
    """
    await _Sifted(begun, tap, outlet, sieve).end()


class _Sifted(Passage):
    """A body that is looked at. It has a buffer while there is something in it.

    Each turn begins with what the last one could not write, and ends with a look, and with what
    that lets through: how much there is to be done in one is known beforehand, whatever a body
    falls into.
    """

    __slots__ = ("_buffer", "_pieces", "_sieve", "_unseen")

    def __init__(self, begun: bytes, tap: Tap, outlet: Outlet, sieve: Sieve) -> None:
        super().__init__(tap, outlet)
        self._sieve = sieve
        self._buffer: memoryview | None = None
        self._unseen = memoryview(begun)  # or of what is in the buffer
        self._pieces: list[bytes | memoryview] = []  # what of the rest may go

    def _carry(self) -> End | None:
        tap = self._tap
        if self._pieces:
            self._note_move()
            if not self._empty():
                return self._outlet
        if not self._unseen:
            if not tap.left:
                self._close()
                return None
            if self._buffer is None:
                self._buffer = _take()
            if self._buffer is None:
                return None
            if not self._fill(self._buffer):
                return tap
        self._note_move()
        self._look_at()
        if not self._empty() or self._unseen:
            return self._outlet
        self._close()
        return self._next()

    def _fill(self, buffer: memoryview) -> bool:
        """Whether something has come."""
        tap = self._tap
        try:
            size = os.readv(tap.fd, (buffer[: tap.left],))
        except BlockingIOError:
            self._close()
            return False
        except OSError as error:
            raise Dry(str(error)) from error
        if not size:
            raise Dry("the connection was closed")
        tap.left -= size
        self._unseen = buffer[:size]
        return True

    def _look_at(self) -> None:
        pieces, size = self._sieve(self._unseen, MOST_PIECES)
        self._unseen = self._unseen[size:]
        self._pieces += pieces

    def _empty(self) -> bool:
        """Whether nothing is left to be written of what was looked at."""
        outlet = self._outlet
        try:
            while self._pieces:
                size = os.writev(outlet.fd, self._pieces)
                outlet.size += size
                self._pieces = _behind(self._pieces, size)
        except BlockingIOError:
            return False
        except OSError as error:
            raise Blocked(str(error)) from error
        return True

    @property
    def _laden(self) -> bool:
        return bool(self._pieces or self._unseen)

    def _spill(self) -> None:
        while self._unseen:
            self._look_at()
        for piece in self._pieces:
            self._outlet.write(bytes(piece))  # the buffer is soon another's
        self._pieces = []

    def _close(self) -> None:
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            _free.append(buffer)


def _behind(pieces: list[bytes | memoryview], size: int) -> list[bytes | memoryview]:
    """What comes behind the first `size` bytes of some pieces."""
    if size == sum(map(len, pieces)):
        return []
    for number, piece in enumerate(pieces):
        if size < len(piece):
            return [piece[size:], *pieces[number + 1 :]]
        size -= len(piece)
    return []


def _take() -> memoryview | None:
    """A buffer; None where there are enough."""
    global _made  # noqa: PLW0603
    if _free:
        return _free.pop()
    if _made >= MOST_BUFFERS:
        return None
    _made += 1
    return memoryview(bytearray(BUFFER_BYTES))
