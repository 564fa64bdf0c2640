"""Access keys made at run time, in the database; their secrets are encrypted at rest."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import RowMapping, bindparam, delete, insert, select

from gateway.derivation import derive
from gateway.identity import AccessKey, parse_grants
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import Database
from gateway.storage.prepared import Prepared

_NONCE_BYTES = 12
_BY_ID = Prepared(
    select(tables.access_key).where(tables.access_key.c.access_key_id == bindparam("access_key_id"))
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key of the database, with the access key id of whoever made it."""

    key: AccessKey
    created_at: datetime
    created_by: str


class Keys:
    """The keys of the database. Each method is one transaction.

    A secret is kept as AES-256-GCM under a key derived from the gateway's `secret`, bound to
    its key's id. A key made under another `secret` can't be read: it counts as absent.
    """

    def __init__(self, database: Database, secret: bytes) -> None:
        self._database = database
        self._cipher = AESGCM(derive(secret, "access keys at rest"))

    async def get(self, access_key_id: str) -> StoredKey | None:
        """The key with this id, or None; the one it was last while the database is away."""
        return await self._database.current(
            ("key", access_key_id), partial(self._get, access_key_id), recalled=True
        )

    async def _get(self, access_key_id: str) -> StoredKey | None:
        rows = await self._database.glance(_BY_ID, {"access_key_id": access_key_id})
        return self._read(rows[0]) if rows else None

    async def all(self) -> list[StoredKey]:
        """Every key, sorted by id."""
        table = tables.access_key
        async with self._database.reading() as connection:
            rows = await connection.execute(select(table).order_by(table.c.access_key_id))
            found = [self._read(row) for row in rows.mappings()]
        return [stored for stored in found if stored is not None]

    async def unreadable(self) -> list[str]:
        """The ids of the keys that were made under another `secret`, sorted."""
        readable = {stored.key.access_key_id for stored in await self.all()}
        column = tables.access_key.c.access_key_id
        async with self._database.reading() as connection:
            found = await connection.execute(select(column).order_by(column))
            ids = [str(each) for each in found.scalars()]
        return [each for each in ids if each not in readable]

    async def add(self, stored: StoredKey) -> None:
        """Keep a new key."""
        key = stored.key
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(
            nonce, key.secret_access_key.encode(), key.access_key_id.encode()
        )
        row = {
            "access_key_id": key.access_key_id,
            "secret_encrypted": nonce + sealed,
            "name": key.name,
            "grants": key.grants.as_text(),
            "created_at": stored.created_at,
            "created_by": stored.created_by,
        }

        async def work(connection: Connection) -> None:
            await connection.execute(insert(tables.access_key).values(row))

        await self._database.transaction(work)

    async def remove(self, access_key_id: str) -> bool:
        """Whether there was such a key; now there is none."""
        table = tables.access_key

        async def work(connection: Connection) -> bool:
            gone = await connection.execute(
                delete(table).where(table.c.access_key_id == access_key_id)
            )
            return bool(gone.rowcount)

        return await self._database.transaction(work)

    def _read(self, row: RowMapping | Mapping[str, Any]) -> StoredKey | None:
        access_key_id: str = row["access_key_id"]
        sealed: bytes = row["secret_encrypted"]
        try:
            secret = self._cipher.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], access_key_id.encode()
            )
        except InvalidTag:
            _log.warning("access key %s was made under another secret", access_key_id)
            return None
        key = AccessKey(access_key_id, secret.decode(), row["name"], parse_grants(row["grants"]))
        return StoredKey(key, row["created_at"], row["created_by"])
