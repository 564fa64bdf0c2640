"""A worker's journal of downloads: appended to before a response's first byte leaves.

A record is the kernel's when it is appended: the death of the process, SIGKILL included, can't lose
it. A journal is a folder of files `<offset>.journal`, each named by the offset of its first byte in
the whole; offsets only grow. Files that are merged are removed.

The file that grows is as long as it may become: behind its last record it reads as zeros, which no
record holds. Where the disk gives it all its room at once, records are copied into its memory,
which is the kernel's too: a fifth of the time that a system call takes. A copy that the process's
death cuts short leaves a zero before its line's end. Where the disk has no such room, or what it
gives is no promise, each record is written by a system call, which says what the disk has against
it.
"""

import logging
import mmap
import os
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock

from gateway.storage.batches import SUFFIX
from gateway.storage.filesystems import keeps_blocks

FILE_BYTES = 16 * 1_048_576
"""A file longer than this is followed by a new one."""

HELD_BYTES = 4 * 1_048_576
"""How much is kept in memory while the disk takes nothing."""

AHEAD_BYTES = 65_536
"""How much of the file is made ready for records, ahead of them, at most."""

_POPULATE_WRITE = 23
"""MADV_POPULATE_WRITE of madvise(2): the pages can be written to by memory, or it says why not."""

_log = logging.getLogger(__name__)


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
        self._room = 0  # up to here in the file records are copied
        self._prepared = 0  # the end when pages were last made ready
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
        if end <= self._room:
            self._pages[start:end] = record
            self._at = end
        else:
            self._write(record)

    def _write(self, record: bytes) -> None:
        self._room = 0  # what is held comes before all that is shorter and would find room
        if self._held:
            self._hold(record)
            record = bytes(self._held)
            self._held.clear()
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

    def flush(self) -> None:
        """Write what is held, if there is any; OSError where the disk does not take it."""
        if self.failure:
            self._write(b"")
        if self.failure:
            raise OSError(self.failure)

    def prepare(self) -> None:
        """Make pages ready for the records to come.

        They are for twice as much as came since the last time, and at most AHEAD_BYTES. A thread
        may call it after a `sync`, which has cleaned the pages that were ready: the first record of
        each has to wait for the kernel otherwise. Linux can do it from 5.14 on.
        """
        with self._turning:
            appended, self._prepared = self.end - self._prepared, self.end
            start = self._at // mmap.PAGESIZE * mmap.PAGESIZE
            end = min(_whole_pages(self._at + min(2 * appended, AHEAD_BYTES)), self._room)
            if start < end and isinstance(self._pages, mmap.mmap):
                with suppress(OSError):
                    self._pages.madvise(_POPULATE_WRITE, start, end - start)

    def rotate(self, *, at_once: bool = False) -> None:
        """Go on in a new file, when the current one is long, or (`at_once`) is not empty.

        Where none can be made, the current one grows on.
        """
        least = 1 if at_once else FILE_BYTES
        if self._at < least or self._held:
            return
        with self._turning:
            former, pages = self._file, self._pages
            try:
                self._file = self._open(self.end)
            except OSError as error:
                _log.debug("no new file for the journal: %s", error)  # it is tried again and again
                return
            self._retired.append(former)
            if isinstance(pages, mmap.mmap):
                pages.close()
                with suppress(OSError):  # who reads it knows where the next begins
                    os.ftruncate(former, self._at)
            base = self.end
            # A thread that asks for the end in between is told one that never was.
            self._at = 0
            self._base = base

    def sync(self) -> None:
        """Return when all that was appended before survives a power failure.

        A thread may call it, one at a time, while the event loop goes on.
        """
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
        except OSError:
            # A disk that has given up says so to a system call, and ends who writes by memory.
            self._room = 0
            raise
        finally:
            self._retired[:0] = former

    def close(self) -> None:
        """Close the files; what is held is lost, and what is appended from here on."""
        if isinstance(self._pages, mmap.mmap):
            self._pages.close()
        for file in (*self._retired, self._file):
            os.close(file)
        # Whoever opens a file next may get the number of one that was closed.
        self._retired, self._file, self._room = [], -1, 0

    def _open(self, base: int) -> int:
        """A new file, its pages in `_pages`; or an OSError, and nothing is new."""
        path = self._directory / f"{base:020d}{SUFFIX}"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._room, self._pages = 0, bytearray()
        if self._copies:
            size = _whole_pages(FILE_BYTES)
            try:
                # The kernel ends a process that writes by memory what the disk has no room for,
                # be it for other pages of the same folio, of which there may be hundreds.
                os.posix_fallocate(file, 0, size)
                pages = mmap.mmap(file, size)
                # Nothing is read ahead: large folios would be synced whole.
                pages.madvise(mmap.MADV_RANDOM)
            except OSError as error:
                _log.debug("no room for the whole of a journal's file: %s", error)
                with suppress(OSError):  # zeros behind the last record are no harm
                    os.ftruncate(file, 0)
            else:
                self._pages, self._room = pages, size
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


def _whole_pages(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
