"""Whether a database is what this version works with; it is left as it is."""

import secrets
from dataclasses import dataclass

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from gateway.storage.database import Database
from gateway.storage.migrations import configuration


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema's revision in a database, None in an empty one, and the one of this version.

    `known` says whether this version has heard of the one that was found.
    """

    found: str | None
    wanted: str
    known: bool


async def schema(database: Database) -> Schema:
    """The schema that is there; ServiceUnavailable."""
    history = ScriptDirectory.from_config(configuration())
    async with database.reading() as connection:
        found = await connection.run_sync(_revision)
    wanted = str(history.get_current_head())
    return Schema(found, wanted, found is None or _known(history, found))


async def try_writing(database: Database) -> None:
    """Nothing, where a transaction is taken; it is rolled back. ServiceUnavailable, SlowDown."""
    async with database.writing() as connection:
        await connection.run_sync(_try)


def _try(connection: Connection) -> None:
    # In a transaction of its own, inside this one; migrations need as much.
    trial = connection.begin_nested()
    connection.execute(text(f"CREATE TABLE doctor_{secrets.token_hex(8)} (n INT)"))
    trial.rollback()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _known(history: ScriptDirectory, revision: str) -> bool:
    try:
        return history.get_revision(revision) is not None
    except CommandError:
        return False
