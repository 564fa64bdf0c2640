"""Pages of buckets: every one once, in order, whatever is asked for."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidArgument
from gateway.s3.address import Query
from gateway.s3.buckets import bucket_page

MADE = datetime(2024, 2, 29, tzinfo=UTC)


def names(query: str, *buckets: str) -> tuple[list[str], str | None]:
    page = bucket_page(Query.parse(query), [(name, MADE) for name in buckets])
    return [name for name, _ in page.buckets], page.token


def test_all_buckets_are_on_one_page_unless_fewer_are_asked_for() -> None:
    assert names("", "b", "a", "c") == (["a", "b", "c"], None)
    assert names("prefix=b", "b", "a", "ba") == (["b", "ba"], None)
    assert names("max-buckets=3", "b", "a", "c") == (["a", "b", "c"], None)


@given(st.sets(st.text("abc-", min_size=1), max_size=9), st.integers(1, 4))
def test_pages_show_every_bucket_once(buckets: set[str], size: int) -> None:
    seen: list[str] = []
    token: str | None = None
    while True:
        query = Query((("max-buckets", str(size)),))
        if token is not None:
            query = query.adding("continuation-token", token)
        page = bucket_page(query, [(name, MADE) for name in buckets])
        seen += [name for name, _ in page.buckets]
        token = page.token
        if token is None:
            break
    assert seen == sorted(buckets)


@pytest.mark.parametrize(
    "query",
    ["max-buckets=0", "max-buckets=10001", "max-buckets=x", "max-buckets=", "continuation-token=a"],
)
def test_what_makes_no_page_is_refused(query: str) -> None:
    with pytest.raises(InvalidArgument):
        names(query, "a")
