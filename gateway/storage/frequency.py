"""How often something was asked for lately, about: what admission to a cache is decided by.

A count-min sketch whose counters are halved from time to time, as in TinyLFU (Einziger, Friedman,
Manes: "TinyLFU: A Highly Efficient Cache Admission Policy"): its memory is the same, however many
different things are asked for. It may say more than was true, and never less.
"""

from collections.abc import Hashable

WIDTH = 1 << 14
"""Counters in each row: several times as many as there are small files in a cache."""

SAMPLE = 10 * WIDTH
"""After so many requests every counter is halved: what was asked for long ago is forgotten."""

MOST = 255
_MASK = WIDTH - 1
_ROWS = tuple((row * WIDTH, row * 14) for row in range(4))
_HALVED = bytes(count >> 1 for count in range(MOST + 1))


class Frequency:
    """Counts what is asked for."""

    def __init__(self) -> None:
        self._counters = bytearray(len(_ROWS) * WIDTH)
        self._left = SAMPLE

    def note(self, what: Hashable) -> None:
        """Count one request."""
        mixed, counters = hash(what), self._counters
        for start, shift in _ROWS:
            place = start + (mixed >> shift & _MASK)
            if counters[place] < MOST:
                counters[place] += 1
        self._left -= 1
        if not self._left:
            self._counters = counters.translate(_HALVED)
            self._left = SAMPLE

    def of(self, what: Hashable) -> int:
        """How often it was asked for lately."""
        mixed, counters = hash(what), self._counters
        return min([counters[start + (mixed >> shift & _MASK)] for start, shift in _ROWS])
