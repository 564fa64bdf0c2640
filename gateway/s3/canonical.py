"""The parts of a Signature V4: canonical request, string to sign, signing key.

Shared by the verifier and the signer. The specification: "Create a signed AWS API request" of
the AWS IAM User Guide, with S3's exceptions: paths are neither normalised nor encoded twice.
"""

import hmac
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Protocol

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "s3"
TERMINATOR = "aws4_request"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = sha256(b"").hexdigest()

_BLOCK_BYTES = 64
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_PATH_SPELLING = re.compile(rb"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~/]")
_QUERY_SPELLING = re.compile(rb"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~]")
_SPACES = re.compile(r"[ \t]+")


class _Hash(Protocol):
    """A hash under way."""

    def copy(self) -> "_Hash":
        """Another one that goes on from here."""

    def update(self, data: bytes, /) -> None:
        """Take more in."""

    def digest(self) -> bytes:
        """What it comes to."""

    def hexdigest(self) -> str:
        """The same, in lower-case hex."""


def amz_date(moment: datetime) -> str:
    """A UTC time as X-Amz-Date writes it: 20130524T000000Z. `moment` is aware."""
    at = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    # A few times as fast as strftime, for each request that is signed.
    day, time = at.year * 10_000 + at.month * 100 + at.day, at.hour * 100 + at.minute
    return f"{day:08}T{time * 100 + at.second:06}Z"


def normal_path(raw_path: str) -> str | None:
    """`raw_path` in the normal spelling of its percent-escapes; None where it has a bad one.

    Escapes of unreserved characters are undone, others are upper-case, and what must be
    escaped is. Nothing else changes: `%2F`, dot segments, "//" and "+" keep their meaning.
    """
    return _respell(raw_path, _PATH_SPELLING)


def raw_query(pairs: Iterable[str]) -> str:
    """Raw query pairs sorted by name, then value; a flag gets its "="."""
    split = sorted([(name, value) for name, _, value in [pair.partition("=") for pair in pairs]])
    return "&".join(f"{name}={value}" for name, value in split)


def normal_query(pairs: Iterable[str]) -> str | None:
    """As `raw_query`, with names and values in the normal spelling; None for a bad escape."""
    spelled = []
    for pair in pairs:
        name, _, value = pair.partition("=")
        normal_name = _respell(name, _QUERY_SPELLING)
        normal_value = _respell(value, _QUERY_SPELLING)
        if normal_name is None or normal_value is None:
            return None
        spelled.append((normal_name, normal_value))
    return "&".join(f"{name}={value}" for name, value in sorted(spelled))


def header_value(values: Sequence[str]) -> str:
    """The canonical value of all headers of one name: each `folded`, joined by ","."""
    if len(values) != 1:
        return ",".join([folded(each) for each in values])
    value = values[0]
    return folded(value) if " " in value or "\t" in value else value


def folded(value: str) -> str:
    """The canonical value of one header: trimmed, and its spaces folded."""
    trimmed = value.strip(" \t")
    return _SPACES.sub(" ", trimmed) if "  " in trimmed or "\t" in trimmed else trimmed


def canonical_request(
    method: str, path: str, query: str, headers: Sequence[tuple[str, str]], payload_hash: str
) -> str:
    """The canonical request; `headers` are lower-case names with canonical values, in order."""
    lines = "".join([f"{name}:{value}\n" for name, value in headers])
    signed = ";".join([name for name, _ in headers])
    return f"{method}\n{path}\n{query}\n{lines}\n{signed}\n{payload_hash}"


def string_to_sign(timestamp: str, scope: str, request: str) -> str:
    """The string to sign of a canonical request; `timestamp` is an X-Amz-Date."""
    digest = sha256(request.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}"


def credential_scope(date: str, region: str) -> str:
    """The credential scope of a day (YYYYMMDD) in a region."""
    return f"{date}/{region}/{SERVICE}/{TERMINATOR}"


@lru_cache(maxsize=1024)
def signing_key(secret: str, date: str, region: str) -> bytes:
    """The key that signs for one day and region; kept, since a day's requests share it."""
    key = hmac.digest(f"AWS4{secret}".encode(), date.encode(), "sha256")
    for part in (region, SERVICE, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def sign(key: bytes, text: str) -> str:
    """The signature of a string to sign, in lower-case hex."""
    begun, ending = _halves(key)
    inner, outer = begun.copy(), ending.copy()
    inner.update(text.encode("utf-8", "surrogateescape"))
    outer.update(inner.digest())
    return outer.hexdigest()


def sign_chain(
    key: bytes, beginning: str, previous: str, between: str, ends: Sequence[str]
) -> list[str]:
    """The signatures of strings to sign, in each of which is the one before it, or `previous`.

    All begin alike; then comes that signature, what is `between`, and an end of its own.
    """
    begun, ending = _halves(key)
    begun = begun.copy()
    begun.update(beginning.encode())
    signatures = []
    for end in ends:
        inner, outer = begun.copy(), ending.copy()
        inner.update(f"{previous}{between}{end}".encode())
        outer.update(inner.digest())
        previous = outer.hexdigest()
        signatures.append(previous)
    return signatures


@lru_cache(maxsize=1024)
def _halves(key: bytes) -> tuple[_Hash, _Hash]:
    """Both hashes of an HMAC (RFC 2104), begun with its key: that costs more than a short text."""
    own = key if len(key) <= _BLOCK_BYTES else sha256(key).digest()
    block = own.ljust(_BLOCK_BYTES, b"\0")
    return sha256(bytes([each ^ 0x36 for each in block])), sha256(
        bytes([each ^ 0x5C for each in block])
    )


def _respell(text: str, spelling: re.Pattern[bytes]) -> str | None:
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None
    if _BAD_ESCAPE.search(data):
        return None
    return spelling.sub(_respell_one, data).decode("ascii")


def _respell_one(match: re.Match[bytes]) -> bytes:
    spelled = match.group()
    byte = int(spelled[1:], 16) if len(spelled) > 1 else spelled[0]
    return bytes((byte,)) if byte in _UNRESERVED else b"%%%02X" % byte
