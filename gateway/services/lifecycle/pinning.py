"""Pin what the bucket holds: each file with its backend version, its type and its weight."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from types import MappingProxyType

from gateway.artifact.layout import check_path
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.manifest import files_in_turn
from gateway.artifact.value import Fields
from gateway.artifact.version import NULL_VERSION, Pin, StagedFile
from gateway.artifact.weights import parse_weight, resolve
from gateway.identity import Workspace
from gateway.services.lifecycle.surveying import HEADS_AT_ONCE, Survey, Surveying, bare
from gateway.services.lifecycle.versioning import Versioning
from gateway.storage.bucket import ListedObject, ObjectHead
from gateway.storage.catalogue import Catalogue
from gateway.turns import turns

WEIGHT = "download-weight"
NO_WEIGHTS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Told:
    """What the index was told of an artifact's files, by path.

    `pinned` are those of the version before, with its manifest. `announced`, `before` and `listed`
    are weights in millionths, None where none was given: by `put_file`, by the manifest of the
    version before, by the new one. `chosen` ones count more than all of that. `seen` is what the
    bucket said while it was listed, of some files that the index knows too little of.
    """

    staged: Mapping[str, StagedFile]
    pinned: Mapping[str, Pin]
    announced: Mapping[str, int | None]
    before: Mapping[str, int | None]
    listed: Mapping[str, int | None] = field(default_factory=dict)
    chosen: Mapping[str, int] = field(default_factory=dict)
    seen: Mapping[str, ObjectHead] = field(default_factory=dict)

    def beside(self, listed: Mapping[str, int | None], chosen: Mapping[str, int]) -> "Told":
        """The same, beside the files that a new manifest lists."""
        # One that only stands there still must not undo what `set_download_weight` did since.
        new = {path: weight for path, weight in listed.items() if self.before.get(path) != weight}
        return replace(self, listed=new, chosen=chosen)

    def unclear(self) -> Iterator[str]:
        """The files that the bucket is asked for in any case: nobody said their type."""
        for path, staged in self.staged.items():
            if not staged.removed and staged.content_type is None:
                yield path

    def saw(self, path: str, item: ListedObject) -> bool:
        """Whether what was `seen` is the listed object."""
        head = self.seen.get(path)
        return head is not None and (head.size, bare(head.etag)) == (item.size, bare(item.etag))

    def knows(self, path: str, item: ListedObject) -> bool:
        """Whether the backend version of a listed object is known; else the bucket is asked."""
        staged = self.staged.get(path)
        if staged is not None:
            fits = not staged.removed and bare(staged.etag) == bare(item.etag)
            return fits and staged.size in (None, item.size) and staged.content_type is not None
        pin = self.pinned.get(path)
        return pin is not None and pin.size == item.size and bare(pin.etag) == bare(item.etag)

    def pin(self, path: str, item: ListedObject, head: ObjectHead | None) -> Pin | None:
        """The pin of a listed object: by its `head` if it was asked, else as it is known; or None.

        One that says the same as the one before is that one.
        """
        last, staged = self.pinned.get(path), self.staged.get(path)
        if head is not None:
            weight = self._weight(path, _metadata_weight(head), last)
            etag, version_id, kind = head.etag, head.version_id, head.content_type
            size, modified = head.size, head.last_modified
        elif not self.knows(path, item):
            return None
        elif staged is not None:
            weight = self._weight(path, staged.weight, last)
            etag, version_id = staged.etag or item.etag, staged.version_id
            kind, size, modified = staged.content_type or "", item.size, item.last_modified
        elif last is not None:
            weight = self._weight(path, None, last)
            etag, version_id, kind = last.etag, last.version_id, last.content_type
            size, modified = last.size, last.last_modified
        else:
            return None
        pin = Pin(path, size, etag, version_id or NULL_VERSION, modified, kind, weight)
        return last if last is not None and _same(pin, last) else pin

    def _weight(self, path: str, uploaded: int | None, last: Pin | None) -> int:
        if path in self.chosen:
            return self.chosen[path]
        before = last.weight if last else None
        return resolve(self.announced.get(path), uploaded, self.listed.get(path), before)


class Pinning:
    """Makes pins of what was seen to exist. Nothing is written here."""

    def __init__(self, catalogue: Catalogue, surveying: Surveying, versioning: Versioning) -> None:
        self._catalogue = catalogue
        self._surveying = surveying
        self._versioning = versioning

    async def told_and_seen(self, workspace: Workspace, artifact: Artifact) -> Told:
        """The same as `told`, with a few files `seen`: for one who lists the bucket meanwhile."""
        told = await self.told(artifact)
        some = islice(told.unclear(), HEADS_AT_ONCE)
        return replace(told, seen=await self._surveying.heads(workspace, artifact, some))

    async def told(self, artifact: Artifact) -> Told:
        """What the index knows, whatever the new manifest says."""
        # The version that the commit follows, though another may be current by now: against that
        # one it would change nothing, where it has lost.
        known = await self._catalogue.known(artifact)
        last = await self._catalogue.by_id(artifact.id)
        before = await listed_weights(last.fields if last and last.fields else {})
        return Told(known.staged, known.pinned, known.announced, before)

    async def pins(
        self,
        workspace: Workspace,
        artifact: Artifact,
        survey: Survey,
        told: Told,
        *,
        collection: bool,
    ) -> dict[str, Pin]:
        """A pin for every file that the bucket holds, each seen to exist.

        InvalidPath for a name that no file of an artifact may have, be it a `collection` or not.
        """
        heads: dict[str, ObjectHead] = {}
        unsure: list[str] = []
        async for files in turns(survey.files.items()):
            for path, item in files:
                check_path(path, collection=collection)
                if told.knows(path, item):
                    continue
                if told.saw(path, item):
                    heads[path] = told.seen[path]
                else:
                    unsure.append(path)
        heads |= await self._surveying.heads(workspace, artifact, unsure)
        await self._versioning.ensure(workspace)
        pins: dict[str, Pin] = {}
        async for files in turns(survey.files.items()):
            for path, item in files:
                pin = told.pin(path, item, heads.get(path))
                if pin is not None:  # else it was deleted since it was listed
                    pins[path] = pin
        return pins


async def listed_weights(fields: Fields) -> dict[str, int | None]:
    """The files that a manifest lists, with the weights that it gives them."""
    return {file.path: file.weight async for some in turns(files_in_turn(fields)) for file in some}


def _metadata_weight(head: ObjectHead) -> int | None:
    text = head.metadata.get(WEIGHT)
    return None if text is None else parse_weight(text)


def _same(pin: Pin, before: Pin) -> bool:
    """Whether a pin says of the file's content, type and weight what the one before says."""
    return (pin.size, bare(pin.etag), pin.content_type, pin.weight) == (
        before.size,
        bare(before.etag),
        before.content_type,
        before.weight,
    )
