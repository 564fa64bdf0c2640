"""What this worker has counted and the database does not hold yet."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from gateway.services.statistics.today import Line
from gateway.storage.journal import Journal
from gateway.storage.tally import Key, sums

MOST_LINES = 8_192
"""So many different lines are kept; where there are more, the journal alone has them."""

Times = defaultdict[bytes, int]
"""How often each line was appended."""

_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Part:
    """A journal from offset `start` to before `end`: its lines, or None where it has to be read."""

    start: int
    end: int
    lines: Mapping[bytes, int] | None


class Waiting:
    """The lines of a journal beyond what is merged, in two parts.

    `lines` are those that were appended since the last cut, by artifact and epoch: whoever appends
    one adds it there, or calls `repeat`, which takes less. A merge takes the journal up to where it
    ended as the merge began: there it is `cut`. Whoever knows that the journal is merged to where a
    part begins is told the sums from there on; for any other offset, the database has to say, once
    a merge has come to the cut.

    `forgotten` is the offset up to which lines were merged when that was last looked at.
    """

    def __init__(self, journal: Journal) -> None:
        self.lines = _none()
        self._repeated: list[Line] = []
        self.forgotten = 0
        self._journal = journal
        self._older = _none()  # from the start to the cut
        self._start = 0
        self._cut = 0
        self._obscure = 0  # up to here the journal alone knows what was appended

    def obscure(self) -> None:
        """Note that the journal holds what `lines` do not, or of which they don't tell the sum."""
        self._obscure = self._journal.end

    def repeat(self, line: Line) -> None:
        """Note that a line was appended, which others may share: it is added up later."""
        if not line.times:
            self._repeated.append(line)
        line.times += 1

    def beyond(self, key: Key, merged: int) -> tuple[int, int] | None:
        """Millionths and views behind an offset; None where the database has to say."""
        if merged < self._unclear or merged not in (self._start, self._cut):
            return None
        self._add_up()
        newer = sums(self.lines[key]) if key in self.lines else (0, 0)
        if merged == self._cut or key not in self._older:
            return newer
        older = sums(self._older[key])
        return newer[0] + older[0], newer[1] + older[1]

    def cut(self) -> Part:
        """What is to be merged: all up to where the journal ends now; a new part begins there."""
        self._add_up()
        start, end = self._start, self._journal.end
        if start == self._cut:
            self._older, self.lines = self.lines, _none()
        else:  # the last merge did not come to its end
            for key, lines in self.lines.items():
                older = self._older[key]
                for line, times in lines.items():
                    older[line] += times
            self.lines = _none()
        self._cut = end
        if sum(map(len, self._older.values())) > MOST_LINES:
            self._older = _none()
            self.obscure()
        known = self._unclear <= start
        each = (times.items() for times in self._older.values())
        return Part(start, end, dict(item for items in each for item in items) if known else None)

    def forget(self, merged: int) -> None:
        """Drop what the database holds by now."""
        if merged > self._cut:  # somebody else has merged more
            self.cut()
        if merged == self._cut:
            self._older = _none()
            self._start = merged
        elif merged != self._start:
            self._start = _UNKNOWN
        self.forgotten = merged

    def _add_up(self) -> None:
        repeated, self._repeated = self._repeated, []
        for line in repeated:
            self.lines[line.key][line.written] += line.times
            line.times = 0

    @property
    def _unclear(self) -> int:
        return max(self._obscure, self._journal.doubtful)


def _none() -> defaultdict[Key, Times]:
    return defaultdict(partial(defaultdict, int))
