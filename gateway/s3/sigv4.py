"""AWS Signature Version 4, verified: header, presigned query, and the policy of a form.

The specification: "Authenticating Requests (AWS Signature Version 4)" of the S3 API Reference.

A signature is tried over the raw path and query first, then over their normal spelling
(`canonical`), for each host that the client may have meant. Balancers change a few headers on
the way that decide nothing here: where one of them was signed and nothing else matched, the
values that clients are known to send are tried in its place (`_ALTERED`). A User-Agent that
was signed and then changed can't be guessed: it is refused.
"""

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain, product
from urllib.parse import unquote

from multidict import MultiMapping

from gateway.errors import (
    AccessDenied,
    GatewayError,
    InvalidAccessKeyId,
    RequestTimeTooSkewed,
    SignatureDoesNotMatch,
)
from gateway.light import light
from gateway.s3.canonical import (
    amz_date,
    canonical_request,
    header_value,
    normal_path,
    normal_query,
    raw_query,
    sign,
    signing_key,
    string_to_sign,
)
from gateway.s3.chunked import ChunkSigning
from gateway.s3.claim import Claim
from gateway.s3.header_names import names_of
from gateway.s3.message import Request

MAX_SKEW = timedelta(minutes=15)
"""How far a request's time may be from the gateway's."""

_ALTERED: tuple[dict[str, str], ...] = (
    {"expect": "100-continue", "accept-encoding": "identity", "connection": "keep-alive"},
    {"expect": "100-continue", "accept-encoding": "gzip", "connection": "keep-alive"},
    {"expect": "100-continue", "accept-encoding": "", "connection": ""},
)
_UNKNOWN_SECRET = "no key has this secret"  # noqa: S105 - what unknown keys are tried with
_LEFT_OUT = "[left out]"
_MISMATCH = (
    "The request signature that the gateway calculated does not match the one that you "
    "provided. Check your secret access key and signing method."
)
# What a refusal repeats. Anybody may name a header as signed that only a proxy has added, and
# would be shown it: so all other ones are left out.
_SHOWN_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "cache-control",
        "connection",
        "date",
        "expect",
        "expires",
        "host",
        "range",
        "user-agent",
    }
)
_SHOWN_KINDS = ("amz-sdk-", "content-", "if-", "x-amz-")
_SECRETS = ("x-amz-security-token", "-customer-key")


@light
@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """What a signature has proved.

    `path` is the spelling of the raw path that verified: bucket and key come from it.
    `host` is the host that was signed. `chunks` verifies the signed chunks of the body.
    """

    claim: Claim
    path: str
    host: str
    chunks: ChunkSigning = field(repr=False)


@light
@dataclass(frozen=True, slots=True)
class _Spelling:
    """One way in which the client may have spelled what it signed."""

    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    host: str


def verify(
    claim: Claim, secret: str | None, request: Request, now: datetime, *, hosts: Sequence[str] = ()
) -> VerifiedSignature:
    """The signature's proof, if `secret` gives it for `request` at `now`.

    `secret` is None when no key has the claim's id: the same work is done, then
    InvalidAccessKeyId raised. `hosts` are the values that the client may have signed as Host,
    likeliest first (X-Forwarded-Host of a trusted proxy, public_url); the request's own Host
    when empty. Raises SignatureDoesNotMatch (details: CanonicalRequest, StringToSign, secrets
    left out), RequestTimeTooSkewed, AccessDenied (expired, or x-amz-* headers not signed).
    """
    _check_signed(claim, request.headers)
    check_time(claim, now)
    timestamp, scope = _stamp(claim.timestamp), claim.scope
    key = signing_key(_UNKNOWN_SECRET if secret is None else secret, claim.date, claim.region)
    asked = hosts or (request.headers.get("Host", ""),)
    first = _likeliest(claim, request, asked[0])
    for spelling in chain((first,), _others(claim, request, asked, first)):
        text = string_to_sign(timestamp, scope, _canonical(claim, request.method, spelling))
        if hmac.compare_digest(sign(key, text), claim.signature) and secret is not None:
            chunks = ChunkSigning(key, timestamp, scope, claim.signature)
            return VerifiedSignature(claim, spelling.path, spelling.host, chunks)
    raise _refusal(claim, secret, _mismatch(claim, request.method, first))


# A second's requests share it.
_stamp = lru_cache(1_024)(amz_date)


def verify_policy(claim: Claim, secret: str | None, policy: str, now: datetime) -> None:
    """Nothing, if `secret` gives the claim's signature for a form's `policy`, in base64.

    As `verify` for a key that is not there. How long it is good for is the policy's to say;
    AccessDenied where its date is still to come.
    """
    if claim.timestamp - now > MAX_SKEW:
        raise AccessDenied("Request is not valid yet.", ServerTime=amz_date(now))
    key = signing_key(_UNKNOWN_SECRET if secret is None else secret, claim.date, claim.region)
    if hmac.compare_digest(sign(key, policy), claim.signature) and secret is not None:
        return
    # The string to sign is the policy, which may name a token: who sent it has it already.
    raise _refusal(claim, secret, SignatureDoesNotMatch(_MISMATCH))


def _refusal(claim: Claim, secret: str | None, mismatch: SignatureDoesNotMatch) -> GatewayError:
    if secret is not None:
        return mismatch
    return InvalidAccessKeyId(
        "The access key id that you provided does not exist here.",
        AWSAccessKeyId=claim.access_key_id,
    )


def _check_signed(claim: Claim, headers: MultiMapping[str]) -> None:
    signed = claim.signed_headers
    loose = names_of(headers).amz.difference(signed)
    if "host" not in signed:
        loose |= {"host"}
    if loose:
        raise AccessDenied(
            "There were headers present in the request which were not signed.",
            HeadersNotSigned=", ".join(sorted(loose)),
        )


def check_time(claim: Claim, now: datetime) -> None:
    """Nothing, while the claim is good; RequestTimeTooSkewed, AccessDenied."""
    age = now - claim.timestamp
    if claim.expires is None:
        if abs(age) > MAX_SKEW:
            raise RequestTimeTooSkewed(
                "The difference between the request's time and the gateway's is too large.",
                RequestTime=amz_date(claim.timestamp),
                ServerTime=amz_date(now),
                MaxAllowedSkewMilliseconds=int(MAX_SKEW.total_seconds() * 1000),
            )
    elif -age > MAX_SKEW:
        raise AccessDenied("Request is not valid yet.", ServerTime=amz_date(now))
    elif age > timedelta(seconds=claim.expires):
        raise AccessDenied(
            "Request has expired.", ServerTime=amz_date(now), **{"X-Amz-Expires": claim.expires}
        )


def _likeliest(claim: Claim, request: Request, host: str) -> _Spelling:
    """What a client signs that is as good as all of them: the request as it came."""
    find = request.headers.getall
    values = [
        (name, host if name == "host" else header_value(find(name, ())))
        for name in claim.signed_headers
    ]
    query = raw_query(_signed_pairs(claim, request)) if request.query else ""
    return _Spelling(request.path, query, tuple(values), host)


def _signed_pairs(claim: Claim, request: Request) -> list[str]:
    pairs = [pair for pair in request.query.split("&") if pair]
    if claim.presigned:
        pairs = [pair for pair in pairs if not pair.startswith("X-Amz-Signature=")]
    return pairs


def _others(
    claim: Claim, request: Request, asked: Sequence[str], first: _Spelling
) -> Iterator[_Spelling]:
    """What else the client may have signed, likeliest first; lazily, since the first one fits."""
    pairs = _signed_pairs(claim, request)
    values, paths, queries = first.headers, [first.path], [first.query]
    normal = normal_path(request.path)
    if normal is not None and normal not in paths:
        paths.append(normal)
    query = normal_query(pairs)
    if query is not None and query not in queries:
        queries.append(query)
    signed = set(claim.signed_headers)
    alterations = [{}, *(change for change in _ALTERED if not signed.isdisjoint(change))]
    for change in alterations:
        altered = [(name, change.get(name, value)) for name, value in values]
        for host, path, query in product(_with_ports(asked), paths, queries):
            yield _Spelling(path, query, _with_host(altered, host), host)


def _with_ports(hosts: Sequence[str]) -> tuple[str, ...]:
    """The hosts, and each without its port: balancers take it off, or put theirs on."""
    bare = (host.rpartition(":")[0] for host in hosts if not host.endswith("]"))
    return tuple(dict.fromkeys((*hosts, *filter(None, bare))))


def _with_host(values: Sequence[tuple[str, str]], host: str) -> tuple[tuple[str, str], ...]:
    return tuple([(name, host if name == "host" else value) for name, value in values])


def _canonical(claim: Claim, method: str, spelling: _Spelling) -> str:
    return canonical_request(
        method, spelling.path, spelling.query, spelling.headers, claim.payload_hash
    )


def _mismatch(claim: Claim, method: str, spelling: _Spelling) -> SignatureDoesNotMatch:
    """The refusal, with what the gateway signed, so that a client's author finds the fault."""
    text = string_to_sign(
        amz_date(claim.timestamp), claim.scope, _canonical(claim, method, spelling)
    )
    shown = canonical_request(
        method,
        spelling.path,
        "&".join(map(_without_secret, spelling.query.split("&"))),
        [(name, _LEFT_OUT if _is_left_out(name) else value) for name, value in spelling.headers],
        claim.payload_hash,
    )
    return SignatureDoesNotMatch(
        _MISMATCH,
        CanonicalRequest=shown,
        StringToSign=text,
        SignatureProvided=claim.signature,
    )


def _is_left_out(name: str) -> bool:
    shown = name in _SHOWN_HEADERS or name.startswith(_SHOWN_KINDS)
    return not shown or name.endswith(_SECRETS)


def _without_secret(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    if unquote(name).lower().endswith(_SECRETS):
        return f"{name}{equals}{_LEFT_OUT}"
    return pair
