"""The index, asked for a collection's members: a page of them, and how many there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    TextClause,
    and_,
    case,
    exists,
    false,
    func,
    or_,
    select,
    text,
    true,
)

from gateway.artifact.layout import PUBLIC
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.query import MemberQuery
from gateway.storage import tables
from gateway.storage.conditions import holds, ordering
from gateway.storage.connection import Connection
from gateway.storage.database import Database
from gateway.storage.rows import artifact_of, below
from gateway.storage.tables import COMMITTED
from gateway.storage.words import found_by, mark_of


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
            marked = self._marked(workspace_id, prefix, query, public=public)
            if marked is None:
                where = and_(*await self._where(connection, workspace_id, prefix, query, public))
                total = await _count(connection, select(table.c.id).where(where))
            else:
                total = await _count(connection, marked)
                rare = total <= FEW
                members = self._members(workspace_id, prefix, public, rare=rare)
                where = and_(*members, self._holds(marked, rare=rare))
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
        connection: Connection,
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

    def _marked(
        self, workspace_id: str, prefix: str, query: MemberQuery, *, public: bool
    ) -> Select[tuple[int]] | None:
        """The members' ids, by their words and marks alone, where the query is of words alone."""
        if query.conditions or query.any_of or not query.keywords or _halved(prefix, public=public):
            return None
        words = [word for each in query.keywords for word in each]
        return found_by(self._database.dialect, words, mark_of(workspace_id, prefix))

    def _holds(self, marked: Select[tuple[int]], *, rare: bool) -> ColumnElement[bool]:
        """Whether an artifact is among those that were found."""
        if rare or self._database.dialect == "sqlite":
            return tables.artifact.c.id.in_(marked)
        # Of many a page is soon found by going through the members; PostgreSQL, which can't look
        # into a CASE, would find all of them first.
        (identity,) = marked.selected_columns
        return case((exists(marked.where(identity == tables.artifact.c.id)), true()), else_=false())

    async def _where(
        self,
        connection: Connection,
        workspace_id: str,
        prefix: str,
        query: MemberQuery,
        public: bool,  # noqa: FBT001
    ) -> list[ColumnElement[bool] | TextClause]:
        """The `conditions`, by words where few have them: SQLite can't know that beforehand."""
        rare = False
        if self._database.dialect == "sqlite" and not query.any_of:
            for words in query.keywords:
                some = found_by("sqlite", words).limit(FEW + 1)
                rare = rare or await _count(connection, some) <= FEW
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
        where = self._members(workspace_id, prefix, public, rare=by_words)
        dialect = self._database.dialect
        asked: list[ColumnElement[bool]] = [
            tables.artifact.c.id.in_(found_by(dialect, words)) for words in query.keywords
        ]
        asked += [holds(condition, dialect) for condition in query.conditions]
        if asked:
            where.append(or_(*asked) if query.any_of else and_(*asked))
        return where

    def _members(
        self,
        workspace_id: str,
        prefix: str,
        public: bool,  # noqa: FBT001
        *,
        rare: bool,
    ) -> list[ColumnElement[bool] | TextClause]:
        """What the rows of all members meet; of `rare` ones not by an index of prefixes."""
        column = tables.artifact.c
        workspace: ColumnElement[str] = column.workspace_id
        if rare and self._database.dialect == "sqlite":
            workspace = workspace.concat("")  # no index serves that
        where: list[ColumnElement[bool] | TextClause] = [
            workspace == workspace_id,
            # Word for word the condition of an index, or no index serves it.
            text(f"({COMMITTED})"),
            below(column.prefix, f"{prefix}/") if prefix else column.prefix > "",
        ]
        if _halved(prefix, public=public):
            where.append(or_(column.prefix == PUBLIC, below(column.prefix, f"{PUBLIC}/")))
        return where


def _halved(prefix: str, *, public: bool) -> bool:
    """Whether of the members at `prefix` some are public alone, and only these are wanted."""
    return public and prefix != PUBLIC and not prefix.startswith(f"{PUBLIC}/")


async def _count(connection: Connection, found: Select[tuple[int]]) -> int:
    counted = await connection.execute(select(func.count()).select_from(found.subquery()))
    return int(counted.scalar_one())
