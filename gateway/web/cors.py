"""Which pages of other origins may read an answer: the CORS protocol (Fetch, section 3.3).

Two rules, and nothing else:

- What anybody may read, any origin's pages may read: GET and HEAD of a public path, without
  credentials, are answered with `*`, whatever their Origin, so that caches keep one answer.
- All else, errors included, is for the origins that the configuration names, letter for letter.

`Access-Control-Allow-Credentials` is never sent: no door takes cookies. Which paths are public is
for each door to say: the S3 door's keys below `public/`, and listings of them; the artifact
door's paths below `public`; none of the RPC door's.
"""

import re
from collections.abc import Collection

from aiohttp import hdrs
from multidict import CIMultiDict

from gateway.errors import AccessForbidden, GatewayError
from gateway.s3.address import Query
from gateway.s3.claim import SIGNING_PARAMETERS
from gateway.s3.message import Reply, Request
from gateway.s3.operation_headers import HEADER_GROUPS
from gateway.web.exchange import Door

OK = 200
READING = (hdrs.METH_GET, hdrs.METH_HEAD)
ANY_ORIGIN = "*"
MAX_AGE_SECONDS = 3_600
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")

# What operations take, and what clients in browsers send besides.
AUTHORIZATION = "authorization"
HEADERS = frozenset((AUTHORIZATION, "accept", "accept-language", "user-agent")).union(
    *HEADER_GROUPS.values()
)
HEADER_PREFIXES = ("amz-sdk-", "content-", "if-", "x-amz-")
CREDENTIALS = frozenset(
    name.lower() for name in (*SIGNING_PARAMETERS, "AWSAccessKeyId", "Signature")
)
PREFLIGHT_VARIES = (
    hdrs.ORIGIN,
    hdrs.ACCESS_CONTROL_REQUEST_METHOD,
    hdrs.ACCESS_CONTROL_REQUEST_HEADERS,
)
# Of an answer's headers, those that every page sees, and those that are for browsers.
UNTOLD = frozenset(
    (
        "access-control-allow-origin",
        "cache-control",
        "content-language",
        "content-length",
        "content-security-policy",
        "content-type",
        "expires",
        "last-modified",
        "server",
        "x-content-type-options",
    )
)


class Cors:
    """The gateway's CORS policy; `origins` are those whose pages may read private paths."""

    def __init__(self, origins: Collection[str] = ()) -> None:
        self._origins = frozenset(origins)

    def preflight(self, request: Request, door: Door, method: str | None) -> Reply:
        """The answer to an OPTIONS for `method` at the door where that request will come.

        AccessForbidden where it asks for what is not allowed, or is no preflight (None).
        """
        if method is None:
            raise AccessForbidden(
                "OPTIONS is for CORS preflights, which name one Origin and one "
                "Access-Control-Request-Method."
            )
        names = _requested_headers(request)
        signed = AUTHORIZATION in names
        is_open = not signed and _is_open(request, door, method)
        methods = READING if is_open else door.methods
        origin = ANY_ORIGIN if is_open else self._listed(request)
        if origin is None or method not in methods or not all(map(_takes, names)):
            raise AccessForbidden(
                "This CORS request is not allowed: public paths are for GET and HEAD without "
                "credentials; others, for the methods and headers of S3, are for the origins "
                "that the operator names in cors.allow_origins.",
                Method=method,
                ResourceType="OBJECT",
            )
        headers = CIMultiDict(
            {
                hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin,
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: ", ".join(methods),
                hdrs.ACCESS_CONTROL_MAX_AGE: str(MAX_AGE_SECONDS),
            }
        )
        if names:
            headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = ", ".join(names)
        return Reply(OK, headers)

    def mark(self, request: Request, door: Door, headers: CIMultiDict[str]) -> tuple[str, ...]:
        """The request headers that the answer depends on; `headers` then say who may read it."""
        if not door.methods:
            return door.varies
        if request.method == hdrs.METH_OPTIONS:
            return PREFLIGHT_VARIES
        is_open = _is_open(request, door, request.method)
        origin = ANY_ORIGIN if is_open else self._listed(request)
        if origin is not None:
            headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = ", ".join(_telling(headers))
        return door.varies if is_open else (*door.varies, hdrs.ORIGIN)

    def _listed(self, request: Request) -> str | None:
        """The request's one origin, if the configuration names it."""
        origins = request.headers.getall(hdrs.ORIGIN, [])
        return origins[0] if len(origins) == 1 and origins[0] in self._origins else None


def announced(request: Request) -> str | None:
    """The method that a preflight is for; None for what is no preflight."""
    if request.method != hdrs.METH_OPTIONS:
        return None
    asked = request.headers.getall(hdrs.ACCESS_CONTROL_REQUEST_METHOD, [])
    origins = request.headers.getall(hdrs.ORIGIN, [])
    return asked[0] if len(asked) == len(origins) == 1 else None


def _is_open(request: Request, door: Door, method: str) -> bool:
    """Whether any origin may read the answer: anybody may, and no credentials are there."""
    if method not in READING or hdrs.AUTHORIZATION in request.headers:
        return False
    try:
        names = {name.lower() for name, _ in Query.parse(request.query).pairs}
        return CREDENTIALS.isdisjoint(names) and door.is_public(request)
    except GatewayError:
        return False  # who can't be understood gets the stricter rule


def _requested_headers(request: Request) -> list[str]:
    asked = ",".join(request.headers.getall(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, []))
    return [name for name in (part.strip().lower() for part in asked.split(",")) if name]


def _takes(name: str) -> bool:
    known = name in HEADERS or name.startswith(HEADER_PREFIXES)
    return known and TOKEN.fullmatch(name) is not None


def _telling(headers: CIMultiDict[str]) -> list[str]:
    """The names of an answer's headers that pages don't see unless they are told.

    Named one by one: x-amz-meta-* has no pattern, and older browsers know no wildcard.
    """
    hidden = (name for name in headers if name.lower() not in UNTOLD)
    return list(dict.fromkeys((*hidden, hdrs.DATE)))
