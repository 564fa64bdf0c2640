"""What listings told, kept on disk in the order of the keys' bytes.

A backend lists in whatever order it likes, and a bucket may hold more than memory does. A
listing is gone through once and kept here; then it can be asked in any order.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Self

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST
from gateway.storage.upstream import ListedObject

AT_ONCE = 1000
# No key goes on with it: UTF-8 has no such byte.
PAST = b"\xff"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SCHEMA = """
    CREATE TABLE object (
        key BLOB PRIMARY KEY, size INTEGER, etag TEXT, modified INTEGER, depth INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX manifest ON object (depth, key) WHERE depth IS NOT NULL;
"""
COLUMNS = "key, size, etag, modified"


class Inventory:
    """Objects by key, in a file of its own that goes when it is closed."""

    def __init__(self) -> None:
        # SQLite's word for a private file that spills over from a small cache.
        self._file = sqlite3.connect("")
        self._file.executescript(SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        """How many objects it holds."""
        return int(self._file.execute("SELECT count(*) FROM object").fetchone()[0])

    def add(self, objects: Iterable[ListedObject]) -> None:
        """Nothing; the objects are kept, each in the place of what its key held before."""
        rows = [
            (
                _bytes(item.key),
                item.size,
                item.etag,
                (item.last_modified - EPOCH) // MICROSECOND,
                _depth(item.key),
            )
            for item in objects
        ]
        self._file.executemany("INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?, ?)", rows)

    def discard(self, key: str) -> None:
        """Nothing; the key is not there any more."""
        self._file.execute("DELETE FROM object WHERE key = ?", (_bytes(key),))

    def get(self, key: str) -> ListedObject | None:
        """What was listed under the key."""
        found = self._file.execute(
            f"SELECT {COLUMNS} FROM object WHERE key = ?",  # noqa: S608 (names of columns)
            (_bytes(key),),
        ).fetchone()
        return None if found is None else _object(found)

    def below(self, folder: str) -> Iterator[ListedObject]:
        """Every object whose key begins with `folder`, which is empty or ends in "/"."""
        start, end = _bytes(folder), _bytes(folder) + PAST
        while rows := self._after(start, end, AT_ONCE):
            yield from map(_object, rows)
            start = rows[-1][0] + b"\0"

    def directly_below(self, folder: str) -> Iterator[ListedObject]:
        """The objects in a folder, without those in folders of it."""
        return (item for item in self._entries(folder) if isinstance(item, ListedObject))

    def folders(self, folder: str) -> Iterator[str]:
        """The names of the folders in a folder, without slashes."""
        return (item for item in self._entries(folder) if isinstance(item, str))

    def depths(self) -> list[int]:
        """How deep manifests lie, ascending: in how many folders."""
        rows = self._file.execute(
            "SELECT DISTINCT depth FROM object WHERE depth IS NOT NULL ORDER BY depth"
        )
        return [row[0] for row in rows]

    def manifests(self, depth: int) -> Iterator[str]:
        """The prefixes, so deep, at which a manifest lies, staged or not; each once."""
        after = b""
        statement = "SELECT key FROM object WHERE depth = ? AND key > ? ORDER BY key LIMIT ?"
        while rows := self._file.execute(statement, (depth, after, AT_ONCE)).fetchall():
            for (key,) in rows:
                prefix = key.decode(errors="surrogatepass").rpartition("/")[0]
                if self._first_of(key, prefix):
                    yield prefix
            after = rows[-1][0]

    def _first_of(self, key: bytes, prefix: str) -> bool:
        """Whether a key is the only manifest of its folder, or the first of the two."""
        first = _bytes(f"{prefix}/{STAGED_MANIFEST}" if prefix else STAGED_MANIFEST)
        there = self._file.execute("SELECT 1 FROM object WHERE key = ?", (first,)).fetchone()
        return key == first or there is None

    def _entries(self, folder: str) -> Iterator[ListedObject | str]:
        start, end = _bytes(folder), _bytes(folder) + PAST
        length = len(start)
        while rows := self._after(start, end, AT_ONCE):
            for row in rows:
                name, slash, _ = row[0][length:].partition(b"/")
                if slash and name:
                    yield name.decode(errors="surrogatepass")
                    start = row[0][:length] + name + b"0"  # what comes after "/"
                    break
                if name:
                    yield _object(row)
                start = row[0] + b"\0"

    def _after(self, start: bytes, end: bytes, limit: int) -> list[tuple[bytes, int, str, int]]:
        found = self._file.execute(
            f"SELECT {COLUMNS} FROM object "  # noqa: S608 (names of columns)
            "WHERE key >= ? AND key < ? ORDER BY key LIMIT ?",
            (start, end, limit),
        )
        return found.fetchall()


def _bytes(key: str) -> bytes:
    return key.encode(errors="surrogatepass")


def _object(row: tuple[bytes, int, str, int]) -> ListedObject:
    key, size, etag, modified = row
    time = EPOCH + modified * MICROSECOND
    return ListedObject(key.decode(errors="surrogatepass"), size, etag, time)


def _depth(key: str) -> int | None:
    *folders, name = key.split("/")
    return len(folders) if name in (MANIFEST, STAGED_MANIFEST) else None
