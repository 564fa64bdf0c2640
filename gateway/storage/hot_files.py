"""Small committed files in memory: those that are asked for most often.

A file is admitted where there is room, or where it is asked for more often than what would have to
go (`frequency`): a walk through all files once throws nothing out. What is asked for again while it
is here is protected from what has just come (a segmented LRU).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from multidict import CIMultiDictProxy

from gateway.storage.frequency import Frequency

LARGEST = 1 << 20
"""Files of more bytes are not kept."""

OVERHEAD = 1 << 10
"""What a file takes here besides its bytes, about."""

GOOD_SECONDS = 10.0
"""How long a file is kept before it is asked for anew: bytes never change under a pin, but what
hangs on a version may (tags, locks), and somebody may have removed it behind the gateway's back."""

PROTECTED = 0.8


class Pinned(NamedTuple):
    """What an answer is known by: a version's bucket and key at the backend, and its id.

    `checksums` says that the version's checksums were asked for, too.
    """

    bucket: str
    key: str
    version_id: str
    checksums: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class HotFile:
    """A file as the backend answered it: this answer, and no other that says the same.

    `answer` stands for it where something is remembered of it, which must not keep its bytes.
    """

    headers: CIMultiDictProxy[str] = field(repr=False)
    body: bytes = field(repr=False)
    answer: object = field(init=False, repr=False, default_factory=object)
    weight: int = field(init=False, repr=False)
    """How many bytes of memory it takes, about."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", len(self.body) + OVERHEAD)


@dataclass(slots=True)
class Figures:
    """How a cache fares."""

    hits: int = 0
    misses: int = 0
    bytes: int = 0


class HotFiles:
    """At most `limit` bytes of files, 0 being none; the event loop's thread asks."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.figures = Figures()
        self._limit = limit
        self._clock = clock
        self._frequency = Frequency()
        # Each in the order of their last use, and until when a file is good.
        self._new: dict[Pinned, tuple[HotFile, float]] = {}
        self._protected: dict[Pinned, tuple[HotFile, float]] = {}
        self._protected_bytes = 0

    def takes(self, size: int) -> bool:
        """Whether files of this size may be kept at all."""
        return size <= LARGEST and size + OVERHEAD <= self._limit

    def get(self, pinned: Pinned) -> HotFile | None:
        """The file, if it is here; this counts as a request for it."""
        self._frequency.note(pinned)
        found = self._protected.pop(pinned, None)
        if found is not None:
            self._protected_bytes -= found[0].weight
        else:
            found = self._new.pop(pinned, None)
        if found is None:
            self.figures.misses += 1
            return None
        if self._clock() >= found[1]:
            self.figures.bytes -= found[0].weight
            self.figures.misses += 1
            return None
        self.figures.hits += 1
        self._protect(pinned, found)
        return found[0]

    def admits(self, pinned: Pinned, size: int) -> bool:
        """Whether the file would be kept, if it came now."""
        return self._going(pinned, size + OVERHEAD) is not None

    def put(self, pinned: Pinned, file: HotFile) -> None:
        """Keep a file, if it is admitted."""
        self.drop(pinned)
        going = self._going(pinned, file.weight)
        if going is None:
            return
        for other in going:
            self.drop(other)
        self._new[pinned] = file, self._clock() + GOOD_SECONDS
        self.figures.bytes += file.weight

    def drop(self, pinned: Pinned) -> None:
        """Forget a file."""
        found = self._new.pop(pinned, None)
        if found is None:
            found = self._protected.pop(pinned, None)
            if found is None:
                return
            self._protected_bytes -= found[0].weight
        self.figures.bytes -= found[0].weight

    def _protect(self, pinned: Pinned, entry: tuple[HotFile, float]) -> None:
        self._protected[pinned] = entry
        self._protected_bytes += entry[0].weight
        while self._protected_bytes > PROTECTED * self._limit and len(self._protected) > 1:
            oldest = next(iter(self._protected))
            left = self._protected.pop(oldest)
            self._protected_bytes -= left[0].weight
            self._new[oldest] = left

    def _going(self, pinned: Pinned, weight: int) -> list[Pinned] | None:
        """What has to go to make room; None where one of it is asked for as often."""
        room = self._limit - self.figures.bytes
        if room >= weight:
            return []
        if weight > self._limit:
            return None
        often = self._frequency.of(pinned)
        going = []
        for segment in (self._new, self._protected):
            for other, (file, good_until) in segment.items():
                if self._clock() < good_until and self._frequency.of(other) >= often:
                    return None
                going.append(other)
                room += file.weight
                if room >= weight:
                    return going
        return None
