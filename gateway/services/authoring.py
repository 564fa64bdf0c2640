"""Write the registry by its own methods: create, edit, commit, discard, delete, files, index."""

import asyncio
from datetime import datetime

from gateway.artifact.layout import (
    MANIFEST,
    STAGED_MANIFEST,
    Role,
    check_path,
    check_prefix,
    join,
)
from gateway.artifact.lifecycle import Artifact, Location
from gateway.artifact.manifest import is_collection, listing, summary, summary_fields
from gateway.artifact.record import Announcement
from gateway.artifact.value import Fields, JsonValue
from gateway.artifact.version import ManifestObject, StagedFile
from gateway.artifact.weights import parse_weight
from gateway.errors import (
    ArtifactExists,
    BucketNotVersioned,
    EditOpen,
    InvalidManifest,
    InvalidPath,
    NoSuchArtifact,
    NoSuchKey,
    NotStaged,
)
from gateway.identity import Caller, Right, Workspace
from gateway.services.access import Access
from gateway.services.browsing import Browsing, Wanted
from gateway.services.committing import Committed, Committing
from gateway.services.deleting import Deleting
from gateway.services.discarding import Discarding
from gateway.services.drafting import Drafting
from gateway.services.examining import Examining
from gateway.services.linking import Linking
from gateway.services.surveying import Surveying
from gateway.services.validating import Validating
from gateway.services.versioning import Versioning
from gateway.storage.bucket import Bucket
from gateway.storage.catalogue import Catalogue
from gateway.storage.records import Records
from gateway.storage.stages import Stages

YAML = {"content-type": "application/yaml"}


class Authoring:
    """Answers the writing methods. Each asks for the right first, then acts."""

    def __init__(  # noqa: PLR0913, PLR0917 (the rooms that it leads to)
        self,
        access: Access,
        bucket: Bucket,
        catalogue: Catalogue,
        stages: Stages,
        records: Records,
        surveying: Surveying,
        validating: Validating,
        versioning: Versioning,
        drafting: Drafting,
        committing: Committing,
        discarding: Discarding,
        deleting: Deleting,
        examining: Examining,
        browsing: Browsing,
        linking: Linking,
        page: int,
    ) -> None:
        self._access = access
        self._bucket = bucket
        self._catalogue = catalogue
        self._stages = stages
        self._records = records
        self._surveying = surveying
        self._validating = validating
        self._versioning = versioning
        self._drafting = drafting
        self._committing = committing
        self._discarding = discarding
        self._deleting = deleting
        self._examining = examining
        self._browsing = browsing
        self._linking = linking
        self._page = page

    async def create(  # noqa: PLR0913 (the method's arguments)
        self,
        caller: Caller,
        workspace: Workspace,
        prefix: str,
        manifest: Fields,
        *,
        now: datetime,
        stage: bool = False,
        overwrite: bool = False,
    ) -> dict[str, JsonValue]:
        """The new artifact's manifest, committed unless `stage`; ArtifactExists.

        With `overwrite` the stage starts anew, with this manifest and no files.
        """
        self._access.require(caller, workspace, Right.WRITE)
        artifact = await self._existing(workspace, check_prefix(prefix))
        if artifact is not None and not overwrite:
            raise ArtifactExists(
                f"Artifact under prefix '{prefix}' already exists: edit it, or create it with "
                "overwrite=true",
                prefix=prefix,
            )
        data = (await self._validating.render(manifest)).data
        artifact = await self._drafting.stage(
            caller, workspace, prefix, data, now=now, headers=YAML
        )
        if overwrite:
            await self._remove_files(caller, workspace, artifact, now)
        if not stage:
            try:
                await self._commit(caller, workspace, artifact, None, now)
            except BaseException:
                if not overwrite and not artifact.version:
                    await asyncio.shield(self._discarding.discard(workspace, artifact, now=now))
                raise
        wanted = Wanted(stage=stage)
        current = await self._browsing.find(caller, workspace, prefix, wanted)
        return await self._browsing.show(caller, workspace, current, wanted)

    async def edit(
        self,
        caller: Caller,
        workspace: Workspace,
        prefix: str,
        manifest: Fields | None,
        *,
        now: datetime,
    ) -> dict[str, JsonValue]:
        """The staged manifest: the one given, or the staged, or the committed one."""
        self._access.require(caller, workspace, Right.WRITE)
        artifact = await self._artifact(workspace, prefix)
        if manifest is not None:
            data, headers = (await self._validating.render(manifest)).data, YAML
            await self._drafting.stage(caller, workspace, prefix, data, now=now, headers=headers)
        elif not artifact.manifest_staged:
            record = await self._catalogue.record(artifact, artifact.version)
            if record is not None and record.manifest is not None:
                last = record.manifest
                await self._drafting.stage(
                    caller, workspace, prefix, last.data, now=now, headers=last.headers
                )
        wanted = Wanted(stage=True)
        current = await self._browsing.find(caller, workspace, prefix, wanted)
        return await self._browsing.show(caller, workspace, current, wanted)

    async def commit(
        self,
        caller: Caller,
        workspace: Workspace,
        prefix: str,
        message: str | None,
        *,
        now: datetime,
    ) -> dict[str, JsonValue]:
        """`version`, `manifest` and `files` of the commit; NotStaged, and what commits raise."""
        self._access.require(caller, workspace, Right.WRITE)
        artifact = await self._staged(workspace, prefix)
        committed = await self._commit(caller, workspace, artifact, message, now)
        shown = await self._browsing.show(
            caller, workspace, committed.artifact, Wanted(version=committed.record.number)
        )
        files = [listing(pin) for pin in committed.record.pins if pin.path != MANIFEST]
        return {"version": committed.record.number, "manifest": shown, "files": files}

    async def discard(
        self, caller: Caller, workspace: Workspace, prefix: str, *, now: datetime
    ) -> None:
        """The stage is gone; NotStaged."""
        self._access.require(caller, workspace, Right.WRITE)
        artifact = await self._staged(workspace, prefix)
        await asyncio.shield(self._discarding.discard(workspace, artifact, now=now))

    async def delete(
        self,
        caller: Caller,
        workspace: Workspace,
        prefix: str,
        *,
        now: datetime,
        recursive: bool = False,
    ) -> None:
        """The artifact is gone; CollectionNotEmpty."""
        self._access.require(caller, workspace, Right.WRITE)
        artifact = await self._artifact(workspace, prefix)
        await asyncio.shield(
            self._deleting.delete(
                workspace, artifact, author=caller.name, now=now, recursive=recursive
            )
        )

    async def put_file(  # noqa: PLR0913 (the method's arguments)
        self,
        caller: Caller,
        workspace: Workspace,
        prefix: str,
        file_path: str,
        *,
        now: datetime,
        weight: JsonValue = None,
        expires_in: int | None = None,
    ) -> str:
        """A URL to PUT the file to; commit will demand it. NotStaged, InvalidPath, InvalidWeight."""
        self._access.require(caller, workspace, Right.WRITE)
        artifact = await self._staged(workspace, prefix)
        check_path(file_path, collection=artifact.collection)
        key = join(prefix, file_path)
        location = await self._catalogue.locate(workspace.id, key)
        _check_own(location, artifact, file_path)
        micros = None if weight is None else parse_weight(weight)
        stage_id = artifact.stage.id if artifact.stage else ""
        url = self._linking.link(
            caller,
            "PUT",
            workspace,
            key,
            now=now,
            parameters=[("stage", stage_id)],
            expires_in=expires_in,
        )
        record = Announcement(prefix, file_path, micros, stage_id, now)
        await self._records.announce(workspace.id, record)
        await self._stages.announce(artifact, file_path, micros, now)
        return url

    async def remove_file(
        self, caller: Caller, workspace: Workspace, prefix: str, file_path: str, *, now: datetime
    ) -> None:
        """The file is gone from the stage, and its announcement with it; NoSuchKey."""
        self._access.require(caller, workspace, Right.WRITE)
        artifact = await self._staged(workspace, prefix)
        check_path(file_path, collection=artifact.collection)
        announced = await self._stages.renounce(artifact, file_path)
        if announced:
            await self._records.withdraw(workspace.id, prefix, file_path)
        head = await self._surveying.head(workspace, artifact, file_path)
        if head is None and not announced:
            raise NoSuchKey(f"{prefix!r} has no file {file_path!r}", path=file_path)
        if head is not None:
            await self._remove(caller, workspace, artifact, file_path, now)

    async def get_file(  # noqa: PLR0913 (the method's arguments)
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
            there = await self._catalogue.pin(artifact.id, path, wanted.version) is not None
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

    async def index(
        self, caller: Caller, workspace: Workspace, prefix: str, *, now: datetime
    ) -> dict[str, JsonValue]:
        """`version`, `members` and `truncated`: the members are in the collection's manifest now."""
        self._access.require(caller, workspace, Right.WRITE)
        artifact = await self._artifact(workspace, prefix)
        if artifact.stage is not None:
            if not artifact.version:
                raise NotStaged(f"{prefix!r} was never committed: commit it first", prefix=prefix)
            raise EditOpen(
                f"an edit of {prefix!r} is open: commit or discard it first", prefix=prefix
            )
        fields = dict(artifact.fields or {})
        if not is_collection(fields):
            raise InvalidManifest(f"{prefix!r} is no collection", prefix=prefix)
        members = await self._browsing.members(caller, workspace, artifact)
        names = summary_fields(fields)
        fields["collection"] = [
            summary(member.fields or {}, names, member.prefix, member.stats)
            for member in members[: self._page]
        ]
        manifest = await self._validating.render(fields)
        committed = await self._committing.commit(
            workspace,
            artifact,
            author=caller.name,
            now=now,
            message="index",
            manifest=ManifestObject(manifest.data, YAML),
        )
        return {
            "version": committed.record.number,
            "members": min(len(members), self._page),
            "truncated": len(members) > self._page,
        }

    async def _commit(
        self,
        caller: Caller,
        workspace: Workspace,
        artifact: Artifact,
        message: str | None,
        now: datetime,
    ) -> Committed:
        return await self._committing.commit(
            workspace, artifact, author=caller.name, now=now, message=message
        )

    async def _existing(self, workspace: Workspace, prefix: str) -> Artifact | None:
        """The artifact, after one that was being deleted there has really gone."""
        artifact = await self._catalogue.artifact(workspace.id, prefix)
        if artifact is not None and artifact.unfinished == "deleting":
            await asyncio.shield(self._deleting.remove_files(workspace, artifact))
            return None
        return artifact

    async def _artifact(self, workspace: Workspace, prefix: str) -> Artifact:
        artifact = await self._existing(workspace, check_prefix(prefix))
        if artifact is None:
            raise NoSuchArtifact(f"there is no artifact under {prefix!r}", prefix=prefix)
        return artifact

    async def _staged(self, workspace: Workspace, prefix: str) -> Artifact:
        artifact = await self._artifact(workspace, prefix)
        if artifact.stage is None:
            raise NotStaged(
                f"no edit of {prefix!r} is open: open one with edit, or put a file", prefix=prefix
            )
        return artifact

    async def _remove_files(
        self, caller: Caller, workspace: Workspace, artifact: Artifact, now: datetime
    ) -> None:
        survey = await self._surveying.survey(workspace, artifact)
        for path in await self._catalogue.announcements(artifact.id):
            await self._stages.renounce(artifact, path)
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


def _check_own(location: Location, artifact: Artifact, path: str) -> None:
    """A path of an artifact that its layout gives to something else: InvalidPath."""
    mine = location.place.prefix == artifact.prefix and location.place.role is Role.FILE
    if not mine:
        raise InvalidPath(
            f"{path!r} is not for a file of {artifact.prefix!r}: it names a manifest "
            f"({MANIFEST}, {STAGED_MANIFEST}) or reaches into a member",
            path=path,
        )
