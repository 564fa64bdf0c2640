"""What transactions use of a connection to the database, whichever it is.

PostgreSQL's are SQLAlchemy's AsyncConnection, SQLite's are `Direct`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar, TypeVarTuple, overload

import sqlalchemy
from sqlalchemy import Executable
from sqlalchemy.engine import CursorResult, Dialect
from sqlalchemy.sql.selectable import TypedReturnsRows

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Parameters: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
AnyRows: TypeAlias = CursorResult[*tuple[Any, ...]]


class Connection(Protocol):
    """A connection in a transaction."""

    @property
    def dialect(self) -> Dialect:
        """What is said to it, and how."""

    @overload
    async def execute(
        self, statement: TypedReturnsRows[*Ts], parameters: Parameters = None, /
    ) -> CursorResult[*Ts]: ...

    @overload
    async def execute(self, statement: Executable, parameters: Parameters = None, /) -> AnyRows: ...

    async def execute(self, statement: Any, parameters: Parameters = None, /) -> Any:
        """The result of a statement."""

    async def run_sync(self, work: Callable[[sqlalchemy.Connection], T], /) -> T:
        """What `work` returns, which is given SQLAlchemy's plain connection."""
