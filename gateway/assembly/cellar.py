"""What everything stands on: the backend, the system area, the index, this host's folder."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.config import Area, Backend, Config
from gateway.derivation import derive
from gateway.errors import ServiceUnavailable
from gateway.identity import ANONYMOUS, AccessKey
from gateway.services.keys.access import HYPHA_ANONYMOUS, Access
from gateway.services.statistics.counting import Counting
from gateway.storage.bucket import Bucket
from gateway.storage.counters import Counters
from gateway.storage.database import Database
from gateway.storage.embedded import EmbeddedBackend
from gateway.storage.keys import Keys
from gateway.storage.probe import Capabilities, demand, probe
from gateway.storage.records import Records
from gateway.storage.workers import WorkersFolder

BACKEND_SECONDS = 15.0
"""How long a start waits for its backend, which may be starting too."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cellar:
    """What the services stand on."""

    config: Config
    bucket: Bucket
    capabilities: Capabilities
    records: Records
    database: Database
    counting: Counting
    access: Access


@asynccontextmanager
async def open_cellar(config: Config, embedded: EmbeddedBackend | None) -> AsyncIterator[Cellar]:
    """The cellar of a gateway; `embedded` is the backend where the configuration names none.

    BackendUnfit where the backend lacks what artifacts need, ServiceUnavailable, BackendError.
    """
    backend = config.backend or as_backend(embedded)
    async with Database(config.database_url) as database, Bucket(backend) as bucket:
        capabilities = await _probed(bucket, config.system)
        demand(capabilities)
        if embedded is not None:
            for settings in config.workspaces:
                await bucket.create_bucket(settings.area.bucket)
        counting = Counting(
            Counters(database, config.stats.double_click),
            WorkersFolder(config.journal_dir),
            now,
            config.stats,
            config.secret,
        )
        async with counting:
            yield Cellar(
                config,
                bucket,
                capabilities,
                Records(bucket, config.system.bucket, config.system.prefix),
                database,
                counting,
                access(config, database),
            )


async def _probed(bucket: Bucket, system: Area) -> Capabilities:
    """What the backend can do. A server that starts may answer before it finds what it holds."""
    clock = asyncio.get_running_loop().time
    deadline, told = clock() + BACKEND_SECONDS, False
    while True:
        try:
            return await probe(bucket, system.bucket, system.prefix)
        except ServiceUnavailable as error:
            if clock() > deadline:
                raise
            if not told:
                _log.warning("waiting for the backend: %s", error.__cause__ or error)
                told = True
        await asyncio.sleep(0.2)


def access(config: Config, database: Database) -> Access:
    """Who may do what, by the configuration and by the database."""
    keys = config.keys
    if config.hypha_anonymous.rights:
        # Nobody can sign with it: its secret is derived, and told to nobody.
        unguessable = derive(config.secret, "hypha anonymous").hex()
        keys += (AccessKey(HYPHA_ANONYMOUS, unguessable, ANONYMOUS.name, config.hypha_anonymous),)
    return Access(keys, Keys(database, config.secret), config.secret, config.limits.token_seconds)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def as_backend(embedded: EmbeddedBackend | None) -> Backend:
    """The embedded backend as the configuration would name it."""
    if embedded is None:
        raise ValueError("no backend is configured, and none embedded was started")
    return Backend(
        endpoint_url=embedded.endpoint_url,
        access_key_id=embedded.access_key_id,
        secret_access_key=embedded.secret_access_key,
    )
