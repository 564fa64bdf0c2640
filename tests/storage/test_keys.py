from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from gateway.derivation import derive
from gateway.identity import AccessKey, parse_grants
from gateway.storage import tables
from gateway.storage.database import Database
from gateway.storage.keys import Keys, StoredKey

SECRET = b"0123456789abcdef0123456789abcdef"
OPEN = "sesame-open"
NOW = datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)


def stored(access_key_id: str, secret: str = OPEN) -> StoredKey:
    grants = parse_grants({"ws": "write", "*": "read"})
    return StoredKey(AccessKey(access_key_id, secret, "Älice", grants), NOW, "AGROOT")


async def test_a_key_is_there_until_it_is_removed(database: Database) -> None:
    keys = Keys(database, SECRET)
    await keys.add(stored("AGB"))
    await keys.add(stored("AGA"))
    assert await keys.get("AGA") == stored("AGA")
    assert await keys.all() == [stored("AGA"), stored("AGB")]
    assert await keys.remove("AGA")
    assert not await keys.remove("AGA")
    assert await keys.get("AGA") is None
    assert await keys.all() == [stored("AGB")]


async def test_secrets_are_not_in_the_database(database: Database) -> None:
    keys = Keys(database, SECRET)
    await keys.add(stored("AGA"))
    await keys.add(stored("AGB"))
    column = tables.access_key.c.secret_encrypted
    async with database.reading() as connection:
        sealed = (await connection.execute(select(column))).scalars().all()
    assert len(set(sealed)) == 2, "the same secret looks different each time"
    assert all(b"sesame" not in each for each in sealed)


async def test_a_secret_is_bound_to_its_key(database: Database) -> None:
    keys = Keys(database, SECRET)
    await keys.add(stored("AGA", "one-secret"))
    await keys.add(stored("AGB", "another-secret"))
    table = tables.access_key
    async with database.writing() as connection:
        other = select(table.c.secret_encrypted).where(table.c.access_key_id == "AGA")
        await connection.execute(
            update(table)
            .where(table.c.access_key_id == "AGB")
            .values(secret_encrypted=other.scalar_subquery())
        )
    assert await keys.get("AGB") is None
    assert await keys.all() == [stored("AGA", "one-secret")]


async def test_a_key_made_under_another_secret_is_absent(database: Database) -> None:
    await Keys(database, SECRET).add(stored("AGA"))
    assert await Keys(database, SECRET[::-1]).get("AGA") is None


async def test_two_keys_of_one_id_are_refused(database: Database) -> None:
    keys = Keys(database, SECRET)
    await keys.add(stored("AGA"))
    with pytest.raises(IntegrityError):
        await keys.add(stored("AGA", "another-secret"))
    assert await keys.get("AGA") == stored("AGA")


def test_each_purpose_has_a_key_of_its_own() -> None:
    purposes = ["tokens", "access keys at rest", "URLs of a", "URLs of b"]
    keys = {derive(SECRET, purpose) for purpose in purposes}
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)
    assert derive(SECRET, "tokens") == derive(SECRET, "tokens")
    assert derive(SECRET[::-1], "tokens") not in keys
