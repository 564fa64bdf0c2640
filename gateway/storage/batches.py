"""What journals of downloads hold, in batches: those of workers that live, and of dead ones."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

BATCH_BYTES = 262_144
"""How much of a journal is merged in one transaction, about."""

LOOK_BYTES = 16_384
"""How much is read at once to find where a journal ends."""

SUFFIX = ".journal"


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines of a journal from offset `start` to before `end`."""

    start: int
    end: int
    lines: tuple[bytes, ...]


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
        names = sorted(path.name for path in directory.iterdir() if path.suffix == SUFFIX)
    except FileNotFoundError:
        return
    bases = [int(name.removesuffix(SUFFIX)) for name in names]
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
