"""A worker's journal of downloads: appended to before a response's first byte leaves.

A record is the kernel's when it is appended: the death of the process, SIGKILL included, can't lose
it. A journal is a folder of files `<offset>.journal`, each named by the offset of its first byte in
the whole; offsets only grow. Files that are merged are removed.

The file that grows is as long as it may become, without a block behind its last record: there it
reads as zeros, which no record holds. The first record of a page is written by a system call, which
says what the disk has against it; those that follow are copied into the page, which the kernel has
by then: a fifth of the time. A copy that the process's death cuts short leaves a zero before its
line's end.
"""

import logging
import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from threading import Lock

from gateway.storage.filesystems import keeps_blocks

FILE_BYTES = 16 * 1_048_576
"""A file longer than this is followed by a new one."""

BATCH_BYTES = 262_144
"""How much of a journal is merged in one transaction, about."""

HELD_BYTES = 4 * 1_048_576
"""How much is kept in memory while the disk takes nothing."""

LOOK_BYTES = 16_384
"""How much is read at once to find where a journal ends."""

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

    `failure` says why the disk takes no more, or is None. What it does not take is held in memory,
    and written first when it does again; `lost` counts the records that found no room there either.
    `doubtful` is the offset up to which there may be others than were appended when it ended there.
    """

    def __init__(self, directory: Path) -> None:
        self.lost = 0
        self.failure: str | None = None
        self.doubtful = 0
        self._directory = directory
        self._held = bytearray()
        self._base = 0
        self._at = 0  # in the file
        self._warm = 0  # up to here in the file its pages take copies
        self._syncing = False
        self._turning = Lock()  # held while files change places
        self._retired: list[int] = []
        self._copies = keeps_blocks(directory)
        self._pages: mmap.mmap | bytearray = bytearray()
        self._file = self._open(0)

    @property
    def end(self) -> int:
        """The offset behind the last record."""
        return self._base + self._at

    @property
    def turned_at(self) -> int:
        """The offset at which the file that grows begins."""
        return self._base

    def append(self, record: bytes) -> None:
        """Write one line, newline included, at once."""
        start = self._at
        end = start + len(record)
        if end <= self._warm:
            self._pages[start:end] = record
            self._at = end
        else:
            self._write(record)

    def _write(self, record: bytes) -> None:
        if self._held:
            self._hold(record)
            record = bytes(self._held)
            self._held.clear()
        self._warm = 0
        syncing = self._syncing  # it may end meanwhile, with this record's page clean again
        try:
            written = os.pwrite(self._file, record, self._at)
        except OSError as error:
            self._fail(error, record)
            return
        self._at += written
        if written < len(record):
            # The rest completes the line when the disk takes it.
            self._fail(OSError("the disk took a part of a record"), record[written:])
            return
        if self.failure:
            self.failure, self.doubtful = None, self.end
        if not syncing:
            self._warm = min(_whole_pages(self._at), len(self._pages))

    def flush(self) -> None:
        """Write what is held, if there is any; OSError where the disk does not take it."""
        if self.failure:
            self._write(b"")
        if self.failure:
            raise OSError(self.failure)

    def rotate(self, *, at_once: bool = False) -> None:
        """Go on in a new file, when the current one is long, or (`at_once`) is not empty.

        Where none can be made, the current one grows on.
        """
        least = 1 if at_once else FILE_BYTES
        if self._at < least or self._held:
            return
        former, pages = self._file, self._pages
        try:
            file = self._open(self.end)
        except OSError as error:
            _log.debug("no new file for the journal: %s", error)  # it is tried again and again
            return
        with self._turning:
            self._file = file
            self._retired.append(former)
        if isinstance(pages, mmap.mmap):
            pages.close()
            with suppress(OSError):  # who reads it knows where the next begins
                os.ftruncate(former, self._at)
        base = self.end
        # A thread that asks for the end in between is told one that never was.
        self._at = self._warm = 0
        self._base = base

    def sync(self) -> None:
        """Return when all that was appended before survives a power failure.

        A thread may call it, one at a time, while the event loop goes on. Records that are appended
        meanwhile ask the disk: a sync cleans pages, and a copy into a clean one is slow.
        """
        self._syncing, self._warm = True, 0
        with self._turning:
            former, self._retired = self._retired, []
            current = self._file
        try:
            while former:
                file = former.pop()
                try:
                    os.fdatasync(file)
                finally:
                    os.close(file)
            os.fdatasync(current)
        finally:
            self._retired[:0] = former
            self._syncing = False

    def close(self) -> None:
        """Close the files; what is held is lost, and what is appended from here on."""
        if isinstance(self._pages, mmap.mmap):
            self._pages.close()
        for file in (*self._retired, self._file):
            os.close(file)
        # Whoever opens a file next may get the number of one that was closed.
        self._retired, self._file, self._warm = [], -1, 0

    def _open(self, base: int) -> int:
        """A new file, its pages in `_pages`; or an OSError, and nothing is new."""
        path = self._directory / f"{base:020d}{_SUFFIX}"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if self._copies:
            size = _whole_pages(FILE_BYTES)
            try:
                os.ftruncate(file, size)
                self._pages = mmap.mmap(file, size)
            except OSError:
                # Who reads takes the file before it to end where this one begins.
                path.unlink()
                os.close(file)
                raise
        return file

    def _fail(self, error: OSError, record: bytes) -> None:
        if not self.failure:
            _log.error("the journal of downloads can't be written: %s", error)
        self.failure, self.doubtful = str(error), sys.maxsize
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
        data = _slice(path, start - base, most) if most > 0 else b""
        whole = data.rfind(b"\n") + 1
        if whole:
            return Batch(offset, start + whole, tuple(data[:whole].split(b"\n")))
    return None


def unmerged(directory: Path, offset: int) -> int:
    """How many bytes of the journal in `directory` lie behind `offset`."""
    files = list(_files(directory))
    if not files:
        return 0
    base, _, last = files[-1]
    return max(base + _written(last, max(offset - base, 0)) - offset, 0)


def merged_files(directory: Path, offset: int) -> list[Path]:
    """The files that end at or before `offset`, without the last, which grows."""
    return [path for base, size, path in list(_files(directory))[:-1] if base + size <= offset]


def _files(directory: Path) -> Iterator[tuple[int, int, Path]]:
    """Offset, size and path of each file, in order; the last is as long as it may become."""
    try:
        names = sorted(path.name for path in directory.iterdir() if path.suffix == _SUFFIX)
    except FileNotFoundError:
        return
    bases = [int(name.removesuffix(_SUFFIX)) for name in names]
    # A folder may be empty: its worker died over its first file, or somebody is removing it.
    for base, following, name in zip_longest(bases, bases[1:], names):
        path = directory / name
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            continue  # merged and removed meanwhile
        yield base, size if following is None else min(size, following - base), path


def _written(path: Path, position: int) -> int:
    """Where in a file its records end, `position` being the end of one."""
    while data := _slice(path, position, LOOK_BYTES):
        position += len(data)
    return position


def _slice(path: Path, position: int, most: int) -> bytes:
    """What was written from a position on, up to so many bytes."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    try:
        if hasattr(os, "posix_fadvise"):  # not on macOS
            # What is read ahead would be there as large pages, slow to write to.
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
        return os.pread(file, most, position).partition(b"\0")[0]
    finally:
        os.close(file)


def _whole_pages(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
