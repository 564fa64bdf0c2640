"""Put a committed manifest at its plain key, and take away the staged one that it was."""

import asyncio
from collections.abc import Sequence

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST, join
from gateway.artifact.version import NULL_VERSION, Pin, Record, manifest_pin
from gateway.identity import Workspace
from gateway.services.lifecycle.surveying import bare
from gateway.services.overlapping import both
from gateway.storage.bucket import Bucket
from gateway.storage.catalogue import Catalogue
from gateway.storage.commits import Commits


class Publishing:
    """The last steps of a commit, each safe to repeat."""

    def __init__(self, bucket: Bucket, catalogue: Catalogue, commits: Commits) -> None:
        self._bucket = bucket
        self._catalogue = catalogue
        self._commits = commits

    async def publish_manifest(
        self, workspace: Workspace, artifact_id: int, record: Record
    ) -> None:
        """Put the committed manifest at its plain key, and take the staged one away."""
        # They are listed while the other is put, and go when it is there.
        consumed = asyncio.create_task(self._consumed(workspace, record))
        try:
            stored = await self._store_manifest(workspace, record)
            await both(
                self._note_manifest(workspace, artifact_id, record, stored),
                self._clear_away(workspace, record, consumed),
            )
            # Not before it is noted: without versions, what is there now would be noted instead.
            await self._put_later(workspace, artifact_id, record)
        finally:
            consumed.cancel()
            await asyncio.gather(consumed, return_exceptions=True)

    async def _clear_away(
        self, workspace: Workspace, record: Record, consumed: asyncio.Task[list[str]]
    ) -> None:
        await self._remove_staged(workspace, record, await consumed)

    async def _put_later(self, workspace: Workspace, artifact_id: int, record: Record) -> None:
        """Put the manifest of the commit that is newest by now, if another came after this."""
        newest = await self._catalogue.by_id(artifact_id)
        if newest is not None and newest.version > record.number:
            # A later commit may have put its manifest before this one did.
            later = await self._catalogue.version(newest, newest.version)
            if later is not None:
                await self._put_manifest(workspace, artifact_id, later)

    async def _put_manifest(self, workspace: Workspace, artifact_id: int, record: Record) -> None:
        stored = await self._store_manifest(workspace, record)
        await self._note_manifest(workspace, artifact_id, record, stored)

    async def _store_manifest(self, workspace: Workspace, record: Record) -> str | None:
        """The version under which the record's manifest is at its plain key now, if it has one."""
        if record.manifest is None or record.manifest_version is not None:
            return record.manifest_version
        key = workspace.backend_key(join(record.prefix, MANIFEST))
        data, headers = record.manifest.data, record.manifest.headers
        return (await self._bucket.put(workspace.bucket, key, data, headers)).version_id

    async def _note_manifest(
        self, workspace: Workspace, artifact_id: int, record: Record, version_id: str | None
    ) -> None:
        """Put the pin of what was stored into the index."""
        if record.manifest is None:
            return
        key = workspace.backend_key(join(record.prefix, MANIFEST))
        head = await self._bucket.head(workspace.bucket, key, version_id)
        pin = manifest_pin(record)
        if head is not None:
            pin = Pin(
                path=MANIFEST,
                size=head.size,
                etag=head.etag,
                version_id=version_id or NULL_VERSION,
                last_modified=head.last_modified,
                content_type=head.content_type,
            )
        await self._commits.published(artifact_id, record.number, pin)

    async def remove_consumed(self, workspace: Workspace, record: Record) -> None:
        """Remove the `_manifest.yaml` that was committed and older ones, never a newer one."""
        consumed = await self._consumed(workspace, record)
        await self._remove_staged(workspace, record, consumed)

    async def _consumed(self, workspace: Workspace, record: Record) -> list[str]:
        """The versions of `_manifest.yaml` up to the one that was committed, the newest first."""
        if record.staged_manifest is None:
            return []
        key = workspace.backend_key(join(record.prefix, STAGED_MANIFEST))
        versions = await self._bucket.versions(workspace.bucket, key)
        identities = [version.version_id for version in versions]
        if record.staged_manifest not in identities:
            return []
        return identities[identities.index(record.staged_manifest) :]

    async def _remove_staged(
        self, workspace: Workspace, record: Record, consumed: Sequence[str]
    ) -> None:
        staged = record.staged_manifest
        if staged is None:
            return
        key = workspace.backend_key(join(record.prefix, STAGED_MANIFEST))
        # The oldest first: what was begun can be found again as long as the committed is there.
        for version_id in reversed(consumed):
            await self._bucket.delete(workspace.bucket, key, version_id)
        if consumed:
            return
        head = await self._bucket.head(workspace.bucket, key)
        if head is not None and head.version_id is None and bare(head.etag) == bare(staged):
            await self._bucket.delete(workspace.bucket, key)
