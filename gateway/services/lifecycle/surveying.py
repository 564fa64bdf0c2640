"""Look at what an artifact's prefix really holds: the bucket is the truth."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST, join
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import Pin
from gateway.identity import Workspace
from gateway.storage.bucket import BackendError, Bucket, ListedObject, ObjectHead, ObjectVersion

HEADS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Survey:
    """The objects of one artifact, by path: files, and what stands at its manifests' keys."""

    files: Mapping[str, ListedObject]
    manifest: ListedObject | None
    staged_manifest: ListedObject | None

    @property
    def empty(self) -> bool:
        """Whether writers see nothing there: `manifest.yaml` counts while it is not hidden."""
        return not self.files and self.manifest is None and self.staged_manifest is None


def bare(etag: str | None) -> str:
    """An ETag without its quotes: backends quote it in some answers and not in others."""
    return (etag or "").strip('"')


class Surveying:
    """Lists artifacts in the bucket, and asks for single objects."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def survey(self, workspace: Workspace, artifact: Artifact) -> Survey:
        """Everything of the artifact that the bucket holds now, without its members'."""
        folder = _folder(workspace, artifact)
        found: dict[str, ListedObject] = {}
        delimiter = "/" if artifact.collection else ""
        async for page in self._bucket.list(workspace.bucket, folder, delimiter=delimiter):
            for item in page:
                path = item.key[len(folder) :]
                if path and not path.endswith("/") and not (artifact.collection and "/" in path):
                    found[path] = item
        manifest = found.pop(MANIFEST, None)
        staged = found.pop(STAGED_MANIFEST, None)
        return Survey(dict(sorted(found.items())), manifest, staged)

    async def survey_file(self, workspace: Workspace, artifact: Artifact, path: str) -> Survey:
        """As `survey`, of one file alone."""
        key = _key(workspace, artifact, path)
        async for page in self._bucket.list(workspace.bucket, key, delimiter="/"):
            for item in page:
                if item.key == key:
                    return Survey({path: item}, None, None)
        return Survey({}, None, None)

    async def head(
        self, workspace: Workspace, artifact: Artifact, path: str, version_id: str | None = None
    ) -> ObjectHead | None:
        """What the bucket says of one path, None when nothing is there."""
        key = workspace.backend_key(join(artifact.prefix, path))
        return await self._bucket.head(workspace.bucket, key, version_id)

    async def manifest(
        self, workspace: Workspace, artifact: Artifact, limit: int
    ) -> tuple[ObjectHead, bytes] | None:
        """The staged manifest that the bucket holds, with its bytes; EntityTooLarge."""
        key = workspace.backend_key(join(artifact.prefix, STAGED_MANIFEST))
        return await self._bucket.get(workspace.bucket, key, limit=limit)

    async def heads(
        self, workspace: Workspace, artifact: Artifact, paths: Iterable[str]
    ) -> dict[str, ObjectHead]:
        """What the bucket says of each path that is there, some at a time."""
        limit = asyncio.Semaphore(HEADS_AT_ONCE)

        async def one(path: str) -> tuple[str, ObjectHead | None]:
            async with limit:
                return path, await self.head(workspace, artifact, path)

        answers = await asyncio.gather(*(one(path) for path in paths))
        return {path: head for path, head in answers if head is not None}

    async def lost(
        self, workspace: Workspace, artifact: Artifact, pins: Collection[Pin]
    ) -> list[Pin]:
        """Of the pins, those whose backend version is not there, or is another object."""
        unseen = {(pin.path, pin.version_id): pin for pin in pins}
        if len(unseen) > HEADS_AT_ONCE:
            folder = _folder(workspace, artifact)
            delimiter = "/" if artifact.collection else ""
            async for page in self._bucket.histories(workspace.bucket, folder, delimiter=delimiter):
                for version in page:
                    at = version.key[len(folder) :], version.version_id
                    pin = unseen.get(at)
                    if pin is not None and _is_pinned(pin, version.size, version.etag):
                        del unseen[at]
        # What a listing left out, or told otherwise, is asked for itself.
        limit = asyncio.Semaphore(HEADS_AT_ONCE)

        async def there(pin: Pin) -> bool:
            async with limit:
                try:
                    head = await self.head(workspace, artifact, pin.path, pin.version_id)
                except BackendError as error:
                    if error.status != HTTPStatus.BAD_REQUEST:
                        raise
                    return False  # an id that this backend never gave
            return head is not None and _is_pinned(pin, head.size, head.etag)

        asked = list(unseen.values())
        answers = await asyncio.gather(*(there(pin) for pin in asked))
        return [pin for pin, found in zip(asked, answers, strict=True) if not found]

    async def versions(
        self, workspace: Workspace, artifact: Artifact, path: str
    ) -> list[ObjectVersion]:
        """All versions of one path, removals among them, newest first."""
        return await self._bucket.versions(workspace.bucket, _key(workspace, artifact, path))

    async def remove(
        self, workspace: Workspace, artifact: Artifact, path: str, version_id: str | None = None
    ) -> None:
        """Remove one version of a path for good, or (None) hide it behind a removal."""
        key = _key(workspace, artifact, path)
        await self._bucket.delete(workspace.bucket, key, version_id)

    async def remove_versions(self, workspace: Workspace, artifact: Artifact, path: str) -> None:
        """Remove every version of a path for good, the oldest first."""
        for version in reversed(await self.versions(workspace, artifact, path)):
            await self.remove(workspace, artifact, path, version.version_id)

    async def remove_above(  # one key, what is there, and where to stop
        self,
        workspace: Workspace,
        artifact: Artifact,
        path: str,
        versions: Sequence[ObjectVersion],
        pin: Pin,
        keep: Collection[str],
    ) -> None:
        """Of the `versions` of a path, remove those above its pinned one, and above any to keep."""
        if pin.version_id not in {version.version_id for version in versions}:
            return  # there is nothing to go back to, so nothing is taken away
        for version in versions:
            if version.version_id == pin.version_id or version.version_id in keep:
                return
            await self.remove(workspace, artifact, path, version.version_id)

    async def remove_newest(
        self,
        workspace: Workspace,
        artifact: Artifact,
        path: str,
        versions: Sequence[ObjectVersion],
        written: Collection[str],
    ) -> ObjectVersion | None:
        """The newest version that is left of a path, when those in `written` above it are gone."""
        for version in versions:
            if version.version_id not in written:
                return version
            await self.remove(workspace, artifact, path, version.version_id)
        return None


def _is_pinned(pin: Pin, size: int | None, etag: str | None) -> bool:
    return (pin.size, bare(pin.etag)) == (size, bare(etag))


def _folder(workspace: Workspace, artifact: Artifact) -> str:
    if not artifact.prefix:
        return workspace.prefix
    return workspace.backend_key(join(artifact.prefix, ""))


def _key(workspace: Workspace, artifact: Artifact, path: str) -> str:
    return workspace.backend_key(join(artifact.prefix, path))
