"""Answers of the backend brought home: what of them clients may have."""

import asyncio

import pytest

from gateway.errors import ServiceUnavailable
from gateway.identity import Workspace
from gateway.services.transfer.forwarding import Forwarding
from gateway.storage.bucket import BrokenUpstream, Bucket
from tests.services.forwarded import WEED, verified, whole
from tests.storage.faulty import Seen, faulty, response


@pytest.mark.parametrize(
    ("method", "target", "authored"),
    [
        ("GET", "/some/key", True),
        ("HEAD", "/some/key", True),
        ("GET", "/some/key?tagging", True),
        ("POST", "/some/key?select&select-type=2", True),
        ("GET", "/some?list-type=2", False),
        ("PUT", "/some/key", False),
    ],
)
async def test_browsers_hear_nothing_that_the_backend_says_of_itself(
    method: str, target: str, *, authored: bool
) -> None:
    own = (
        "Access-Control-Allow-Origin: *",
        "Alt-Svc: h3",
        "Content-Security-Policy: block-all-mixed-content",
        "NEL: {}",
        "Report-To: {}",
        "Seaweed-X-Amz-Owner: account",
        "Server: theirs",
        "Set-Cookie: balancer=1",
        "Strict-Transport-Security: max-age=9",
        "Vary: Origin",
        "X-Content-Type-Options: theirs",
        "X-Minio-Deployment: account",
    )

    async def tell(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        lines = ["200 OK", "Cache-Control: no-cache", "x-amz-id-2: 1", *own]
        writer.write(response("\r\n".join(lines)))

    async with faulty(tell) as there, Bucket(there.backend) as bucket:
        path, _, query = target.partition("?")
        request = verified(method, path, query=query)
        reply = await Forwarding(bucket, WEED).forward(request, Workspace("1", "some", "some"))
        await whole(reply)
    assert not reply.headers.keys() & {line.partition(":")[0] for line in own}
    assert (reply.headers["Cache-Control"], reply.headers["x-amz-id-2"]) == ("no-cache", "1")
    assert reply.authored == authored
    assert not reply.public


@pytest.mark.parametrize("prefix", ["", "team/"])
async def test_long_listing_that_came_at_once_has_a_length(prefix: str) -> None:
    entry = b"<Contents><Key>team/%b</Key></Contents>" % (b"x" * 100)
    document = b"<ListBucketResult><Name>some</Name>%b</ListBucketResult>" % (entry * 1000)

    async def tell(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        writer.write(response("200 OK\r\nContent-Type: application/xml", document))

    async with faulty(tell) as there, Bucket(there.backend) as bucket:
        request = verified("GET", "/some", query="list-type=2")
        space = Workspace("1", "some", "some", prefix)
        reply = await Forwarding(bucket, WEED).forward(request, space)
        body = await whole(reply)
    assert body == document.replace(b"<Key>" + prefix.encode(), b"<Key>")
    if isinstance(reply.body, bytes):  # it may have come in pieces
        assert reply.headers["Content-Length"] == str(len(body))


@pytest.mark.parametrize("size", [0, 1 << 16, (1 << 16) + 1, 1 << 20])
async def test_object_is_its_authors_however_long_it_is(size: int) -> None:
    async def tell(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        writer.write(response("200 OK", bytes(size)))
        await writer.drain()

    async with faulty(tell) as there, Bucket(there.backend) as bucket:
        reply = await Forwarding(bucket, WEED).forward(
            verified("GET", "/some/key"), Workspace("1", "some", "some")
        )
        assert await whole(reply) == bytes(size)
    assert reply.authored


@pytest.mark.parametrize(("bucket_name", "length"), [("some", "300"), ("real", None)])
async def test_length_of_a_refusal_without_its_body_tells_nothing_of_the_backends_names(
    bucket_name: str, length: str | None
) -> None:
    async def refuse(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        writer.write(response("404 Not Found", length=300))

    async with faulty(refuse) as there, Bucket(there.backend) as bucket:
        reply = await Forwarding(bucket, WEED).forward(
            verified("HEAD", "/some/key"), Workspace("1", "some", bucket_name)
        )
    assert (reply.status, reply.body, reply.authored) == (404, b"", False)
    assert reply.headers.get("Content-Length") == length


async def test_answer_that_breaks_off_stays_broken() -> None:
    async def break_off(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        writer.write(response("200 OK", bytes(100_000), length=200_000))
        await writer.drain()
        raise ConnectionAbortedError

    async with faulty(break_off) as there, Bucket(there.backend) as bucket:
        request = verified("GET", "/some/key")
        reply = await Forwarding(bucket, WEED).forward(request, Workspace("1", "some", "some"))
        with pytest.raises(BrokenUpstream):
            await whole(reply)


async def test_translated_listing_that_breaks_off_stays_broken() -> None:
    listing = (
        b"<ListBucketResult><Name>real</Name>" + b"<Contents><Key>p/k</Key></Contents>" * 4_000
    )

    async def break_off(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
            b"%x\r\n%s\r\n" % (len(listing), listing)
        )
        await writer.drain()
        raise ConnectionAbortedError

    async with faulty(break_off) as there, Bucket(there.backend) as bucket:
        request = verified("GET", "/some", query="list-type=2")
        reply = await Forwarding(bucket, WEED).forward(
            request, Workspace("1", "some", "real", "p/")
        )
        assert not isinstance(reply.body, bytes)
        said = await anext(reply.body)
        assert b"<Key>k</Key>" in said
        assert b"real" not in said
        with pytest.raises(ServiceUnavailable):
            await whole(reply)


async def test_redirects_of_the_backend_do_not_lead_there() -> None:
    async def redirect(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        writer.write(
            b"HTTP/1.1 301 Moved\r\nLocation: http://backend.internal/\r\nContent-Length: 0\r\n\r\n"
        )

    async with faulty(redirect) as there, Bucket(there.backend) as bucket:
        reply = await Forwarding(bucket, WEED).forward(
            verified("GET", "/some/key"), Workspace("1", "some", "some")
        )
    assert reply.status == 301
    assert "Location" not in reply.headers


async def test_small_object_that_comes_in_pieces_comes_home_whole() -> None:
    async def slowly(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        for piece in (response("200 OK", b"one ", length=13), b"by ", b"one..."):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)

    async with faulty(slowly) as there, Bucket(there.backend) as bucket:
        reply = await Forwarding(bucket, WEED).forward(
            verified("GET", "/some/key"), Workspace("1", "some", "some")
        )
        assert await whole(reply) == b"one by one..."


async def test_translated_listing_is_without_what_the_backend_keeps_for_itself() -> None:
    keys = b"".join(
        b"<Contents><Key>p/%s</Key></Contents>" % key for key in (b"a", b"a.versions/v_1", b"b")
    )
    listing = b"<ListBucketResult><Name>real</Name>%s</ListBucketResult>" % keys

    async def tell(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(listing) + listing)

    async with faulty(tell) as there, Bucket(there.backend) as bucket:
        reply = await Forwarding(bucket, WEED).forward(
            verified("GET", "/some", query="list-type=2"), Workspace("1", "some", "real", "p/")
        )
        said = await whole(reply)
    assert b"<Key>a</Key>" in said
    assert b"<Key>b</Key>" in said
    assert b".versions" not in said
