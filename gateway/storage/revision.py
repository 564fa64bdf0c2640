"""The schema's revision: whether a database has the newest, asked without Alembic."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

_MIGRATIONS = Path(__file__).parent / "migrations" / "versions"

NEWEST = max(file.name.partition("_")[0] for file in _MIGRATIONS.glob("[0-9]*.py"))
"""The revision of this version: migrations are named by theirs, and sort by it."""

_TABLE = "alembic_version"


def is_newest(connection: Connection) -> bool:
    """Whether the schema is up to date; False also where there is none, or a later one."""
    if not inspect(connection).has_table(_TABLE):
        return False
    found = connection.execute(text(f"SELECT version_num FROM {_TABLE}"))  # noqa: S608 - our own
    return [row[0] for row in found] == [NEWEST]
