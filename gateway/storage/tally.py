"""What a journal holds: one line a record, and the sums of many.

A line is a JSON array: `["d", artifact, epoch, path, micros, day, bytes]` for a download (0 bytes
where they are told later), `["c", artifact, epoch, path, micros, milliseconds, client]` for one
that may be its client's second, `["b", artifact, epoch, path, bytes, day]` for bytes sent, and
`["v", artifact, epoch]` for a view.
Amounts are whole numbers, so that sums are exact: a weight of 0.5 is 500,000 micros.
"""

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

_log = logging.getLogger(__name__)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
LINES = 4_096
_encode = json.JSONEncoder(separators=(",", ":")).encode

Key = tuple[int, int]
"""An artifact's row id, and its epoch."""


def download(  # the fields of a line
    artifact_id: int, epoch: int, path: str, micros: int, day: date, size: int = 0
) -> bytes:
    """The line for one download of a file that weighs `micros` millionths.

    `size` is how many bytes it is, where that is known beforehand.
    """
    fields = ["d", artifact_id, epoch, path, micros, day.isoformat(), size]
    return f"{_encode(fields)}\n".encode()


def click(artifact_id: int, epoch: int, path: str, micros: int, at: datetime, client: str) -> bytes:
    """The line for a download at a time by a client, to be held against the others of it."""
    milliseconds = (at - _BEGINNING) // timedelta(milliseconds=1)
    fields = ["c", artifact_id, epoch, path, micros, milliseconds, client]
    return f"{_encode(fields)}\n".encode()


# Most lines are written again and again: the next download of a file is as long.
@lru_cache(LINES)
def sent(artifact_id: int, epoch: int, path: str, size: int, day: date) -> bytes:
    """The line for `size` bytes of a file that left the gateway."""
    return f"{_encode(['b', artifact_id, epoch, path, size, day.isoformat()])}\n".encode()


@lru_cache(LINES)
def view(artifact_id: int, epoch: int) -> bytes:
    """The line for one view of an artifact."""
    return f"{_encode(['v', artifact_id, epoch])}\n".encode()


@dataclass(slots=True)
class Total:
    """What an artifact's counters rise by."""

    micros: int = 0
    views: int = 0


@dataclass(slots=True)
class Day:
    """What one file's counters of one day rise by."""

    downloads: int = 0
    micros: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Click:
    """A download that counts unless the same client's last one of the file is too near."""

    artifact_id: int
    epoch: int
    path: str
    micros: int
    at: datetime
    client: str

    @property
    def day(self) -> str:
        """The day it is counted on, in UTC."""
        return self.at.date().isoformat()


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums: of (artifact, epoch), and of (artifact, epoch, path, day); and single clicks."""

    totals: dict[Key, Total] = field(default_factory=lambda: defaultdict(Total))
    days: dict[tuple[int, int, str, str], Day] = field(default_factory=lambda: defaultdict(Day))
    clicks: list[Click] = field(default_factory=list)

    @property
    def artifacts(self) -> set[int]:
        """Every artifact that is in it."""
        clicked = {click.artifact_id for click in self.clicks}
        return clicked | {key[0] for key in self.totals} | {key[0] for key in self.days}

    def add(  # the columns of a row, and how often
        self, artifact_id: int, epoch: int, path: str, micros: int, day: str, times: int = 1
    ) -> None:
        """Add downloads of one file on one day, each of `micros`."""
        self.totals[artifact_id, epoch].micros += micros * times
        entry = self.days[artifact_id, epoch, path, day]
        entry.downloads += times
        entry.micros += micros * times


def add_up(lines: Iterable[bytes] | Mapping[bytes, int]) -> Tally:
    """The sums of a journal's lines, or of lines with how often each is there.

    A line that a crash has torn is left out, and logged.
    """
    tally = Tally()
    # Downloads of one file on one day are the same line: most need no parsing.
    for line, times in Counter(lines).items():
        if line and not _add(tally, line, times):
            _log.warning("left out a line of a journal that can't be read: %.80r", line)
    return tally


def sums(lines: Mapping[bytes, int]) -> tuple[int, int]:
    """Millionths and views of lines that are all of one artifact and epoch, and no clicks."""
    micros = views = 0
    for line, times in lines.items():
        match _record(line):
            case ["d", _, _, _, more, _, _]:
                micros += more * times
            case ["v", _, _]:
                views += times
    return micros, views


# Who asks for an artifact's counters asks again: most lines are the same.
@lru_cache(LINES)
def _record(line: bytes) -> Any:  # noqa: ANN401 (what JSON can be)
    return json.loads(line)


def _add(tally: Tally, line: bytes, times: int) -> bool:
    try:
        record = _record(line)
    except ValueError:
        return False
    match record:
        case ["v", int(artifact), int(epoch)]:
            tally.totals[artifact, epoch].views += times
        case ["d", int(artifact), int(epoch), str(path), int(micros), str(day), int(size)]:
            tally.add(artifact, epoch, path, micros, day, times)
            tally.days[artifact, epoch, path, day].bytes += size * times
        case ["c", int(artifact), int(epoch), str(path), int(micros), int(at), str(client)]:
            moment = _BEGINNING + timedelta(milliseconds=at)
            tally.clicks.append(Click(artifact, epoch, path, micros, moment, client))
        case ["b", int(artifact), int(epoch), str(path), int(size), str(day)]:
            tally.days[artifact, epoch, path, day].bytes += size * times
        case _:
            return False
    return True
