"""The day, and the journal's lines for its downloads, each made once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gateway.storage import tally
from gateway.storage.tally import Key


@dataclass(slots=True, eq=False)
class Line:
    """The journal's line for a download on one day, and whose artifact and epoch it is.

    `times` is how often it was appended since that was last added up.
    """

    written: bytes
    key: Key
    day: date
    times: int = 0


Fields = tuple[int, int, str, int, int]
"""An artifact's row id and epoch, a path, millionths, and bytes that are sent."""


class Today:
    """The day in UTC by a clock, as of when it was last looked at.

    Most downloads are of a file that others have downloaded today: theirs is the same line, and
    in `lines`, which are the day's.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.lines: dict[Fields, Line] = {}
        self.day = date.min
        self._clock = clock
        self.look()

    def look(self) -> float:
        """Look at the clock; so many seconds are left of the day."""
        now = self._clock()
        if now.date() != self.day:
            self.day = now.date()
            self.lines.clear()
        midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), now.tzinfo)
        return (midnight - now).total_seconds()

    def line(self, fields: Fields) -> Line:
        """The line for a download that is not among `lines`; it is from here on."""
        if len(self.lines) >= tally.LINES:
            self.lines.clear()
        artifact_id, epoch, path, micros, size = fields
        written = tally.download(artifact_id, epoch, path, micros, self.day, size)
        line = self.lines[fields] = Line(written, (artifact_id, epoch), self.day)
        return line
