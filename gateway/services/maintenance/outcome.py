"""What building the index anew came to, and who is told how far it is."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST, join
from gateway.artifact.lifecycle import Artifact
from gateway.identity import Workspace
from gateway.storage.bucket import Bucket, ListedObject
from gateway.storage.histories import Census
from gateway.storage.inventory import Inventory

NOTHING = Census(0, 0, 0, 0, 0)


class Progress(Protocol):
    """Somebody who watches."""

    def begin(self, task: str, total: int | None) -> None:
        """Hear that a task begins, of so many steps if that is known."""

    def advance(self, steps: int = 1) -> None:
        """Hear that some steps of it are done."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What could not be taken into the index: where, and why, with what to do."""

    place: str
    reason: str


@dataclass(slots=True)
class Outcome:
    """What became of one workspace.

    `objects` and `manifests` are what its listing held. `restored` counts what the index did
    not know: records, backend versions of manifests, weights; `adopted` the artifacts that had
    no record; `reopened` changes of open edits, announcements and arrivals.
    """

    workspace: str
    objects: int = 0
    manifests: int = 0
    restored: int = 0
    adopted: int = 0
    reopened: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    census: Census = NOTHING

    @property
    def changes(self) -> int:
        """How many things the index did not know."""
        return self.restored + self.adopted + self.reopened

    def refuse(self, place: str, reason: str) -> None:
        """Keep what could not be taken."""
        self.refusals.append(Refusal(place or "/", reason))


@dataclass(frozen=True, slots=True)
class Scene:
    """A workspace being gone through.

    `objects` is what its bucket holds, in the workspace's names; `system` what lies under its id
    in the system area.
    """

    workspace: Workspace
    objects: Inventory
    system: Inventory
    outcome: Outcome
    progress: Progress

    def forget(self, artifact: Artifact) -> None:
        """The artifact's own keys have been removed since the bucket was listed."""
        for key in [item.key for item in own(self.objects, artifact)]:
            self.objects.discard(key)

    async def look_again(self, bucket: Bucket, artifact: Artifact) -> None:
        """The artifact's manifests have changed since the bucket was listed."""
        for name in (MANIFEST, STAGED_MANIFEST):
            key = join(artifact.prefix, name)
            head = await bucket.head(self.workspace.bucket, self.workspace.backend_key(key))
            if head is None:
                self.objects.discard(key)
            else:
                self.objects.add([ListedObject(key, head.size, head.etag, head.last_modified)])


def own(objects: Inventory, artifact: Artifact) -> Iterator[ListedObject]:
    """The objects that are an artifact's own, its manifests among them."""
    folder = join(artifact.prefix, "") if artifact.prefix else ""
    found = objects.directly_below(folder) if artifact.collection else objects.below(folder)
    return (item for item in found if not item.key.endswith("/"))
