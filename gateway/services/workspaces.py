"""Which workspaces there are, and where they lie in the backend."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import uuid4

from gateway.artifact.record import WorkspaceRecord
from gateway.errors import NoSuchBucket
from gateway.identity import Workspace
from gateway.storage.records import Records
from gateway.storage.registry import Registry


class Workspaces:
    """The configured workspaces, by name; each under an id that is never used again."""

    def __init__(self, registry: Registry, records: Records) -> None:
        self._registry = registry
        self._records = records
        self._by_name: dict[str, tuple[Workspace, datetime]] = {}
        self._by_id: dict[str, Workspace] = {}

    async def open(self, configured: Sequence[Workspace], now: datetime) -> None:
        """Find or make the ids of the configured workspaces.

        The index knows them; without it, the system area does.
        """
        known = await self._registry.workspaces()
        recorded = {
            (record.name, record.bucket, record.prefix): record
            async for record in self._records.workspaces()
        }
        for wanted in configured:
            row = known.get(wanted.name)
            if row is not None and (row[0].bucket, row[0].prefix) == (wanted.bucket, wanted.prefix):
                identity, made = row[0].id, row[1]
            else:
                place = (wanted.name, wanted.bucket, wanted.prefix)
                record = recorded.get(place) or WorkspaceRecord(uuid4().hex, *place, now)
                if place not in recorded:
                    await self._records.put_workspace(record)
                identity, made = record.id, record.created_at
            workspace = Workspace(
                identity,
                wanted.name,
                wanted.bucket,
                wanted.prefix,
                wanted.public,
                wanted.backend_settings,
                wanted.versioning,
            )
            # Of two replicas that start at once on nothing, the first one's id stands.
            workspace, made = await self._registry.remember(workspace, made)
            self._by_name[workspace.name] = (workspace, made)
            self._by_id[workspace.id] = workspace

    def named(self, name: str) -> Workspace:
        """The workspace called `name`; NoSuchBucket."""
        found = self._by_name.get(name)
        if found is None:
            raise NoSuchBucket("The specified bucket does not exist", bucket=name)
        return found[0]

    def has(self, name: str) -> bool:
        """Whether there is a workspace called `name`."""
        return name in self._by_name

    def with_id(self, workspace_id: str) -> Workspace | None:
        """The workspace whose records lie under this id, None when it is not configured now."""
        return self._by_id.get(workspace_id)

    def all(self) -> Iterable[tuple[Workspace, datetime]]:
        """Every workspace, and when it was made."""
        return list(self._by_name.values())
