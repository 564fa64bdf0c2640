"""Pin what the bucket holds: version and weight of each file of the next commit."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from gateway.artifact.layout import check_path
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.manifest import files_in_turn
from gateway.artifact.value import Fields
from gateway.artifact.version import NULL_VERSION, Pin, StagedFile
from gateway.artifact.weights import parse_weight, resolve
from gateway.identity import Workspace
from gateway.services.lifecycle.surveying import Survey, Surveying, bare
from gateway.services.lifecycle.versioning import Versioning
from gateway.storage.bucket import ListedObject, ObjectHead
from gateway.storage.catalogue import Catalogue

WEIGHT = "download-weight"
LISTED_AT_ONCE = 1000


class Pinning:
    """Makes pins of what was seen to exist. Nothing is written here."""

    def __init__(self, catalogue: Catalogue, surveying: Surveying, versioning: Versioning) -> None:
        self._catalogue = catalogue
        self._surveying = surveying
        self._versioning = versioning

    async def pins(
        self,
        workspace: Workspace,
        artifact: Artifact,
        survey: Survey,
        *,
        collection: bool,
        listed: Mapping[str, int | None],
        staged: Mapping[str, StagedFile],
        weights: Mapping[str, int],
    ) -> dict[str, Pin]:
        """A pin for every file that the bucket holds, each seen to exist.

        `listed` are the weights of the new manifest, which makes the artifact a `collection` or
        not; `staged` is what the index says of the stage; `weights` count more than all of that.
        InvalidPath for a name that no file of an artifact may have.
        """
        for path in survey.files:
            check_path(path, collection=collection)
        previous = await self._catalogue.pins(artifact.id) if artifact.version else {}
        announced = await self._catalogue.announcements(artifact.id)
        before = await self._catalogue.by_id(artifact.id)
        old = await listed_weights(before.fields if before and before.fields else {})
        # One that only stands there still must not undo what `set_download_weight` did since.
        new = {path: weight for path, weight in listed.items() if old.get(path) != weight}
        known: dict[str, Pin | None] = {
            path: _known(item, path, staged.get(path), previous.get(path))
            for path, item in survey.files.items()
        }
        unsure = [path for path, pin in known.items() if pin is None]
        heads = await self._surveying.heads(workspace, artifact, unsure)
        await self._versioning.ensure(workspace)
        pins: dict[str, Pin] = {}
        for path, candidate in known.items():
            head = heads.get(path)
            pin = candidate or (None if head is None else _of_head(path, head))
            if pin is None:
                continue  # deleted since it was listed
            last = previous.get(path)
            file = staged.get(path)
            weight = (
                weights[path]
                if path in weights
                else resolve(
                    announced.get(path),
                    _metadata_weight(head) if head is not None else (file.weight if file else None),
                    new.get(path),
                    last.weight if last else None,
                )
            )
            pin = replace(pin.weighing(weight), version_id=pin.version_id or NULL_VERSION)
            pins[path] = last if last is not None and _same(pin, last) else pin
        return pins


async def listed_weights(fields: Fields) -> dict[str, int | None]:
    """The files that a manifest lists, with their weights; others get on meanwhile."""
    listed: dict[str, int | None] = {}
    for number, file in enumerate(files_in_turn(fields)):
        if not number % LISTED_AT_ONCE:
            await asyncio.sleep(0)
        listed[file.path] = file.weight
    return listed


def _known(
    item: ListedObject, path: str, staged: StagedFile | None, previous: Pin | None
) -> Pin | None:
    """The pin of a listed object if the index knows its backend version; else None: ask."""
    if staged is not None:
        fits = not staged.removed and bare(staged.etag) == bare(item.etag)
        if not fits or staged.size not in (None, item.size) or staged.content_type is None:
            return None
        return Pin(
            path=path,
            size=item.size,
            etag=staged.etag or item.etag,
            version_id=staged.version_id,
            last_modified=item.last_modified,
            content_type=staged.content_type,
        )
    if previous is not None and bare(previous.etag) == bare(item.etag):
        return previous if previous.size == item.size else None
    return None


def _of_head(path: str, head: ObjectHead) -> Pin:
    return Pin(
        path=path,
        size=head.size,
        etag=head.etag,
        version_id=head.version_id,
        last_modified=head.last_modified,
        content_type=head.content_type,
    )


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
