"""Take manifests that lie in a bucket without any record for what they say: artifacts."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from gateway.artifact.layout import (
    MANIFEST,
    PUBLIC,
    STAGED_MANIFEST,
    ancestors,
    check_prefix,
    join,
)
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.manifest import Manifest, lacks_type
from gateway.artifact.record import UnreadableRecord
from gateway.artifact.record_key import record_folder
from gateway.artifact.version import NULL_VERSION, ManifestObject, Pin
from gateway.errors import (
    CommitConflict,
    EntityTooLarge,
    GatewayError,
    InvalidManifest,
    InvalidPath,
    NestedArtifact,
    ServiceUnavailable,
)
from gateway.services.lifecycle.committing import Committing
from gateway.services.lifecycle.composing import Composing, Found
from gateway.services.lifecycle.examining import Examining
from gateway.services.lifecycle.recovering import Recovering
from gateway.services.lifecycle.surveying import Survey
from gateway.services.lifecycle.validating import Validating
from gateway.services.lifecycle.versioning import Versioning
from gateway.services.maintenance.abreast import PASSING, abreast, patiently
from gateway.services.maintenance.dating import AUTHOR, Dating, stage_of
from gateway.services.maintenance.outcome import Scene, own
from gateway.storage.bucket import BackendError, Bucket, ObjectHead
from gateway.storage.catalogue import Catalogue
from gateway.storage.intents import COMMIT
from gateway.storage.stages import Stages

MESSAGE = "adopted"
ARTIFACTS_AT_ONCE = 6
MEND = "mend it and reindex again; what lies there stays as it is"


@dataclass(slots=True)
class _Waiting:
    """Prefixes whose manifest was refused: what lies below them waits until it is mended."""

    prefixes: set[str] = field(default_factory=set)
    below: dict[str, int] = field(default_factory=dict)

    def holds(self, prefix: str) -> bool:
        """Whether the prefix lies below one that waits; then it is counted there."""
        for above in ancestors(join(prefix, MANIFEST)):
            if above != prefix and above in self.prefixes:
                self.below[above] = self.below.get(above, 0) + 1
                return True
        return False


class Enrolling:
    """Commits what lies there as it lies there. Nothing is put into the bucket."""

    def __init__(  # noqa: PLR0913, PLR0917 (a commit of its own kind)
        self,
        bucket: Bucket,
        catalogue: Catalogue,
        stages: Stages,
        versioning: Versioning,
        validating: Validating,
        composing: Composing,
        committing: Committing,
        examining: Examining,
        dating: Dating,
        recovering: Recovering,
    ) -> None:
        self._bucket = bucket
        self._catalogue = catalogue
        self._stages = stages
        self._versioning = versioning
        self._validating = validating
        self._composing = composing
        self._committing = committing
        self._examining = examining
        self._dating = dating
        self._recovering = recovering

    async def enroll(
        self, scene: Scene, damaged: Collection[str], clock: Callable[[], datetime]
    ) -> None:
        """Nothing; each manifest without a record is an artifact, or a refusal in the outcome.

        Parents come before members. `damaged` are folders of records that can't be read: what
        is recorded there is nobody's to adopt.
        """
        waiting = _Waiting()
        late: set[str] = set()

        async def attempt(prefix: str) -> None:
            if prefix in late:
                await self._recovering.recover(clock())  # what was left half done
            late.add(prefix)
            await self._one(scene, prefix, damaged, waiting, clock())

        async def one(prefix: str) -> None:
            try:
                await patiently(partial(attempt, prefix))
            except ServiceUnavailable:
                raise  # nothing else would go better
            except (GatewayError, UnreadableRecord, BackendError) as error:
                self._refuse(scene, prefix, error, waiting)
            scene.progress.advance()

        for depth in scene.objects.depths():
            await abreast(scene.objects.manifests(depth), one, at_once=ARTIFACTS_AT_ONCE)
        for prefix, count in sorted(waiting.below.items()):
            place = join(prefix, MANIFEST)
            scene.outcome.refuse(place, f"{count} manifests below it wait until it is mended")

    async def _one(
        self,
        scene: Scene,
        prefix: str,
        damaged: Collection[str],
        waiting: _Waiting,
        now: datetime,
    ) -> None:
        if waiting.holds(prefix):
            return
        workspace = scene.workspace
        above = await self._catalogue.above(workspace.id, join(prefix, MANIFEST))
        here = next((artifact for artifact in above if artifact.prefix == prefix), None)
        nearest = next((artifact for artifact in above if artifact.prefix != prefix), None)
        if nearest is not None and not nearest.collection:
            return  # an ordinary file of that artifact
        if here is not None:
            return
        check_prefix(prefix)
        if record_folder(workspace.id, prefix) in damaged:
            return  # that has been said
        await self._versioning.ensure(workspace)
        if scene.objects.get(join(prefix, MANIFEST)) is not None:
            await self._commit(scene, prefix, below=nearest is not None, now=now)
        else:
            await self._stage(scene, prefix, now)

    async def _commit(self, scene: Scene, prefix: str, *, below: bool, now: datetime) -> None:
        """Commit the manifest at a prefix; `below` a collection."""
        workspace = scene.workspace
        try:
            there = await self._get(scene, join(prefix, MANIFEST))
            if there is None:
                return  # gone since it was listed
            head, data = there
            manifest = await self._validating.parse(data)
        except (EntityTooLarge, InvalidManifest) as error:
            if not below and (isinstance(error, EntityTooLarge) or lacks_type(error)):
                return  # an ordinary file
            raise
        await self._composing.check_nesting(workspace, prefix, manifest)
        artifact, intent = await self._stages.begin_new(
            workspace.id, prefix, MANIFEST, manifest.fields, author=AUTHOR, now=now, action=COMMIT
        )
        pin = Pin(
            path=MANIFEST,
            size=head.size,
            etag=head.etag,
            version_id=head.version_id or NULL_VERSION,
            last_modified=head.last_modified,
            content_type=head.content_type,
        )
        survey = _survey(scene, artifact, manifest)
        found = Found(survey, ManifestObject(data, head.headers), pin)
        try:
            adopted = await self._committing.adopt(
                workspace, artifact, intent, found, author=AUTHOR, message=MESSAGE, now=now
            )
        except CommitConflict:
            return  # somebody was faster, and it is in the index
        scene.outcome.adopted += adopted  # read after the await: others count meanwhile

    async def _stage(self, scene: Scene, prefix: str, now: datetime) -> None:
        """Make the prefix of a staged manifest a new artifact."""
        workspace = scene.workspace
        there = await self._get(scene, join(prefix, STAGED_MANIFEST))
        if there is None:
            return
        manifest = await self._validating.parse(there[1])
        await self._composing.check_nesting(workspace, prefix, manifest)
        opened = await self._dating.opened(scene, prefix, now)
        announced = await self._dating.announced(scene, prefix, None)
        _, intent = await self._stages.begin_new(
            workspace.id,
            prefix,
            STAGED_MANIFEST,
            manifest.fields,
            author=AUTHOR,
            now=opened,
            stage_id=stage_of(announced, opened),
        )
        await self._examining.examine(workspace, intent, opened)
        scene.outcome.adopted += 1

    async def _get(self, scene: Scene, key: str) -> tuple[ObjectHead, bytes] | None:
        workspace = scene.workspace
        backend_key = workspace.backend_key(key)
        limit = self._validating.manifest_bytes
        return await self._bucket.get(workspace.bucket, backend_key, limit=limit)

    def _refuse(
        self,
        scene: Scene,
        prefix: str,
        error: GatewayError | UnreadableRecord | BackendError,
        waiting: _Waiting,
    ) -> None:
        staged = scene.objects.get(join(prefix, MANIFEST)) is None
        place = join(prefix, STAGED_MANIFEST if staged else MANIFEST)
        if isinstance(error, PASSING):
            scene.outcome.refuse(place, f"{error}; reindex again")
            return
        said = error.message if isinstance(error, GatewayError) else str(error)
        scene.outcome.refuse(place, f"{_code(error)}: {said}; {MEND}")
        # In the root and in `public` only a collection can be: others stand in nobody's way.
        alone = prefix in ("", PUBLIC) or isinstance(error, NestedArtifact | InvalidPath)
        if not staged and not alone:
            waiting.prefixes.add(prefix)


def _survey(scene: Scene, artifact: Artifact, manifest: Manifest) -> Survey:
    """What was listed of the artifact, as its manifest makes it."""
    made = replace(artifact, collection=manifest.collection)
    cut = len(artifact.prefix) + 1 if artifact.prefix else 0
    found = {item.key[cut:]: item for item in own(scene.objects, made)}
    listed, staged = found.pop(MANIFEST, None), found.pop(STAGED_MANIFEST, None)
    return Survey(found, listed, staged)


def _code(error: Exception) -> str:
    return getattr(error, "code", type(error).__name__)
