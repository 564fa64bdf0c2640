"""Who asks: every way to say it, and that two at once are refused."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.errors import (
    AccessDenied,
    GatewayError,
    InvalidAccessKeyId,
    InvalidArgument,
    InvalidPath,
    InvalidRequest,
    NotImplementedByGateway,
    RequestTimeTooSkewed,
    SignatureDoesNotMatch,
    XAmzContentSHA256Mismatch,
)
from gateway.identity import ANONYMOUS, AccessKey, Caller, Grants, parse_grants
from gateway.s3.address import SEAWEEDFS_RULES, Address, Query
from gateway.s3.message import Request
from gateway.s3.operation import Effect
from gateway.s3.signer import Signer, presign
from gateway.services.keys.access import URL_PREFIX
from gateway.web.authentication import Authentication
from gateway.web.hosts import Hosts

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
HOST = "gateway.example"
ALICE = AccessKey("ALICE", "alice's secret", "alice", parse_grants({"ws": "write"}))
OWN = AccessKey(f"{URL_PREFIX}ALICE", "url secret", "alice", ALICE.grants)
EMPTY = sha256(b"").hexdigest()


class Known:
    """Two keys and one token."""

    async def secret_for(self, access_key_id: str) -> AccessKey | None:
        return {key.access_key_id: key for key in (ALICE, OWN)}.get(access_key_id)

    def lasts(self, key: AccessKey) -> bool:
        return key is ALICE

    def caller_with(self, key: AccessKey) -> Caller:
        return Caller(key.access_key_id.removeprefix(URL_PREFIX), key.name, key.grants)

    async def caller_of_token(self, token: str, now: datetime) -> Caller:
        if token != "t.o.k" or now != NOW:
            raise AccessDenied("no token of this gateway")
        return Caller("ALICE", "alice", Grants())


@pytest.fixture
def authentication() -> Authentication:
    return Authentication(Known(), SEAWEEDFS_RULES, Hosts(), "s3.gateway.example")


class Unread:
    """A body that nobody may read before somebody is verified."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        pytest.fail("the body was read")


def asked(
    method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None
) -> Request:
    own = CIMultiDict({"Host": HOST} | dict(headers or {}))
    length = own.get("Content-Length")
    size = None if length is None else int(length)
    return Request(method, path, query, CIMultiDictProxy(own), Unread(), size)


def signed(
    method: str,
    path: str,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    payload_hash: str = EMPTY,
    key: AccessKey = ALICE,
) -> Request:
    signer = Signer(key.access_key_id, key.secret_access_key, "us-east-1", NOW)
    own = CIMultiDict(headers or {})
    own.update(signer.sign(method, HOST, path, query, own, payload_hash))
    return asked(method, path, query, own)


def presigned(
    method: str, path: str, query: Query | None = None, key: AccessKey = ALICE
) -> Request:
    spelled = presign(
        method,
        HOST,
        path,
        query or Query(),
        key.access_key_id,
        key.secret_access_key,
        "us-east-1",
        NOW,
        60,
    )
    return asked(method, path, spelled)


async def test_signed_request_is_its_keys(authentication: Authentication) -> None:
    request = signed("GET", "/ws/a%20b/c", "versionId=v")
    caller, verified = await authentication.s3(request, NOW)
    assert caller == Caller("ALICE", "alice", ALICE.grants)
    assert verified.address == Address("ws", "a b/c")
    assert verified.operation.name == "GetObject"
    assert verified.query.first("versionId") == "v"
    assert verified.signature is not None
    assert verified.own is None


async def test_presigned_request_is_its_keys_and_loses_its_parameters(
    authentication: Authentication,
) -> None:
    request = presigned("GET", "/ws/key", Query((("response-content-type", "x/y"),)))
    caller, verified = await authentication.s3(request, NOW + timedelta(seconds=59))
    assert caller.access_key_id == "ALICE"
    assert verified.query == Query((("response-content-type", "x/y"),))


async def test_unsigned_request_is_anonymous(authentication: Authentication) -> None:
    caller, verified = await authentication.s3(asked("GET", "/ws/public/key"), NOW)
    assert caller is ANONYMOUS
    assert verified.signature is None


async def test_upload_is_verified_before_it_is_read(authentication: Authentication) -> None:
    headers = {"Content-Length": "5", "x-amz-meta-k": "v"}
    digest = sha256(b"hello").hexdigest()
    _, verified = await authentication.s3(signed("PUT", "/ws/key", "", headers, digest), NOW)
    assert verified.payload.sha256 == digest
    assert verified.payload.length == 5


@pytest.mark.parametrize(
    ("request_", "later", "error"),
    [
        (
            signed("GET", "/ws/key", key=AccessKey("NONE", "x", "x", Grants())),
            0,
            InvalidAccessKeyId,
        ),
        (
            signed("GET", "/ws/key", key=AccessKey("ALICE", "guess", "x", Grants())),
            0,
            SignatureDoesNotMatch,
        ),
        (signed("GET", "/ws/key"), 16 * 60, RequestTimeTooSkewed),
        (presigned("GET", "/ws/key"), 61, AccessDenied),
        (asked("GET", "/ws/key", headers={"Authorization": "Basic x"}), 0, GatewayError),
        (asked("GET", "/ws/key", headers={"Authorization": "Bearer t.o.k"}), 0, InvalidRequest),
    ],
)
async def test_what_does_not_verify_is_refused(
    authentication: Authentication, request_: Request, later: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await authentication.s3(request_, NOW + timedelta(seconds=later))


async def test_changed_request_is_refused(authentication: Authentication) -> None:
    good = signed("GET", "/ws/key", "versionId=v", {"x-amz-checksum-mode": "ENABLED"})
    changed = [
        asked("HEAD", good.path, good.query, good.headers),
        asked("GET", "/ws/other", good.query, good.headers),
        asked("GET", good.path, "versionId=w", good.headers),
        asked("GET", good.path, good.query, dict(good.headers) | {"x-amz-checksum-mode": "x"}),
        asked("GET", good.path, good.query, dict(good.headers) | {"Host": "other"}),
    ]
    await authentication.s3(good, NOW)
    for request in changed:
        with pytest.raises(SignatureDoesNotMatch):
            await authentication.s3(request, NOW)


async def test_two_kinds_of_credentials_are_refused(authentication: Authentication) -> None:
    url = presigned("GET", "/ws/key")
    both = asked("GET", url.path, url.query, {"Authorization": "Bearer t.o.k"})
    with pytest.raises((InvalidRequest, InvalidArgument)):
        await authentication.s3(both, NOW)
    with pytest.raises((InvalidRequest, InvalidArgument)):
        await authentication.bearer(both, NOW)


@pytest.mark.parametrize("path", ["/ws/a//b", "/ws//a/b", "/ws/a%5Cb", "/ws/a/b", "/ws/a%2F%2Fb"])
async def test_key_is_folded_before_anything_is_decided(
    authentication: Authentication, path: str
) -> None:
    _, verified = await authentication.s3(signed("GET", path), NOW)
    assert verified.address == Address("ws", "a/b")


@pytest.mark.parametrize(
    "request_",
    [
        signed("GET", "/ws/x/a.csv.versions/v_1"),
        signed("DELETE", "/ws/x//a.csv.versions%5Cv_1", "versionId=null"),
        signed("PUT", "/ws/.uploads/1/0001.part"),
        signed("GET", "/ws", "prefix=x%2Fa.csv.versions%2F"),
        signed("PUT", "/ws/key", "", {"x-amz-copy-source": "/ws/x/a.csv.versions/v_1"}),
        signed("PUT", "/ws/key", "", {"x-amz-copy-source": "ws//x//a.csv.versions//v_1"}),
    ],
)
async def test_what_the_backend_keeps_for_itself_is_refused(
    authentication: Authentication, request_: Request
) -> None:
    with pytest.raises(InvalidPath):
        await authentication.s3(request_, NOW)


async def test_copy_source_is_parsed_and_folded(authentication: Authentication) -> None:
    headers = {"x-amz-copy-source": "/ws//a%20b//c?versionId=v1"}
    _, verified = await authentication.s3(signed("PUT", "/ws/key", "", headers), NOW)
    assert verified.source is not None
    assert verified.source.address == Address("ws", "a b/c")
    assert verified.source.version_id == "v1"


async def test_unknown_subresource_is_not_a_simpler_operation(
    authentication: Authentication,
) -> None:
    for method in ("GET", "PUT", "DELETE"):
        _, verified = await authentication.s3(signed(method, "/ws/key", "foo="), NOW)
        assert verified.operation.effect is Effect.UNLISTED
        with pytest.raises(NotImplementedByGateway):
            await authentication.s3(signed(method, "/ws/key", "foo=&tagging="), NOW)
        with pytest.raises(NotImplementedByGateway):
            await authentication.s3(asked(method, "/ws/key", "foo="), NOW)


async def test_bucket_may_be_named_by_the_host(authentication: Authentication) -> None:
    host = "ws.s3.gateway.example"
    signer = Signer(ALICE.access_key_id, ALICE.secret_access_key, "us-east-1", NOW)
    headers = signer.sign("GET", host, "/a/b", "", {}, EMPTY)
    request = asked("GET", "/a/b", "", headers | {"Host": host})
    _, verified = await authentication.s3(request, NOW)
    assert verified.address == Address("ws", "a/b")


async def test_own_urls_carry_their_parameters_apart(authentication: Authentication) -> None:
    query = Query((("silent", "true"), ("stage", "s1")))
    caller, verified = await authentication.s3(presigned("GET", "/ws/key", query, OWN), NOW)
    assert caller.access_key_id == "ALICE"
    assert verified.own == query
    assert verified.query == Query()
    _, foreign = await authentication.s3(presigned("GET", "/ws/key", query, ALICE), NOW)
    assert foreign.own is None
    assert foreign.operation.effect is Effect.UNLISTED


async def test_bearer_tokens_are_for_the_other_doors(authentication: Authentication) -> None:
    for scheme in ("Bearer", "bearer"):
        request = asked("GET", "/ws/artifact/a", headers={"Authorization": f"{scheme} t.o.k"})
        assert (await authentication.bearer(request, NOW)).access_key_id == "ALICE"
    assert await authentication.bearer(asked("GET", "/ws/artifact/a"), NOW) is ANONYMOUS
    wrong = asked("GET", "/ws/artifact/a", headers={"Authorization": "Bearer other"})
    with pytest.raises(AccessDenied):
        await authentication.bearer(wrong, NOW)
    with pytest.raises(InvalidRequest):
        await authentication.bearer(signed("GET", "/ws/artifact/a"), NOW)


async def called(authentication: Authentication, request: Request, body: bytes = b"") -> Caller:
    async def read(caller: Caller) -> bytes:
        assert caller.access_key_id == "ALICE"
        return body

    caller, read_body = await authentication.rpc(request, read, NOW)
    assert read_body is body
    return caller


async def test_a_call_is_not_read_before_its_caller_is_known(
    authentication: Authentication,
) -> None:
    async def read(caller: Caller) -> bytes:
        raise AssertionError(caller)

    request = signed("POST", "/_rpc/ws/read", payload_hash=EMPTY)
    authorization = request.headers["Authorization"]
    other = "0" if authorization.endswith("1") else "1"
    forged = {**request.headers, "Authorization": authorization[:-1] + other}
    with pytest.raises(SignatureDoesNotMatch):
        await authentication.rpc(asked("POST", "/_rpc/ws/read", "", forged), read, NOW)
    bearer = asked("POST", "/_rpc/ws/read", headers={"Authorization": "Bearer other"})
    with pytest.raises(AccessDenied):
        await authentication.rpc(bearer, read, NOW)


async def test_signed_calls_prove_their_body(authentication: Authentication) -> None:
    body = b'{"prefix": "a"}'
    request = signed("POST", "/_rpc/ws/read", payload_hash=sha256(body).hexdigest())
    assert (await called(authentication, request, body)).access_key_id == "ALICE"
    with pytest.raises(XAmzContentSHA256Mismatch):
        await called(authentication, request, body + b" ")
    for claimed in ("UNSIGNED-PAYLOAD", EMPTY):
        loose = signed("POST", "/_rpc/ws/read", payload_hash=claimed)
        with pytest.raises(XAmzContentSHA256Mismatch):
            await called(authentication, loose, body)


async def test_urls_are_no_calls(authentication: Authentication) -> None:
    for key in (ALICE, OWN):
        with pytest.raises(InvalidRequest):
            await called(authentication, presigned("POST", "/_rpc/ws/read", key=key))
    own = signed("POST", "/_rpc/ws/read", key=OWN)
    with pytest.raises(AccessDenied):
        await called(authentication, own)
