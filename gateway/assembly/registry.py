"""The wing of `services/registry`: what the RPC and the artifact door lead to."""

from functools import cached_property

from gateway.assembly.lifecycle import Lifecycle
from gateway.assembly.objects import Objects
from gateway.services.registry.administering import Administering
from gateway.services.registry.announcing import Announcing
from gateway.services.registry.archiving import Archiving
from gateway.services.registry.authoring import Authoring
from gateway.services.registry.browsing import Browsing
from gateway.services.registry.calling import Calling
from gateway.services.registry.connecting import Connecting
from gateway.services.registry.filing import Filing
from gateway.services.registry.finding import Finding
from gateway.services.registry.linking import Linking
from gateway.services.registry.opening import Opening
from gateway.services.registry.searching import Searching
from gateway.services.registry.showing import Showing
from gateway.services.statistics.reporting import Reporting
from gateway.storage.members import MemberIndex
from gateway.storage.series import Series


class RegistryRooms:
    """The rooms of the registry, each built when it is first asked for."""

    def __init__(self, lifecycle: Lifecycle, objects: Objects) -> None:
        self._lifecycle = lifecycle
        self._objects = objects
        self._cellar = lifecycle.cellar
        self._page = self._cellar.config.limits.collection_page

    @cached_property
    def showing(self) -> Showing:
        """Manifests as they are read."""
        life = self._lifecycle
        members = MemberIndex(self._cellar.database)
        return Showing(
            self._cellar.access,
            life.catalogue,
            life.surveying,
            life.validating,
            members,
            page=self._page,
        )

    @cached_property
    def browsing(self) -> Browsing:
        """Artifacts, versions and files, read."""
        life = self._lifecycle
        return Browsing(
            self._cellar.access,
            life.catalogue,
            life.surveying,
            self.showing,
            self._cellar.counting,
            self.reporting,
        )

    @cached_property
    def reporting(self) -> Reporting:
        """Downloads over time."""
        cellar = self._cellar
        return Reporting(cellar.counting, Series(cellar.database), cellar.config.stats)

    @cached_property
    def finding(self) -> Finding:
        """The artifact that a method is about."""
        life = self._lifecycle
        return Finding(life.catalogue, life.deleting, self._cellar.capabilities.keys)

    @cached_property
    def filing(self) -> Filing:
        """Files, by RPC."""
        life, access = self._lifecycle, self._cellar.access
        return Filing(
            access,
            self._cellar.bucket,
            life.catalogue,
            life.stages,
            life.announcements,
            self._cellar.records,
            life.surveying,
            life.versioning,
            life.examining,
            life.gathering,
            life.weighing,
            self.finding,
            self.browsing,
            self.linking,
        )

    @cached_property
    def linking(self) -> Linking:
        """URLs that carry their own signature."""
        return Linking(self._cellar.access, self._cellar.config.base_url)

    @cached_property
    def announcing(self) -> Announcing:
        """Files that are to come, by RPC."""
        life = self._lifecycle
        return Announcing(
            self._cellar.access,
            life.catalogue,
            life.announcements,
            self._cellar.records,
            life.gathering,
            self.finding,
            self.browsing,
            self.linking,
        )

    @cached_property
    def authoring(self) -> Authoring:
        """Artifacts, by RPC."""
        life = self._lifecycle
        return Authoring(
            self._cellar.access,
            life.catalogue,
            life.validating,
            life.composing,
            life.drafting,
            life.committing,
            life.discarding,
            life.deleting,
            life.reverting,
            self.finding,
            self.filing,
            self.browsing,
            self.showing,
        )

    @cached_property
    def calling(self) -> Calling:
        """Every method."""
        life = self._lifecycle
        return Calling(
            self._cellar.access,
            life.workspaces,
            self.authoring,
            self.announcing,
            self.filing,
            self.browsing,
            Searching(life.catalogue, self.browsing, self.showing, page=self._page),
            Administering(self._cellar.access, self.browsing, self._cellar.counting),
            life.enduring,
            self._objects.keeping,
        )

    @cached_property
    def connecting(self) -> Connecting:
        """Sessions of those who stay connected."""
        cellar = self._cellar
        return Connecting(cellar.access, self._lifecycle.workspaces, cellar.config.secret)

    @cached_property
    def opening(self) -> Opening:
        """Every request of the artifact door."""
        life, objects = self._lifecycle, self._objects
        archiving = Archiving(
            self._cellar.bucket, life.catalogue, self.browsing, self._cellar.counting
        )
        return Opening(
            life.catalogue,
            self.browsing,
            objects.seeing,
            objects.reading,
            objects.caching,
            archiving,
        )
