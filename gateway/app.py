"""The composition root: every object is built once, and the doors are mounted."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.config import Backend, Config
from gateway.errors import ServiceUnavailable
from gateway.identity import Workspace
from gateway.s3.address import virtual_host
from gateway.s3.message import Request
from gateway.services.enduring import Enduring
from gateway.services.keys.access import Access
from gateway.services.lifecycle.arriving import Arriving
from gateway.services.lifecycle.committing import Committing
from gateway.services.lifecycle.composing import Composing
from gateway.services.lifecycle.deleting import Deleting
from gateway.services.lifecycle.discarding import Discarding
from gateway.services.lifecycle.drafting import Drafting
from gateway.services.lifecycle.examining import Examining
from gateway.services.lifecycle.recovering import Recovering
from gateway.services.lifecycle.surveying import Surveying
from gateway.services.lifecycle.validating import Validating
from gateway.services.lifecycle.versioning import Versioning
from gateway.services.lifecycle.viewing import Viewing
from gateway.services.objects.configuring import Configuring
from gateway.services.objects.erasing import Erasing
from gateway.services.objects.exempting import Exempting
from gateway.services.objects.finishing import Finishing
from gateway.services.objects.listing import Listings
from gateway.services.objects.provisioning import Provisioning
from gateway.services.objects.reading import Reading
from gateway.services.objects.receiving import Receiving
from gateway.services.objects.releasing import Releasing
from gateway.services.objects.seeing import Seeing
from gateway.services.objects.serving import Serving
from gateway.services.objects.staging import Staging
from gateway.services.objects.writing import Writing
from gateway.services.registry.archiving import Archiving
from gateway.services.registry.authoring import Authoring
from gateway.services.registry.browsing import Browsing
from gateway.services.registry.calling import Calling
from gateway.services.registry.filing import Filing
from gateway.services.registry.finding import Finding
from gateway.services.registry.linking import Linking
from gateway.services.registry.opening import Opening
from gateway.services.registry.searching import Searching
from gateway.services.registry.showing import Showing
from gateway.services.statistics.counting import Counting
from gateway.services.transfer.forwarding import Forwarding
from gateway.services.workspaces import Workspaces
from gateway.storage.announcements import Announcements
from gateway.storage.bucket import Bucket
from gateway.storage.catalogue import Catalogue
from gateway.storage.commits import Commits
from gateway.storage.counters import Counters
from gateway.storage.database import Database
from gateway.storage.embedded import EmbeddedBackend
from gateway.storage.endings import Endings
from gateway.storage.intents import Intents
from gateway.storage.keys import Keys
from gateway.storage.members import MemberIndex
from gateway.storage.probe import Capabilities, demand, probe
from gateway.storage.records import Records
from gateway.storage.registry import Registry
from gateway.storage.stages import Stages
from gateway.storage.workers import WorkersFolder
from gateway.web import access_log
from gateway.web.artifact import ArtifactDoor
from gateway.web.authentication import Authentication
from gateway.web.boundary import Boundary
from gateway.web.cors import Cors
from gateway.web.exchange import Door
from gateway.web.forms import Forms
from gateway.web.hosts import Hosts
from gateway.web.operations import Check, Measures, Operations
from gateway.web.rpc import RpcDoor
from gateway.web.s3 import S3Door

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Cellar:
    """What the services stand on: the backend, the index, this host's folder, the keys."""

    bucket: Bucket
    capabilities: Capabilities
    records: Records
    database: Database
    counting: Counting
    access: Access


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the doors lead to."""

    serving: Serving
    calling: Calling
    opening: Opening


@asynccontextmanager
async def build(
    config: Config, *, embedded: EmbeddedBackend | None = None
) -> AsyncIterator[Boundary]:
    """What answers requests, as long as it is open.

    `embedded` is the backend where the configuration names none. Opening it raises
    BackendUnfit, ServiceUnavailable and BackendError.
    """
    async with AsyncExitStack() as stack:
        cellar = await _open(config, embedded, stack)
        yield await _furnish(config, cellar, stack)


@asynccontextmanager
async def administration(config: Config) -> AsyncIterator[Access]:
    """The keys and tokens of a gateway, which need not be running."""
    async with Database(config.database_url) as database:
        yield _access(config, database)


def _access(config: Config, database: Database) -> Access:
    stored = Keys(database, config.secret)
    return Access(config.keys, stored, config.secret, config.limits.token_seconds)


async def _open(config: Config, embedded: EmbeddedBackend | None, stack: AsyncExitStack) -> Cellar:
    backend = config.backend
    if embedded is not None:
        backend = Backend(
            endpoint_url=embedded.endpoint_url,
            access_key_id=embedded.access_key_id,
            secret_access_key=embedded.secret_access_key,
        )
    if backend is None:
        raise ValueError("no backend is configured, and none embedded was started")
    database = await stack.enter_async_context(Database(config.database_url))
    bucket = await stack.enter_async_context(Bucket(backend))
    system = config.system
    capabilities = await probe(bucket, system.bucket, system.prefix)
    demand(capabilities)
    if embedded is not None:
        for settings in config.workspaces:
            await bucket.create_bucket(settings.area.bucket)
    counting = Counting(
        Counters(database),
        WorkersFolder(config.journal_dir),
        _now,
        config.stats.durability,
    )
    await stack.enter_async_context(counting)
    records = Records(bucket, system.bucket, system.prefix)
    return Cellar(bucket, capabilities, records, database, counting, _access(config, database))


async def _furnish(config: Config, cellar: Cellar, stack: AsyncExitStack) -> Boundary:
    bucket, access, counting = cellar.bucket, cellar.access, cellar.counting
    rules = cellar.capabilities.keys
    catalogue = Catalogue(cellar.database)
    intents = Intents(cellar.database, counting.worker_id)
    stages, endings = Stages(cellar.database, intents), Endings(cellar.database, intents)
    commits, registry = Commits(cellar.database), Registry(cellar.database)
    workspaces = Workspaces(registry, cellar.records, config.system, config.workspace_defaults)
    validating = Validating(
        manifest_bytes=config.limits.manifest_bytes,
        validation_seconds=config.limits.validation_seconds,
    )
    stack.push_async_callback(validating.close)
    forwarding = Forwarding(
        bucket,
        cellar.capabilities,
        public_url=config.public_url,
        domain=config.listen.domain,
    )
    surveying, versioning = Surveying(bucket), Versioning(bucket)
    composing = Composing(bucket, catalogue, surveying, validating, versioning)
    committing = Committing(
        bucket, catalogue, intents, endings, commits, cellar.records, composing, validating
    )
    discarding = Discarding(catalogue, stages, endings, surveying)
    deleting = Deleting(
        catalogue,
        intents,
        endings,
        commits,
        cellar.records,
        surveying,
        committing,
        discarding,
    )
    examining = Examining(catalogue, stages, surveying, validating)
    stack.push_async_callback(examining.close)
    enduring = Enduring()
    stack.push_async_callback(enduring.close)
    announcements, viewing = Announcements(cellar.database), Viewing(bucket, catalogue)
    arriving = Arriving(catalogue, announcements, viewing)
    drafting = Drafting(
        bucket, stages, examining, versioning, validating, composing, arriving, enduring
    )
    recovering = Recovering(
        workspaces,
        catalogue,
        intents,
        endings,
        committing,
        deleting,
        discarding,
        examining,
        counting,
    )
    seeing = Seeing(access, bucket, catalogue, commits, committing, viewing)
    reading = Reading(seeing, catalogue, forwarding, counting)
    page = config.limits.collection_page
    members = MemberIndex(cellar.database)
    showing = Showing(access, catalogue, surveying, validating, members, page=page)
    browsing = Browsing(access, catalogue, surveying, showing, counting)
    finding = Finding(catalogue, deleting, rules)
    filing = Filing(
        access,
        bucket,
        catalogue,
        stages,
        announcements,
        cellar.records,
        surveying,
        versioning,
        examining,
        finding,
        browsing,
        Linking(access, config.base_url),
    )
    authoring = Authoring(
        access,
        catalogue,
        validating,
        drafting,
        committing,
        discarding,
        deleting,
        finding,
        filing,
        browsing,
        showing,
    )
    releasing = Releasing(
        bucket, catalogue, stages, versioning, validating, composing, committing, arriving, enduring
    )
    finishing = Finishing(registry, cellar.records, bucket, counting)
    serving = Serving(
        access,
        workspaces,
        catalogue,
        forwarding,
        reading,
        Listings(access, catalogue, viewing, forwarding, rules=rules),
        Writing(
            workspaces,
            catalogue,
            forwarding,
            seeing,
            Staging(stages, forwarding, examining, versioning, deleting),
            arriving,
            Receiving(bucket, forwarding, drafting, releasing, validating),
            deleting,
        ),
        Erasing(catalogue, forwarding, rules),
        Configuring(catalogue, cellar.records, versioning, forwarding),
        Provisioning(
            access, workspaces, registry, catalogue, bucket, forwarding, finishing, enduring
        ),
        Exempting(access, catalogue, forwarding),
    )
    searching = Searching(catalogue, browsing, showing, page=page)
    calling = Calling(
        access, workspaces, authoring, filing, browsing, searching, counting, enduring
    )
    archiving = Archiving(bucket, catalogue, browsing, counting)
    await finishing.recover(_now())
    await workspaces.open(_workspaces(config), _now())
    await recovering.recover(_now())
    for recover in (recovering.recover, finishing.recover):
        _keep(recover, stack)
    opening = Opening(catalogue, browsing, seeing, reading, forwarding, archiving)
    return _boundary(config, cellar, workspaces, Rooms(serving, calling, opening))


def _boundary(config: Config, cellar: Cellar, workspaces: Workspaces, rooms: Rooms) -> Boundary:
    """The doors, and what chooses among them."""
    hosts = Hosts(config.public_url, config.listen.domain)
    rules = cellar.capabilities.keys
    authentication = Authentication(cellar.access, rules, hosts, config.listen.domain)
    forms = Forms(cellar.access, authentication)
    measures = Measures()
    operations = Operations(_checks(config, cellar), measures, config.metrics_token)
    s3 = S3Door(authentication, forms, workspaces, rooms.serving)
    rpc = RpcDoor(authentication, rooms.calling, config.limits.manifest_bytes)
    artifact = ArtifactDoor(authentication, workspaces, rooms.opening)

    def choose(request: Request) -> Door:
        if virtual_host(hosts.named(request), config.listen.domain):
            return s3  # the whole path is a key
        if Operations.serves(request.path):
            return operations
        if RpcDoor.serves(request.path):
            return rpc
        if ArtifactDoor.serves(request):
            return artifact
        return s3

    return Boundary(
        choose,
        hosts=hosts,
        cors=Cors(config.allow_origins),
        trusted=config.listen.trusted_proxies,
        observers=(access_log.write, measures.observe),
    )


def _keep(recover: Callable[[datetime], Awaitable[object]], stack: AsyncExitStack) -> None:
    """Look for interrupted work again and again until the application closes."""

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await recover(_now())
            except Exception:
                logger.exception("looking for interrupted work failed")

    task = asyncio.create_task(look())

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


def _checks(config: Config, cellar: Cellar) -> dict[str, Check]:
    async def backend() -> None:
        await cellar.bucket.bucket_exists(config.system.bucket)

    async def journal() -> None:
        if not cellar.counting.state.ready:
            raise ServiceUnavailable("downloads can't be recorded safely")

    return {"backend": backend, "database": cellar.database.ping, "journal": journal}


def _workspaces(config: Config) -> list[Workspace]:
    """The configured workspaces; their ids are found when they are opened."""
    return [
        Workspace(
            "",
            settings.name,
            settings.area.bucket,
            settings.area.prefix,
            settings.public,
            settings.backend_settings,
            settings.versioning,
        )
        for settings in config.workspaces
    ]


def _now() -> datetime:
    return datetime.now(UTC)
