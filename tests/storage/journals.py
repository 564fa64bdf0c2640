"""What the tests of journals share: what one holds, and a disk that refuses."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.storage import journal
from gateway.storage.batches import read
from gateway.storage.journal import Journal


def lines(directory: Path, offset: int = 0) -> list[bytes]:
    found: list[bytes] = []
    while (batch := read(directory, offset)) is not None:
        assert batch.start == offset
        assert batch.end > offset
        found += [line for line in batch.lines if line]
        offset = batch.end
    return found


def failing(one: Journal) -> bool:
    return one.failure is not None


class Disk:
    """A disk that refuses writes, or takes a part of each, for as long as it is told to.

    `room` is for how many more whole files it has some.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, copies: bool = False) -> None:
        monkeypatch.setattr(journal, "keeps_blocks", lambda _: copies)
        self.takes: int | None = None
        self.asked = 0
        self.room = 10
        self._write: Callable[[int, bytes, int], int] = os.pwrite
        self._allocate: Callable[[int, int, int], None] = os.posix_fallocate
        monkeypatch.setattr(os, "pwrite", self.write)
        monkeypatch.setattr(os, "posix_fallocate", self.allocate)

    def allocate(self, file: int, offset: int, length: int) -> None:
        self._allocate(file, offset, length if self.room else length // 2)
        if not self.room:
            raise OSError(errno.ENOSPC, "no space left")
        self.room -= 1

    def write(self, file: int, data: bytes, position: int) -> int:
        self.asked += 1
        if self.takes == 0:
            raise OSError(errno.ENOSPC, "no space left")
        return self._write(file, data[: self.takes], position)
