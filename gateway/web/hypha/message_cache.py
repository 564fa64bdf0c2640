"""Messages that come in pieces: kept until they are whole, within bounds of their own.

A client chooses the keys, the number and the size of the pieces, and may never send the rest. So
each connection has a shelf of its own, which others' keys never reach; each shelf, and all of them
together, hold no more than so much; and what nobody touches makes room for others.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.errors import EntityTooLarge, InvalidArgument, SlowDown

MOST_BYTES = 134_217_728
"""Of all connections of a process."""

MOST_ENTRIES = 8
"""Messages of one connection at once."""

MOST_PIECES = 4_096
PIECE_BYTES = 128  # what a piece takes beside its bytes
STALE_SECONDS = 30.0
"""What was not touched for so long may be dropped for others."""


@dataclass(slots=True)
class Entry:
    """A message that is being put together."""

    shelf: "Shelf"
    key: str
    touched: float
    pieces: dict[int, bytes] = field(default_factory=dict)
    size: int = 0


class MessageCache:
    """The shelves of all connections of a process."""

    def __init__(
        self, most_bytes: int = MOST_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most_bytes
        self._clock = clock
        self._touched: OrderedDict[int, Entry] = OrderedDict()  # the longest untouched one first
        self.size = 0

    def shelf(self, longest: int) -> "Shelf":
        """A shelf for one connection, whose messages have at most `longest` bytes, together too."""
        return Shelf(self, longest)

    def touch(self, entry: Entry) -> None:
        """Note that an entry was used now."""
        entry.touched = self._clock()
        self._touched[id(entry)] = entry
        self._touched.move_to_end(id(entry))

    def make_room(self, size: int, entry: Entry) -> None:
        """Return when there is room for so many bytes more; SlowDown."""
        while self.size + size > self._most:
            oldest = next(iter(self._touched.values()), None)
            stale = oldest is not None and oldest.touched < self._clock() - STALE_SECONDS
            if oldest is None or oldest is entry or not stale:
                raise SlowDown("too many long messages are under way: try again")
            oldest.shelf.remove(oldest.key)

    def forget(self, entry: Entry) -> None:
        """Give the room of an entry back."""
        self._touched.pop(id(entry), None)
        self.size -= entry.size


class Shelf:
    """One connection's messages, by the keys that its client gives them."""

    def __init__(self, cache: MessageCache, longest: int) -> None:
        self._cache = cache
        self._longest = longest
        self._entries: dict[str, Entry] = {}
        self._size = 0

    def create(self, key: str, *, overwrite: bool = False) -> None:
        """Begin a message; InvalidArgument where one has its key, SlowDown.

        EntityTooLarge for callers who send no long messages.
        """
        if not self._longest:
            raise EntityTooLarge("without a token, a call has at most 65536 bytes")
        if key in self._entries:
            if not overwrite:
                raise InvalidArgument("a message with this key is being put together already")
            self.remove(key)
        if len(self._entries) >= MOST_ENTRIES:
            raise SlowDown(f"a connection puts {MOST_ENTRIES} messages together at once")
        entry = Entry(self, key, 0.0)
        self._entries[key] = entry
        self._cache.touch(entry)

    def put(self, key: str, number: int, piece: bytes) -> None:
        """Take the piece in that has this number; EntityTooLarge, InvalidArgument, SlowDown."""
        entry = self._entry(key)
        if not 0 <= number < MOST_PIECES:
            raise InvalidArgument(f"a message has at most {MOST_PIECES} pieces")
        before = entry.pieces.get(number)
        more = len(piece) - len(before) if before is not None else len(piece) + PIECE_BYTES
        if self._size + more > self._longest + MOST_PIECES * PIECE_BYTES:
            raise EntityTooLarge(f"this connection's messages have at most {self._longest} bytes")
        self._cache.make_room(more, entry)
        entry.pieces[number] = piece
        entry.size += more
        self._size += more
        self._cache.size += more
        self._cache.touch(entry)

    def append(self, key: str, piece: bytes) -> None:
        """Take the next piece in; refuses as `put` does."""
        self.put(key, len(self._entry(key).pieces), piece)

    def take(self, key: str) -> bytes:
        """The whole message, which is kept no longer; InvalidArgument where a piece is missing."""
        pieces = self._entry(key).pieces
        self.remove(key)
        if pieces.keys() != set(range(len(pieces))):
            raise InvalidArgument("a piece of this message is missing")
        whole = b"".join(pieces[number] for number in range(len(pieces)))
        if len(whole) > self._longest:
            raise EntityTooLarge(f"a message has at most {self._longest} bytes")
        return whole

    def remove(self, key: str) -> None:
        """Forget a message."""
        entry = self._entry(key)
        self._cache.forget(entry)
        self._size -= entry.size
        del self._entries[key]

    def clear(self) -> None:
        """Forget all of them."""
        for key in list(self._entries):
            self.remove(key)

    def _entry(self, key: str) -> Entry:
        entry = self._entries.get(key)
        if entry is None:
            raise InvalidArgument("no message with this key is being put together")
        return entry
