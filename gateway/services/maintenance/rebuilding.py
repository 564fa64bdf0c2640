"""Put into the index what the system area tells of a workspace: commits, deletes, weights."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

from gateway.artifact.layout import STAGED_MANIFEST, join
from gateway.artifact.record import UnreadableRecord, WeightChange
from gateway.artifact.record_key import records_folder, weight_folder
from gateway.artifact.value import Fields
from gateway.artifact.version import NULL_VERSION, Record
from gateway.errors import GatewayError, ServiceUnavailable
from gateway.services.lifecycle.committing import Committing
from gateway.services.lifecycle.deleting import Deleting
from gateway.services.lifecycle.surveying import bare
from gateway.services.lifecycle.validating import Validating
from gateway.services.maintenance.abreast import abreast, patiently
from gateway.services.maintenance.matching import Manifests
from gateway.services.maintenance.outcome import Scene
from gateway.storage.bucket import Bucket
from gateway.storage.histories import Histories, History, Standing
from gateway.storage.records import Records

ARTIFACTS_AT_ONCE = 6
# Records of so many files are held at once.
MOST_PINS = 20_000
DELETING = "deleting"


class Rebuilding:
    """Replays records."""

    def __init__(
        self,
        bucket: Bucket,
        records: Records,
        histories: Histories,
        validating: Validating,
        committing: Committing,
        deleting: Deleting,
    ) -> None:
        self._bucket = bucket
        self._records = records
        self._histories = histories
        self._validating = validating
        self._committing = committing
        self._deleting = deleting

    async def rebuild(self, scene: Scene) -> frozenset[str]:
        """The folders of artifacts with records that can't be read; the others are in the index."""
        damaged: set[str] = set()

        async def one(keys: Sequence[str]) -> None:
            try:
                await patiently(partial(self._one, scene, keys, damaged))
            except ServiceUnavailable:
                raise  # nothing else would go better
            except GatewayError as error:
                scene.outcome.refuse(keys[-1], f"{error.message}; mend that, and reindex again")
            scene.progress.advance(len(keys))

        await abreast(_by_artifact(scene), one, at_once=ARTIFACTS_AT_ONCE)
        return frozenset(damaged)

    async def _one(self, scene: Scene, keys: Sequence[str], damaged: set[str]) -> None:
        """Replay the records of one prefix, which are under `keys`, in ascending order."""
        newest = await self._read(scene, keys[-1], damaged)
        if newest is not None:
            standing = await self._histories.standing(scene.workspace.id, newest.prefix)
            if standing is not None and _is_known(standing, newest):
                if changes := await self._weights(scene, newest.prefix):
                    await self._replay(scene, newest.prefix, History((), weights=changes))
                await self._go_on(scene, standing, newest)
                return
        manifests = Manifests(self._bucket, scene.workspace)
        weights: Sequence[WeightChange] = ()
        batch: list[Record] = []
        committed: Record | None = None
        for key in keys:
            record = newest if key == keys[-1] else await self._read(scene, key, damaged)
            if record is None:
                continue
            manifests.expect(record)
            batch.append(record)
            committed = record if record.manifest is not None else committed
            if sum(1 + len(each.pins) for each in batch) > MOST_PINS and key != keys[-1]:
                weights = weights or await self._weights(scene, record.prefix)
                history = History(batch, await self._fields(batch), {}, weights, whole=False)
                await self._replay(scene, record.prefix, history)
                batch = []
        if committed is None:
            return  # nothing that can be read says where it belongs
        prefix = committed.prefix
        pins = await manifests.pins(prefix)
        weights = weights or await self._weights(scene, prefix)
        buried = bool(batch) and batch[-1].manifest is None
        gone = buried and not await self._remains(scene, committed, manifests)
        fields = await self._fields(batch)
        history = History(batch, fields, pins, weights, whole=True, buried=gone)
        await self._replay(scene, prefix, history)
        standing = await self._histories.standing(scene.workspace.id, prefix)
        if standing is not None:
            await self._go_on(scene, standing, batch[-1] if batch else committed)

    async def _go_on(self, scene: Scene, standing: Standing, newest: Record) -> None:
        """Finish what was interrupted after the newest record was written."""
        artifact, workspace = standing.artifact, scene.workspace
        if artifact.unfinished == DELETING:
            await self._deleting.remove_files(workspace, artifact)
            scene.outcome.restored += 1
            scene.forget(artifact)
        elif artifact.number != newest.number or newest.manifest is None:
            return
        elif not standing.published:
            await self._committing.publish_manifest(workspace, artifact.id, newest)
            scene.outcome.restored += 1
            await scene.look_again(self._bucket, artifact)
        elif _may_be_consumed(scene, newest):
            await self._committing.remove_consumed(workspace, newest)
            await scene.look_again(self._bucket, artifact)

    async def _replay(self, scene: Scene, prefix: str, history: History) -> None:
        _, news = await self._histories.replay(scene.workspace.id, prefix, history)
        scene.outcome.restored += news

    async def _fields(self, records: Sequence[Record]) -> dict[int, Fields]:
        """What the manifests say that somebody sees: the last one, and those before tombstones."""
        found = {}
        for record, following in zip(records, [*records[1:], None], strict=True):
            seen = following is None or following.manifest is None
            if record.manifest is not None and seen:
                parsed = await self._validating.parse(record.manifest.data)
                found[record.number] = parsed.fields
        return found

    async def _remains(self, scene: Scene, last: Record, manifests: Manifests) -> bool:
        """Whether a delete was interrupted: something that its artifact pinned lies there still.

        Anything else that lies there was put since, and is an ordinary object.
        """
        if manifests.newest_is(last):
            return True
        for pin in last.pins:
            key = join(last.prefix, pin.path)
            item = scene.objects.get(key)
            if item is None or (bare(item.etag), item.size) != (bare(pin.etag), pin.size):
                continue
            backend_key = scene.workspace.backend_key(key)
            head = await self._bucket.head(scene.workspace.bucket, backend_key)
            same = head is not None and (head.version_id or NULL_VERSION) == pin.version_id
            if head is not None and same and head.last_modified <= last.time:
                return True
        return False

    async def _weights(self, scene: Scene, prefix: str) -> list[WeightChange]:
        folder = weight_folder(scene.workspace.id, prefix)
        found = []
        for item in scene.system.below(folder):
            try:
                change = await self._records.read_weight(item.key)
            except UnreadableRecord as error:
                scene.outcome.refuse(item.key, _damage(error))
                continue
            if change is not None:
                found.append(change)
        return sorted(found, key=lambda change: change.time)

    async def _read(self, scene: Scene, key: str, damaged: set[str]) -> Record | None:
        try:
            return await self._records.read_record(key)
        except UnreadableRecord as error:
            scene.outcome.refuse(key, _damage(error))
            damaged.add(key.rpartition("/")[0] + "/")
            return None


def _by_artifact(scene: Scene) -> Iterator[Sequence[str]]:
    """The keys of each prefix's records, ascending."""
    listed = scene.system.below(records_folder(scene.workspace.id))
    keys = (item.key for item in listed)
    for _, group in groupby(keys, key=lambda key: key.rpartition("/")[0]):
        yield list(group)


def _is_known(standing: Standing, newest: Record) -> bool:
    return standing.artifact.number >= newest.number and (
        standing.published or newest.manifest is None
    )


def _may_be_consumed(scene: Scene, record: Record) -> bool:
    """Whether the staged manifest that lies there may be the one that the record committed."""
    staged = scene.objects.get(join(record.prefix, STAGED_MANIFEST))
    consumed = record.staged_manifest
    if staged is None or consumed is None:
        return False
    # Without versions, an equal one that was staged since must not be taken for it.
    versioned = not consumed.startswith('"')
    return versioned or staged.last_modified <= record.time


def _damage(error: UnreadableRecord) -> str:
    return f"{error}: bring it back from a copy, or take it away, and reindex again"
