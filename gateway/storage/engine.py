"""What a database may be, and what its failures mean to a client."""

import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, make_url
from sqlalchemy import exc as failures

from gateway.errors import GatewayError, ServiceUnavailable, SlowDown
from gateway.storage.connection import Connection
from gateway.storage.prepared import Prepared

T = TypeVar("T")

BUSY_SECONDS = 10.0
"""How long a transaction waits for others before it gives up."""

_log = logging.getLogger(__name__)

# SQLite: BUSY, LOCKED. PostgreSQL: serialization failure, deadlock, lock not available.
_RACES = frozenset({5, 6, "40001", "40P01", "55P03"})
# SQLite: PERM, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB.
_SQLITE_AWAY = frozenset({3, 7, 8, 10, 11, 13, 14, 26})
# PostgreSQL, by class: connection, authorization, no such database, resources, operator, system.
_POSTGRESQL_AWAY = ("08", "28", "3D", "53", "57", "58", "25006")


def parse_url(database_url: str) -> URL:
    """The address of a database, with the driver that the gateway uses; ValueError otherwise."""
    try:
        url = make_url(database_url)
    except (failures.ArgumentError, ValueError):
        # Whatever it says may repeat a password.
        raise ValueError("database_url is no URL: use sqlite:///path or postgresql://…") from None
    kind = url.get_backend_name()
    if kind == "sqlite":
        if not url.database or url.database == ":memory:" or url.query:
            raise ValueError("database_url names no file: use sqlite:///path")
        return url
    if kind == "postgresql":
        # libpq's name for what asyncpg calls ssl.
        query = {"ssl" if name == "sslmode" else name: url.query[name] for name in url.query}
        return url.set(drivername="postgresql+asyncpg", query=query)
    raise ValueError(f"database_url names {kind}: use sqlite:///path or postgresql://…")


class Engine(Protocol):
    """What a Database needs of SQLite or PostgreSQL."""

    def reading(self, *, long: bool) -> AbstractAsyncContextManager[Connection]:
        """A connection that sees one snapshot."""

    def writing(self) -> AbstractAsyncContextManager[Connection]:
        """A connection in one transaction: kept at the end, undone on an error."""

    def migrating(self) -> AbstractAsyncContextManager[Connection]:
        """The same, for what nobody may do beside it."""

    async def once(self, work: Callable[[Connection], Awaitable[T]], /) -> T:
        """What `work` returns, in one transaction."""

    async def glance(
        self, question: Prepared, values: Mapping[str, object], /
    ) -> Sequence[Mapping[str, Any]]:
        """The rows that one statement finds."""

    def generation(self) -> tuple[int, int] | None:
        """How often anything but counters has changed by now, and how often counters have.

        None where that can't be told cheaply.
        """

    async def harden(self) -> None:
        """Return when all that was committed survives a power failure too."""

    async def close(self) -> None:
        """Leave the database."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn the drivers' failures inside into `ServiceUnavailable` and `SlowDown`.

    What is neither (a constraint, wrong SQL) passes as it is.
    """
    try:
        yield
    except failures.TimeoutError as error:
        raise SlowDown("The database has too much to do; try again.") from error
    except failures.DBAPIError as error:
        if meaning := _meaning(error.orig, gone=error.connection_invalidated):
            raise meaning from error
        raise
    except (sqlite3.DatabaseError, OSError) as error:
        if meaning := _meaning(error, gone=isinstance(error, OSError)):
            raise meaning from error
        raise


def _meaning(error: BaseException | None, *, gone: bool) -> GatewayError | None:
    """What a failure of a driver is to a client; None where it is a fault in the gateway."""
    code = getattr(error, "sqlite_errorcode", None) or getattr(error, "sqlstate", None)
    if isinstance(code, int):
        code &= 0xFF  # SQLite's extended codes hold the plain one in their last byte
    if code in _RACES:
        return SlowDown("Another request changed the same; try again.")
    away = code in _SQLITE_AWAY or (isinstance(code, str) and code.startswith(_POSTGRESQL_AWAY))
    if not (away or gone):
        return None
    _log.warning("the database does not answer: %s", error)
    return ServiceUnavailable("The database does not answer; try again.")
