"""What lies around artifacts: directories that wait, manifests of nobody, what nobody asks for."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST, Node, Role, place
from gateway.errors import EntityTooLarge, InvalidManifest
from gateway.identity import Workspace
from gateway.s3.address import KeyRules
from gateway.services.lifecycle.validating import Validating
from gateway.services.lifecycle.versioning import Versioning
from gateway.services.maintenance.finding import Finding, Kind
from gateway.storage.bucket import Bucket
from gateway.storage.catalogue import Catalogue
from gateway.storage.inspection import Inspection
from gateway.storage.records import Records
from gateway.storage.registry import Registry
from gateway.storage.shelves import Shelves

ON_ITS_WAY = timedelta(days=1)
"""How long a file may take that is put where its member's manifest has not come."""

MANIFESTS = frozenset((Role.MANIFEST, Role.STAGED_MANIFEST))


class Patrolling:
    """Looks through whole workspaces, and says whether what it found still stands."""

    def __init__(  # noqa: PLR0913, PLR0917 (all that an artifact can have around it)
        self,
        bucket: Bucket,
        rules: KeyRules,
        registry: Registry,
        catalogue: Catalogue,
        inspection: Inspection,
        records: Records,
        shelves: Shelves,
        validating: Validating,
        versioning: Versioning,
        clock: Callable[[], datetime],
    ) -> None:
        self._bucket = bucket
        self._rules = rules
        self._registry = registry
        self._catalogue = catalogue
        self._inspection = inspection
        self._records = records
        self._shelves = shelves
        self._validating = validating
        self._versioning = versioning
        self._clock = clock

    async def patrol(self, workspace: Workspace) -> AsyncIterator[Finding]:
        """All that is suspected around the artifacts of a workspace."""
        name = workspace.name
        yield Finding(Kind.UNVERSIONED_BUCKET, name)
        for directory in await self._catalogue.arrivals(workspace.id, ""):
            yield Finding(Kind.EMPTY_ARRIVAL, name, directory)
        async for prefixes in self._inspection.prefixes(workspace.id):
            for prefix in prefixes:
                async for finding in self._around(workspace, prefix):
                    yield finding
        async for prefix in self._noted(workspace):
            yield Finding(Kind.ORPHAN_NOTE, name, prefix)
        async for page in self._bucket.list(workspace.bucket, workspace.prefix):
            for item in page:
                key = item.key[len(workspace.prefix) :]
                if key.rpartition("/")[2] in (MANIFEST, STAGED_MANIFEST):
                    yield self._manifest_of_nobody(workspace, key)

    async def strangers(self) -> AsyncIterator[Finding]:
        """The ids of the system area that are suspected to be no workspace's."""
        for identity in sorted(await self._shelves.workspace_ids()):
            yield Finding(Kind.UNKNOWN_WORKSPACE, identity)

    async def stands(self, workspace: Workspace | None, finding: Finding) -> bool:
        """Whether a suspicion is true at this moment."""
        if workspace is None:
            return not await self._is_known(finding.workspace)
        prefix = finding.prefix
        match finding.kind:
            case Kind.UNVERSIONED_BUCKET:
                stands = await self._lacks_versions(workspace)
            case Kind.EMPTY_ARRIVAL:
                stands = await self._is_marked_for_nothing(workspace, prefix)
            case Kind.MISSING_ARRIVAL:
                marked = prefix in await self._catalogue.arrivals(workspace.id, prefix)
                stands = not marked and await self._waits(workspace, prefix)
            case Kind.UNKNOWN_ANNOUNCEMENT:
                stands = await self._is_forgotten(workspace, prefix, finding.path)
            case Kind.ORPHAN_NOTE:
                stands = await self._is_orphan(workspace, prefix)
            case _:
                stands = await self._is_nobodys(workspace, finding)
        return stands

    async def _around(self, workspace: Workspace, prefix: str) -> AsyncIterator[Finding]:
        artifact = await self._catalogue.artifact(workspace.id, prefix)
        if artifact is None:
            return
        if artifact.stage is not None:
            async for note in self._shelves.announcements(workspace.id, prefix):
                if note.stage_id == artifact.stage.id:
                    yield Finding(Kind.UNKNOWN_ANNOUNCEMENT, workspace.name, prefix, note.path)
        if artifact.collection:
            folder = workspace.backend_key(f"{prefix}/" if prefix else "")
            async for page in self._bucket.folders(workspace.bucket, folder):
                for name in page:
                    directory = name[len(workspace.prefix) :].rstrip("/")
                    if not self._rules.is_private(directory):
                        yield Finding(Kind.MISSING_ARRIVAL, workspace.name, directory)

    async def _is_marked_for_nothing(self, workspace: Workspace, directory: str) -> bool:
        """Whether a directory's mark is no use: no file waits there, nor is on its way."""
        arrival = await self._inspection.arrival(workspace.id, directory)
        if arrival is None:
            return False
        if await self._catalogue.artifact(workspace.id, directory) is not None:
            return False  # until its first commit, a member is marked
        above = await self._catalogue.above(workspace.id, directory)
        if not above or not above[0].collection:
            return True
        if arrival.since is not None and self._clock() - arrival.since < ON_ITS_WAY:
            return False
        return not await self._waits(workspace, directory)

    async def _waits(self, workspace: Workspace, directory: str) -> bool:
        """Whether a file lies in a directory below a collection that no member owns."""
        above = await self._catalogue.above(workspace.id, directory)
        if not above or not above[0].collection:
            return False
        if await self._catalogue.artifact(workspace.id, directory) is not None:
            return False
        below = await self._catalogue.descendants(workspace.id, directory)
        nodes = [artifact.node for artifact in (*above, *below)]
        folder = workspace.backend_key(f"{directory}/")
        async for page in self._bucket.list(workspace.bucket, folder):
            for item in page:
                key = item.key[len(workspace.prefix) :]
                if not self._rules.is_private(key) and _is_arriving(key, nodes):
                    return True
        return False

    async def _is_forgotten(self, workspace: Workspace, prefix: str, path: str) -> bool:
        artifact = await self._catalogue.artifact(workspace.id, prefix)
        if artifact is None or artifact.stage is None:
            return False
        if path in await self._catalogue.announcements(artifact.id):
            return False
        async for note in self._shelves.announcements(workspace.id, prefix):
            if (note.path, note.stage_id) == (path, artifact.stage.id):
                return True
        return False

    async def _noted(self, workspace: Workspace) -> AsyncIterator[str]:
        """The prefixes for which announcements or weights are kept."""
        last: str | None = None
        for notes in (self._shelves.announcements, self._shelves.weights):
            async for note in notes(workspace.id):
                if note.prefix != last:
                    last = note.prefix
                    yield last

    async def _is_orphan(self, workspace: Workspace, prefix: str) -> bool:
        """Whether nothing else knows of a prefix for which something is kept."""
        if await self._inspection.snapshot(workspace.id, prefix) is not None:
            return False
        if await self._records.numbers(workspace.id, prefix):
            return False
        for name in (MANIFEST, STAGED_MANIFEST):
            key = workspace.backend_key(f"{prefix}/{name}" if prefix else name)
            if await self._bucket.head(workspace.bucket, key) is not None:
                return False
        notes = self._shelves.announcements(workspace.id, prefix)
        weights = self._shelves.weights(workspace.id, prefix)
        return bool([note async for note in notes] or [each async for each in weights])

    def _manifest_of_nobody(self, workspace: Workspace, key: str) -> Finding:
        prefix, _, name = key.rpartition("/")
        return Finding(Kind.UNKNOWN_MANIFEST, workspace.name, prefix, name)

    async def _is_nobodys(self, workspace: Workspace, finding: Finding) -> bool:
        """Whether what stands at a key could be an artifact's manifest, and is in none."""
        key = f"{finding.prefix}/{finding.path}" if finding.prefix else finding.path
        location = await self._catalogue.locate(workspace.id, key)
        if location.artifact is not None or location.place.role not in MANIFESTS:
            return False
        if await self._is_unindexed(workspace, location.place.prefix):
            return False  # its records tell
        limit = self._validating.manifest_bytes
        try:
            held = await self._bucket.get(workspace.bucket, workspace.backend_key(key), limit=limit)
            if held is None:
                return False
            await self._validating.parse(held[1])
        except (EntityTooLarge, InvalidManifest):
            return False  # an ordinary file of that name
        again = await self._catalogue.locate(workspace.id, key)
        return again.artifact is None

    async def _is_unindexed(self, workspace: Workspace, prefix: str) -> bool:
        snapshot = await self._inspection.snapshot(workspace.id, prefix)
        known = 0 if snapshot is None else snapshot.artifact.number
        return any(await self._records.numbers(workspace.id, prefix, after=known))

    async def _lacks_versions(self, workspace: Workspace) -> bool:
        """Whether versions are needed that the bucket does not keep at the moment."""
        if await self._versioning.kept(workspace):
            return False
        if await self._inspection.names_versions(workspace.id):
            return True
        return workspace.versioning and await self._catalogue.has_artifacts(workspace.id)

    async def _is_known(self, identity: str) -> bool:
        if await self._registry.with_id(identity) is not None:
            return True
        async for record in self._records.workspaces():
            if record.id == identity:
                return True
        return False


def _is_arriving(key: str, nodes: list[Node]) -> bool:
    return place(key, nodes).role is Role.ARRIVING
