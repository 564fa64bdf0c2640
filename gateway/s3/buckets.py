"""ListBuckets: which of the buckets a request asks for, and where the next page begins."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.errors import InvalidArgument
from gateway.s3.address import Query

MOST = 10_000
"""The most buckets that a page may be asked for, in S3."""

Bucket = tuple[str, datetime]


@dataclass(frozen=True, slots=True)
class BucketPage:
    """Names and their times; `prefix` is what they begin with, `token` asks for the next page."""

    buckets: Sequence[Bucket]
    prefix: str | None = None
    token: str | None = None


def bucket_page(query: Query, buckets: Sequence[Bucket]) -> BucketPage:
    """The page of these buckets, sorted, that a ListBuckets asks for; InvalidArgument."""
    prefix, after = query.first("prefix"), _name(query.first("continuation-token"))
    wanted = sorted(
        bucket for bucket in buckets if bucket[0].startswith(prefix or "") and bucket[0] > after
    )
    limit = _limit(query.first("max-buckets"))
    page = wanted[:limit]
    token = _token(page[-1][0]) if len(wanted) > limit else None
    return BucketPage(page, prefix, token)


def _limit(value: str | None) -> int:
    if value is None:
        return MOST
    digits = value.isascii() and value.isdigit() and len(value) <= len(str(MOST))
    if not digits or not 1 <= int(value) <= MOST:
        raise InvalidArgument(
            f"max-buckets is a number from 1 to {MOST}.",
            ArgumentName="max-buckets",
            ArgumentValue=value,
        )
    return int(value)


def _token(name: str) -> str:
    return urlsafe_b64encode(name.encode()).decode()


def _name(token: str | None) -> str:
    try:
        return urlsafe_b64decode((token or "").encode()).decode()
    except ValueError:
        raise InvalidArgument(
            "The continuation token provided is incorrect.", ArgumentName="continuation-token"
        ) from None
