"""A worker's journal of downloads: appended to before a response's first byte leaves.

One `os.write` a record puts it into the kernel, where the death of the process, SIGKILL
included, can't lose it. A journal is a folder of files `<offset>.journal`, each named by the
offset of its first byte in the whole; offsets only grow. Files that are merged are removed.
"""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE_BYTES = 16 * 1_048_576
"""A file longer than this is followed by a new one."""

BATCH_BYTES = 262_144
"""How much of a journal is merged in one transaction, about."""

HELD_BYTES = 4 * 1_048_576
"""How much is kept in memory while the disk takes nothing."""

_SUFFIX = ".journal"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines of a journal from offset `start` to before `end`."""

    start: int
    end: int
    lines: tuple[bytes, ...]


class Journal:
    """The journal that this worker appends to; only the event loop's thread may use it.

    `end` is the offset behind its last record. `failure` says why the disk takes no more, or
    is None. What it does not take is held in memory, and written first when it does again;
    `lost` counts the records that found no room there either.
    """

    def __init__(self, directory: Path) -> None:
        self.end = 0
        self.lost = 0
        self.failure: str | None = None
        self._directory = directory
        self._held = bytearray()
        self._base = 0
        self._retired: list[int] = []
        self._file = self._open(0)

    def append(self, record: bytes) -> None:
        """Write one line, newline included, at once."""
        if self._held:
            self._hold(record)
            record = bytes(self._held)
            self._held.clear()
        try:
            written = os.write(self._file, record)
        except OSError as error:
            self._fail(error, record)
            return
        self.end += written
        if written < len(record):
            # The rest completes the line when the disk takes it.
            self._fail(OSError("the disk took a part of a record"), record[written:])
        elif self.failure:
            self.failure = None

    def flush(self) -> None:
        """Write what is held, if there is any; OSError where the disk does not take it."""
        if self.failure:
            self.append(b"")
        if self.failure:
            raise OSError(self.failure)

    def rotate(self, *, at_once: bool = False) -> None:
        """Go on in a new file, when the current one is long, or (`at_once`) is not empty.

        Where none can be made, the current one grows on.
        """
        least = 1 if at_once else FILE_BYTES
        if self.end - self._base < least or self._held:
            return
        try:
            file = self._open(self.end)
        except OSError as error:
            _log.debug("no new file for the journal: %s", error)  # it is tried again and again
            return
        self._retired.append(self._file)
        self._file, self._base = file, self.end

    def sync(self) -> None:
        """Return when all that was appended before survives a power failure.

        A thread may call it, one at a time, while the event loop appends but does not rotate.
        """
        while self._retired:
            file = self._retired.pop()
            try:
                os.fdatasync(file)
            finally:
                os.close(file)
        os.fdatasync(self._file)

    def close(self) -> None:
        """Close the files; what is held is lost, and what is appended from here on."""
        for file in (*self._retired, self._file):
            os.close(file)
        # Whoever opens a file next may get the number of one that was closed.
        self._retired, self._file = [], -1

    def _open(self, base: int) -> int:
        path = self._directory / f"{base:020d}{_SUFFIX}"
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _fail(self, error: OSError, record: bytes) -> None:
        if not self.failure:
            _log.error("the journal of downloads can't be written: %s", error)
        self.failure = str(error)
        self._hold(record)

    def _hold(self, record: bytes) -> None:
        if len(self._held) + len(record) <= HELD_BYTES:
            self._held += record
        else:
            self.lost += 1


def read(directory: Path, offset: int, end: int | None = None) -> Batch | None:
    """The next lines of the journal in `directory`, from `offset`; None when there are none.

    Whole lines alone, and none behind `end`: what its worker is writing, or died writing, is left.
    """
    files = list(_files(directory))
    for base, size, path in files:
        if base + size <= offset:
            continue
        # Files before `base` are gone: they were merged, or a power failure took them.
        start = max(base, offset)
        most = BATCH_BYTES if end is None else min(end - start, BATCH_BYTES)
        data = _slice(path, start - base, most)
        whole = data.rfind(b"\n") + 1
        if whole:
            return Batch(offset, start + whole, tuple(data[:whole].split(b"\n")))
    return None


def unmerged(directory: Path, offset: int) -> int:
    """How many bytes of the journal in `directory` lie behind `offset`."""
    return max((base + size - offset for base, size, _ in _files(directory)), default=0)


def merged_files(directory: Path, offset: int) -> list[Path]:
    """The files that end at or before `offset`, without the last, which grows."""
    return [path for base, size, path in list(_files(directory))[:-1] if base + size <= offset]


def _files(directory: Path) -> Iterator[tuple[int, int, Path]]:
    """Offset, size and path of each file, in order."""
    try:
        names = sorted(path.name for path in directory.iterdir() if path.suffix == _SUFFIX)
    except FileNotFoundError:
        return
    for name in names:
        path = directory / name
        try:
            yield int(name.removesuffix(_SUFFIX)), path.stat().st_size, path
        except FileNotFoundError:
            continue  # merged and removed meanwhile


def _slice(path: Path, position: int, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(position)
            return file.read(max(most, 0))
    except FileNotFoundError:
        return b""
