"""A journal's syncs: begun and forgotten, or waited for; one at a time."""

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.services.statistics.syncing import Syncing
from gateway.storage.journal import Journal


class Disk:
    """A disk whose syncs wait until it is let go, or fail for as long as it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = threading.Event()
        self.free.set()
        self.fails = False
        self.running = 0
        self.most = 0
        self.number = 0
        self._sync = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self.sync)

    def sync(self, file: int) -> None:
        self.number += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            self.free.wait(10)
            if self.fails:
                raise OSError(5, "input/output error")
            self._sync(file)
        finally:
            self.running -= 1

    async def idle_after(self, number: int) -> None:
        """Return when so many syncs have begun, and all have ended."""
        async with asyncio.timeout(10):
            while self.number < number or self.running:  # noqa: ASYNC110 (a thread sets no event)
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)  # the thread notes what has come of it


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path)
    yield journal
    journal.close()


@pytest.fixture
def syncing(journal: Journal) -> Iterator[Syncing]:
    syncing = Syncing(journal)
    yield syncing
    syncing.close()


async def test_nothing_new_is_not_synced(journal: Journal, syncing: Syncing, disk: Disk) -> None:
    syncing.begin()
    journal.append(b"one\n")
    syncing.begin()
    await disk.idle_after(1)
    syncing.begin()
    syncing.begin()
    await asyncio.sleep(0.05)
    assert disk.number == 1


async def test_a_sync_that_failed_is_told_and_done_again(
    journal: Journal, syncing: Syncing, disk: Disk
) -> None:
    disk.fails = True
    journal.append(b"one\n")
    syncing.begin()
    await disk.idle_after(1)
    disk.fails = False
    with pytest.raises(OSError, match="input/output error"):
        syncing.begin()
    syncing.begin()
    await disk.idle_after(2)
    assert disk.number == 2


async def test_who_waits_gets_a_sync_that_began_after_it_asked(
    journal: Journal, syncing: Syncing, disk: Disk
) -> None:
    disk.free.clear()
    journal.append(b"one\n")
    syncing.begin()
    journal.append(b"two\n")
    waiting = asyncio.create_task(syncing.done())
    await asyncio.sleep(0.02)
    syncing.begin()
    assert not waiting.done()
    assert disk.number == 1
    disk.free.set()
    await waiting
    assert disk.number == 2
    assert disk.most == 1


async def test_a_turn_begins_a_new_file(journal: Journal, syncing: Syncing, tmp_path: Path) -> None:
    journal.append(b"one\n")
    await syncing.turned()
    journal.append(b"two\n")
    await syncing.done()
    assert names(tmp_path) == [f"{offset:020d}.journal" for offset in (0, 4)]
