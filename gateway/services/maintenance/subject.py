"""What is looked at: one artifact, and the records that were listed for it."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.identity import Workspace
from gateway.services.maintenance.finding import Finding, Kind


@dataclass(frozen=True, slots=True)
class Subject:
    """An artifact that is looked at, and the numbers of the records that were listed for it.

    A `nameless` one has records that can't be read, and no row: `prefix` is their folder.
    """

    workspace: Workspace
    prefix: str
    numbers: frozenset[int]
    nameless: bool = False

    def finding(
        self, kind: Kind, path: str = "", versions: Iterable[int] = (), detail: str = ""
    ) -> Finding:
        """A finding of this artifact's."""
        return Finding(
            kind, self.workspace.name, self.prefix, path, tuple(sorted(versions)), detail
        )
