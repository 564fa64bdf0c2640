"""The index, asked for a collection's members: a page of them, and how many there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, TextClause, and_, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.artifact.layout import PUBLIC
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.query import MemberQuery
from gateway.storage import tables
from gateway.storage.conditions import holds, ordering
from gateway.storage.database import Database
from gateway.storage.rows import artifact_of, below
from gateway.storage.tables import COMMITTED
from gateway.storage.words import found_by


@dataclass(frozen=True, slots=True)
class Page:
    """Some members in their order, and how many there are in all."""

    items: list[Artifact]
    total: int


EVERYTHING = MemberQuery()
FEW = 1_000


class MemberIndex:
    """Questions about the committed artifacts below a prefix. Each sees one snapshot."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        workspace_id: str,
        prefix: str,
        query: MemberQuery = EVERYTHING,
        *,
        public: bool = False,
        offset: int = 0,
        limit: int,
    ) -> Page:
        """Up to `limit` members after the first `offset`; with `public`, of those alone.

        They come in the query's order, and then by prefix.
        """
        table = tables.artifact
        async with self._database.reading(long=True) as connection:
            where = and_(*await self._where(connection, workspace_id, prefix, query, public))
            counted = await connection.execute(select(func.count()).select_from(table).where(where))
            total = int(counted.scalar_one())
            wanted = max(0, min(limit, total - offset))
            if not wanted:
                return Page([], total)
            ids = select(table.c.id).where(where)
            found = await self._ids(connection, ids, query, offset, wanted, total)
            rows = await connection.execute(select(table).where(table.c.id.in_(found)))
            by_id = {row["id"]: artifact_of(row) for row in rows.mappings()}
        return Page([by_id[identity] for identity in found], total)

    async def _ids(
        self,
        connection: AsyncConnection,
        ids: Select[Any],
        query: MemberQuery,
        offset: int,
        wanted: int,
        total: int,
    ) -> Sequence[int]:
        prefix = tables.artifact.c.prefix
        if query.order:
            orders = [each for o in query.order for each in ordering(o, self._database.dialect)]
            page = ids.order_by(*orders, prefix).offset(offset).limit(wanted)
            return [row[0] for row in await connection.execute(page)]
        # The way to the last page is as short as that to the first: from the other end.
        behind = total - offset - wanted
        if behind < offset:
            page = ids.order_by(prefix.desc()).offset(behind).limit(wanted)
            return [row[0] for row in await connection.execute(page)][::-1]
        page = ids.order_by(prefix).offset(offset).limit(wanted)
        return [row[0] for row in await connection.execute(page)]

    async def _where(
        self,
        connection: AsyncConnection,
        workspace_id: str,
        prefix: str,
        query: MemberQuery,
        public: bool,  # noqa: FBT001
    ) -> list[ColumnElement[bool] | TextClause]:
        """The `conditions`, by words where few have them: SQLite can't know that beforehand."""
        rare = False
        if self._database.dialect == "sqlite" and not query.any_of:
            for words in query.keywords:
                some = found_by("sqlite", words).limit(FEW + 1).subquery()
                counted = await connection.execute(select(func.count()).select_from(some))
                rare = rare or counted.scalar_one() <= FEW
        return self.conditions(workspace_id, prefix, query, public=public, by_words=rare)

    def conditions(
        self,
        workspace_id: str,
        prefix: str,
        query: MemberQuery,
        *,
        public: bool = False,
        by_words: bool = False,
    ) -> list[ColumnElement[bool] | TextClause]:
        """What the rows of the members meet that a query asks for.

        With `by_words` no index of prefixes is gone through for them.
        """
        column = tables.artifact.c
        workspace: ColumnElement[str] = column.workspace_id
        if by_words:
            workspace = workspace.concat("")  # no index serves that
        where: list[ColumnElement[bool] | TextClause] = [
            workspace == workspace_id,
            # Word for word the condition of an index, or no index serves it.
            text(f"({COMMITTED})"),
            below(column.prefix, f"{prefix}/") if prefix else column.prefix > "",
        ]
        if public and prefix != PUBLIC and not prefix.startswith(f"{PUBLIC}/"):
            where.append(or_(column.prefix == PUBLIC, below(column.prefix, f"{PUBLIC}/")))
        dialect = self._database.dialect
        asked: list[ColumnElement[bool]] = [
            column.id.in_(found_by(dialect, words)) for words in query.keywords
        ]
        asked += [holds(condition, dialect) for condition in query.conditions]
        if asked:
            where.append(or_(*asked) if query.any_of else and_(*asked))
        return where
