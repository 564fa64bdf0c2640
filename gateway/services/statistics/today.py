"""The day, and the journal's lines for its downloads, each made once."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

from gateway.storage import tally

Fields = tuple[int, int, str, int, int]
"""An artifact's row id and epoch, a path, millionths, and bytes that are sent."""


class Today:
    """The day in UTC by a clock, as of when it was last looked at.

    Most downloads are of a file that others have downloaded today: theirs is the same line, and
    in `lines`, which are the day's.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.lines: dict[Fields, bytes] = {}
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

    def line(self, fields: Fields) -> bytes:
        """The line for a download that is not among `lines`; it is from here on."""
        if len(self.lines) >= tally.LINES:
            self.lines.clear()
        artifact_id, epoch, path, micros, size = fields
        line = tally.download(artifact_id, epoch, path, micros, self.day, size)
        self.lines[fields] = line
        return line
