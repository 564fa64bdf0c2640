"""What this worker has counted and the database does not hold yet, by artifact."""

Key = tuple[int, int]
"""An artifact's row id, and its epoch."""


Sums = dict[Key, list[int]]
"""Millionths, and views."""

_NOTHING = (0, 0)
_UNKNOWN = -1


class Waiting:
    """Sums of what a journal holds beyond what is merged, in two parts.

    A merge takes the journal up to where it ended as the merge began: there the sums are `cut`. So
    a line costs an addition, and nothing is kept of it. Whoever knows that the journal is merged to
    where a part begins is told the sums from there on; for any other offset, the database has to
    say, once a merge has come to the cut.

    `forgotten` is the offset up to which lines were merged when that was last looked at.
    """

    def __init__(self) -> None:
        self.forgotten = 0
        self._start = 0
        self._cut = 0
        self._older: Sums = {}  # from the start to the cut
        self._newer: Sums = {}  # from there on
        self._obscure = 0  # up to here nobody knows what a line adds

    def add(self, key: Key, micros: int, views: int) -> None:
        """Note what a line that was just appended adds to an artifact's counters."""
        sums = self._newer.get(key)
        if sums is None:
            self._newer[key] = [micros, views]
        else:
            sums[0] += micros
            sums[1] += views

    def obscure(self, end: int) -> None:
        """Note a line, ending there, of which the database alone can say what it adds."""
        self._obscure = end

    def beyond(self, key: Key, merged: int) -> tuple[int, int] | None:
        """Millionths and views behind an offset; None where the database has to say."""
        if merged < self._obscure or merged not in (self._start, self._cut):
            return None
        newer = self._newer.get(key, _NOTHING)
        older = _NOTHING if merged == self._cut else self._older.get(key, _NOTHING)
        return newer[0] + older[0], newer[1] + older[1]

    def cut(self, end: int) -> None:
        """Begin a part where the journal ends now; what came before is to be merged."""
        if self._start == self._cut:
            self._older, self._newer = self._newer, {}
        else:  # the last merge did not come to its end
            for key, (micros, views) in self._newer.items():
                sums = self._older.setdefault(key, [0, 0])
                sums[0] += micros
                sums[1] += views
            self._newer = {}
        self._cut = end

    def forget(self, merged: int, end: int) -> None:
        """Drop what the database holds by now; `end` is where the journal ends."""
        if merged > self._cut:  # somebody else has merged more
            self.cut(end)
        if merged == self._cut:
            self._older = {}
            self._start = merged
        elif merged != self._start:
            self._start = _UNKNOWN
        self.forgotten = merged
