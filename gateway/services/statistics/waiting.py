"""What this worker has counted and the database does not hold yet, by artifact."""

from collections import defaultdict, deque
from dataclasses import dataclass, field

Key = tuple[int, int]
"""An artifact's row id, and its epoch."""

MOST_LINES = 50_000
"""Beyond, a database that takes nothing has to be asked for what was counted."""


@dataclass(slots=True)
class _Lines:
    """Lines of the journal about one artifact, oldest first: end, millionths, views; and sums."""

    ends: deque[tuple[int, int, int]] = field(default_factory=deque)
    micros: int = 0
    views: int = 0

    def drop(self, merged: int) -> int:
        """How many lines end at or before `merged`: they are gone."""
        dropped = 0
        while self.ends and self.ends[0][0] <= merged:
            _, micros, views = self.ends.popleft()
            self.micros -= micros
            self.views -= views
            dropped += 1
        return dropped


class Waiting:
    """The lines of a journal that are not merged yet, added up.

    `forgotten` is the offset up to which lines were merged, and are not in here any more.
    """

    def __init__(self) -> None:
        self.forgotten = 0
        self._lines: dict[Key, _Lines] = defaultdict(_Lines)
        self._number = 0
        self._obscure = 0  # up to here nobody knows what a line adds

    def add(self, key: Key, end: int, micros: int, views: int) -> None:
        """Note a line that ends at an offset, and what it adds to an artifact's counters."""
        lines = self._lines[key]
        lines.ends.append((end, micros, views))
        lines.micros += micros
        lines.views += views
        self._number += 1
        if self._number > MOST_LINES:
            self._lines.clear()
            self._number = 0
            self.obscure(end)

    def obscure(self, end: int) -> None:
        """Note a line of which the database alone can say what it adds, when it is merged."""
        self._obscure = end

    def beyond(self, key: Key, merged: int) -> tuple[int, int] | None:
        """Millionths and views behind an offset; None where the database has to say."""
        if merged < self._obscure:
            return None
        lines = self._lines.get(key)
        if lines is None:
            return 0, 0
        self._number -= lines.drop(merged)
        return lines.micros, lines.views

    def forget(self, merged: int) -> None:
        """Drop what the database holds by now."""
        self.forgotten = merged
        for key, lines in list(self._lines.items()):
            self._number -= lines.drop(merged)
            if not lines.ends:
                del self._lines[key]
