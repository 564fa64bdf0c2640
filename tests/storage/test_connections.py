"""Connections to a backend that breaks: nothing is repeated, mixed up, or taken for whole."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from multidict import CIMultiDict

from gateway.config import Backend
from gateway.errors import PreconditionFailed, ServiceUnavailable
from gateway.s3.address import Query
from gateway.storage import calls
from gateway.storage.bucket import BackendError, BrokenUpstream, Bucket, Outgoing
from gateway.storage.wire import connection
from tests.storage.faulty import Seen, faulty, response


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "PAUSE", 0.001)


def hurry(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.2) -> None:
    monkeypatch.setattr(connection, "IDLE_SECONDS", seconds)


def answering(*answers: bytes) -> "Answering":
    return Answering(list(answers))


class Answering:
    """Gives one answer after the other, then the last one for ever."""

    def __init__(self, answers: list[bytes]) -> None:
        self._answers = answers

    async def __call__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        writer.write(answer)
        await writer.drain()
        if not answer:
            raise ConnectionAbortedError


async def endless(size: int = 1 << 16) -> AsyncIterator[bytes]:
    while True:
        await asyncio.sleep(0)
        yield bytes(size)


async def test_connection_is_reused_after_answers_without_a_body() -> None:
    bare = (
        response("200 OK", length=11),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" + response("200 OK", b"mine"),
    )
    async with faulty(answering(*bare)) as there, Bucket(there.backend) as bucket:
        for method in ("HEAD", "DELETE", "GET"):
            upstream = await bucket.send(Outgoing(method, "b", "k"))
            assert await upstream.read(100) == b""
        upstream = await bucket.send(Outgoing("GET", "b", "k"))
        assert upstream.status == 200
        assert await upstream.read(100) == b"mine"
    assert {request.connection for request in there.seen} == {1}


@pytest.mark.parametrize(
    "head",
    [
        response("200 OK", length=42),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 42\r\n\r\n",
    ],
)
async def test_body_where_none_may_be_is_not_the_next_answer(head: bytes) -> None:
    async def say_too_much(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader
        writer.write(head if "theirs" in request.line else response("200 OK", b"mine"))
        await writer.drain()
        await asyncio.sleep(0.02)
        if "theirs" in request.line:
            writer.write(response("200 OK", b"theirs"))

    async with faulty(say_too_much) as there, Bucket(there.backend) as bucket:
        method = "HEAD" if b"200" in head else "GET"
        assert await (await bucket.send(Outgoing(method, "b", "theirs"))).read(100) == b""
        await asyncio.sleep(0.1)
        assert await (await bucket.send(Outgoing("GET", "b", "k"))).read(100) == b"mine"
    assert [request.connection for request in there.seen] == [1, 2]


async def test_early_answer_passes_and_ends_the_connection() -> None:
    refusal = response("403 Forbidden", b"<Error/>")
    async with (
        faulty(answering(refusal), read_body=False) as there,
        Bucket(there.backend) as bucket,
    ):
        outgoing = Outgoing("PUT", "b", "k", body=endless(), length=1 << 40)
        upstream = await bucket.send(outgoing)
        assert upstream.status == 403
        assert await upstream.read(100) == b"<Error/>"
        again = await bucket.send(Outgoing("GET", "b", "k"))
        assert await again.read(100) == b"<Error/>"
    assert [request.connection for request in there.seen] == [1, 2]


async def test_nobody_reads_the_upload_after_an_early_answer() -> None:
    reading = asyncio.Event()
    left = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        reading.set()
        try:
            await asyncio.sleep(60)
        finally:
            left.set()

    async def refuse(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        await reading.wait()
        writer.write(response("403 Forbidden"))

    async with faulty(refuse, read_body=False) as there, Bucket(there.backend) as bucket:
        upstream = await bucket.send(Outgoing("PUT", "b", "k", body=slow(), length=100))
        assert await upstream.read(100) == b""
        assert left.is_set()


async def test_answer_that_breaks_off_is_broken() -> None:
    half = response("200 OK", b"half", length=8)

    async def behave(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        writer.write(half)
        await writer.drain()
        raise ConnectionAbortedError

    async with faulty(behave) as there, Bucket(there.backend) as bucket:
        upstream = await bucket.send(Outgoing("GET", "b", "k"))
        stream = upstream.stream()
        assert await anext(stream) == b"half"
        with pytest.raises(BrokenUpstream):
            await anext(stream)
        with pytest.raises(ServiceUnavailable):
            await bucket.get("b", "k", limit=100)


async def test_chunked_answer_without_its_end_is_broken() -> None:
    half = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"

    async def behave(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        writer.write(half)
        await writer.drain()
        raise ConnectionAbortedError

    async with faulty(behave) as there, Bucket(there.backend) as bucket:
        upstream = await bucket.send(Outgoing("GET", "b", "k"))
        with pytest.raises(BrokenUpstream):
            await upstream.read(100)


@pytest.mark.parametrize("begun", [True, False])
async def test_answer_that_nobody_wants_any_more_is_not_left_to_the_next(begun: bool) -> None:  # noqa: FBT001 - a case
    body = b"theirs " * 10_000
    async with (
        faulty(answering(response("200 OK", body), response("200 OK", b"mine"))) as there,
        Bucket(there.backend) as bucket,
    ):
        stream = (await bucket.send(Outgoing("GET", "b", "theirs"))).stream()
        if begun:
            assert (await anext(stream)).startswith(b"theirs")
        await stream.aclose()  # type: ignore[attr-defined]
        upstream = await bucket.send(Outgoing("GET", "b", "mine"))
        assert await upstream.read(100) == b"mine"


async def test_redirects_are_not_followed() -> None:
    away = (
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    async with faulty(answering(away)) as there, Bucket(there.backend) as bucket:
        upstream = await bucket.send(Outgoing("GET", "b", "k"))
        assert upstream.status == 307
        await upstream.close()
        with pytest.raises(BackendError):
            await bucket.put("b", "k", b"x")
    assert len(there.seen) == 2


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
async def test_requests_that_change_something_are_sent_once(method: str) -> None:
    async with faulty(answering(b"")) as there, Bucket(there.backend) as bucket:
        with pytest.raises(ServiceUnavailable):
            await bucket.send(Outgoing(method, "b", "k", body=b"x" * (method != "DELETE")))
    assert len(there.seen) == 1


async def test_streams_are_sent_once() -> None:
    async def once() -> AsyncIterator[bytes]:
        yield b"x"

    async with faulty(answering(b"")) as there, Bucket(there.backend) as bucket:
        with pytest.raises(ServiceUnavailable):
            await bucket.send(Outgoing("PUT", "b", "k", body=once(), length=1))
    assert len(there.seen) == 1


async def test_conditional_put_is_sent_once() -> None:
    # Repeated, it would be refused because of what it had stored itself.
    async with (
        faulty(answering(b"", response("412 Precondition Failed"))) as there,
        Bucket(there.backend) as bucket,
    ):
        with pytest.raises(ServiceUnavailable):
            await bucket.put("b", "k", b"x", if_absent=True)
        with pytest.raises(PreconditionFailed):
            await bucket.put("b", "k", b"x", if_absent=True)
    assert len(there.seen) == 2


async def test_read_is_repeated_once_on_a_dead_connection() -> None:
    async with (
        faulty(answering(b"", response("200 OK", b"found"))) as there,
        Bucket(there.backend) as bucket,
    ):
        upstream = await bucket.send(Outgoing("GET", "b", "k"))
        assert await upstream.read(100) == b"found"
    assert len(there.seen) == 2


async def test_own_calls_survive_a_moment_of_trouble() -> None:
    trouble = response("503 Slow Down", b"<Error><Code>SlowDown</Code></Error>")
    fine = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n'
    async with (
        faulty(answering(trouble, b"", fine)) as there,
        Bucket(there.backend) as bucket,
    ):
        assert (await bucket.put("b", "k", b"data")).etag == '"e"'
    assert [request.body for request in there.seen] == [b"data"] * 3


async def test_own_calls_give_up_when_trouble_stays() -> None:
    async with (
        faulty(answering(response("500 Internal Server Error"))) as there,
        Bucket(there.backend) as bucket,
    ):
        with pytest.raises(ServiceUnavailable):
            await bucket.put("b", "k", b"data")
    assert len(there.seen) == calls.TRIES


async def test_what_is_not_implemented_is_not_asked_again() -> None:
    refusal = response("501 Not Implemented", b"<Error><Code>NotImplemented</Code></Error>")
    async with faulty(answering(refusal)) as there, Bucket(there.backend) as bucket:
        with pytest.raises(BackendError) as caught:
            await bucket.enable_versioning("b")
    assert caught.value.code == "NotImplemented"
    assert len(there.seen) == 1


async def test_failed_copy_with_status_200_is_an_error() -> None:
    document = b"   <?xml version='1.0'?><Error><Code>InternalError</Code></Error>".lstrip()
    async with (
        faulty(answering(response("200 OK", document))) as there,
        Bucket(there.backend) as bucket,
    ):
        with pytest.raises(BackendError) as caught:
            await bucket.copy("b", "from", None, "to")
    assert caught.value.code == "InternalError"


async def test_silent_backend_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)

    async def say_nothing(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, writer, request
        await asyncio.sleep(60)

    async with faulty(say_nothing) as there, Bucket(there.backend) as bucket:
        with pytest.raises(ServiceUnavailable):
            await bucket.send(Outgoing("GET", "b", "k"))


async def test_answer_that_stalls_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)

    async def stall(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        writer.write(response("200 OK", b"half", length=8))
        await asyncio.sleep(60)

    async with faulty(stall) as there, Bucket(there.backend) as bucket:
        upstream = await bucket.send(Outgoing("GET", "b", "k"))
        with pytest.raises(BrokenUpstream):
            await upstream.read(100)


async def test_backend_that_stops_reading_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)

    async def stop_reading(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, writer, request
        await asyncio.sleep(60)

    async with (
        faulty(stop_reading, read_body=False) as there,
        Bucket(there.backend) as bucket,
    ):
        outgoing = Outgoing("PUT", "b", "k", body=endless(1 << 20), length=1 << 40)
        with pytest.raises(ServiceUnavailable):
            await bucket.send(outgoing)


async def test_slow_client_is_no_trouble_of_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)

    async def slow() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(0.5)
        yield b"b"

    async with faulty(answering(response("200 OK"))) as there, Bucket(there.backend) as bucket:
        upstream = await bucket.send(Outgoing("PUT", "b", "k", body=slow(), length=2))
        assert upstream.status == 200
    assert there.seen[0].body == b"ab"


@pytest.mark.parametrize("greeting", [b"220 mail\r\n", b""], ids=["speaks first", "closes"])
async def test_what_is_no_backend_is_unavailable(greeting: bytes) -> None:
    """Another program may have taken the port of a backend that has gone."""
    accepted = 0

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        writer.write(greeting)
        if not greeting:
            writer.close()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        backend = Backend(f"http://127.0.0.1:{port}", access_key_id="k", secret_access_key="s")
        async with asyncio.timeout(20), Bucket(backend) as bucket:
            for _ in range(20):
                with pytest.raises(ServiceUnavailable):
                    await bucket.send(Outgoing("PUT", "b", "k", body=b"data"))
    assert accepted == 20


async def test_source_that_is_slow_to_end_is_no_trouble_of_the_backend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hurry(monkeypatch, seconds=0.5)
    over = asyncio.Event()

    async def slow_to_end() -> AsyncIterator[bytes]:
        yield b"ab"
        await asyncio.sleep(1)
        over.set()

    async def think(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        await over.wait()
        await asyncio.sleep(0.1)
        writer.write(response("200 OK"))

    async with faulty(think) as there, Bucket(there.backend) as bucket:
        upstream = await bucket.send(Outgoing("PUT", "b", "k", body=slow_to_end(), length=2))
        assert upstream.status == 200


async def test_an_address_that_does_not_answer_costs_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a name's addresses, the first may lead nowhere, as IPv6 does in many a network."""
    async with faulty(answering(response("200 OK", b"found"))) as there:
        port = int(there.backend.endpoint_url.rpartition(":")[2])
        with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
            # Nobody takes its connections, and it has room for one that waits: the next hang.
            deaf.bind(("127.0.0.2", port))
            deaf.listen(0)
            for each in (first, second):
                each.settimeout(0)
                each.connect_ex(("127.0.0.2", port))

            async def both(*_: object, **__: object) -> list[tuple[object, ...]]:
                kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
                return [(*kind, (host, port)) for host in ("127.0.0.2", "127.0.0.1")]

            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
            named = replace(there.backend, endpoint_url=f"http://localhost:{port}")
            async with Bucket(named) as bucket:
                upstream = await bucket.send(Outgoing("GET", "b", "k"))
                assert await upstream.read(100) == b"found"


async def test_backend_that_is_not_there_is_unavailable() -> None:
    nowhere = Backend("http://127.0.0.1:1", access_key_id="k", secret_access_key="s")
    async with Bucket(nowhere) as bucket:
        with pytest.raises(ServiceUnavailable):
            await bucket.send(Outgoing("GET", "b", "k"))


async def test_request_holds_what_was_meant_and_nothing_else() -> None:
    async with faulty(answering(response("200 OK"))) as there, Bucket(there.backend) as bucket:
        key = "a//b/../%2F~+ ü?#"
        query = Query((("prefix", "a/b+c d%"), ("acl", "")))
        headers = CIMultiDict({"x-amz-meta-a": "1"})
        await (await bucket.send(Outgoing("PUT", "b", key, query, headers, b"data"))).close()
        await (await bucket.send(Outgoing("GET", "b"))).close()
    put, get = there.seen
    assert put.line == (
        "PUT /b/a//b/../%252F~%2B%20%C3%BC%3F%23?acl=&prefix=a%2Fb%2Bc%20d%25 HTTP/1.1"
    )
    assert sorted(put.headers) == [
        "authorization",
        "content-length",
        "host",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-meta-a",
    ]
    assert sorted(get.headers) == ["authorization", "host", "x-amz-content-sha256", "x-amz-date"]
    assert put.headers["host"] == there.backend.endpoint_url.removeprefix("http://")
    assert "secret" not in str(put.headers)
