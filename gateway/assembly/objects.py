"""The wing of `services/objects`: what the S3 door leads to."""

from functools import cached_property

from gateway.assembly.lifecycle import Lifecycle
from gateway.services.objects.caching import Caching
from gateway.services.objects.configuring import Configuring
from gateway.services.objects.erasing import Erasing
from gateway.services.objects.exempting import Exempting
from gateway.services.objects.finishing import Finishing
from gateway.services.objects.keeping import Keeping
from gateway.services.objects.listing import Listings
from gateway.services.objects.provisioning import Provisioning
from gateway.services.objects.reading import Reading
from gateway.services.objects.receiving import Receiving
from gateway.services.objects.releasing import Releasing
from gateway.services.objects.seeing import Seeing
from gateway.services.objects.serving import Serving
from gateway.services.objects.staging import Staging
from gateway.services.objects.writing import Writing
from gateway.services.transfer.forwarding import Forwarding
from gateway.storage.hot_files import HotFiles


class Objects:
    """The rooms of objects, each built when it is first asked for."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._cellar = lifecycle.cellar
        self._rules = self._cellar.capabilities.keys

    @cached_property
    def forwarding(self) -> Forwarding:
        """Requests to the backend, and its answers."""
        config = self._cellar.config
        return Forwarding(
            self._cellar.bucket,
            self._cellar.capabilities,
            public_url=config.public_url,
            domain=config.listen.domain,
        )

    @cached_property
    def seeing(self) -> Seeing:
        """Which version of an object a caller sees."""
        life = self._lifecycle
        return Seeing(
            self._cellar.access,
            self._cellar.bucket,
            life.catalogue,
            life.commits,
            life.committing,
            life.viewing,
        )

    @cached_property
    def hot_files(self) -> HotFiles:
        """Small committed files in memory."""
        return HotFiles(self._cellar.config.limits.cache_bytes)

    @cached_property
    def caching(self) -> Caching:
        """Versions of objects, from memory or from the backend."""
        return Caching(self.forwarding, self.hot_files)

    @cached_property
    def reading(self) -> Reading:
        """Objects, read."""
        return Reading(
            self.seeing,
            self._lifecycle.catalogue,
            self.forwarding,
            self.caching,
            self._cellar.counting,
        )

    @cached_property
    def finishing(self) -> Finishing:
        """Workspaces that were half made or half removed."""
        return Finishing(
            self._lifecycle.registry,
            self._cellar.records,
            self._cellar.bucket,
            self._cellar.counting,
        )

    @cached_property
    def keeping(self) -> Keeping:
        """Whether what was written stays."""
        return Keeping(self._lifecycle.workspaces, self.finishing)

    @cached_property
    def serving(self) -> Serving:
        """Every request of the S3 door."""
        life, access = self._lifecycle, self._cellar.access
        return Serving(
            access,
            life.workspaces,
            life.catalogue,
            self.forwarding,
            self.reading,
            Listings(access, life.catalogue, life.viewing, self.forwarding, rules=self._rules),
            self._writing(),
            Erasing(life.catalogue, self.forwarding, self._rules),
            Configuring(life.catalogue, self._cellar.records, life.versioning, self.forwarding),
            self._provisioning(),
            Exempting(access, life.catalogue, self.forwarding),
            self.keeping,
        )

    def _writing(self) -> Writing:
        life, bucket = self._lifecycle, self._cellar.bucket
        releasing = Releasing(
            bucket,
            life.catalogue,
            life.stages,
            life.versioning,
            life.validating,
            life.composing,
            life.committing,
            life.arriving,
            life.enduring,
        )
        return Writing(
            life.workspaces,
            life.catalogue,
            self.forwarding,
            self.seeing,
            Staging(life.stages, self.forwarding, life.examining, life.versioning, life.deleting),
            life.arriving,
            Receiving(bucket, self.forwarding, life.drafting, releasing, life.validating),
            life.deleting,
            life.gathering,
            life.excluding,
        )

    def _provisioning(self) -> Provisioning:
        life = self._lifecycle
        return Provisioning(
            self._cellar.access,
            life.workspaces,
            life.registry,
            life.catalogue,
            self._cellar.bucket,
            self.forwarding,
            self.finishing,
            life.enduring,
        )
