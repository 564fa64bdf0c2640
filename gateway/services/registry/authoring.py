"""Write the registry by its own methods: create, edit, commit, discard, delete, files, index."""

from datetime import datetime

from gateway.artifact.layout import MANIFEST, check_prefix
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.manifest import is_collection, summary, summary_fields
from gateway.artifact.value import Fields, JsonValue
from gateway.artifact.version import ManifestObject
from gateway.errors import (
    ArtifactExists,
    EditOpen,
    GatewayError,
    InvalidManifest,
    NotStaged,
)
from gateway.identity import Caller, Right, Workspace
from gateway.services.keys.access import Access
from gateway.services.lifecycle.committing import Committed, Committing
from gateway.services.lifecycle.composing import Composing
from gateway.services.lifecycle.deleting import Deleting
from gateway.services.lifecycle.discarding import Discarding
from gateway.services.lifecycle.drafting import Drafting
from gateway.services.lifecycle.reverting import Reverting
from gateway.services.lifecycle.validating import Validating
from gateway.services.registry.browsing import Browsing
from gateway.services.registry.filing import Filing
from gateway.services.registry.finding import Finding
from gateway.services.registry.showing import Showing, Wanted, listings
from gateway.storage.catalogue import Catalogue

SERVER_ERROR = 500
YAML = {"content-type": "application/yaml"}


class Authoring:
    """Answers the writing methods. Each asks for the right first, then acts."""

    def __init__(  # noqa: PLR0913, PLR0917 (the rooms that it leads to)
        self,
        access: Access,
        catalogue: Catalogue,
        validating: Validating,
        composing: Composing,
        drafting: Drafting,
        committing: Committing,
        discarding: Discarding,
        deleting: Deleting,
        reverting: Reverting,
        finding: Finding,
        filing: Filing,
        browsing: Browsing,
        showing: Showing,
    ) -> None:
        self._access = access
        self._catalogue = catalogue
        self._validating = validating
        self._composing = composing
        self._drafting = drafting
        self._committing = committing
        self._discarding = discarding
        self._deleting = deleting
        self._reverting = reverting
        self._finding = finding
        self._filing = filing
        self._browsing = browsing
        self._showing = showing

    async def create(
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
        artifact = await self._finding.existing(workspace, check_prefix(prefix))
        if artifact is not None and not overwrite:
            raise ArtifactExists(
                f"Artifact under prefix '{prefix}' already exists: edit it, or create it with "
                "overwrite=true",
                prefix=prefix,
            )
        fresh = artifact is None
        data = (await self._validating.render(manifest, caller.name)).data
        artifact = await self._drafting.stage(
            caller, workspace, prefix, data, now=now, headers=YAML
        )
        if overwrite:
            await self._filing.remove_all(caller, workspace, artifact, now)
        if not stage:
            try:
                await self._commit(caller, workspace, artifact, None, now)
            except GatewayError as error:
                # A refusal came before the record; after anything else it may stand.
                if fresh and error.status < SERVER_ERROR:
                    await self._withdraw(workspace, artifact, now)
                raise
        wanted = Wanted(stage=stage)
        current = await self._browsing.find(caller, workspace, prefix, wanted)
        return await self._showing.show(caller, workspace, current, wanted)

    async def _withdraw(self, workspace: Workspace, artifact: Artifact, now: datetime) -> None:
        """Take back the manifest that this call staged, unless another's is in its place."""
        current = await self._catalogue.by_id(artifact.id)
        mine = artifact.stage.etag if artifact.stage else None
        if current is not None and current.stage is not None and current.stage.etag == mine:
            await self._discarding.withdraw(workspace, current, now=now)

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
        artifact = await self._finding.artifact(workspace, prefix)
        if manifest is not None:
            data, headers = (await self._validating.render(manifest, caller.name)).data, YAML
            await self._drafting.stage(caller, workspace, prefix, data, now=now, headers=headers)
        elif not artifact.manifest_staged:
            record = await self._catalogue.version(artifact, artifact.version)
            if record is not None and record.manifest is not None:
                last = record.manifest
                await self._drafting.stage(
                    caller, workspace, prefix, last.data, now=now, headers=last.headers
                )
        wanted = Wanted(stage=True)
        current = await self._browsing.find(caller, workspace, prefix, wanted)
        return await self._showing.show(caller, workspace, current, wanted)

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
        artifact = await self._finding.staged(workspace, prefix)
        committed = await self._commit(caller, workspace, artifact, message, now)
        return await self._outcome(caller, workspace, committed)

    async def discard(
        self, caller: Caller, workspace: Workspace, prefix: str, *, now: datetime
    ) -> None:
        """The stage is gone; NotStaged."""
        self._access.require(caller, workspace, Right.WRITE)
        artifact = await self._finding.staged(workspace, prefix)
        await self._discarding.discard(workspace, artifact, now=now)

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
        artifact = await self._finding.artifact(workspace, prefix)
        await self._deleting.delete(
            workspace, artifact, author=caller.name, now=now, recursive=recursive
        )

    async def rollback(
        self, caller: Caller, workspace: Workspace, prefix: str, number: int, *, now: datetime
    ) -> dict[str, JsonValue]:
        """As `commit`: a new version equal to an old one.

        NoSuchVersion, EditOpen, NotStaged, NestedArtifact, CommitConflict.
        Weights that `set_download_weight` gave since stay.
        """
        self._access.require(caller, workspace, Right.WRITE)
        artifact = await self._committed(workspace, prefix)
        committed = await self._reverting.revert(
            workspace, artifact, number, author=caller.name, now=now
        )
        return await self._outcome(caller, workspace, committed)

    async def _committed(self, workspace: Workspace, prefix: str) -> Artifact:
        """The artifact, with no edit open; NoSuchArtifact, NotStaged, EditOpen."""
        artifact = await self._finding.artifact(workspace, prefix)
        if artifact.stage is None:
            return artifact
        if not artifact.version:
            raise NotStaged(f"{prefix!r} was never committed: commit it first", prefix=prefix)
        raise EditOpen(f"an edit of {prefix!r} is open: commit or discard it first", prefix=prefix)

    async def _outcome(
        self, caller: Caller, workspace: Workspace, committed: Committed
    ) -> dict[str, JsonValue]:
        number = committed.record.number
        wanted = Wanted(version=number)
        files = await listings(pin for pin in committed.record.pins if pin.path != MANIFEST)
        shown = await self._showing.show(caller, workspace, committed.artifact, wanted, files=files)
        return {"version": number, "manifest": shown, "files": files}

    async def index(
        self, caller: Caller, workspace: Workspace, prefix: str, *, now: datetime
    ) -> dict[str, JsonValue]:
        """`version`, `members` and `truncated`: they are in the collection's manifest now."""
        self._access.require(caller, workspace, Right.WRITE)
        artifact = await self._committed(workspace, prefix)
        fields = dict(artifact.fields or {})
        if not is_collection(fields):
            raise InvalidManifest(f"{prefix!r} is no collection", prefix=prefix)
        page = await self._showing.members(caller, workspace, artifact)
        names = summary_fields(fields)
        fields["collection"] = [
            summary(member.fields or {}, names, member.prefix, member.stats)
            for member in page.items
        ]
        manifest = await self._validating.render(fields, caller.name)
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
            "members": len(page.items),
            "truncated": page.total > len(page.items),
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
