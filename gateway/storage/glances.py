"""Looks into SQLite that take microseconds; one tells how often anything has changed.

Triggers count it, in the transaction that changes something: no writer can forget to, in
whatever process it is. Counters of downloads are counted apart: they are written twice a second.
Whoever has looked, and then asked a question, may give the answer again for as long as another
look finds the same: nothing was committed in between.
"""

import sqlite3
from collections.abc import Mapping
from typing import Any

from gateway.storage.engine import translated
from gateway.storage.prepared import Prepared

QUESTION = "SELECT number, counted FROM generation"


class Glances:
    """Looks of one statement at what any process has committed. The event loop's thread asks."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._cursor: sqlite3.Cursor | None = None

    def generation(self) -> tuple[int, int]:
        """How often anything but counters has changed by now, and how often counters have.

        ServiceUnavailable.
        """
        try:
            cursor = self._cursor or self._open()
            numbers: tuple[int, int] = cursor.execute(QUESTION).fetchone()
        except sqlite3.Error:
            with translated():
                raise
        return numbers

    def rows(self, question: Prepared, values: Mapping[str, object]) -> list[dict[str, Any]]:
        """The answer to a question; ServiceUnavailable."""
        with translated():
            return question.rows((self._cursor or self._open()).connection.cursor(), values)

    def close(self) -> None:
        """Close the file."""
        if self._cursor is not None:
            self._cursor.connection.close()
            self._cursor = None

    def _open(self) -> sqlite3.Cursor:
        # A reader of a write-ahead log waits only for a crash's traces to be cleared away.
        connection = sqlite3.connect(
            self._path, timeout=1, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA query_only=ON")
        self._cursor = connection.cursor()
        return self._cursor
