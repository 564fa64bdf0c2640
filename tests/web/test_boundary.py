"""The edge: ids, errors in each door's language, cut answers, and what the log says."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from logging.handlers import BufferingHandler
from xml.etree.ElementTree import fromstring

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.errors import (
    AccessDenied,
    GatewayError,
    NoSuchKey,
    RequestTimeout,
    SchemaViolation,
    ServiceUnavailable,
    SlowDown,
)
from gateway.identity import ANONYMOUS
from gateway.s3.integrity import checked_whole
from gateway.s3.message import NOTHING, Reply, Request, new_notes
from gateway.s3.payload import Form, Payload
from gateway.web import access_log, content
from gateway.web.access_log import Entry, shown
from gateway.web.boundary import Boundary
from gateway.web.exchange import Exchange
from gateway.web.hosts import Hosts
from tests.web.serving import RawResponse, ask, parsed, say, serving

Act = Callable[[Exchange], Awaitable[Reply]]
OK = Reply(200, CIMultiDict({"Content-Type": "text/plain"}), b"fine")


@dataclass(frozen=True, slots=True)
class Acting:
    """A door that does what a test says."""

    act: Act
    name: str = "s3"
    methods: tuple[str, ...] = ("GET", "HEAD", "PUT")
    varies: tuple[str, ...] = ("Authorization",)

    @staticmethod
    def is_public(request: Request) -> bool:
        return request.path.startswith("/ws/public/")

    async def answer(self, exchange: Exchange) -> Reply:
        return await self.act(exchange)


async def fine(exchange: Exchange) -> Reply:
    del exchange
    return OK


def raising(error: Exception) -> Act:
    async def act(exchange: Exchange) -> Reply:
        del exchange
        raise error

    return act


class Streaming:
    """A body that a test can watch, and that fails when it shall."""

    def __init__(self, *pieces: bytes, error: Exception | None = None) -> None:
        self._pieces = list(pieces)
        self._error = error
        self.closed = asyncio.Event()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)
        if self._pieces:
            return self._pieces.pop(0)
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed.set()


def streaming(body: Streaming, length: int | None = None) -> Act:
    async def act(exchange: Exchange) -> Reply:
        del exchange
        headers = CIMultiDict[str]({"Content-Type": "x/y"})
        if length is not None:
            headers["Content-Length"] = str(length)
        return Reply(200, headers, body)

    return act


def boundary(act: Act, name: str = "s3", entries: list[Entry] | None = None) -> Boundary:
    door = Acting(act, name)
    observers = () if entries is None else (entries.append,)
    return Boundary(lambda _: door, observers=observers)


async def one(act: Act, method: str = "GET", name: str = "s3") -> RawResponse:
    async with serving(boundary(act, name)) as served:
        return await ask(served, method, "/ws/key")


async def test_every_answer_has_an_id_and_the_gateways_name() -> None:
    first, second = await one(fine), await one(raising(NoSuchKey("no")))
    assert first.headers["x-amz-request-id"] == first.headers["x-request-id"]
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.headers["server"] == second.headers["server"] == "ArtifactGateway"
    assert first.body == b"fine"
    assert first.headers["content-length"] == "4"


async def test_errors_are_xml_on_the_s3_door() -> None:
    said = await one(raising(NoSuchKey("nothing <here>", Key="a&b")))
    document = fromstring(said.body)  # noqa: S314 - our own
    assert said.status == 404
    assert said.headers["content-type"] == "application/xml"
    assert said.headers["content-length"] == str(len(said.body))
    assert {child.tag: child.text for child in document} == {
        "Code": "NoSuchKey",
        "Message": "nothing <here>",
        "Key": "a&b",
        "Resource": "/ws/key",
        "RequestId": said.headers["x-amz-request-id"],
    }


async def test_errors_are_json_on_the_other_doors() -> None:
    error = SchemaViolation("two things", violations=[{"pointer": "/a", "message": "is no b"}])
    said = await one(raising(error), name="rpc")
    assert said.status == 400
    assert said.headers["content-type"] == "application/json"
    assert json.loads(said.body) == {
        "error": {
            "code": "SchemaViolation",
            "message": "two things",
            "details": {"violations": [{"pointer": "/a", "message": "is no b"}]},
        }
    }


@pytest.mark.parametrize("name", ["s3", "artifact"])
async def test_errors_to_head_have_no_body(name: str) -> None:
    said = await one(raising(AccessDenied("no")), "HEAD", name)
    assert said.status == 403
    assert said.body == b""
    assert "content-type" not in said.headers


@pytest.mark.parametrize("error", [SlowDown("later"), ServiceUnavailable("later")])
async def test_busy_says_when_to_come_again(error: GatewayError) -> None:
    said = await one(raising(error))
    assert said.status == 503
    assert said.headers["retry-after"] == "1"


async def test_unexpected_failures_are_logged_and_not_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = await one(raising(RuntimeError("the secret reason")))
    assert said.status == 500
    assert b"<Code>InternalError</Code>" in said.body
    assert b"secret" not in said.body
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert said.headers["x-amz-request-id"] in record.getMessage()
    assert "the secret reason" in caplog.text


async def test_stream_is_sent_whole_and_closed() -> None:
    body = Streaming(b"one ", b"two ", b"three")
    said = await one(streaming(body, 13))
    assert said.body == b"one two three"
    assert said.headers["content-length"] == "13"
    assert body.closed.is_set()


async def test_stream_that_fails_before_its_first_byte_is_an_error() -> None:
    body = Streaming(error=ServiceUnavailable("gone"))
    said = await one(streaming(body, 13))
    assert said.status == 503
    assert b"<Code>ServiceUnavailable</Code>" in said.body
    assert body.closed.is_set()


@pytest.mark.parametrize(
    ("body", "length"),
    [
        (Streaming(bytes(100_000), error=ServiceUnavailable("gone")), 200_000),
        (Streaming(bytes(100_000), error=RuntimeError("bug")), 200_000),
        (Streaming(bytes(100_000)), 200_000),
        (Streaming(bytes(100_000), bytes(100_001)), 200_000),
        (Streaming(bytes(100_000), error=ServiceUnavailable("gone")), None),
    ],
)
async def test_answer_that_cannot_be_whole_is_cut_off(body: Streaming, length: int | None) -> None:
    entries: list[Entry] = []
    async with serving(boundary(streaming(body, length), entries=entries)) as served:
        said = await say(served, b"GET /ws/key HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    assert said.count(b"HTTP/1.1 200 OK") <= 1
    assert b"HTTP/1.1 5" not in said
    assert not said.endswith(b"0\r\n\r\n")
    if length is not None and said:
        assert len(parsed(said).body) < length or body.closed.is_set()
    assert body.closed.is_set()
    assert not entries[0].complete
    assert entries[0].error is not None


@pytest.mark.parametrize("pieces", [(b"12345", b"6789012345"), (b"123456789012345",)])
async def test_of_a_body_that_is_too_long_nothing_looks_complete(pieces: tuple[bytes, ...]) -> None:
    entries: list[Entry] = []
    async with serving(boundary(streaming(Streaming(*pieces), 10), entries=entries)) as served:
        said = await say(served, b"GET /ws/key HTTP/1.1\r\nHost: x\r\n\r\n")
    assert len(said.partition(b"\r\n\r\n")[2]) < 10
    assert (entries[0].complete, entries[0].error) == (False, "InternalError")
    assert entries[0].sent < 10


async def test_stream_is_closed_when_the_client_leaves() -> None:
    body = Streaming(*[bytes(1 << 16)] * 10_000)
    entries: list[Entry] = []
    async with serving(boundary(streaming(body, 10_000 << 16), entries=entries)) as served:
        await say(
            served, b"GET /ws/key HTTP/1.1\r\nHost: x\r\n\r\n", until=lambda said: len(said) > 1_000
        )
        async with asyncio.timeout(5):
            await body.closed.wait()
            await asyncio.sleep(0.1)
    assert not entries[0].complete
    assert entries[0].error == "ClientLeft"


async def test_head_has_headers_and_no_body() -> None:
    body = Streaming(b"one ", b"two ")
    said = await one(streaming(body, 8), "HEAD")
    assert said.headers["content-length"] == "8"
    assert said.body == b""
    assert body.closed.is_set()


async def test_head_of_bytes_keeps_the_length_it_was_given() -> None:
    async def act(exchange: Exchange) -> Reply:
        del exchange
        return Reply(200, CIMultiDict({"Content-Length": "1234"}))

    said = await one(act, "HEAD")
    assert said.headers["content-length"] == "1234"
    assert said.body == b""


@pytest.mark.parametrize(
    "target",
    ["/a//b", "//a", "/a/../b", "/a/%2e%2E/b", "/a%2Fb", "/a%0Ab", "/a?x=%2F&y=+&z", "/~%7E", "/"],
)
async def test_path_and_query_come_as_they_were_spelled(target: str) -> None:
    seen: list[Request] = []

    async def act(exchange: Exchange) -> Reply:
        seen.append(exchange.request)
        return OK

    async with serving(boundary(act)) as served:
        await ask(served, "GET", target)
        await ask(served, "GET", "http://gateway.example" + target)
    for request in seen:
        assert request.path + ("?" + request.query if request.query else "") == target
    assert len(seen) == 2


async def reading(exchange: Exchange) -> Reply:
    data = b"".join([piece async for piece in exchange.request.body])
    return Reply(200, CIMultiDict(), data)


async def test_compressed_bodies_come_as_they_were_sent() -> None:
    squeezed = bytes.fromhex("1f8b0800000000000003cb48cdc9c9070086a6103605000000")
    head = (
        b"PUT /ws/key HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n" % len(squeezed)
    )
    async with serving(boundary(reading)) as served:
        said = parsed(await say(served, head + squeezed))
    assert said.body == squeezed


async def test_body_is_asked_for_when_it_is_read() -> None:
    head = (
        b"PUT /ws/key HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n"
        b"Connection: close\r\n\r\n"
    )
    async with serving(boundary(reading)) as served:
        said = await say(served, head, b"hello")
    first, _, rest = said.partition(b"\r\n\r\n")
    assert first == b"HTTP/1.1 100 Continue"
    assert parsed(rest).body == b"hello"


async def taking_whole(exchange: Exchange) -> Reply:
    length = exchange.request.length or 0
    data = await checked_whole(exchange.request.body, Payload(Form.UNSIGNED, length))
    return Reply(200, CIMultiDict(), data)


@pytest.mark.parametrize("body", [b"", b"hello"])
async def test_leave_is_given_to_send_what_is_there_or_nothing(body: bytes) -> None:
    head = (
        b"PUT /ws/key HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n"
        b"Connection: close\r\n\r\n" % len(body)
    )
    async with serving(boundary(taking_whole)) as served:
        said = await say(served, head + body)
    first, _, rest = said.partition(b"\r\n\r\n")
    assert first == b"HTTP/1.1 100 Continue"
    assert parsed(rest).body == body


async def test_refused_upload_is_not_asked_for() -> None:
    head = b"PUT /ws/key HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 500\r\n\r\n"
    async with serving(boundary(raising(AccessDenied("no")))) as served:
        async with asyncio.timeout(3):
            # What the client says next is no body, and must not be taken for one.
            said = await say(served, head, b"GET /ws/other HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"100 Continue" not in said
    assert said.count(b"HTTP/1.1") == 1
    refused = parsed(said)
    assert refused.status == 403
    assert refused.headers["connection"] == "close"


async def test_upload_that_was_refused_while_it_came_ends_the_connection() -> None:
    head = b"PUT /ws/key HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n"
    async with serving(boundary(raising(AccessDenied("no")))) as served:
        said = await say(served, head, *[bytes(100_000)] * 20)
    refused = parsed(said)
    assert refused.status == 403
    assert refused.headers["connection"] == "close"


async def test_connection_lives_on_after_a_refusal() -> None:
    request = b"GET /ws/key HTTP/1.1\r\nHost: x\r\n\r\n"
    async with serving(boundary(raising(AccessDenied("no")))) as served:
        said = await say(served, request, request, until=lambda said: said.count(b"</Error>") == 2)
    assert said.count(b"HTTP/1.1 403") == 2


async def test_body_that_stops_is_incomplete_or_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "IDLE_SECONDS", 0.2)
    entries: list[Entry] = []
    head = b"PUT /ws/key HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"
    async with serving(boundary(reading, entries=entries)) as served:
        late = parsed(await say(served, head))
        assert late.status == 400
        assert RequestTimeout.code.encode() in late.body
        await say(served, head, until=lambda _: True)
        await asyncio.sleep(0.1)
    assert entries[0].received == 4
    assert not entries[1].complete


async def test_other_hosts_are_misdirected() -> None:
    hosts = Hosts("https://data.example", domain="s3.data.example")
    door, health = Acting(fine), Acting(fine, "operations")
    edge = Boundary(
        lambda request: health if request.path == "/_health/live" else door,
        hosts=hosts,
        observers=(),
    )
    async with serving(edge) as served:
        for host in ("data.example", "DATA.example:443", "ws.s3.data.example"):
            assert (await ask(served, "GET", "/ws/key", f"Host: {host}")).status == 200
        for host in ("other.example", "data.example.evil", "data.example:8080", "xs3.data.example"):
            assert (await ask(served, "GET", "/ws/key", f"Host: {host}")).status == 421
        assert (await ask(served, "GET", "/_health/live", "Host: 10.0.0.1")).status == 200
        forwarded = "X-Forwarded-Host: data.example"
        assert (await ask(served, "GET", "/ws/key", "Host: other", forwarded)).status == 421


async def test_only_trusted_proxies_speak_for_others() -> None:
    seen: list[Request] = []

    async def act(exchange: Exchange) -> Reply:
        seen.append(exchange.request)
        return OK

    said = ("X-Forwarded-For: 9.9.9.9, 203.0.113.7, 127.0.0.1", "X-Forwarded-Host: data.example")
    for trusted in ((), (ip_network("127.0.0.0/8"),)):
        edge = Boundary(lambda _: Acting(act), trusted=trusted, observers=())
        async with serving(edge) as served:
            await ask(served, "GET", "/ws/key", *said)
    stranger, proxied = seen
    assert stranger.remote == "127.0.0.1"
    assert "X-Forwarded-Host" not in stranger.headers
    assert proxied.remote == "203.0.113.7"
    assert Hosts().signed(proxied)[0] == "data.example"


async def test_access_log_tells_all_but_secrets(caplog: pytest.LogCaptureFixture) -> None:
    async def act(exchange: Exchange) -> Reply:
        exchange.notes.of(ANONYMOUS, "ws", "PutObject")
        return await reading(exchange)

    caplog.set_level(logging.INFO, "gateway.access")
    edge = Boundary(lambda _: Acting(act))
    async with serving(edge) as served:
        said = await say(
            served,
            b"PUT /ws/k?X-Amz-Signature=hush&prefix=a&x%2damz-security-TOKEN=hush HTTP/1.1\r\n"
            b"Host: x\r\nAuthorization: hush\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
        )
    [line] = [record.getMessage() for record in caplog.records if record.name == "gateway.access"]
    entry = json.loads(line)
    assert "hush" not in line
    assert entry["request_id"] == parsed(said).headers["x-request-id"]
    assert entry["path"] == "/ws/k?X-Amz-Signature=…&prefix=a&x%2damz-security-TOKEN=…"
    wanted = {
        "door": "s3",
        "operation": "PutObject",
        "method": "PUT",
        "status": 200,
        "received": 3,
        "sent": 3,
        "complete": True,
        "workspace": "ws",
        "access_key_id": None,
        "error": None,
        "remote": "127.0.0.1",
    }
    assert {name: entry[name] for name in wanted} == wanted
    assert entry["seconds"] >= 0
    assert entry["time"].endswith("+00:00")


@pytest.mark.parametrize("odd", ["plain", 'a "b" \\ c', "\x00\n\x7f\u2028", "héllo", "\udcff"])
@pytest.mark.parametrize("there", [True, False])
def test_access_log_is_json_whatever_it_tells(
    odd: str, monkeypatch: pytest.MonkeyPatch, *, there: bool
) -> None:
    kept = BufferingHandler(10)
    # Not to pytest's own: its reports can't hold what is no UTF-8.
    monkeypatch.setattr(access_log.logger, "handlers", [kept])
    monkeypatch.setattr(access_log.logger, "propagate", False)
    monkeypatch.setattr(access_log.logger, "level", logging.INFO)
    may = odd if there else None
    now = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
    entry = Entry(now, "ID", odd, "s3", may, odd, odd, 200, 1, 2, 0.1234567, there, may, may, may)
    access_log.write(entry)
    [record] = kept.buffer
    told = asdict(entry) | {"time": now.isoformat(), "seconds": 0.123457}
    assert record.getMessage() == json.dumps(told, ensure_ascii=False)
    assert (record.name, record.levelno, record.created) == (
        "gateway.access",
        logging.INFO,
        now.timestamp(),
    )


async def test_access_log_names_the_error() -> None:
    entries: list[Entry] = []
    async with serving(boundary(raising(NoSuchKey("no")), entries=entries)) as served:
        await ask(served, "GET", "/ws/key")
    assert (entries[0].status, entries[0].error) == (404, "NoSuchKey")


def test_tokens_that_page_are_no_secrets() -> None:
    request = Request(
        "GET",
        "/b",
        "continuation-token=abc&token=abc",
        CIMultiDictProxy(CIMultiDict()),
        NOTHING,
        notes=new_notes(),
    )
    for _ in range(2):  # the second time from the request's notes
        assert shown(request) == "/b?continuation-token=abc&token=…"


async def test_a_failing_choice_of_door_is_answered_too() -> None:
    def choose(request: Request) -> Acting:
        del request
        raise NoSuchKey("no door")

    async with serving(Boundary(choose, observers=())) as served:
        assert (await ask(served, "GET", "/ws/key")).status == 404


@pytest.mark.parametrize("mark", ["\r\n", "\n", "\r", "\0"])
@pytest.mark.parametrize("streamed", [True, False])
async def test_header_that_would_split_an_answer_is_no_header(mark: str, *, streamed: bool) -> None:
    body = Streaming(b"one")

    async def act(exchange: Exchange) -> Reply:
        del exchange
        headers = CIMultiDict({"X-A": f"a{mark}Set-Cookie: b=c"})
        return Reply(200, headers, body if streamed else b"one")

    said = await one(act)
    assert said.status == 500
    assert "set-cookie" not in said.headers
    assert body.closed.is_set() == streamed
