"""What the requests of some seconds say to the backend: written and signed once."""

import time
from dataclasses import replace

import pytest
from multidict import CIMultiDict

from gateway.config import Backend
from gateway.s3.address import Query
from gateway.s3.message import new_notes
from gateway.storage import bucket as module
from gateway.storage.bucket import Bucket, Outgoing
from gateway.storage.credentials import BackendCredentials, chosen

BACKEND = Backend("http://127.0.0.1:1", "us-east-1", "key", "secret")
GET = Outgoing("GET", "bucket", "key", Query((("versionId", "v"),)))


class Rotating:
    """Credentials that change when a test says so."""

    fixed = None

    def __init__(self) -> None:
        self.now = BackendCredentials("key", "secret", "token-1")

    async def current(self) -> BackendCredentials:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000_000.2]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


@pytest.fixture
def credentials() -> Rotating:
    return Rotating()


@pytest.fixture
def backend(clock: list[float], credentials: Rotating) -> Bucket:
    assert clock
    return Bucket(BACKEND, credentials)


async def said(backend: Bucket, request: Outgoing) -> bytes:
    key = await backend._credentials.current()  # noqa: SLF001 (whatever they are now)
    return backend._signed(request, key).head  # noqa: SLF001 (what it saves is this)


async def test_head_is_written_once_in_some_seconds(backend: Bucket, clock: list[float]) -> None:
    first = await said(backend, GET)
    clock[0] += 4.7
    assert await said(backend, GET) is first
    clock[0] += 0.2
    second = await said(backend, GET)
    assert (b"19700112T134640Z" in first, b"19700112T134645Z" in second) == (True, True)


async def test_credentials_that_never_change_need_not_be_asked_for() -> None:
    fixed = chosen(BACKEND)
    assert fixed.fixed == BackendCredentials("key", "secret") == await fixed.current()
    assert Rotating().fixed is None


async def test_head_ends_with_the_credentials(backend: Bucket, credentials: Rotating) -> None:
    first = await said(backend, GET)
    credentials.now = replace(credentials.now)  # AWS's chain gives the same in another object
    assert await said(backend, GET) is first
    credentials.now = BackendCredentials("key", "secret", "token-2")
    second = await said(backend, GET)
    assert (b"token-1" in first, b"token-2" in second) == (True, True)


async def test_request_that_goes_again_keeps_its_own_head(
    backend: Bucket,
    clock: list[float],
    credentials: Rotating,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 0)
    again = Outgoing("GET", "bucket", "key", GET.query, notes=new_notes())
    assert await said(backend, GET) is not await said(backend, GET)
    first = await said(backend, again)
    assert await said(backend, again) is first
    clock[0] += 5
    assert b"19700112T134645Z" in await said(backend, again)
    credentials.now = BackendCredentials("key", "secret", "token-2")
    assert b"token-2" in await said(backend, again)


@pytest.mark.parametrize(
    "other",
    [
        Outgoing("HEAD", "bucket", "key", GET.query),
        Outgoing("GET", "other", "key", GET.query),
        Outgoing("GET", "bucket", "other", GET.query),
        Outgoing("GET", "bucket", "key"),
        Outgoing("GET", "bucket", "key", GET.query, CIMultiDict({"range": "bytes=0-1"})),
    ],
)
async def test_other_requests_have_heads_of_their_own(backend: Bucket, other: Outgoing) -> None:
    first, second = await said(backend, GET), await said(backend, other)
    assert first != second
    assert (await said(backend, GET), await said(backend, other)) == (first, second)


async def test_few_heads_are_kept(backend: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    requests = [Outgoing("GET", "bucket", f"key-{number}") for number in range(3)]
    heads = [await said(backend, request) for request in requests]
    assert await said(backend, requests[2]) is heads[2]
    again = await said(backend, requests[0])
    assert again == heads[0]
    assert again is not heads[0]


async def test_range_that_many_ask_for_is_written_once_too(backend: Bucket) -> None:
    def part(last: int) -> Outgoing:
        headers = CIMultiDict({"Range": f"bytes=0-{last}", "If-None-Match": '"etag"'})
        return Outgoing("GET", "bucket", "key", GET.query, headers)

    first = await said(backend, part(1))
    assert await said(backend, part(1)) is first
    assert await said(backend, part(2)) != first
    assert b"bytes=0-1\r\n" in first


async def test_head_with_a_key_of_its_callers_is_not_kept(backend: Bucket) -> None:
    headers = CIMultiDict({"x-amz-server-side-encryption-customer-key": "c2VjcmV0"})
    asked = Outgoing("GET", "bucket", "key", GET.query, headers)
    assert await said(backend, asked) is not await said(backend, asked)
    assert not backend._made  # noqa: SLF001 (what is kept is this)
