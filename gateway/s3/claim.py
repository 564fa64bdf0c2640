"""What a signed request says about itself: in the Authorization header, a query, or a form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from multidict import MultiMapping

from gateway.errors import (
    AccessDenied,
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    InvalidArgument,
    InvalidRequest,
)
from gateway.light import light
from gateway.s3.address import Query
from gateway.s3.canonical import (
    ALGORITHM,
    EMPTY_SHA256,
    UNSIGNED_PAYLOAD,
    credential_scope,
)
from gateway.s3.credential import (
    TIMESTAMP,
    check_day,
    parse_credential,
    parse_signature,
    parse_signed_headers,
    parse_timestamp,
)
from gateway.s3.memo import memo

SIGNING_PARAMETERS = frozenset(
    {
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
        "X-Amz-Security-Token",
        "X-Amz-Content-Sha256",
    }
)
"""Query names that belong to the signature, and never go on."""

MAX_EXPIRES = 604_800
"""The longest life of a presigned URL, in seconds: 7 days."""

_LOWER_SIGNING = frozenset(name.lower() for name in SIGNING_PARAMETERS)
_FIELDS = frozenset({"Credential", "SignedHeaders", ""})
_PRESIGNED = frozenset({"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"})
_SIGNATURE_V4A = "AWS4-ECDSA-P256-SHA256"
_FORM_FIELDS = ("policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
_OLD_FIELDS = frozenset({"awsaccesskeyid", "signature"})


@light
@dataclass(frozen=True, slots=True)
class Claim:
    """Who a request says it comes from, before the signature was checked.

    `date` is the scope's day (YYYYMMDD), `timestamp` the request's time in UTC. `expires` is
    in seconds, None unless presigned. `payload_hash` is the value that was signed in its
    place: hex, UNSIGNED-PAYLOAD or STREAMING-…. A form signs neither headers nor a payload.
    """

    access_key_id: str
    date: str
    region: str
    signed_headers: tuple[str, ...]
    signature: str = field(repr=False)
    timestamp: datetime
    expires: int | None
    payload_hash: str
    presigned: bool

    @property
    def scope(self) -> str:
        """The credential scope: day, region, service and terminator."""
        return credential_scope(self.date, self.region)


def parse_claim(headers: MultiMapping[str], query: Query) -> Claim | None:
    """The claim of a signed request; None where nothing of AWS's is there (also for Bearer).

    Raises InvalidArgument for two kinds of credentials or an unknown kind, InvalidRequest for
    Signature V2 and V4A and a missing x-amz-content-sha256, AuthorizationHeaderMalformed and
    AuthorizationQueryParametersError for what can't be read.
    """
    authorizations = headers.getall("Authorization", ())
    names = [name for name, _ in query.pairs]
    presigned = not _PRESIGNED.isdisjoint(names)
    old = "AWSAccessKeyId" in names and "Signature" in names
    if len(authorizations) + presigned + old > 1:
        raise InvalidArgument(
            "Only one way of authentication is allowed: the Authorization header or the "
            "query's signing parameters, once.",
            ArgumentName="Authorization",
        )
    if old:
        raise _unsupported("Signature V2 (what boto3 makes URLs with by default)")
    if presigned:
        return _from_query(headers, query, names)
    if not authorizations:
        return None
    return _from_header(headers, authorizations[0])


def parse_form_claim(fields: Mapping[str, str]) -> Claim | None:
    """The claim of an upload form with these fields (lower-case names); None if it is unsigned.

    InvalidRequest for Signature V2 and V4A, InvalidArgument for what is missing or can't be read.
    """
    if not _OLD_FIELDS.isdisjoint(fields):
        raise _unsupported("Signature V2")
    missing = [name for name in _FORM_FIELDS if not fields.get(name)]
    if len(missing) == len(_FORM_FIELDS):
        return None
    if missing:
        raise InvalidArgument(
            f"Bucket POST must contain a field named {missing[0]!r}. If it is specified, please "
            "check the order of the fields.",
            ArgumentName=missing[0],
        )
    if fields["x-amz-algorithm"] == _SIGNATURE_V4A:
        raise _unsupported("Signature V4A")
    if fields["x-amz-algorithm"] != ALGORITHM:
        raise InvalidArgument(f"x-amz-algorithm only supports {ALGORITHM}.")
    try:
        timestamp = parse_timestamp(fields["x-amz-date"])
    except ValueError as bad:
        raise InvalidArgument("x-amz-date must be in the form 20130524T000000Z.") from bad
    credential, error = fields["x-amz-credential"], InvalidArgument
    access_key_id, date, region = parse_credential(credential, error)
    check_day(date, timestamp, error)
    return Claim(
        access_key_id=access_key_id,
        date=date,
        region=region,
        signed_headers=(),
        signature=parse_signature(fields["x-amz-signature"], error),
        timestamp=timestamp,
        expires=None,
        payload_hash="",
        presigned=False,
    )


def _from_header(headers: MultiMapping[str], authorization: str) -> Claim | None:
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme != ALGORITHM:
        _check_token(scheme)
        return None
    # All but the signature is the same a day long: its place is kept by an "=".
    before, mark, after = rest.rpartition("Signature=")
    signature, comma, more = after.partition(",")
    named = _named(f"{before}={comma}{more}" if mark else "")
    access_key_id, date, region, signed_headers = named
    timestamp, error = _header_time(headers), AuthorizationHeaderMalformed
    check_day(date, timestamp, error)
    return Claim(
        access_key_id=access_key_id,
        date=date,
        region=region,
        signed_headers=signed_headers,
        signature=parse_signature(signature.rstrip(), error),
        timestamp=timestamp,
        expires=None,
        payload_hash=_header_hash(headers),
        presigned=False,
    )


def _check_token(scheme: str) -> None:
    """Nothing for a token's scheme; what else is not a Signature V4 is refused."""
    if scheme.lower() == "bearer":
        return
    if scheme == "AWS":
        raise _unsupported("Signature V2")
    if scheme == _SIGNATURE_V4A:
        raise _unsupported("Signature V4A")
    raise InvalidArgument("Unsupported authorization type.", ArgumentName="Authorization")


@memo
def _named(text: str) -> tuple[str, str, str, tuple[str, ...]]:
    """Access key id, day, region and signed headers of an Authorization without its signature."""
    error = AuthorizationHeaderMalformed
    parts = [part.strip().partition("=") for part in text.split(",")]
    fields = {name: value for name, _, value in parts}
    if fields.keys() != _FIELDS or len(parts) != len(fields):
        raise error(
            "The Authorization header holds Credential, SignedHeaders and Signature, once each, "
            "and nothing else."
        )
    signed_headers = parse_signed_headers(fields["SignedHeaders"], error)
    return *parse_credential(fields["Credential"], error), signed_headers


def _header_hash(headers: MultiMapping[str]) -> str:
    """X-Amz-Content-Sha256, or the hash of nothing where nothing is sent.

    Older curls leave it out: without a body it is clear what they signed.
    """
    declared = headers.get("x-amz-content-sha256")
    if declared is not None:
        return declared.strip()
    if headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in headers:
        raise InvalidRequest("Missing required header for this request: x-amz-content-sha256")
    return EMPTY_SHA256


def _header_time(headers: MultiMapping[str]) -> datetime:
    """X-Amz-Date, or else Date in either of its forms."""
    dated = headers.getall("x-amz-date", ())
    stamps = dated or headers.getall("Date", ())
    if len(stamps) != 1:
        raise AccessDenied("AWS authentication requires one valid Date or x-amz-date header.")
    stamp = stamps[0].strip()
    try:
        if dated or TIMESTAMP.fullmatch(stamp):
            return parse_timestamp(stamp)
        moment = parsedate_to_datetime(stamp)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise AccessDenied(
            "AWS authentication requires one valid Date or x-amz-date header."
        ) from error


def _from_query(headers: MultiMapping[str], query: Query, names: list[str]) -> Claim:
    error = AuthorizationQueryParametersError
    lower = [name.lower() for name in names if name.lower() in _LOWER_SIGNING]
    if len(lower) != len(set(lower)):
        raise error("A signing parameter occurs more than once.")
    fields = dict(query.pairs)
    if fields.get("X-Amz-Algorithm") == _SIGNATURE_V4A:
        raise _unsupported("Signature V4A")
    needed = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
    missing = [f"X-Amz-{name}" for name in needed if not fields.get(f"X-Amz-{name}")]
    if missing:
        raise error(f"Query-string authentication also needs {', '.join(missing)}.")
    if fields["X-Amz-Algorithm"] != ALGORITHM:
        raise error(f"X-Amz-Algorithm only supports {ALGORITHM}.")
    try:
        timestamp = parse_timestamp(fields["X-Amz-Date"])
    except ValueError as bad:
        raise error("X-Amz-Date must be in the ISO8601 form 20130524T000000Z.") from bad
    access_key_id, date, region = parse_credential(fields["X-Amz-Credential"], error)
    check_day(date, timestamp, error)
    payload_hash = headers.get("x-amz-content-sha256", fields.get("X-Amz-Content-Sha256"))
    return Claim(
        access_key_id=access_key_id,
        date=date,
        region=region,
        signed_headers=parse_signed_headers(fields["X-Amz-SignedHeaders"], error),
        signature=parse_signature(fields["X-Amz-Signature"], error),
        timestamp=timestamp,
        expires=_expires(fields["X-Amz-Expires"]),
        payload_hash=(payload_hash or UNSIGNED_PAYLOAD).strip(),
        presigned=True,
    )


def _expires(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_EXPIRES))):
        raise AuthorizationQueryParametersError(
            "X-Amz-Expires must be a number of seconds, at most a week (604800)."
        )
    seconds = int(text)
    if not 1 <= seconds <= MAX_EXPIRES:
        raise AuthorizationQueryParametersError(
            "X-Amz-Expires must be from 1 second to a week (604800 seconds)."
        )
    return seconds


def _unsupported(kind: str) -> InvalidRequest:
    return InvalidRequest(
        f"{kind} is not supported. Please use {ALGORITHM} (Signature V4): "
        'in boto3, Config(signature_version="s3v4").'
    )
