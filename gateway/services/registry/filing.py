"""Get, remove, weigh and restore an artifact's files by RPC."""

import asyncio
from datetime import datetime

from gateway.artifact.layout import check_path, join
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.value import JsonValue
from gateway.artifact.version import StagedFile
from gateway.artifact.weights import parse_weight
from gateway.errors import BucketNotVersioned, NoSuchKey, NoSuchVersion
from gateway.identity import Caller, Right, Workspace
from gateway.services.keys.access import Access
from gateway.services.lifecycle.examining import Examining
from gateway.services.lifecycle.gathering import Gathering
from gateway.services.lifecycle.surveying import Surveying
from gateway.services.lifecycle.versioning import Versioning
from gateway.services.lifecycle.weighing import Weighing
from gateway.services.registry.browsing import Browsing
from gateway.services.registry.finding import Finding
from gateway.services.registry.linking import Linking
from gateway.services.registry.showing import Wanted
from gateway.storage.announcements import Announcements
from gateway.storage.bucket import Bucket
from gateway.storage.catalogue import Catalogue
from gateway.storage.records import Records
from gateway.storage.stages import Stages


class Filing:
    """Answers the methods on files that are there."""

    def __init__(  # noqa: PLR0913, PLR0917 (the rooms that it leads to)
        self,
        access: Access,
        bucket: Bucket,
        catalogue: Catalogue,
        stages: Stages,
        announcements: Announcements,
        records: Records,
        surveying: Surveying,
        versioning: Versioning,
        examining: Examining,
        gathering: Gathering,
        weighing: Weighing,
        finding: Finding,
        browsing: Browsing,
        linking: Linking,
    ) -> None:
        self._access = access
        self._bucket = bucket
        self._catalogue = catalogue
        self._stages = stages
        self._announcements = announcements
        self._records = records
        self._surveying = surveying
        self._versioning = versioning
        self._examining = examining
        self._gathering = gathering
        self._weighing = weighing
        self._finding = finding
        self._browsing = browsing
        self._linking = linking

    async def remove_file(
        self, caller: Caller, workspace: Workspace, prefix: str, file_path: str, *, now: datetime
    ) -> None:
        """The file is gone from the stage, with its announcement and its uploads; NoSuchKey."""
        self._access.require(caller, workspace, Right.WRITE)
        artifact = await self._finding.staged(workspace, prefix)
        check_path(file_path, collection=artifact.collection)
        begun = await self._gathering.forgo(artifact, file_path)
        announced = await self._announcements.renounce(artifact, file_path)
        if announced:
            await self._records.withdraw(workspace.id, prefix, file_path)
        head = await self._surveying.head(workspace, artifact, file_path)
        if head is None and not announced and not begun:
            raise NoSuchKey(f"{prefix!r} has no file {file_path!r}", path=file_path)
        if head is not None:
            await self._remove(caller, workspace, artifact, file_path, now)

    async def get_file(
        self,
        caller: Caller,
        workspace: Workspace,
        prefix: str,
        path: str,
        wanted: Wanted,
        *,
        now: datetime,
        expires_in: int | None = None,
    ) -> str:
        """A URL to GET the file from; NoSuchArtifact, NoSuchKey."""
        artifact = await self._browsing.find(caller, workspace, prefix, wanted)
        check_path(path, collection=artifact.collection)
        if wanted.stage:
            there = await self._surveying.head(workspace, artifact, path) is not None
        else:
            number = wanted.version
            if number is not None and not await self._catalogue.has_version(artifact, number):
                raise NoSuchVersion(f"{prefix!r} has no version {number}", version=number)
            there = await self._catalogue.pin(artifact.id, path, number) is not None
        if not there:
            raise NoSuchKey(f"{prefix!r} has no file {path!r}", path=path)
        parameters = [("stage", "true")] if wanted.stage else []
        if wanted.version is not None:
            parameters.append(("version", str(wanted.version)))
        if wanted.silent:
            parameters.append(("silent", "true"))
        key = join(prefix, path)
        return self._linking.link(
            caller, "GET", workspace, key, now=now, parameters=parameters, expires_in=expires_in
        )

    async def weigh(
        self,
        caller: Caller,
        workspace: Workspace,
        prefix: str,
        path: str,
        weight: JsonValue,
        *,
        now: datetime,
    ) -> None:
        """The committed file weighs so; NoSuchArtifact, NoSuchKey, InvalidPath, InvalidWeight."""
        self._access.require(caller, workspace, Right.WRITE)
        artifact = await self._browsing.find(caller, workspace, prefix, Wanted())
        check_path(path, collection=artifact.collection)
        micros = parse_weight(weight)
        await self._weighing.weigh(workspace, artifact, path, micros, now=now)

    async def remove_all(
        self, caller: Caller, workspace: Workspace, artifact: Artifact, now: datetime
    ) -> None:
        """Stage the removal of every file, and forget what was announced and begun."""
        await self._gathering.forgo(artifact)
        survey = await self._surveying.survey(workspace, artifact)
        for path in await self._catalogue.announcements(artifact.id):
            await self._announcements.renounce(artifact, path)
            await self._records.withdraw(workspace.id, artifact.prefix, path)
        for path in survey.files:
            await self._remove(caller, workspace, artifact, path, now)

    async def _remove(
        self, caller: Caller, workspace: Workspace, artifact: Artifact, path: str, now: datetime
    ) -> None:
        """Stage a removal: the mark first, then the delete, then what became of it."""
        pin = await self._catalogue.pin(artifact.id, path) if artifact.version else None
        if pin is not None and not await self._versioning.ensure(workspace):
            raise BucketNotVersioned(
                f"{path!r} is committed, and the bucket behind {workspace.name!r} keeps no "
                "versions: turn its versioning on first",
                path=path,
            )
        artifact, intent = await self._stages.begin(artifact, path, author=caller.name, now=now)
        key = workspace.backend_key(join(artifact.prefix, path))
        try:
            await self._bucket.delete(workspace.bucket, key)
        except Exception:
            await asyncio.shield(self._examining.attempt(workspace, intent))
            raise
        staged = None if pin is None else StagedFile(path=path, removed=True)
        await self._stages.settle(intent, staged, author=caller.name, now=now)
