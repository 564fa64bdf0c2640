"""Take an artifact away: unpublished at once, then its files go."""

import asyncio
import time
from dataclasses import replace
from datetime import datetime
from functools import partial

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import Record
from gateway.errors import (
    CollectionNotEmpty,
    CommitConflict,
    OperationAborted,
    PreconditionFailed,
)
from gateway.identity import Workspace
from gateway.services.lifecycle.committing import Committing
from gateway.services.lifecycle.discarding import Discarding
from gateway.services.lifecycle.gathering import Gathering
from gateway.services.lifecycle.surveying import Surveying
from gateway.services.overlapping import some_at_a_time
from gateway.storage.catalogue import Catalogue
from gateway.storage.commits import Commits
from gateway.storage.endings import Endings
from gateway.storage.intents import Intents
from gateway.storage.records import Records

NAMED_AT_MOST = 20
MEMBERS_AT_ONCE = 8
FILES_AT_ONCE = 16
END_SECONDS = 20.0
PAUSE_SECONDS = 0.02


class Deleting:
    """Writes tombstones, and removes what lay below them."""

    def __init__(  # noqa: PLR0913, PLR0917 (a delete takes away what each of them made)
        self,
        catalogue: Catalogue,
        intents: Intents,
        endings: Endings,
        commits: Commits,
        records: Records,
        surveying: Surveying,
        committing: Committing,
        discarding: Discarding,
        gathering: Gathering,
    ) -> None:
        self._catalogue = catalogue
        self._intents = intents
        self._endings = endings
        self._commits = commits
        self._records = records
        self._surveying = surveying
        self._committing = committing
        self._discarding = discarding
        self._gathering = gathering
        # Of all deletes together: the backend has others to serve.
        self._removing = asyncio.Semaphore(FILES_AT_ONCE)

    async def delete(
        self,
        workspace: Workspace,
        artifact: Artifact,
        *,
        author: str,
        now: datetime,
        recursive: bool = False,
    ) -> None:
        """Nothing is left of the artifact but its records; members first, if `recursive`.

        CollectionNotEmpty when it has members otherwise; CommitConflict when a commit came
        first.
        """
        members = await self._catalogue.descendants(workspace.id, artifact.prefix)
        if members and not recursive:
            raise CollectionNotEmpty(
                f"{artifact.prefix!r} has {len(members)} members; delete them first, or say "
                "recursive=true",
                prefix=artifact.prefix,
                members=[member.prefix for member in members[:NAMED_AT_MOST]],
            )

        async def one(member: Artifact) -> None:
            await self._delete_one(workspace, member, author, now)

        # A collection goes after what is in it: whoever repeats this finds the rest by it.
        leaves = [member for member in members if not member.collection]
        await some_at_a_time(one, leaves, asyncio.Semaphore(MEMBERS_AT_ONCE))
        for member in reversed(members):
            if member.collection:
                await one(member)
        if recursive and artifact.collection:
            await self._remove_strays(workspace, artifact)
        await self._delete_one(workspace, artifact, author, now)

    async def _remove_strays(self, workspace: Workspace, artifact: Artifact) -> None:
        """Remove what lies below a collection without members: files whose manifest never came.

        It goes while the collection stands, so that a repeated delete finds what is left of it.
        """
        survey = await self._surveying.survey(workspace, replace(artifact, collection=False))
        remove = partial(self._surveying.remove, workspace, artifact)
        await some_at_a_time(remove, (p for p in survey.files if "/" in p), self._removing)

    async def _delete_one(
        self, workspace: Workspace, artifact: Artifact, author: str, now: datetime
    ) -> None:
        if not artifact.version:
            if artifact.unfinished == "deleting":
                await self.end(workspace, artifact)
            else:
                await self._discarding.discard(workspace, artifact, now=now)
            return
        record = Record(
            workspace_id=workspace.id,
            prefix=artifact.prefix,
            number=artifact.number + 1,
            parent=artifact.version,
            author=author,
            time=now,
            message=None,
            manifest=None,
        )
        intent = await self._intents.intend(artifact, "delete", number=record.number, now=now)
        try:
            await self._records.put_record(record)
        except PreconditionFailed:
            await self._committing.complete(workspace, artifact.id, record.number)
            await self._endings.finish(intent)
            raise CommitConflict(
                f"another commit of {artifact.prefix!r} came first and is version "
                f"{record.number}; look at it, and delete again",
                prefix=artifact.prefix,
                version=record.number,
            ) from None
        await self._commits.bury(artifact.id, record)
        await self.remove_files(workspace, artifact)

    async def end(self, workspace: Workspace, artifact: Artifact) -> None:
        """Return when a buried artifact's keys are gone; OperationAborted when that takes long.

        Who deletes it removes them, and nobody beside: whoever was done first would let others
        put there what the second still removes.
        """
        deadline = time.monotonic() + END_SECONDS
        while await self._intents.deleting(artifact):
            if time.monotonic() > deadline:
                raise OperationAborted(
                    f"{artifact.prefix!r} is being deleted: try again in a moment",
                    prefix=artifact.prefix,
                )
            await asyncio.sleep(PAUSE_SECONDS)
        left = await self._catalogue.by_id(artifact.id)
        if left is not None and left.unfinished == "deleting":
            await asyncio.shield(self.remove_files(workspace, left))

    async def remove_files(self, workspace: Workspace, artifact: Artifact) -> None:
        """Remove a buried artifact's keys from the bucket's newest state; safe to repeat."""
        survey = await self._surveying.survey(workspace, artifact)
        remove = partial(self._surveying.remove, workspace, artifact)
        await some_at_a_time(remove, survey.files, self._removing)
        if survey.staged_manifest is not None:
            await remove(STAGED_MANIFEST)
        if survey.manifest is not None:
            await remove(MANIFEST)
        await self._endings.end_delete(artifact.id)
        await self._gathering.end(artifact.id)

    async def delete_if_empty(
        self, workspace: Workspace, artifact_id: int, *, author: str, now: datetime
    ) -> bool:
        """Whether the artifact went because writers see none of its keys any more.

        So do the collections above it that only waited for that.
        """
        artifact = await self._catalogue.by_id(artifact_id)
        if artifact is None or artifact.stage is None or artifact.manifest_staged:
            return False
        if await self._catalogue.descendants(workspace.id, artifact.prefix):
            return False
        if not (await self._surveying.survey(workspace, artifact)).empty:
            return False
        try:
            await self.delete(workspace, artifact, author=author, now=now)
        except (CollectionNotEmpty, CommitConflict):
            # Of several who took the last keys away at once, another deletes it; or somebody
            # has published something in it meanwhile.
            return False
        above = await self._catalogue.above(workspace.id, artifact.prefix)
        parent = next((a for a in above if a.prefix != artifact.prefix), None)
        if parent is not None:
            await self.delete_if_empty(workspace, parent.id, author=author, now=now)
        return True
