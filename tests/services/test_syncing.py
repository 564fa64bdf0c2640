"""A journal's syncs: begun and forgotten, or waited for; one at a time."""

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.services.statistics import syncing as module
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

    async def busy(self) -> None:
        """Return when a sync has begun."""
        async with asyncio.timeout(10):
            while not self.running:  # noqa: ASYNC110 (a thread sets no event)
                await asyncio.sleep(0.001)

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
def syncing(
    journal: Journal,
    disk: Disk,  # noqa: ARG001 (the thread is to meet it)
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Syncing]:
    monkeypatch.setattr(module, "SYNC_SECONDS", 0.02)
    syncing = Syncing(journal)
    yield syncing
    syncing.close()


async def test_nothing_new_is_not_synced(journal: Journal, syncing: Syncing, disk: Disk) -> None:
    assert syncing is not None
    await asyncio.sleep(10 * module.SYNC_SECONDS)
    assert disk.number == 0
    journal.append(b"one\n")
    await disk.idle_after(1)
    await asyncio.sleep(10 * module.SYNC_SECONDS)
    assert disk.number == 1


async def test_after_a_sync_pages_are_made_ready(
    journal: Journal, syncing: Syncing, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = threading.Event()
    monkeypatch.setattr(journal, "prepare", prepared.set)
    journal.append(b"one\n")
    assert await asyncio.to_thread(prepared.wait, 10)
    prepared.clear()
    await syncing.done()
    assert await asyncio.to_thread(prepared.wait, 10)


async def test_a_sync_that_failed_is_told_once_and_done_again(
    journal: Journal, syncing: Syncing, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    disk.fails = True
    journal.append(b"one\n")
    await disk.idle_after(3)
    with pytest.raises(OSError, match="input/output error"):
        await syncing.done()
    disk.fails = False
    await disk.idle_after(disk.number + 1)
    await syncing.done()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "input/output error" in caplog.text


async def test_who_waits_gets_a_sync_that_began_after_it_asked(
    journal: Journal, syncing: Syncing, disk: Disk
) -> None:
    disk.free.clear()
    journal.append(b"one\n")
    first = asyncio.create_task(syncing.done())
    await disk.busy()
    journal.append(b"two\n")
    second = asyncio.create_task(syncing.done())
    await asyncio.sleep(0.05)
    assert not first.done()
    assert disk.number == 1
    disk.free.set()
    await first
    await second
    assert disk.number == 2
    assert disk.most == 1


async def test_whoever_gives_up_leaves_the_thread_at_work(
    journal: Journal, syncing: Syncing, disk: Disk
) -> None:
    disk.free.clear()
    journal.append(b"one\n")
    waiting = asyncio.create_task(syncing._sync())  # noqa: SLF001 (as a loop that ends does it)
    queued = asyncio.create_task(syncing._sync())  # noqa: SLF001
    await disk.busy()
    for task in (waiting, queued):
        task.cancel()
    disk.free.set()
    await asyncio.gather(waiting, queued, return_exceptions=True)
    await syncing.done()
    assert disk.number == 2


async def test_a_turn_begins_a_new_file(journal: Journal, syncing: Syncing, tmp_path: Path) -> None:
    journal.append(b"one\n")
    await syncing.turned()
    journal.append(b"two\n")
    await syncing.done()
    assert names(tmp_path) == [f"{offset:020d}.journal" for offset in (0, 4)]
