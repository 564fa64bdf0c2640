"""The header of SQLite's write-ahead log: the same as long as no process has committed anything.

SQLite keeps it in the file `-shm`, which all who have the database open share as memory ("WAL-mode
File Format", section 2). Whoever commits writes it anew before anybody is told so: the number of
frames, their checksum, a count of changes. So who sees the same header twice has missed nothing,
and that takes a tenth of a microsecond, where the shortest question takes several.
"""

import mmap
import os
from pathlib import Path

SIZE = 48
"""The bytes of the header; it is there twice, so that a half-written one is seen to be one."""

_Place = tuple[int, int]
_open: dict[_Place, "LogHeader"] = {}


class LogHeader:
    """The header of one log. Each process has one for a file, however often it is asked for.

    `memory` has both copies of it, as they are now.

    POSIX gives up all locks that a process has on a file as soon as it closes the file, however
    often it has it open: the file stays open until `close` was called as often as `of`. Call that
    when the database is closed.
    """

    def __init__(self, file: int, place: _Place) -> None:
        self._file = file
        self._place = place
        self.memory = mmap.mmap(file, 2 * SIZE, mmap.MAP_SHARED, mmap.PROT_READ)
        self._users = 0

    @staticmethod
    def of(path: str) -> "LogHeader | None":
        """The header of the log of the database at `path`, which is open; None without a log."""
        try:
            status = Path(f"{path}-shm").stat()
        except OSError:
            return None
        place = status.st_dev, status.st_ino
        found = _open.get(place)
        if found is None:
            try:
                file = os.open(f"{path}-shm", os.O_RDONLY | os.O_CLOEXEC)
                found = _open[place] = LogHeader(file, place)
            except (OSError, ValueError):
                return None  # a file that was opened stays so, for the sake of SQLite's locks
        found._users += 1
        return found

    def close(self) -> None:
        """Close the file, if nobody else reads it."""
        self._users -= 1
        if not self._users:
            _open.pop(self._place)
            self.memory.close()
            os.close(self._file)
