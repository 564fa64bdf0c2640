"""The index, written by edits: marks, staged files, staged manifests.

A mark is committed before the first byte of a change goes to the bucket, together with an
intent that names the key and the worker. When the worker dies, another finds the intent and
asks the bucket what became of the key.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from gateway.artifact.layout import MANIFEST
from gateway.artifact.lifecycle import Artifact, State
from gateway.artifact.value import Fields
from gateway.artifact.version import StagedFile
from gateway.errors import OperationAborted
from gateway.storage.connection import Connection
from gateway.storage.database import Database
from gateway.storage.intents import COMMIT, WRITE, Intent, Intents, forget
from gateway.storage.marks import (
    NO_MANIFEST,
    change,
    close_if_clean,
    fresh,
    mark,
    row_id,
    unstage,
)
from gateway.storage.questions import EMPTIED
from gateway.storage.situation import situation, stage

DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class StagedManifest:
    """A staged manifest as the bucket took it."""

    fields: Fields
    etag: str
    version_id: str | None


class Stages:
    """Changes to stages. Each method is one transaction, safe to repeat."""

    def __init__(self, database: Database, intents: Intents) -> None:
        self._database = database
        self._intents = intents

    async def begin(
        self,
        artifact: Artifact,
        path: str,
        *,
        author: str,
        now: datetime,
        stage_id: str | None = None,
    ) -> tuple[Artifact, Intent]:
        """The artifact with its mark set, and the intent to write `path` in it.

        An edit that it opens gets the id `stage_id`, or a new one. OperationAborted where the
        artifact was deleted meanwhile, or is being deleted.
        """

        async def work(connection: Connection) -> tuple[Artifact, Intent]:
            found = await fresh(connection, artifact.id)
            if found.unfinished == DELETING or found.state is State.NOTHING:
                raise _gone(found)
            if found.stage is None:
                await mark(connection, artifact.id, author, now, stage_id)
                found = await fresh(connection, artifact.id)
            intent = await self._intents.add(
                connection, artifact.id, WRITE, path, found.number, now
            )
            return found, intent

        return await self._database.transaction(work)

    async def begin_new(
        self,
        workspace_id: str,
        prefix: str,
        path: str,
        fields: Fields,
        *,
        author: str,
        now: datetime,
        stage_id: str | None = None,
        action: str = WRITE,
    ) -> tuple[Artifact, Intent]:
        """As `begin`, for an artifact that may have no row yet; `fields` say what it will be.

        With the action COMMIT, the intent is to commit its next version.
        """

        async def work(connection: Connection) -> tuple[Artifact, Intent]:
            artifact_id = await row_id(connection, workspace_id, prefix)
            artifact = await fresh(connection, artifact_id)
            if artifact.unfinished == DELETING:
                raise _gone(artifact)
            if artifact.state is State.NOTHING:
                kind = fields.get("type")
                values = {"type": kind, "collection": kind == "collection"}
                await change(connection, artifact_id, values)
            await mark(connection, artifact_id, author, now, stage_id)
            number = artifact.number + (action == COMMIT)
            intent = await self._intents.add(connection, artifact_id, action, path, number, now)
            return await fresh(connection, artifact_id), intent

        return await self._database.transaction(work)

    async def drop(self, intent: Intent) -> None:
        """Forget an intent that came to nothing; an edit left without a difference ends."""

        async def work(connection: Connection) -> None:
            await forget(connection, intent)
            await close_if_clean(connection, intent.artifact_id)

        await self._database.transaction(work)

    async def settle(
        self,
        intent: Intent,
        staged: StagedFile | None,
        *,
        author: str,
        now: datetime,
        replaced: Collection[str] = (),
    ) -> None:
        """Record what became of a written key: staged so, or (None) nothing is there.

        `replaced` are backend versions of it that the same edit wrote before.

        What a commit has pinned meanwhile is no longer staged. While a commit is under way
        nobody knows yet what will be pinned: all that is written then is staged.
        """

        async def work(connection: Connection) -> None:
            await forget(connection, intent)
            at = await situation(connection, intent.artifact_id, intent.path)
            artifact = at.artifact
            if artifact.state is State.NOTHING or artifact.buried > intent.number:
                return  # what was put into it is an ordinary object now, or gone with it
            written = staged
            if written is None and intent.path != MANIFEST:
                written = StagedFile(intent.path, removed=True)
            if written is None or (not at.committing and at.is_pinned(written)):
                await unstage(connection, artifact.id, intent.path)
                await close_if_clean(connection, artifact.id)
                return
            if artifact.stage is None:
                await mark(connection, artifact.id, author, now)
            await stage(connection, at, written, replaced)
            if not artifact.version and not artifact.manifest_staged:
                # It may be the last write of what was about to be an artifact, and is none.
                await close_if_clean(connection, artifact.id)

        await self._database.transaction(work)

    async def settle_manifest(
        self, intent: Intent, manifest: StagedManifest | None, *, author: str, now: datetime
    ) -> Artifact:
        """Record the staged manifest that the bucket now holds, or that it holds none.

        An artifact that was never committed is none without its staged manifest. Nothing is
        recorded in one that was deleted since the write began: its `buried` tells.
        """

        async def work(connection: Connection) -> Artifact:
            await forget(connection, intent)
            artifact = await fresh(connection, intent.artifact_id)
            if artifact.buried > intent.number:
                return artifact
            values: dict[str, object] = {**NO_MANIFEST}
            if manifest is not None:
                await mark(connection, artifact.id, author, now)
                values = {
                    "staged_fields": dict(manifest.fields),
                    "staged_etag": manifest.etag,
                    "staged_version_id": manifest.version_id,
                }
                if not artifact.version:
                    kind = manifest.fields.get("type")
                    values |= {"type": kind, "collection": kind == "collection"}
            await change(connection, artifact.id, values)
            if manifest is None:
                await close_if_clean(connection, artifact.id)
            return await fresh(connection, artifact.id)

        return await self._database.transaction(work)

    async def forget_manifest(self, artifact: Artifact) -> None:
        """Forget the artifact's staged manifest, unless another was staged since."""

        async def work(connection: Connection) -> None:
            gone, now = artifact.stage, (await fresh(connection, artifact.id)).stage
            if gone is None or now is None:
                return
            if (gone.etag, gone.version_id) == (now.etag, now.version_id):
                await change(connection, artifact.id, NO_MANIFEST)
                await close_if_clean(connection, artifact.id)

        await self._database.transaction(work)

    async def reconsider(self, artifact: Artifact) -> None:
        """End an edit in which nothing differs from the last commit, nor is about to."""

        async def work(connection: Connection) -> None:
            await close_if_clean(connection, artifact.id)

        await self._database.transaction(work)

    async def emptied(self, artifact: Artifact) -> bool:
        """Whether, as far as the index knows, writers see none of the artifact's keys.

        That is a reason to look, not an answer: the bucket may hold keys unknown here.
        """
        return bool(await self._database.glance(EMPTIED, {"artifact_id": artifact.id}))


def _gone(artifact: Artifact) -> OperationAborted:
    return OperationAborted(
        f"{artifact.prefix!r} is being deleted: try again in a moment", prefix=artifact.prefix
    )
