"""The index as services use it: edits and commits in a few words."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Table, func, select

from gateway.artifact.lifecycle import Artifact
from gateway.artifact.value import Fields
from gateway.artifact.version import ManifestObject, Pin, Record, StagedFile
from gateway.storage import tables
from gateway.storage.announcements import Announcements
from gateway.storage.catalogue import Catalogue
from gateway.storage.commits import Commits
from gateway.storage.database import Database
from gateway.storage.endings import Endings
from gateway.storage.intents import Intent, Intents
from gateway.storage.multiparts import Multiparts
from gateway.storage.stages import StagedManifest, Stages
from gateway.storage.weights import Weights

WORKSPACE = "w"
NOW = datetime(2025, 6, 7, 8, 9, 10, 123_456, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
DATASET: Fields = {"type": "dataset", "name": "Ä"}
COLLECTION: Fields = {"type": "collection"}
MANIFEST = "manifest.yaml"
STAGED = "_manifest.yaml"


def pin(path: str, version: str = "v1", *, weight: int = 0) -> Pin:
    """The pin of a file; its ETag follows from the backend version."""
    return Pin(path, 7, f'"{version}"', version, NOW, "text/csv", weight)


def put(path: str, version: str = "v1") -> StagedFile:
    """The file that `pin` pins, as staged."""
    return StagedFile(path, False, 7, f'"{version}"', version, "text/csv")  # noqa: FBT003


def removal(path: str) -> StagedFile:
    """A staged removal."""
    return StagedFile(path, removed=True)


def staged_manifest(version: str = "m1", fields: Fields = DATASET) -> StagedManifest:
    """A staged manifest as the bucket took it."""
    return StagedManifest(fields, f'"{version}"', version)


def next_record(
    artifact: Artifact, pins: Sequence[Pin] = (), *, consumed: str | None = None
) -> Record:
    """The record of the artifact's next version."""
    return Record(
        workspace_id=artifact.workspace_id,
        prefix=artifact.prefix,
        number=artifact.number + 1,
        parent=artifact.version,
        author="alice",
        time=NOW,
        message="why",
        manifest=ManifestObject(b"type: dataset\n", {"content-type": "text/yaml"}),
        pins=tuple(pins),
        staged_manifest=consumed,
    )


def tombstone(artifact: Artifact) -> Record:
    """The record of the artifact's deletion."""
    return replace(next_record(artifact), manifest=None)


class Index:
    """One worker's view of a database."""

    def __init__(self, database: Database, worker_id: str = "w1") -> None:
        self.database = database
        self.worker_intents = Intents(database, worker_id)
        self.stages = Stages(database, self.worker_intents)
        self.endings = Endings(database, self.worker_intents)
        self.commits = Commits(database)
        self.catalogue = Catalogue(database)
        self.announcements = Announcements(database)
        self.multiparts = Multiparts(database, self.worker_intents)
        self.weights = Weights(database, self.worker_intents)

    async def again(self, artifact: Artifact) -> Artifact:
        """The artifact as it is now."""
        found = await self.catalogue.by_id(artifact.id)
        assert found is not None
        return found

    async def begin_new(
        self, prefix: str, fields: Fields = DATASET, *, path: str = STAGED
    ) -> tuple[Artifact, Intent]:
        """An artifact about to get its first manifest, and the intent."""
        return await self.stages.begin_new(WORKSPACE, prefix, path, fields, author="alice", now=NOW)

    async def begin(self, artifact: Artifact, path: str) -> Intent:
        """The intent to write a file."""
        return (await self.stages.begin(artifact, path, author="alice", now=NOW))[1]

    async def settle(self, intent: Intent, staged: StagedFile | None) -> None:
        """What became of it."""
        await self.stages.settle(intent, staged, author="alice", now=NOW)

    async def settle_manifest(self, intent: Intent, manifest: StagedManifest | None) -> Artifact:
        """What became of a staged manifest."""
        return await self.stages.settle_manifest(intent, manifest, author="alice", now=NOW)

    async def new(
        self, prefix: str, fields: Fields = DATASET, *files: StagedFile, version: str = "m1"
    ) -> Artifact:
        """An artifact with a staged manifest, and files."""
        artifact, intent = await self.begin_new(prefix, fields)
        await self.settle_manifest(intent, staged_manifest(version, fields))
        for file in files:
            await self.write(artifact, file)
        return await self.again(artifact)

    async def discard(self, artifact: Artifact) -> None:
        """Discard what is staged, files and manifest."""
        intent = await self.endings.begin_discard(artifact, NOW)
        found = await self.again(artifact)
        assert found.stage is not None
        files = await self.files(artifact)
        await self.endings.end_discard(intent, found.stage, tuple(files.values()))

    async def write(self, artifact: Artifact, staged: StagedFile) -> None:
        """Stage a file or a removal."""
        await self.settle(await self.begin(artifact, staged.path), staged)

    async def commit(self, artifact: Artifact, *pins: Pin, fields: Fields = DATASET) -> Artifact:
        """The artifact with its next version published, out of what is staged."""
        artifact = await self.again(artifact)
        consumed = artifact.stage.version_id if artifact.stage else None
        record = next_record(artifact, pins, consumed=consumed)
        assert await self.commits.publish(artifact.id, record, fields)
        return await self.again(artifact)

    async def committed(self, prefix: str, *pins: Pin, fields: Fields = DATASET) -> Artifact:
        """A new artifact, committed, with no edit open."""
        return await self.commit(await self.new(prefix, fields), *pins, fields=fields)

    async def deleted(self, artifact: Artifact) -> Artifact:
        """The artifact after a delete."""
        record = tombstone(await self.again(artifact))
        assert await self.commits.bury(artifact.id, record)
        await self.endings.end_delete(artifact.id)
        return await self.again(artifact)

    async def files(self, artifact: Artifact) -> Mapping[str, StagedFile]:
        """What is staged."""
        return await self.catalogue.staged_files(artifact.id)

    async def count(self, table: Table) -> int:
        """How many rows a table has."""
        async with self.database.reading() as connection:
            found = await connection.execute(select(func.count()).select_from(table))
            return int(found.scalar_one())

    async def intents(self) -> int:
        """How many intents are open."""
        return await self.count(tables.intent)
