"""The wing of `services/maintenance`: what an operator's commands lead to."""

from functools import cached_property

from gateway.assembly.cellar import now
from gateway.assembly.lifecycle import Lifecycle
from gateway.services.maintenance.adopting import Adopting
from gateway.services.maintenance.ascertaining import Ascertaining
from gateway.services.maintenance.awaiting import Awaiting
from gateway.services.maintenance.checking import Checking
from gateway.services.maintenance.collecting import Collecting
from gateway.services.maintenance.comparing import Comparing
from gateway.services.maintenance.confirming import Confirming
from gateway.services.maintenance.dating import Dating
from gateway.services.maintenance.enrolling import Enrolling
from gateway.services.maintenance.patrolling import Patrolling
from gateway.services.maintenance.rebuilding import Rebuilding
from gateway.services.maintenance.reindexing import Reindexing
from gateway.services.maintenance.reopening import Reopening
from gateway.services.maintenance.restoring import Restoring
from gateway.services.maintenance.sweeping import Sweeping
from gateway.services.maintenance.tidying import Tidying
from gateway.storage.claims import Claimants
from gateway.storage.corrections import Corrections
from gateway.storage.histories import Histories
from gateway.storage.inspection import Inspection
from gateway.storage.shelves import Shelves


class Maintenance:
    """The rooms of maintenance, each built when it is first asked for."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self.lifecycle = lifecycle
        self._cellar = lifecycle.cellar

    @cached_property
    def checking(self) -> Checking:
        """Bucket, records and index, held against each other."""
        life, cellar = self.lifecycle, self._cellar
        system = cellar.config.system
        inspection = Inspection(cellar.database)
        shelves = Shelves(cellar.bucket, system.bucket, system.prefix)
        corrections = Corrections(cellar.database)
        patrolling = Patrolling(
            cellar.bucket,
            cellar.capabilities.keys,
            life.registry,
            life.catalogue,
            inspection,
            cellar.records,
            shelves,
            life.validating,
            life.versioning,
            now,
        )
        return Checking(
            life.catalogue,
            inspection,
            cellar.records,
            shelves,
            corrections,
            Comparing(
                life.catalogue,
                inspection,
                shelves,
                Ascertaining(inspection, shelves, life.surveying),
            ),
            patrolling,
            life.recovering,
            self._restoring(corrections),
            self._adopting(),
            self._tidying(corrections, shelves),
            cellar.counting,
            now,
        )

    @cached_property
    def reindexing(self) -> Reindexing:
        """The index built anew."""
        life, cellar = self.lifecycle, self._cellar
        histories = Histories(cellar.database)
        dating = Dating(cellar.bucket, cellar.records)
        return Reindexing(
            cellar.bucket,
            cellar.capabilities.keys,
            cellar.records,
            life.registry,
            life.workspaces,
            histories,
            life.recovering,
            Rebuilding(
                cellar.bucket,
                cellar.records,
                histories,
                life.validating,
                life.committing,
                life.deleting,
            ),
            self._enrolling(dating),
            Reopening(
                life.catalogue,
                histories,
                life.stages,
                life.announcements,
                life.surveying,
                life.examining,
                dating,
            ),
            Awaiting(life.catalogue, histories, life.announcements),
            now,
        )

    def _enrolling(self, dating: Dating) -> Enrolling:
        life = self.lifecycle
        return Enrolling(
            self._cellar.bucket,
            life.catalogue,
            life.stages,
            life.versioning,
            life.validating,
            life.composing,
            life.committing,
            life.examining,
            dating,
            life.recovering,
        )

    def _restoring(self, corrections: Corrections) -> Restoring:
        life = self.lifecycle
        return Restoring(
            life.catalogue,
            corrections,
            life.endings,
            self._cellar.records,
            life.committing,
            life.deleting,
            life.discarding,
            life.weighing,
            life.validating,
        )

    def _adopting(self) -> Adopting:
        life = self.lifecycle
        return Adopting(
            self._cellar.bucket,
            life.catalogue,
            life.stages,
            life.examining,
            life.drafting,
            life.committing,
            life.validating,
            life.versioning,
        )

    def _tidying(self, corrections: Corrections, shelves: Shelves) -> Tidying:
        life = self.lifecycle
        return Tidying(
            life.catalogue,
            corrections,
            life.announcements,
            self._cellar.records,
            shelves,
            life.arriving,
            life.versioning,
        )

    @cached_property
    def collecting(self) -> Collecting:
        """What nobody needs, removed."""
        life, cellar = self.lifecycle, self._cellar
        system = cellar.config.system
        inspection, claimants = Inspection(cellar.database), Claimants(cellar.database)
        shelves = Shelves(cellar.bucket, system.bucket, system.prefix)
        return Collecting(
            cellar.bucket,
            inspection,
            claimants,
            Confirming(life.catalogue, inspection, claimants, cellar.records, shelves),
            life.versioning,
            Sweeping(cellar.bucket, claimants, cellar.capabilities.keys),
        )
