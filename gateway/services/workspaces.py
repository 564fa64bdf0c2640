"""Which workspaces there are, and where they lie in the backend."""

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

from gateway.artifact.record import UnreadableRecord, WorkspaceRecord
from gateway.artifact.record_key import WORKSPACES
from gateway.config import Area, WorkspaceDefaults, WorkspaceSettings
from gateway.document import ConfigError
from gateway.errors import NoSuchBucket
from gateway.identity import Workspace
from gateway.storage.records import Records
from gateway.storage.registry import Entry, Overlap, Registry


class Workspaces:
    """The workspaces of the configuration, and those made at run time, by name and by id.

    Those of the configuration are held here. The others are asked of the database each time:
    another worker, or another replica, may have made or removed one a moment ago.
    """

    def __init__(
        self, registry: Registry, records: Records, system: Area, defaults: WorkspaceDefaults
    ) -> None:
        """`system` is the gateway's own area; `defaults` hold for workspaces made at run time."""
        self._registry = registry
        self._records = records
        self._system = system
        self.defaults = defaults
        self._by_name: dict[str, tuple[Workspace, datetime]] = {}
        self._by_id: dict[str, Workspace] = {}

    async def open(self, configured: Sequence[WorkspaceSettings], now: datetime) -> None:
        """Find or make the ids of the configured workspaces.

        The index knows them; without it, the system area does. ConfigError where one of them,
        or the system area, overlaps a workspace that was made at run time.
        """
        known = {entry.name: entry for entry in await self._registry.all()}
        recorded, unreadable = await self._recorded()
        problems = [
            f"system.bucket: {entry.bucket} is the workspace {entry.name!r}, made at run time"
            for entry in known.values()
            if not entry.configured and entry.bucket == self._system.bucket
        ]
        for wanted in configured:
            place = (wanted.name, wanted.area.bucket, wanted.area.prefix)
            entry = known.get(wanted.name)
            if entry is None or (entry.name, entry.bucket, entry.prefix) != place:
                if place not in recorded and unreadable:
                    # Under another id nothing that was committed would be there.
                    problems.append(_unreadable(wanted, unreadable))
                    continue
                record = recorded.get(place) or WorkspaceRecord(uuid4().hex, *place, now)
                if place not in recorded:
                    await self._records.put_workspace(record)
                entry = Entry(record.id, *place, record.created_at, record.created_by)
            try:
                # Of two replicas that start at once on nothing, the first one's id stands.
                entry = await self._registry.remember(entry)
            except Overlap as overlap:
                problems.append(_conflict(wanted, overlap.entry))
                continue
            workspace = Workspace(
                entry.id,
                *place,
                wanted.public,
                wanted.backend_settings,
                wanted.versioning,
            )
            self._by_name[workspace.name] = (workspace, entry.created_at)
            self._by_id[workspace.id] = workspace
        if problems:
            raise ConfigError(problems)

    async def _recorded(self) -> tuple[dict[tuple[str, str, str], WorkspaceRecord], list[str]]:
        """The recorded workspaces by name and place, and the keys of records that can't be read.

        Workers that started at once on nothing have each left a record, and one id has been
        used: that under which anything lies, else the oldest.
        """
        found: dict[tuple[str, str, str], list[WorkspaceRecord]] = {}
        unreadable: list[str] = []
        async for page in self._records.pages(WORKSPACES):
            for item in page:
                try:
                    record = await self._records.read_workspace(item.key)
                except UnreadableRecord:
                    unreadable.append(item.key)
                    continue
                if record is not None:
                    place = (record.name, record.bucket, record.prefix)
                    found.setdefault(place, []).append(record)
        chosen = {}
        for place, records in found.items():
            records.sort(key=lambda record: (record.created_at, record.id))
            used = [one for one in records[1:] and records if await self._records.hold(one.id)]
            chosen[place] = (used or records)[0]
        return chosen, unreadable

    async def named(self, name: str) -> Workspace:
        """The workspace called `name`; NoSuchBucket."""
        found = self.configured(name)
        if found is None:
            entry = await self._registry.named(name)
            found = None if entry is None else self._made(entry)
        if found is None:
            raise NoSuchBucket("The specified bucket does not exist", bucket=name)
        return found

    def presumed(self, name: str) -> Workspace:
        """What can be said of a workspace called `name` without asking whether it is there.

        It has an id only if the configuration knows it.
        """
        return self.configured(name) or self._with_defaults("", name, name, "")

    def configured(self, name: str) -> Workspace | None:
        """The workspace of the configuration that is called `name`."""
        found = self._by_name.get(name)
        return None if found is None else found[0]

    def claims(self, bucket: str) -> bool:
        """Whether the configuration gives a backend bucket, or part of it, to somebody."""
        held = (workspace.bucket for workspace in self._by_id.values())
        return bucket == self._system.bucket or bucket in held

    async def with_id(self, workspace_id: str) -> Workspace | None:
        """The workspace whose records lie under this id; None when there is none of it now."""
        found = self._by_id.get(workspace_id)
        if found is not None:
            return found
        entry = await self._registry.with_id(workspace_id)
        return None if entry is None else self._made(entry)

    async def all(self) -> list[tuple[Workspace, datetime]]:
        """Every workspace, and when it was made; by name."""
        found = dict(self._by_name)
        for entry in await self._registry.all():
            workspace = self._made(entry)
            if workspace is not None:
                found.setdefault(entry.name, (workspace, entry.created_at))
        return [found[name] for name in sorted(found)]

    def _made(self, entry: Entry) -> Workspace | None:
        """The workspace of an entry, if it was made at run time, and wholly."""
        if entry.configured or entry.unfinished:
            return None
        return self._with_defaults(entry.id, entry.name, entry.bucket, entry.prefix)

    def _with_defaults(self, identity: str, name: str, bucket: str, prefix: str) -> Workspace:
        chosen = self.defaults
        return Workspace(
            identity,
            name,
            bucket,
            prefix,
            chosen.public,
            chosen.backend_settings,
            chosen.versioning,
        )


def _unreadable(wanted: WorkspaceSettings, keys: Sequence[str]) -> str:
    return (
        f"workspaces.{wanted.name}: its record in the system area may be one that can't be read "
        f"({', '.join(keys)}): bring that back from a copy, or take it away if it is not"
    )


def _conflict(wanted: WorkspaceSettings, made: Entry) -> str:
    if made.unfinished:
        return f"workspaces.{wanted.name}: {made.name!r} is being made or removed: start again"
    return (
        f"workspaces.{wanted.name}: overlaps the workspace {made.name!r}, made at run time in the "
        f"bucket {made.bucket}: give both its name and its bucket here to set its settings, or "
        "remove it with DeleteBucket first"
    )
