"""Where an artifact stands in its life: nothing, new, committed, editing."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from gateway.artifact.layout import Node, Place
from gateway.artifact.manifest import Stats
from gateway.artifact.value import Fields
from gateway.artifact.version import Pin
from gateway.light import light


class State(Enum):
    """The columns of the state tables."""

    NOTHING = "nothing"
    NEW = "new"
    COMMITTED = "committed"
    EDITING = "editing"


@dataclass(frozen=True, slots=True)
class Stage:
    """An open edit. `etag` and `fields` are those of the staged manifest, None without one.

    `id` binds upload URLs to this edit: it changes whenever an edit ends.
    """

    id: str
    opened_at: datetime
    opened_by: str
    fields: Fields | None = None
    etag: str | None = None
    version_id: str | None = None

    @property
    def has_manifest(self) -> bool:
        """Whether `_manifest.yaml` is there."""
        return self.etag is not None


@dataclass(frozen=True, slots=True)
class Artifact:
    """What the index knows of one artifact.

    `number` is that of the newest record under the prefix, tombstones included; `version`
    the one that readers see, 0 for none; `buried` that of the newest tombstone. `unfinished`
    is "discarding" or "deleting" while that goes on, else "".
    """

    id: int
    workspace_id: str
    prefix: str
    number: int = 0
    version: int = 0
    buried: int = 0
    collection: bool = False
    type: str | None = None
    fields: Fields | None = None
    created_at: datetime | None = None
    modified_at: datetime | None = None
    stage: Stage | None = None
    unfinished: str = ""
    epoch: int = 0
    stats: Stats = field(default_factory=Stats)

    @property
    def state(self) -> State:
        """Which column of the state tables this is."""
        if self.stage is None:
            return State.COMMITTED if self.version else State.NOTHING
        return State.EDITING if self.version else State.NEW

    @property
    def node(self) -> Node:
        """The artifact as the layout of keys sees it."""
        return Node(self.prefix, self.collection)

    @property
    def manifest_staged(self) -> bool:
        """Whether `_manifest.yaml` is there, and `manifest.yaml` so hidden from writers."""
        return self.stage is not None and self.stage.has_manifest


@light
@dataclass(frozen=True, slots=True)
class Location:
    """What a key is at this moment: its place, its artifact if that exists, its pin.

    `above` are the artifacts on the way from the key to the root, nearest first.
    """

    key: str
    place: Place
    artifact: Artifact | None
    pin: Pin | None
    above: tuple[Artifact, ...] = ()
