"""Engines for SQLite and PostgreSQL, and what their failures mean to a client."""

import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import sqlalchemy
from sqlalchemy import URL, event, make_url
from sqlalchemy import exc as failures
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from gateway.errors import GatewayError, ServiceUnavailable, SlowDown
from gateway.storage.sqlite import Connection, is_busy

BUSY_SECONDS = 10.0
"""How long a transaction waits for others before it gives up."""

# A long log is written into the file by whoever commits, while all others wait: a gateway that
# serves does it beside them, every few seconds (`checkpoint`), before the log has so many pages.
WRITER_PRAGMAS = ("foreign_keys=ON", "synchronous=NORMAL", "wal_autocheckpoint=10000")
"""What each connection that writes to SQLite is told first."""

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
        return url.set(drivername="sqlite+aiosqlite")
    if kind == "postgresql":
        # libpq's name for what asyncpg calls ssl.
        query = {"ssl" if name == "sslmode" else name: url.query[name] for name in url.query}
        return url.set(drivername="postgresql+asyncpg", query=query)
    raise ValueError(f"database_url names {kind}: use sqlite:///path or postgresql://…")


def create_sqlite(url: URL) -> None:
    """Make the file, if it is not there, for its owner alone; and switch on its log."""
    path = str(url.database)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                return
        except sqlite3.OperationalError as error:
            # Two that switch at once: SQLite's own waiting leaves this case out.
            if not is_busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def checkpoint(url: URL) -> None:
    """Write SQLite's log to the disk, and from there into the file."""
    with closing(sqlite3.connect(str(url.database), timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def sqlite_readers(url: URL, *, thread: bool, size: int) -> AsyncEngine:
    """An engine over at most `size` connections that only read, on the event loop or not."""
    return _sqlite(url, "BEGIN", ("query_only=ON",), thread=thread, size=size)


def sqlite_writer(url: URL) -> AsyncEngine:
    """An engine over one connection, whose transactions wait for those of other processes."""
    return _sqlite(url, "BEGIN IMMEDIATE", WRITER_PRAGMAS, thread=True, size=1)


def _sqlite(
    url: URL, begin: str, pragmas: Sequence[str], *, thread: bool, size: int
) -> AsyncEngine:
    def connect(*_: object, **__: object) -> Connection:
        # A reader waits only for a crash's traces to be cleared away: never long.
        return Connection(str(url.database), BUSY_SECONDS if thread else 1, thread=thread)

    def set_up(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        del entry
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def start(connection: sqlalchemy.Connection) -> None:
        cursor = connection.connection.cursor()
        cursor.execute(begin)
        cursor.close()

    engine = create_async_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        hide_parameters=True,
        connect_args={"async_creator_fn": connect},
    )
    event.listen(engine.sync_engine, "connect", set_up)
    event.listen(engine.sync_engine, "begin", start)
    return engine


def postgresql_engine(url: URL) -> AsyncEngine:
    """An engine whose pool leaves out connections that the server has closed."""
    try:
        engine = create_async_engine(
            url,
            pool_size=8,
            max_overflow=8,
            pool_timeout=BUSY_SECONDS,
            hide_parameters=True,
            connect_args={
                "timeout": 5,
                "command_timeout": 30,
                "server_settings": {"application_name": "artifact-gateway"},
            },
        )
    except ModuleNotFoundError as error:
        raise ValueError(
            "database_url names PostgreSQL, whose driver is not installed:"
            " pip install 'artifact-gateway[postgres]'"
        ) from error

    def check(
        connection: DBAPIConnection, entry: ConnectionPoolEntry, proxy: PoolProxiedConnection
    ) -> None:
        # A question to the server would cost each transaction a round trip; this costs none.
        del connection, proxy
        driver = entry.driver_connection
        if driver is None or driver.is_closed():
            raise failures.DisconnectionError

    event.listen(engine.sync_engine, "checkout", check)
    return engine


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
