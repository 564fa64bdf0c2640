"""No consumer ever saw the whole of a body that is not what was declared."""

import hashlib
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import (
    BadDigest,
    GatewayError,
    IncompleteBody,
    InvalidRequest,
    MalformedTrailer,
    SignatureDoesNotMatch,
    XAmzContentSHA256Mismatch,
)
from gateway.s3.checks import NOTHING, BackendChecks
from gateway.s3.chunked import ChunkSigning
from gateway.s3.digests import checksum
from gateway.s3.framing import Trailers, framed, framed_length
from gateway.s3.integrity import checked, checked_whole
from gateway.s3.payload import CHECKSUM_LENGTHS, Form, Payload
from tests.s3.framing import SIGNING, signed_chunks, split, unsigned_chunks
from tests.s3.oracle import body_of, collect

BODIES = st.binary(max_size=80)
CUTS = st.lists(st.integers(0, 2000), max_size=12)


def crc32(body: bytes) -> str:
    return b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def hashed(body: bytes) -> Payload:
    return Payload(Form.HASHED, len(body), hashlib.sha256(body).hexdigest())


class AtHand:
    """A body that is there as it is asked for, and nowhere else."""

    def __init__(self, whole: bytes) -> None:
        self._whole = whole

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        raise AssertionError("what is at hand was waited for")

    def at_hand(self) -> bytes:
        return self._whole


async def seen(
    pieces: list[bytes],
    payload: Payload,
    trailers: Trailers | None = None,
    elsewhere: BackendChecks = NOTHING,
) -> tuple[bytes, GatewayError | None]:
    """What a consumer got, and the error that ended it."""
    got = b""
    try:
        blocks = await checked(body_of(pieces), payload, SIGNING, trailers, elsewhere=elsewhere)
        async for block in blocks:
            got += block
    except GatewayError as error:
        return got, error
    return got, None


@settings(max_examples=60)
@given(BODIES, CUTS)
async def test_right_body_comes_whole_in_every_form(body: bytes, cuts: list[int]) -> None:
    chunks = split(body, cuts[:3]) if body else []
    crc = ("x-amz-checksum-crc32", crc32(body))
    md5 = hashlib.md5(body, usedforsecurity=False).digest()
    forms = [
        (body, hashed(body)),
        (body, Payload(Form.UNSIGNED, len(body), content_md5=md5)),
        (signed_chunks(chunks), Payload(Form.SIGNED_CHUNKS, len(body))),
        (
            signed_chunks(chunks, [crc]),
            Payload(Form.SIGNED_CHUNKS_TRAILER, len(body), trailers=(crc[0],)),
        ),
        (
            unsigned_chunks(chunks, [crc]),
            Payload(Form.UNSIGNED_CHUNKS_TRAILER, len(body), trailers=(crc[0],)),
        ),
    ]
    for raw, payload in forms:
        trailers = Trailers()
        got = await seen(split(raw, cuts) if raw else [], payload, trailers)
        assert got == (body, None)
        assert trailers.values == (dict([crc]) if payload.trailers else {})
        pieces = split(raw, cuts) if raw else []
        assert await checked_whole(body_of(pieces), payload, SIGNING) == body
        if not payload.form.chunked:
            assert await checked_whole(AtHand(raw), payload) == body


@settings(max_examples=60)
@given(BODIES.filter(bool), st.integers(0), st.integers(1, 255), CUTS)
async def test_wrong_body_never_comes_whole_in_any_form(
    body: bytes, place: int, change: int, cuts: list[int]
) -> None:
    changed = bytearray(body)
    changed[place % len(body)] ^= change
    wrong = bytes(changed)
    crc = ("x-amz-checksum-crc32", crc32(body))
    md5 = hashlib.md5(body, usedforsecurity=False).digest()
    unsigned = Payload(Form.UNSIGNED_CHUNKS_TRAILER, len(body), trailers=(crc[0],))
    signed = signed_chunks([body])
    tampered = bytearray(signed)
    tampered[signed.index(b"\r\n") + 2 + place % len(body)] ^= change
    forms: list[tuple[bytes, Payload, type[GatewayError]]] = [
        (wrong, hashed(body), XAmzContentSHA256Mismatch),
        (wrong, Payload(Form.UNSIGNED, len(body), content_md5=md5), BadDigest),
        (wrong, Payload(Form.UNSIGNED, len(body), checksums=(crc,)), BadDigest),
        (unsigned_chunks([wrong], [crc]), unsigned, BadDigest),
        (bytes(tampered), Payload(Form.SIGNED_CHUNKS, len(body)), SignatureDoesNotMatch),
    ]
    for raw, payload, error in forms:
        got, ended = await seen(split(raw, cuts), payload)
        assert isinstance(ended, error)
        assert len(got) < len(body)
        assert wrong.startswith(got)
        with pytest.raises(error):
            await checked_whole(body_of(split(raw, cuts)), payload, SIGNING)
        if not payload.form.chunked:
            with pytest.raises(error):
                await checked_whole(AtHand(raw), payload)


@settings(max_examples=60)
@given(BODIES, st.binary(min_size=1, max_size=9), CUTS)
async def test_body_of_another_length_never_comes_whole(
    body: bytes, more: bytes, cuts: list[int]
) -> None:
    declared = len(body) + len(more)
    short = [
        (body, Payload(Form.UNSIGNED, declared)),
        (body, Payload(Form.HASHED, declared, hashlib.sha256(body).hexdigest())),
        (unsigned_chunks([body] if body else []), Payload(Form.UNSIGNED_CHUNKS_TRAILER, declared)),
        (signed_chunks([body] if body else []), Payload(Form.SIGNED_CHUNKS, declared)),
    ]
    for raw, payload in short:
        got, ended = await seen(split(raw, cuts) if raw else [], payload)
        assert isinstance(ended, IncompleteBody)
        assert len(got) < declared
    long = [
        (body + more, Payload(Form.UNSIGNED, len(body))),
        (unsigned_chunks([body + more]), Payload(Form.UNSIGNED_CHUNKS_TRAILER, len(body))),
    ]
    for raw, payload in long:
        got, ended = await seen(split(raw, cuts), payload)
        assert isinstance(ended, IncompleteBody)
        assert len(got) < max(len(body), 1)
    for raw, payload in short + long:
        with pytest.raises(IncompleteBody):
            await checked_whole(body_of(split(raw, cuts) if raw else []), payload, SIGNING)
        if not payload.form.chunked:
            with pytest.raises(IncompleteBody):
                await checked_whole(AtHand(raw), payload)


@pytest.mark.parametrize(
    "cut", range(len(unsigned_chunks([b"hello"], [("x-amz-checksum-crc32", "NhCmhg==")])))
)
async def test_framed_body_that_stops_anywhere_is_incomplete_or_whole(cut: int) -> None:
    raw = unsigned_chunks([b"hello"], [("x-amz-checksum-crc32", "NhCmhg==")])
    payload = Payload(Form.UNSIGNED_CHUNKS_TRAILER, 5, trailers=("x-amz-checksum-crc32",))
    got, ended = await seen([raw[:cut]], payload)
    if ended is None:
        assert got == b"hello"
        assert len(raw) - cut <= len(b"\r\n\r\n")
    else:
        assert isinstance(ended, IncompleteBody | MalformedTrailer | InvalidRequest)
        assert len(got) < 5


@pytest.mark.parametrize(
    ("payload", "raw", "error"),
    [
        (Payload(Form.HASHED, 0, "ab" * 32), [], XAmzContentSHA256Mismatch),
        (Payload(Form.UNSIGNED, 0, content_md5=b"x" * 16), [], BadDigest),
        (Payload(Form.UNSIGNED, 1), [], IncompleteBody),
        (Payload(Form.UNSIGNED, 0), [b"x"], IncompleteBody),
        (
            Payload(Form.SIGNED_CHUNKS, 0),
            [b"0;chunk-signature=" + b"a" * 64 + b"\r\n\r\n"],
            SignatureDoesNotMatch,
        ),
        (Payload(Form.UNSIGNED_CHUNKS_TRAILER, 0), [b""], IncompleteBody),
    ],
)
async def test_wrong_empty_body_is_refused_before_there_is_a_body(
    payload: Payload, raw: list[bytes], error: type[GatewayError]
) -> None:
    with pytest.raises(error):
        await checked(body_of(raw), payload, SIGNING)


async def test_last_block_waits_for_the_end_and_others_do_not() -> None:
    arrivals: list[bytes] = []

    async def arriving() -> AsyncIterator[bytes]:
        for block in (b"one", b"two", b"three"):
            arrivals.append(block)
            yield block
        arrivals.append(b"end")

    stream = await checked(arriving(), Payload(Form.UNSIGNED, 11))
    assert arrivals == [b"one"]
    assert await anext(stream) == b"one"
    assert await anext(stream) == b"two"
    assert arrivals == [b"one", b"two"]
    assert await anext(stream) == b"three"
    assert arrivals[2:] == [b"three", b"end"]


async def test_trailers_are_there_before_the_last_bytes() -> None:
    body, crc = b"hello", ("x-amz-checksum-crc32", crc32(b"hello"))
    payload = Payload(Form.UNSIGNED_CHUNKS_TRAILER, 5, trailers=(crc[0],))
    for signing, expected in (
        (None, unsigned_chunks([body], [crc])),
        (SIGNING, signed_chunks([body], [crc])),
    ):
        trailers = Trailers(payload.trailers)
        raw = body_of(split(unsigned_chunks([body], [crc]), range(60)))
        stream = await checked(raw, payload, None, trailers)
        again = b"".join([piece async for piece in framed(stream, 5, trailers, signing)])
        assert again == expected
        assert len(again) == framed_length(5, payload.trailers, signed=signing is not None)


@pytest.mark.parametrize(("signing", "sent"), [(None, [b"a\r\nhello"]), (SIGNING, [])])
async def test_wrong_body_framed_again_never_gets_its_zero_chunk(
    signing: ChunkSigning | None, sent: list[bytes]
) -> None:
    payload = Payload(Form.HASHED, 10, "ab" * 32)
    stream = await checked(body_of([b"hello", b"world"]), payload)
    got: list[bytes] = []
    with pytest.raises(XAmzContentSHA256Mismatch):
        await collect(framed(stream, 10, Trailers(), signing), got)
    assert got == sent


async def test_hashing_may_be_left_to_the_backend_but_lengths_never() -> None:
    wrong = Payload(Form.HASHED, 5, "ab" * 32, content_md5=b"x" * 16)
    elsewhere = BackendChecks(payload_hash=True, content_md5=True)
    assert await seen([b"hello"], wrong, elsewhere=elsewhere) == (b"hello", None)
    got, ended = await seen([b"hell"], wrong, elsewhere=elsewhere)
    assert (got, type(ended)) == (b"hell", IncompleteBody)
    for one, error in (
        (BackendChecks(payload_hash=True), BadDigest),
        (BackendChecks(content_md5=True), XAmzContentSHA256Mismatch),
    ):
        assert isinstance((await seen([b"hello"], wrong, elsewhere=one))[1], error)


@pytest.mark.parametrize("name", sorted(CHECKSUM_LENGTHS))
async def test_every_checksum_is_computed_unless_it_is_elsewhere(name: str) -> None:
    for value, error in (
        (checksum(name, b"hello"), None),
        (checksum(name, b"other"), BadDigest),
        ("A" * CHECKSUM_LENGTHS[name], BadDigest),
    ):
        in_header = Payload(Form.UNSIGNED, 5, checksums=((name, value),))
        trailing = Payload(Form.UNSIGNED_CHUNKS_TRAILER, 5, trailers=(name,))
        for raw, payload, elsewhere in (
            (b"hello", in_header, BackendChecks(headers=(name,))),
            (
                unsigned_chunks([b"hello"], [(name, value)]),
                trailing,
                BackendChecks(trailers=(name,)),
            ),
        ):
            other = BackendChecks(headers=elsewhere.trailers, trailers=elsewhere.headers)
            for nobody in (NOTHING, other):
                ended = (await seen([raw], payload, elsewhere=nobody))[1]
                assert ended is None if error is None else isinstance(ended, error)
            assert await seen([raw], payload, elsewhere=elsewhere) == (b"hello", None)


async def test_every_declared_checksum_has_to_agree() -> None:
    names = ("x-amz-checksum-crc32", "x-amz-checksum-sha1")
    right = {name: checksum(name, b"hello") for name in names}
    for wrong in names:
        values = right | {wrong: checksum(wrong, b"other")}
        payload = Payload(Form.UNSIGNED, 5, checksums=tuple(values.items()))
        assert isinstance((await seen([b"hello"], payload))[1], BadDigest)


@pytest.mark.parametrize("value", ["", "AAAA", "AAAAAAA!", "AAAAAA==-2"])
async def test_checksum_that_is_none_is_refused_before_there_is_a_body(value: str) -> None:
    payload = Payload(Form.UNSIGNED, 5, checksums=(("x-amz-checksum-crc32", value),))
    with pytest.raises(InvalidRequest, match="x-amz-checksum-crc32"):
        await checked(body_of([b"hello"]), payload)


async def test_signed_chunks_need_a_signature() -> None:
    with pytest.raises(InvalidRequest):
        await checked(body_of([]), Payload(Form.SIGNED_CHUNKS, 0), None)


async def test_error_of_the_connection_comes_through() -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"
        raise ConnectionResetError

    stream = await checked(breaking(), Payload(Form.UNSIGNED, 9))
    assert await anext(stream) == b"one"
    assert await anext(stream) == b"two"
    with pytest.raises(ConnectionResetError):
        await anext(stream)
