"""Requests as botocore makes and signs them, turned into the gateway's."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import Credentials
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.errors import GatewayError
from gateway.s3.address import Query
from gateway.s3.claim import Claim, parse_claim
from gateway.s3.message import Request
from gateway.s3.sigv4 import VerifiedSignature, verify

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ENDPOINT = "http://gateway.test:9000"


@contextmanager
def refusals(*statuses: int) -> Iterator[None]:
    """What is inside may refuse with one of these statuses; any other exception is a failure."""
    try:
        yield
    except GatewayError as error:
        if error.status not in statuses:
            raise


async def body_of(blocks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """A body that comes in these blocks."""
    for block in blocks:
        yield block


async def collect(body: AsyncIterator[bytes], out: list[bytes]) -> None:
    """Reads a body to its end, or to its failure: what came is in `out` then."""
    async for block in body:
        out.append(block)  # noqa: PERF401 - a comprehension loses what came before a failure


def arrived(
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]] | Mapping[str, str],
    body: bytes = b"",
) -> Request:
    """A request as the gateway gets it; `target` is the raw path and query."""
    path, _, query = target.partition("?")
    fields = CIMultiDict(headers)
    return Request(
        method, path, query, CIMultiDictProxy(fields), body_of([body] if body else []), len(body)
    )


def signed(
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    expires: int | None = None,
    secret: str = SECRET,
    region: str = "us-east-1",
) -> Request:
    """A request that botocore signed now: in headers, or presigned for `expires` seconds."""
    request = AWSRequest(method, ENDPOINT + target, headers=dict(headers or {}), data=body)
    credentials = Credentials(KEY_ID, secret)
    if expires is None:
        S3SigV4Auth(credentials, "s3", region).add_auth(request)
    else:
        S3SigV4QueryAuth(credentials, "s3", region, expires=expires).add_auth(request)
    fields = [("Host", urlsplit(ENDPOINT).netloc), *request.headers.items()]
    return arrived(method, request.url[len(ENDPOINT) :], fields, body)


def claim_of(request: Request) -> Claim:
    """What a signed request claims."""
    claim = parse_claim(request.headers, Query.parse(request.query))
    assert claim is not None
    return claim


def verified(request: Request, secret: str | None = SECRET) -> VerifiedSignature:
    """The proof of a request, at the time it was signed."""
    claim = claim_of(request)
    return verify(claim, secret, request, claim.timestamp)


def now() -> datetime:
    """The time of day, as botocore signs it."""
    return datetime.now(UTC)


class Sent(Exception):
    """What botocore would have sent."""

    def __init__(self, request: AWSPreparedRequest) -> None:
        self.request = request


def client(style: str = "path", **config: object) -> BaseClient:
    """An S3 client of this addressing style that raises Sent instead of sending."""
    made = botocore.session.get_session().create_client(
        "s3",
        endpoint_url=ENDPOINT,
        region_name="us-east-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        config=Config(s3={"addressing_style": style}, **config),
    )

    def caught(request: AWSPreparedRequest, **_context: object) -> AWSResponse:
        raise Sent(request)

    made.meta.events.register("before-send.s3", caught)
    return made


def sent(made: BaseClient, operation: str, **arguments: object) -> Request:
    """The request that a call of botocore sends, as the gateway gets it."""
    with pytest.raises(Sent) as caught:
        getattr(made, operation)(**arguments)
    request = caught.value.request
    body = request.body or b""
    data = body if isinstance(body, bytes) else body.read()
    host, target = split_url(request.url)
    fields = [
        ("Host", host),
        *(
            (name, value if isinstance(value, str) else value.decode())
            for name, value in request.headers.items()
        ),
    ]
    return arrived(request.method, target, fields, data)


def split_url(url: str) -> tuple[str, str]:
    """Host and raw target of a URL, as they go on the wire."""
    host, slash, rest = url.partition("://")[2].partition("/")
    return host, slash + rest
