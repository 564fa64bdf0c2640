"""What an operator's commands work with; the gateway itself may run meanwhile, or not."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.assembly.cellar import access, open_cellar
from gateway.assembly.lifecycle import Lifecycle
from gateway.assembly.maintenance import Maintenance
from gateway.config import Config
from gateway.services.keys.access import Access
from gateway.storage.database import Database
from gateway.storage.embedded import EmbeddedBackend


@asynccontextmanager
async def administration(config: Config) -> AsyncIterator[Access]:
    """The keys and tokens of a gateway."""
    async with Database(config.database_url) as database:
        yield access(config, database)


@asynccontextmanager
async def maintenance(
    config: Config, *, embedded: EmbeddedBackend | None = None
) -> AsyncIterator[Maintenance]:
    """The rooms that look after bucket, records and index.

    `embedded` is the backend where the configuration names none. Opening it raises
    ConfigError, BackendUnfit, ServiceUnavailable and BackendError.
    """
    async with open_cellar(config, embedded) as cellar, AsyncExitStack() as stack:
        yield Maintenance(Lifecycle(cellar, stack))
