"""A gateway that serves: its rooms opened, its doors mounted, interrupted work looked for."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

from gateway.assembly.cellar import Cellar, now, open_cellar
from gateway.assembly.lifecycle import Lifecycle
from gateway.assembly.objects import Objects
from gateway.assembly.registry import RegistryRooms
from gateway.config import Config
from gateway.errors import ServiceUnavailable
from gateway.s3.address import virtual_host
from gateway.s3.message import Request
from gateway.storage.embedded import EmbeddedBackend
from gateway.storage.hot_files import Figures
from gateway.web import access_log
from gateway.web.access_log import Observer
from gateway.web.artifact import ArtifactDoor
from gateway.web.authentication import Authentication
from gateway.web.boundary import Boundary
from gateway.web.cors import Cors
from gateway.web.exchange import Door
from gateway.web.forms import Forms
from gateway.web.hosts import Hosts
from gateway.web.hypha.conversation import Conversations
from gateway.web.hypha.door import HyphaDoor
from gateway.web.hypha.message_cache import MessageCache
from gateway.web.hypha.origins import Origins
from gateway.web.json_body import most_call_bytes
from gateway.web.measures import Measures
from gateway.web.operations import Check, Operations
from gateway.web.rpc import RpcDoor
from gateway.web.s3 import S3Door

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
CHECKPOINT_SECONDS = 3.0
HOUSEKEEPING_SECONDS = 3600.0


@asynccontextmanager
async def build(
    config: Config, *, embedded: EmbeddedBackend | None = None
) -> AsyncIterator[Boundary]:
    """What answers requests, as long as it is open.

    `embedded` is the backend where the configuration names none. Opening it raises
    ConfigError, BackendUnfit, ServiceUnavailable and BackendError.
    """
    async with open_cellar(config, embedded) as cellar, AsyncExitStack() as stack:
        lifecycle = Lifecycle(cellar, stack)
        objects = Objects(lifecycle)
        await objects.finishing.recover(now())
        await lifecycle.workspaces.open(config.workspaces, now())
        await lifecycle.recovering.recover(now())
        registry = RegistryRooms(lifecycle, objects)
        for recover in (lifecycle.recovering.recover, objects.finishing.recover):
            _keep(recover, LOOK_SECONDS, stack)
        _keep(registry.reporting.keep_house, HOUSEKEEPING_SECONDS, stack)

        async def write_log(_: datetime) -> None:
            await cellar.database.harden()

        _keep(write_log, CHECKPOINT_SECONDS, stack)
        yield _boundary(lifecycle, objects, registry)


def _boundary(lifecycle: Lifecycle, objects: Objects, registry: RegistryRooms) -> Boundary:
    """The doors, and what chooses among them."""
    cellar = lifecycle.cellar
    config = cellar.config
    hosts = Hosts(config.public_url, config.listen.domain)
    authentication = Authentication(
        cellar.access, cellar.capabilities.keys, hosts, config.listen.domain
    )
    measures = Measures()
    _show_state(measures, lifecycle)
    _show_cache(measures, objects.hot_files.figures)
    operations = Operations(_checks(cellar), measures, config.metrics_token)
    forms = Forms(cellar.access, authentication)
    s3 = S3Door(authentication, forms, lifecycle.workspaces, objects.serving)
    rpc = RpcDoor(authentication, registry.calling, config.limits.manifest_bytes, config.base_url)
    artifact = ArtifactDoor(authentication, lifecycle.workspaces, registry.opening)
    observers = (access_log.write, measures.observe)
    hypha = _hypha(authentication, lifecycle, registry, observers)
    measures.gauge("gateway_hypha_connections", "Websockets that are open.", hypha.connections)

    def choose(request: Request) -> Door:
        if config.listen.domain and virtual_host(hosts.named(request), config.listen.domain):
            return s3  # the whole path is a key
        if Operations.serves(request.path):
            return operations
        if RpcDoor.serves(request.path):
            return rpc
        if HyphaDoor.serves(request):
            return hypha
        if ArtifactDoor.serves(request):
            return artifact
        return s3

    return Boundary(
        choose,
        hosts=hosts,
        cors=Cors(config.allow_origins),
        trusted=config.listen.trusted_proxies,
        observers=observers,
    )


def _hypha(
    authentication: Authentication,
    lifecycle: Lifecycle,
    registry: RegistryRooms,
    observers: Sequence[Observer],
) -> HyphaDoor:
    """The Hypha door: whom it lets in without a token is said once, in the log."""
    config = lifecycle.cellar.config
    for workspace, right in config.hypha_anonymous.as_text().items():
        logger.warning(
            "hypha.anonymous: whoever reaches this port holds %r on %s", right, workspace
        )
    manifest_bytes = config.limits.manifest_bytes
    conversations = Conversations(
        registry.connecting,
        registry.calling,
        MessageCache(),
        most_call_bytes(manifest_bytes),
        config.base_url,
        observers,
    )
    return HyphaDoor(
        authentication,
        lifecycle.workspaces,
        registry.connecting,
        registry.calling,
        conversations,
        Origins(config.public_url, config.allow_origins),
        manifest_bytes,
    )


def _keep(
    work: Callable[[datetime], Awaitable[object]], seconds: float, stack: AsyncExitStack
) -> None:
    """Do a piece of work every so many seconds until the application closes."""

    async def look() -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work(now())
            except Exception:
                logger.exception("a piece of work in the background failed")

    task = asyncio.create_task(look())

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


def _show_state(measures: Measures, lifecycle: Lifecycle) -> None:
    """Have the metrics say what is open, and how counting fares."""
    counting = lifecycle.cellar.counting

    async def waiting() -> float:
        return counting.state.waiting

    async def lost() -> float:
        return counting.state.lost

    measures.gauge("gateway_open_edits", "Edits that are open.", lifecycle.catalogue.open_edits)
    measures.gauge(
        "gateway_journal_waiting_bytes",
        "Bytes of this worker's journal of downloads that are not in the database yet.",
        waiting,
    )
    measures.gauge(
        "gateway_journal_lost_records",
        "Downloads that found no room on the disk, and none in memory.",
        lost,
    )


def _show_cache(measures: Measures, figures: Figures) -> None:
    """Have the metrics say how the files in memory fare."""

    async def hits() -> float:
        return figures.hits

    async def misses() -> float:
        return figures.misses

    async def size() -> float:
        return figures.bytes

    asked = "Requests for small committed files"
    measures.gauge("gateway_cache_hits", f"{asked} that were answered from memory.", hits)
    measures.gauge("gateway_cache_misses", f"{asked} that were not in memory.", misses)
    measures.gauge("gateway_cache_bytes", "Bytes of files that this worker has in memory.", size)


def _checks(cellar: Cellar) -> dict[str, Check]:
    async def backend() -> None:
        await cellar.bucket.bucket_exists(cellar.config.system.bucket)

    async def journal() -> None:
        if not cellar.counting.state.ready:
            raise ServiceUnavailable("downloads can't be recorded safely")

    return {"backend": backend, "database": cellar.database.ping, "journal": journal}
