"""The workers of this host: a folder with a journal and a lock for each.

A worker holds an exclusive `flock` on its lock file for as long as it lives; the kernel lets
go of it however the process ends. So a lock that can be had belongs to a dead worker.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

TICK_NANOSECONDS = 2_000_000_000
"""The coarsest time that a file system keeps for a change: FAT's two seconds."""

_LOCK = "lock"
_HOST = "host"


class WorkersFolder:
    """The folder of this host's workers, made when it is not there.

    `host` names the folder, not the machine: it is the same after a restart in another
    container, and another for each replica with a folder of its own, even one that was copied.
    Every method touches the file system alone, for microseconds. Without `make`, for who only
    looks, nothing is made, and `host` is empty.
    """

    def __init__(self, path: Path, *, make: bool = True) -> None:
        self.path = path
        if make:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.host = _identity(path / _HOST) if make else ""
        self._held: dict[str, int] = {}
        self._listed: tuple[int, tuple[str, ...]] = (0, ())  # when it last changed, and to what

    def directory(self, worker_id: str) -> Path:
        """Where the journal of a worker is."""
        return self.path / worker_id

    def workers(self) -> Sequence[str]:
        """The ids of all workers that have a folder here, dead ones included."""
        changed = os.stat(self.path).st_mtime_ns  # noqa: PTH116 (a fifth of what Path takes)
        if changed == self._listed[0]:
            return self._listed[1]
        before = time.time_ns()
        found = tuple(
            [
                entry.name
                for entry in os.scandir(self.path)
                if entry.is_dir() and not entry.name.startswith(".")
            ]
        )
        # Of two changes within a tick of the file system's clock, the second may show no time.
        if before - changed > TICK_NANOSECONDS:
            self._listed = changed, found
        return found

    def enter(self, worker_id: str) -> Path:
        """The new folder of a worker that lives from now on."""
        directory = self.directory(worker_id)
        # Under its name nobody ever sees it without its lock.
        draft = self.path / f".{worker_id}"
        draft.mkdir(mode=0o700)
        file = os.open(draft / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.rename(directory)
        self._held[worker_id] = file
        return directory

    def leave(self, worker_id: str) -> None:
        """Let go of the lock of a worker that ends; its folder stays."""
        if worker_id in self._held:
            os.close(self._held.pop(worker_id))

    def lives(self, worker_id: str) -> bool:
        """Whether a process holds the lock of this worker."""
        if worker_id in self._held:
            return True
        with _lock(self.directory(worker_id) / _LOCK, fcntl.LOCK_SH) as locked:
            return not locked

    @contextmanager
    def taking(self, worker_id: str) -> Iterator[bool]:
        """Whether the worker was dead and is in our hands: nobody else takes it meanwhile."""
        if worker_id in self._held:
            yield False
            return
        with _lock(self.directory(worker_id) / _LOCK, fcntl.LOCK_EX) as locked:
            yield locked

    def remove(self, worker_id: str) -> None:
        """Remove the folder of a worker that was taken, or that leaves."""
        shutil.rmtree(self.directory(worker_id), ignore_errors=True)

    def set_aside(self, worker_id: str) -> Path:
        """Where the folder of a worker that was taken now is: no longer among the workers."""
        aside = self.path.with_name(f"{self.path.name}-unplaced")
        aside.mkdir(exist_ok=True, mode=0o700)
        return self.directory(worker_id).rename(aside / worker_id)


@contextmanager
def _lock(path: Path, kind: int) -> Iterator[bool]:
    """Whether the lock file could be locked; it stays so until the end. Gone: True."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield True
        return
    try:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(file)


def _identity(path: Path) -> str:
    """The id of this very file, which the first to ask writes: a copy of it has another."""
    draft = path.with_name(f"{path.name}.{uuid4().hex}")
    if not path.exists():
        draft.write_text(uuid4().hex, encoding="ascii")
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    with path.open("rb") as file:
        told = file.read().strip() + b" %d" % os.fstat(file.fileno()).st_ino
    return sha256(told).hexdigest()[:32]
