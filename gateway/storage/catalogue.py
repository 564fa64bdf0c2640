"""The index, read: which artifact a key belongs to, what lies above it and below."""

from collections.abc import Collection, Hashable, Sequence
from functools import partial

from sqlalchemy import func, select, text, true

from gateway.artifact.layout import ancestors, place
from gateway.artifact.lifecycle import Artifact, Location
from gateway.storage import tables
from gateway.storage.questions import BY_ID, FIRST_BELOW, MARKED, at_prefixes, whereabouts
from gateway.storage.rows import (
    artifact_of,
    below,
    following,
    in_turns,
    live,
    pin_of,
)
from gateway.storage.versions import Versions


class Catalogue(Versions):
    """Questions to the index. Each method is one short transaction."""

    async def locate(self, workspace_id: str, key: str, *, recalled: bool = False) -> Location:
        """What `key` is: place, artifact, and the pin of its current version if it has one.

        The artifacts come without what their manifests say, and their counters. With `recalled`,
        for readers, as it was while the database is away.
        """
        if not recalled and self._database.holds(_unowned(workspace_id, key)):
            return Location(key, place(key, ()), None, None)
        return await self._database.current(
            ("location", workspace_id, key),
            partial(self._locate, workspace_id, key),
            recalled=recalled,
        )

    async def _locate(self, workspace_id: str, key: str) -> Location:
        generation = self._database.generation()
        prefixes = ancestors(key)
        asked = {f"at_{number}": prefix for number, prefix in enumerate(prefixes)}
        rows = await self._database.glance(
            whereabouts(len(prefixes)), {"workspace_id": workspace_id, "key": key, **asked}
        )
        rows = sorted(rows, key=lambda row: len(row["prefix"]), reverse=True)
        above = tuple([artifact_of(row) for row in rows])
        if not above:
            self._database.hold(_unowned(workspace_id, key), generation)
        where = place(key, [artifact.node for artifact in above])
        for artifact, row in zip(above, rows, strict=True):
            if artifact.prefix == where.prefix:
                pinned = artifact.version > 0 and row["path"] is not None
                return Location(key, where, artifact, pin_of(row) if pinned else None, above)
        return Location(key, where, None, None, above)

    async def _at(self, workspace_id: str, prefixes: Sequence[str]) -> list[Artifact]:
        """The artifacts at some prefixes, the longest first."""
        asked = {f"at_{number}": prefix for number, prefix in enumerate(prefixes)}
        rows = await self._database.glance(
            at_prefixes(len(prefixes)), {"workspace_id": workspace_id, **asked}
        )
        found = [artifact_of(row) for row in rows]
        return sorted(found, key=lambda artifact: len(artifact.prefix), reverse=True)

    async def artifact(
        self, workspace_id: str, prefix: str, *, recalled: bool = False
    ) -> Artifact | None:
        """The artifact under exactly this prefix, None when there is none now.

        With `recalled`, for readers, as it was while the database is away.
        """
        return await self._database.current(
            ("artifact", workspace_id, prefix),
            partial(self._artifact, workspace_id, prefix),
            recalled=recalled,
            counters=True,
        )

    async def _artifact(self, workspace_id: str, prefix: str) -> Artifact | None:
        return next(iter(await self._at(workspace_id, [prefix])), None)

    async def by_id(self, artifact_id: int) -> Artifact | None:
        """The artifact with this row id, whatever its state."""
        rows = await self._database.glance(BY_ID, {"artifact_id": artifact_id})
        return artifact_of(rows[0]) if rows else None

    async def these(self, workspace_id: str, ids: Collection[int]) -> list[Artifact]:
        """The workspace's artifacts with these row ids, whatever their state."""
        table = tables.artifact
        where = (table.c.workspace_id == workspace_id, table.c.id.in_(ids))
        async with self._database.reading() as connection:
            rows = await connection.execute(select(table).where(*where))
            return [artifact_of(row) for row in rows.mappings()]

    async def above(self, workspace_id: str, prefix: str) -> list[Artifact]:
        """The artifacts above `prefix`, nearest first, without the one at it."""
        found = await self._at(workspace_id, ancestors(prefix))
        return [artifact for artifact in found if artifact.prefix != prefix]

    async def descendants(self, workspace_id: str, prefix: str) -> list[Artifact]:
        """Every live artifact below `prefix`, sorted by prefix."""
        table = tables.artifact
        async with self._database.reading(long=True) as connection:
            rows = await connection.execute(
                select(table)
                .where(
                    table.c.workspace_id == workspace_id,
                    below(table.c.prefix, f"{prefix}/" if prefix else ""),
                    table.c.prefix != prefix,
                    live(),
                )
                .order_by(table.c.prefix)
            )
            return [artifact_of(row) for row in rows.mappings()]

    async def first_below(self, workspace_id: str, prefix: str) -> Artifact | None:
        """The first of the `descendants` of an artifact that is not the root."""
        start = f"{prefix}/"
        asked = {"workspace_id": workspace_id, "start": start, "end": following(start)}
        rows = await self._database.glance(FIRST_BELOW, asked)
        return artifact_of(rows[0]) if rows else None

    async def names(self, workspace_id: str, prefix: str, *, stage: bool) -> list[str]:
        """The names directly below `prefix` at or below which an artifact is committed.

        With `stage`, at or below which an edit is open. Each comes once.
        """
        table = tables.artifact
        folder = f"{prefix}/" if prefix else ""
        rest = func.substr(table.c.prefix, len(folder) + 1) + "/"
        if self._database.dialect == "sqlite":
            name = func.substr(rest, 1, func.instr(rest, "/") - 1)
        else:
            name = func.split_part(rest, "/", 1)
        async with self._database.reading(long=True) as connection:
            rows = await connection.execute(
                select(name)
                .where(
                    table.c.workspace_id == workspace_id,
                    text(f"({tables.MARKED if stage else tables.COMMITTED})"),
                    table.c.stage_id.is_not(None) if stage else true(),
                    below(table.c.prefix, folder) if folder else table.c.prefix > "",
                )
                .distinct()
            )
            return [row[0] async for some in in_turns(rows) for row in some]

    async def has_artifacts(self, workspace_id: str) -> bool:
        """Whether the workspace holds any artifact."""
        table = tables.artifact
        async with self._database.reading() as connection:
            found = await connection.execute(
                select(table.c.id).where(table.c.workspace_id == workspace_id, live()).limit(1)
            )
            return found.first() is not None

    async def held_artifact(self, workspace_id: str, key: str) -> bool:
        """Whether an artifact that could own `key` is there, or ever was."""
        table = tables.artifact
        async with self._database.reading() as connection:
            found = await connection.execute(
                select(table.c.id)
                .where(table.c.workspace_id == workspace_id, table.c.prefix.in_(ancestors(key)))
                .limit(1)
            )
            return found.first() is not None

    async def open_edits(self) -> int:
        """How many edits are open, in all workspaces."""
        async with self._database.reading() as connection:
            found = await connection.execute(
                select(func.count()).where(tables.artifact.c.stage_id.is_not(None))
            )
            return int(found.scalar_one())

    async def marked(self, workspace_id: str, prefix: str) -> list[Artifact]:
        """Artifacts that readers don't see as the bucket holds them, where a listing meets them.

        Those at, above and below `prefix` (any string that keys begin with) with an open
        edit, on their way out, or with a commit whose manifest may not have its plain key yet.
        """
        return list((await self.marks(workspace_id, prefix))[0])

    async def arrivals(self, workspace_id: str, prefix: str) -> list[str]:
        """Directories below collections whose files wait for a manifest; met as in `marked`."""
        return list((await self.marks(workspace_id, prefix))[1])

    async def marks(self, workspace_id: str, prefix: str) -> tuple[list[Artifact], list[str]]:
        """Both the `marked` artifacts and the `arrivals`; nobody may change what comes."""
        return await self._database.current(
            ("marks", workspace_id, prefix), partial(self._marks, workspace_id, prefix)
        )

    async def _marks(self, workspace_id: str, prefix: str) -> tuple[list[Artifact], list[str]]:
        asked = {"workspace_id": workspace_id, "start": prefix, "above": ancestors(prefix + "x")}
        end = following(prefix)
        asked |= {"end": end} if end else {}
        artifacts, arrivals = MARKED[bool(end)]
        async with self._database.reading() as connection:
            rows = await connection.execute(artifacts, asked)
            found = {row["id"]: artifact_of(row) for row in rows.mappings()}
            waiting = await connection.execute(arrivals, asked)
            return list(found.values()), [row[0] for row in waiting]


def _unowned(workspace_id: str, key: str) -> Hashable:
    """That no artifact is on the way to a key: then none is on the way to those beside it."""
    return "unowned", workspace_id, key.rpartition("/")[0]
