"""The fields of a Signature V4, wherever they stand: each is read, or refused as `error`."""

import re
from datetime import UTC, datetime
from functools import lru_cache

from gateway.errors import GatewayError
from gateway.s3.canonical import SERVICE, TERMINATOR
from gateway.s3.memo import memo

DAYS = 1_024
TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_HEADER_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+(?:;[!#$%&'*+.^_`|~0-9a-z-]+)*")


def check_day(date: str, timestamp: datetime, error: type[GatewayError]) -> None:
    """Nothing, where a credential's day is the timestamp's."""
    if date != _day(timestamp):
        raise error("The Credential's day is not the day of the request's time.")


@lru_cache(DAYS)
def _day(timestamp: datetime) -> str:
    return f"{timestamp:%Y%m%d}"


@memo
def parse_credential(text: str, error: type[GatewayError]) -> tuple[str, str, str]:
    """Access key id, day and region."""
    parts = text.rsplit("/", 4)
    if len(parts) != 5 or not all(parts):  # noqa: PLR2004 - key, day, region, service, end
        raise error(
            "The Credential is malformed; expecting "
            '"<access key id>/YYYYMMDD/<region>/s3/aws4_request".'
        )
    access_key_id, date, region, service, terminator = parts
    if service != SERVICE:
        raise error(f'The Credential has the wrong service; this service is "{SERVICE}".')
    if terminator != TERMINATOR:
        raise error(f'The Credential must end in "{TERMINATOR}".')
    return access_key_id, date, region


@memo
def parse_signed_headers(text: str, error: type[GatewayError]) -> tuple[str, ...]:
    """The names of the headers that were signed, in their order."""
    names = tuple(text.split(";"))
    if _HEADER_NAMES.fullmatch(text) is None or len(set(names)) != len(names):
        raise error("SignedHeaders is a list of lower-case header names, once each.")
    return names


def parse_signature(text: str, error: type[GatewayError]) -> str:
    """The signature, in hex."""
    if _SIGNATURE.fullmatch(text) is None:
        raise error("The Signature is 64 lower-case hexadecimal digits.")
    return text


@memo
def parse_timestamp(text: str) -> datetime:
    """The moment that `20130524T000000Z` names; ValueError."""
    if TIMESTAMP.fullmatch(text) is None:
        raise ValueError(text)
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
    return datetime(
        year, month, day, int(text[9:11]), int(text[11:13]), int(text[13:15]), tzinfo=UTC
    )
