"""Long bodies of which something is checked: whole at the backend, or no object there."""

import asyncio
import hashlib
import zlib
from base64 import b64encode
from dataclasses import dataclass

import pytest

from gateway import conduit, sieve
from gateway.s3.payload import Form, Payload
from gateway.web.intake import Intake
from tests.s3.framing import signed_chunks, unsigned_chunks
from tests.web.test_intake import BODY, between, heard, put

CRC32 = "x-amz-checksum-crc32"
CRC = b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode()
HASHED = Payload(Form.HASHED, len(BODY), hashlib.sha256(BODY).hexdigest())
SIGNED = Payload(Form.SIGNED_CHUNKS, len(BODY))
TRAILING = Payload(Form.SIGNED_CHUNKS_TRAILER, len(BODY), trailers=(CRC32,))
UNSIGNED = Payload(Form.UNSIGNED_CHUNKS_TRAILER, len(BODY), trailers=(CRC32,))


@pytest.fixture(params=["poured", "without a buffer", "read"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """All ways that a body can go."""
    monkeypatch.setattr(conduit, "AVAILABLE", request.param != "read")
    if request.param == "without a buffer":
        monkeypatch.setattr(sieve, "MOST_BUFFERS", 0)
        monkeypatch.setattr(sieve, "_free", [])
    return str(request.param)


def cut(body: bytes, size: int) -> list[bytes]:
    """A body in chunks of a size."""
    return [body[start : start + size] for start in range(0, len(body), size)]


@dataclass(frozen=True, slots=True)
class Sent:
    """What a client sends, of what it declares."""

    payload: Payload
    raw: bytes


RIGHT = {
    "hash": Sent(HASHED, BODY),
    "MD5": Sent(
        Payload(
            Form.UNSIGNED,
            len(BODY),
            content_md5=hashlib.md5(BODY, usedforsecurity=False).digest(),
        ),
        BODY,
    ),
    "small chunks": Sent(SIGNED, signed_chunks(cut(BODY, 1 << 13))),
    "usual chunks": Sent(SIGNED, signed_chunks(cut(BODY, 1 << 16))),
    "large chunks": Sent(SIGNED, signed_chunks(cut(BODY, 3 << 20))),
    "odd chunks": Sent(SIGNED, signed_chunks(cut(BODY, 77_777))),
    "tiny chunks": Sent(
        Payload(Form.UNSIGNED_CHUNKS_TRAILER, 200_000), unsigned_chunks(cut(BODY[:200_000], 9))
    ),
    "signed trailers": Sent(TRAILING, signed_chunks(cut(BODY, 1 << 16), [(CRC32, CRC)])),
    "trailers": Sent(UNSIGNED, unsigned_chunks(cut(BODY, 1 << 16), [(CRC32, CRC)])),
}


@pytest.mark.parametrize("name", RIGHT)
async def test_right_bodies_follow_each_other_on_one_connection(name: str, way: str) -> None:
    sent = RIGHT[name]
    async with between(sent.payload) as (there, storing, served):
        reader, writer = await put(served, (b"x", sent.raw), (b"y", sent.raw))
        for _ in range(2):
            assert await heard(reader) == (200, b"stored"), way
        writer.close()
        stored = BODY[: sent.payload.length]
        assert [request.body == stored for request in there.seen] == [True, True]
    assert storing.received == [len(sent.raw)] * 2


async def test_a_checked_body_is_tapped_where_it_can_be(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, tapped = [], Intake.tapped

    def note(self: Intake, tap: conduit.Tap) -> None:
        left.append(tap.left)
        tapped(self, tap)

    monkeypatch.setattr(Intake, "tapped", note)
    async with between(HASHED) as (_, _, served):
        reader, writer = await put(served, (b"x", BODY))
        assert await heard(reader) == (200, b"stored")
        writer.close()
    if way == "poured":
        assert left == [0]
    else:
        assert [bool(each) for each in left] == [True] * (way == "without a buffer")


def changed(raw: bytes, place: int) -> bytes:
    """The same with another byte at a place."""
    return raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :]


def misframed(number: int) -> bytes:
    """Chunks of which the signature of one is wrong; the zero chunk is the last."""
    raw = signed_chunks(cut(BODY, 1 << 16))
    place = -1
    for _ in range(number + 1):
        place = raw.index(b";chunk-signature=", place + 1)
    digit = place + len(b";chunk-signature=")
    return raw[:digit] + (b"1" if raw[digit : digit + 1] == b"0" else b"0") + raw[digit + 1 :]


CHUNKS = signed_chunks(cut(BODY, 1 << 16))
WRONG_CRC = unsigned_chunks(cut(BODY, 1 << 16), [(CRC32, "AAAAAA==")])
WRONG = {
    "first byte": (HASHED, changed(BODY, 0), "XAmzContentSHA256Mismatch"),
    "middle byte": (HASHED, changed(BODY, len(BODY) // 2), "XAmzContentSHA256Mismatch"),
    "last byte": (HASHED, changed(BODY, len(BODY) - 1), "XAmzContentSHA256Mismatch"),
    "first signature": (SIGNED, misframed(0), "SignatureDoesNotMatch"),
    "middle signature": (SIGNED, misframed(40), "SignatureDoesNotMatch"),
    "last signature": (SIGNED, misframed(79), "SignatureDoesNotMatch"),
    "zero chunk": (SIGNED, misframed(80), "SignatureDoesNotMatch"),
    "byte of a chunk": (SIGNED, changed(CHUNKS, 100_000), "SignatureDoesNotMatch"),
    "no zero chunk": (SIGNED, CHUNKS[: CHUNKS.rindex(b"0;chunk-signature=")], "IncompleteBody"),
    "chunk left out": (SIGNED, signed_chunks(cut(BODY, 1 << 16)[:-1]), "IncompleteBody"),
    "chunk too many": (SIGNED, signed_chunks([*cut(BODY, 1 << 16), b"x"]), "IncompleteBody"),
    "bytes behind": (SIGNED, CHUNKS + b"x", "InvalidRequest"),
    "wrong trailer": (UNSIGNED, WRONG_CRC, "BadDigest"),
    "no trailer": (UNSIGNED, unsigned_chunks(cut(BODY, 1 << 16)), "MalformedTrailerError"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_wrong_bodies_are_refused_and_never_whole(name: str) -> None:
    payload, raw, code = WRONG[name]
    async with between(payload) as (there, storing, served):
        reader, writer = await put(served, (b"x", raw))
        status, said = await heard(reader)
        assert said.decode() == code
        writer.close()
        assert not any(request.body for request in there.seen)
    assert storing.heard == [f"{status}"]


async def test_checked_body_that_breaks_off_is_not_stored() -> None:
    for sent in (RIGHT["hash"], RIGHT["usual chunks"]):
        async with between(sent.payload) as (there, storing, served):
            reader, writer = await put(served)
            head = b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(sent.raw)
            writer.write(head + sent.raw[:-1])
            writer.write_eof()
            assert not (await reader.read()).startswith(b"HTTP/1.1 200")
            writer.close()
            assert [request.body for request in there.seen] == [b""]
        assert storing.heard in ([], ["400"])


async def test_backend_that_leaves_or_refuses_a_checked_body_is_heard() -> None:
    for name, answer in ((b"refused", (403, b"no")), (b"left", (503, b"ServiceUnavailable"))):
        async with between(SIGNED) as (_, _, served):
            reader, writer = await put(served, (name, CHUNKS))
            assert await asyncio.wait_for(heard(reader), 20) == answer
            writer.close()
