"""The day, and the journal's lines for its downloads, each made once."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from time import monotonic

from gateway.storage import tally

ASKED_SECONDS = 0.05
"""So long a clock's answer is good, unless midnight comes before."""


class Today:
    """The day in UTC by a clock, which is looked at a few times a second.

    Most downloads are of a file that others have downloaded today: theirs is the same line.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._until = 0.0
        self._day = date.min
        self._lines: dict[tuple[int, int, str, int, int], bytes] = {}

    def day(self) -> date:
        """The day that it is."""
        if monotonic() >= self._until:
            self._look()
        return self._day

    def download(self, artifact_id: int, epoch: int, path: str, micros: int, size: int) -> bytes:
        """The line for one download of a file, of which `size` bytes are sent."""
        if monotonic() >= self._until:
            self._look()
        fields = artifact_id, epoch, path, micros, size
        line = self._lines.get(fields)
        if line is None:
            if len(self._lines) >= tally.LINES:
                self._lines.clear()
            line = tally.download(artifact_id, epoch, path, micros, self._day, size)
            self._lines[fields] = line
        return line

    def _look(self) -> None:
        moment, now = monotonic(), self._clock()
        midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), now.tzinfo)
        self._until = moment + min((midnight - now).total_seconds(), ASKED_SECONDS)
        if now.date() != self._day:
            self._day = now.date()
            self._lines.clear()
