"""Go back to an older version: its files copied to their plain keys, then committed.

What others put meanwhile must not become part of it, nor half of it part of a version of theirs.
So commits wait while files are copied, as they do for a discard; the commit that follows takes
what was copied and nothing else; and where it is refused, what was copied is taken away again.
A worker that dies in between leaves an open edit.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.artifact.layout import MANIFEST, join
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import Pin, Record, StagedFile
from gateway.errors import (
    BucketNotVersioned,
    CommitConflict,
    EditOpen,
    GatewayError,
    NoSuchArtifact,
    NoSuchVersion,
    NotStaged,
)
from gateway.identity import Workspace
from gateway.services.lifecycle.committing import Committed, Committing
from gateway.services.lifecycle.composing import Composing
from gateway.services.lifecycle.examining import Examining
from gateway.services.lifecycle.excluding import Excluding
from gateway.services.lifecycle.surveying import bare
from gateway.services.lifecycle.validating import Validating
from gateway.services.lifecycle.versioning import Versioning
from gateway.services.lifecycle.weighing import Weighing
from gateway.storage.bucket import BackendError, Bucket
from gateway.storage.catalogue import Catalogue
from gateway.storage.stages import Stages

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reversion:
    """One way back: the files of the old version, and the backend versions `made` for it."""

    workspace: Workspace
    artifact: Artifact
    pins: Mapping[str, Pin]
    author: str
    now: datetime
    made: dict[str, str | None] = field(default_factory=dict)

    def check(self, record: Record) -> None:
        """Return when the record holds the old version's files, and those alone; CommitConflict."""
        now = {pin.path: pin for pin in record.pins}
        same = now.keys() == self.pins.keys() and all(map(self._is, now.values()))
        if not same or record.staged_manifest is not None:
            raise CommitConflict(
                f"{self.artifact.prefix!r} was edited while it was rolled back, so it stays what "
                "it was: commit or discard that edit, and try again",
                prefix=self.artifact.prefix,
            )

    def _is(self, pin: Pin) -> bool:
        old = self.pins[pin.path]
        equal = (pin.size, bare(pin.etag)) == (old.size, bare(old.etag))
        # A copy's ETag may be another: of what came in parts, for example.
        copied = pin.version_id is not None and pin.version_id == self.made.get(pin.path)
        return pin.content_type == old.content_type and (equal or copied)


class Reverting:
    """Rolls back."""

    def __init__(  # noqa: PLR0913, PLR0917 (what a way back touches)
        self,
        bucket: Bucket,
        catalogue: Catalogue,
        stages: Stages,
        excluding: Excluding,
        examining: Examining,
        versioning: Versioning,
        validating: Validating,
        composing: Composing,
        committing: Committing,
        weighing: Weighing,
    ) -> None:
        self._bucket = bucket
        self._catalogue = catalogue
        self._stages = stages
        self._excluding = excluding
        self._examining = examining
        self._versioning = versioning
        self._validating = validating
        self._composing = composing
        self._committing = committing
        self._weighing = weighing

    async def revert(
        self, workspace: Workspace, artifact: Artifact, number: int, *, author: str, now: datetime
    ) -> Committed:
        """The commit of a version that is equal to an old one.

        NoSuchVersion, EditOpen, NotStaged, NestedArtifact, BucketNotVersioned; CommitConflict
        where others edit or commit meanwhile: then everything is as if nobody had asked.
        """
        async with self._excluding.reverting(artifact, now) as turn:
            artifact = await self._unedited(artifact)
            record = await self._catalogue.record(artifact, number)
            there = await self._catalogue.has_version(artifact, number)
            if record is None or record.manifest is None or not there:
                raise NoSuchVersion(f"{artifact.prefix!r} has no version {number}", version=number)
            # Before a file is touched: what was the artifact's own may be a member's by now.
            manifest = await self._validating.parse(record.manifest.data, author)
            await self._composing.check_nesting(workspace, artifact.prefix, manifest)
            if not await self._versioning.ensure(workspace):
                raise BucketNotVersioned(
                    f"the bucket behind {workspace.name!r} keeps no versions to go back to",
                    workspace=workspace.name,
                )
            pins = {pin.path: pin for pin in record.pins if pin.path != MANIFEST}
            pins = await self._weighing.restored(workspace, artifact, pins, number)
            back = Reversion(workspace, artifact, pins, author, now)
            try:
                await self._restore(back)
                return await self._committing.commit(
                    workspace,
                    artifact,
                    author=author,
                    now=now,
                    message=f"rollback to version {number}",
                    manifest=record.manifest,
                    weights={path: pin.weight for path, pin in pins.items()},
                    after=turn,
                    check=back.check,
                )
            except (GatewayError, BackendError):
                await self._take_back(back)
                raise

    async def _unedited(self, artifact: Artifact) -> Artifact:
        """The artifact as it is now, with no edit open; NoSuchArtifact, NotStaged, EditOpen."""
        current, prefix = await self._catalogue.by_id(artifact.id), artifact.prefix
        if current is None or (not current.version and current.stage is None):
            raise NoSuchArtifact(f"there is no artifact under {prefix!r}", prefix=prefix)
        if not current.version:
            raise NotStaged(f"{prefix!r} was never committed: commit it first", prefix=prefix)
        if current.stage is not None:
            raise EditOpen(
                f"an edit of {prefix!r} is open: commit or discard it first", prefix=prefix
            )
        return current

    async def _restore(self, back: Reversion) -> None:
        """Stage the files: copied to their plain keys, and the others removed."""
        current = await self._catalogue.pins(back.artifact.id)
        for path, pin in back.pins.items():
            if current.get(path) != pin:
                await self._stage(back, path, pin)
        for path in current:
            if path != MANIFEST and path not in back.pins:
                await self._stage(back, path, None)

    async def _stage(self, back: Reversion, path: str, pin: Pin | None) -> None:
        _, intent = await self._stages.begin(back.artifact, path, author=back.author, now=back.now)
        bucket, key = back.workspace.bucket, _key(back, path)
        try:
            if pin is None:
                made = await self._bucket.delete(bucket, key)
                staged = StagedFile(path=path, removed=True, version_id=made)
            else:
                stored = await self._bucket.copy(bucket, key, pin.version_id, key)
                made = stored.version_id
                staged = StagedFile(
                    path=path,
                    size=pin.size,
                    etag=stored.etag,
                    version_id=made,
                    content_type=pin.content_type,
                    weight=pin.weight,
                )
        except Exception:
            await self._examining.attempt(back.workspace, intent)
            raise
        back.made[path] = made
        await self._stages.settle(intent, staged, author=back.author, now=back.now)

    async def _take_back(self, back: Reversion) -> None:
        """Take away what was made; what fails here stays staged."""
        for path, version_id in back.made.items():
            try:
                await self._remove(back, path, version_id)
            except (GatewayError, BackendError) as error:
                logger.warning("%r of %r stays staged: %s", path, back.artifact.prefix, error)

    async def _remove(self, back: Reversion, path: str, version_id: str | None) -> None:
        if version_id is None:
            return
        key = join(back.artifact.prefix, path)
        async with self._excluding.erasing(back.artifact, path, back.now):
            # A commit that came first may hold it.
            if await self._catalogue.pinned(back.workspace.id, key, version_id) is not None:
                return
            _, intent = await self._stages.begin(
                back.artifact, path, author=back.author, now=back.now
            )
            try:
                await self._bucket.delete(back.workspace.bucket, _key(back, path), version_id)
            finally:
                await self._examining.attempt(back.workspace, intent)


def _key(back: Reversion, path: str) -> str:
    return back.workspace.backend_key(join(back.artifact.prefix, path))
