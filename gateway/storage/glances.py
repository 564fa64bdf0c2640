"""Looks into SQLite that take microseconds; one tells how often anything has changed.

Triggers count it, in the transaction that changes something: no writer can forget to, in
whatever process it is. Counters of downloads are counted apart: they are written at every merge.
Whoever has looked, and then asked a question, may give the answer again for as long as another
look finds the same: nothing was committed in between. And as long as the header of SQLite's log is
the same (`storage/log_header`), a look would find the same: then none is taken.
"""

import sqlite3
from collections.abc import Mapping
from typing import Any

from gateway.storage.engine import translated
from gateway.storage.log_header import SIZE, LogHeader
from gateway.storage.prepared import Prepared

QUESTION = "SELECT number, counted FROM generation"


class Glances:
    """Looks of one statement at what any process has committed. The event loop's thread asks."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._cursor: sqlite3.Cursor | None = None
        self._header: LogHeader | None = None
        self._seen = b""
        self._numbers = (0, 0)

    def generation(self) -> tuple[int, int]:
        """How often anything but counters has changed by now, and how often counters have.

        ServiceUnavailable.
        """
        header = self._header
        if header is not None and header.memory[:] == self._seen:
            return self._numbers
        try:
            return self._look()
        except sqlite3.Error:
            with translated():
                raise

    def _look(self) -> tuple[int, int]:
        cursor = self._cursor or self._open()
        before = b"" if self._header is None else self._header.memory[:]
        numbers: tuple[int, int] = cursor.execute(QUESTION).fetchone()
        if self._header is None:
            # From here on the log is there, and stays as long as this connection.
            self._header = LogHeader.of(self._path)
        elif before[:SIZE] == before[SIZE:] and before == self._header.memory[:]:
            self._seen, self._numbers = before, numbers
        return numbers

    def rows(self, question: Prepared, values: Mapping[str, object]) -> list[dict[str, Any]]:
        """The answer to a question; ServiceUnavailable."""
        with translated():
            return question.rows((self._cursor or self._open()).connection.cursor(), values)

    def close(self) -> None:
        """Close the file, once nobody else in this process has to do with the database."""
        if self._cursor is not None:
            self._cursor.connection.close()
            self._cursor = None
        if self._header is not None:
            self._header.close()
            self._header, self._seen = None, b""

    def _open(self) -> sqlite3.Cursor:
        # A reader of a write-ahead log waits only for a crash's traces to be cleared away.
        connection = sqlite3.connect(
            self._path, timeout=1, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA query_only=ON")
        self._cursor = connection.cursor()
        return self._cursor
