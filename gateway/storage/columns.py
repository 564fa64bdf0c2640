"""What columns of the index hold: points in time, people's words, keys, JSON.

Text that is compared or sorted as S3 keys are is `Key`: bytewise order on both databases.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Integer, Text, TypeDecorator
from sqlalchemy.types import UserDefinedType

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """A point in time as whole microseconds since 1970, read as an aware UTC datetime."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Microseconds, exact."""
        del dialect
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """An aware datetime, UTC."""
        del dialect
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Words(TypeDecorator[str]):
    """Text that somebody wrote, as near to it as both databases can keep it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The text without NUL, which PostgreSQL refuses, and halves of surrogate pairs."""
        del dialect
        if value is None:
            return None
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


class KeyText(TypeDecorator[str]):
    """A key, or a part of one."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The key; for NUL, which can be asked for but is in none, what stands next to it."""
        del dialect
        return None if value is None else value.replace("\0", "\x01")


class Postgresql(UserDefinedType[Any]):
    """A type of PostgreSQL's, by its name, in what is asked there: no value comes or goes as one.

    SQLAlchemy's own come with all that it knows of PostgreSQL, also where there is none.
    """

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
        """The name."""
        return self.name


JSONB = Postgresql("JSONB")
TSQUERY = Postgresql("TSQUERY")

# Both databases sort this as bytes of UTF-8, as S3 sorts keys.
Key = KeyText().with_variant(KeyText(collation="C"), "postgresql")
Document = JSON(none_as_null=True)
Identifier = BigInteger().with_variant(Integer(), "sqlite")
