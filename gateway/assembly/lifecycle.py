"""The wing of `services/lifecycle`, and what it reads and writes the index with."""

from contextlib import AsyncExitStack
from functools import cached_property

from gateway.assembly.cellar import Cellar
from gateway.services.enduring import Enduring
from gateway.services.lifecycle.arriving import Arriving
from gateway.services.lifecycle.committing import Committing
from gateway.services.lifecycle.composing import Composing
from gateway.services.lifecycle.deleting import Deleting
from gateway.services.lifecycle.discarding import Discarding
from gateway.services.lifecycle.drafting import Drafting
from gateway.services.lifecycle.examining import Examining
from gateway.services.lifecycle.excluding import Excluding
from gateway.services.lifecycle.gathering import Gathering
from gateway.services.lifecycle.pinning import Pinning
from gateway.services.lifecycle.recovering import Recovering
from gateway.services.lifecycle.reverting import Reverting
from gateway.services.lifecycle.surveying import Surveying
from gateway.services.lifecycle.validating import Validating
from gateway.services.lifecycle.versioning import Versioning
from gateway.services.lifecycle.viewing import Viewing
from gateway.services.lifecycle.weighing import Weighing
from gateway.services.workspaces import Workspaces
from gateway.storage.announcements import Announcements
from gateway.storage.catalogue import Catalogue
from gateway.storage.commits import Commits
from gateway.storage.endings import Endings
from gateway.storage.intents import Intents
from gateway.storage.multiparts import Multiparts
from gateway.storage.registry import Registry
from gateway.storage.stages import Stages
from gateway.storage.weights import Weights


class Lifecycle:
    """The rooms in which an artifact lives, each built when it is first asked for.

    What they began is ended when `stack` is closed.
    """

    def __init__(self, cellar: Cellar, stack: AsyncExitStack) -> None:
        self.cellar = cellar
        self._stack = stack
        database = cellar.database
        self.catalogue = Catalogue(database)
        self.intents = Intents(database, cellar.counting.worker_id)
        self.stages = Stages(database, self.intents)
        self.endings = Endings(database, self.intents)
        self.commits = Commits(database)
        self.announcements = Announcements(database)
        self.multiparts = Multiparts(database, self.intents)
        self.weights = Weights(database, self.intents)
        self.registry = Registry(database)

    @cached_property
    def workspaces(self) -> Workspaces:
        """Which workspaces there are; `open` them first."""
        config = self.cellar.config
        return Workspaces(
            self.registry, self.cellar.records, config.system, config.workspace_defaults
        )

    @cached_property
    def validating(self) -> Validating:
        """Manifests and schemas, in processes of their own."""
        limits = self.cellar.config.limits
        room = Validating(
            manifest_bytes=limits.manifest_bytes, validation_seconds=limits.validation_seconds
        )
        self._stack.push_async_callback(room.close)
        return room

    @cached_property
    def surveying(self) -> Surveying:
        """What a prefix really holds."""
        return Surveying(self.cellar.bucket)

    @cached_property
    def versioning(self) -> Versioning:
        """Whether a bucket keeps versions."""
        return Versioning(self.cellar.bucket)

    @cached_property
    def viewing(self) -> Viewing:
        """What readers see in listings."""
        return Viewing(self.cellar.bucket, self.catalogue)

    @cached_property
    def arriving(self) -> Arriving:
        """Files that come before their member's manifest."""
        return Arriving(self.catalogue, self.announcements, self.viewing)

    @cached_property
    def pinning(self) -> Pinning:
        """What commits record of files."""
        return Pinning(self.catalogue, self.surveying, self.versioning)

    @cached_property
    def composing(self) -> Composing:
        """The next version, made of a stage."""
        return Composing(
            self.cellar.bucket, self.catalogue, self.surveying, self.validating, self.pinning
        )

    @cached_property
    def excluding(self) -> Excluding:
        """Turns of commits, and of what takes versions away."""
        return Excluding(self.intents, self.endings)

    @cached_property
    def committing(self) -> Committing:
        """Commits."""
        return Committing(
            self.cellar.bucket,
            self.catalogue,
            self.excluding,
            self.endings,
            self.commits,
            self.cellar.records,
            self.composing,
            self.validating,
            self.examining,
            self.arriving,
        )

    @cached_property
    def discarding(self) -> Discarding:
        """Discards."""
        return Discarding(
            self.catalogue,
            self.stages,
            self.endings,
            self.surveying,
            self.gathering,
            self.excluding,
            self.examining,
        )

    @cached_property
    def reverting(self) -> Reverting:
        """Rollbacks."""
        return Reverting(
            self.cellar.bucket,
            self.catalogue,
            self.stages,
            self.excluding,
            self.examining,
            self.versioning,
            self.validating,
            self.composing,
            self.committing,
            self.weighing,
        )

    @cached_property
    def deleting(self) -> Deleting:
        """Deletes."""
        return Deleting(
            self.catalogue,
            self.intents,
            self.endings,
            self.commits,
            self.cellar.records,
            self.surveying,
            self.committing,
            self.discarding,
            self.gathering,
        )

    @cached_property
    def gathering(self) -> Gathering:
        """Files that come in parts."""
        return Gathering(
            self.cellar.bucket,
            self.workspaces,
            self.catalogue,
            self.multiparts,
            self.stages,
            self.endings,
            self.surveying,
            self.versioning,
            self.examining,
        )

    @cached_property
    def weighing(self) -> Weighing:
        """Weights of what is committed."""
        return Weighing(self.catalogue, self.weights, self.endings, self.cellar.records)

    @cached_property
    def examining(self) -> Examining:
        """What became of written keys."""
        room = Examining(self.catalogue, self.stages, self.surveying, self.validating)
        self._stack.push_async_callback(room.close)
        return room

    @cached_property
    def enduring(self) -> Enduring:
        """What goes on when its client leaves."""
        room = Enduring()
        self._stack.push_async_callback(room.close)
        return room

    @cached_property
    def drafting(self) -> Drafting:
        """Staged manifests."""
        return Drafting(
            self.cellar.bucket,
            self.stages,
            self.examining,
            self.versioning,
            self.validating,
            self.composing,
            self.arriving,
            self.enduring,
        )

    @cached_property
    def recovering(self) -> Recovering:
        """What dead workers left."""
        return Recovering(
            self.workspaces,
            self.catalogue,
            self.intents,
            self.endings,
            self.committing,
            self.deleting,
            self.discarding,
            self.examining,
            self.gathering,
            self.weighing,
            self.cellar.counting,
        )
