"""Bodies framed for the backend: as long as was promised, and decoded to what they were."""

from base64 import b64encode

import pytest

from gateway.errors import IncompleteBody
from gateway.s3 import framing
from gateway.s3.chunked import ChunkDecoder, ChunkSigning
from gateway.s3.framing import Trailers, framed, framed_length
from tests.s3.framing import SIGNING, fed, signed_chunks, unsigned_chunks
from tests.s3.oracle import body_of, collect

CRC = ("x-amz-checksum-crc32", "AAAAAA==")
SHA = ("x-amz-checksum-sha256", b64encode(b"h" * 32).decode())
EACH_SIGNING = pytest.mark.parametrize("signing", [None, SIGNING], ids=["unsigned", "signed"])


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 10 bytes."""
    monkeypatch.setattr(framing, "FRAME_BYTES", 10)
    monkeypatch.setattr(framing, "SIGNED_FRAME_BYTES", 10)


async def whole(blocks: list[bytes], trailers: Trailers, signing: ChunkSigning | None) -> bytes:
    length = sum(map(len, blocks))
    return b"".join([piece async for piece in framed(body_of(blocks), length, trailers, signing)])


@EACH_SIGNING
@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("length", [0, 1, 9, 10, 11, 20, 25])
@pytest.mark.parametrize("values", [(), (CRC,), (CRC, SHA)])
@pytest.mark.parametrize("block", [1, 3, 10, 100])
async def test_framed_body_has_the_promised_length_and_decodes_to_itself(
    signing: ChunkSigning | None, length: int, values: tuple[tuple[str, str], ...], block: int
) -> None:
    body = bytes(range(length))
    trailers = Trailers(tuple(name for name, _ in values), dict(values))
    blocks = [body[start : start + block] for start in range(0, length, block)]
    raw = await whole(blocks, trailers, signing)
    assert len(raw) == framed_length(length, trailers.names, signed=signing is not None)
    trailing = signing is None or bool(values)
    decoder = ChunkDecoder(length, signing, trailers.names, trailing=trailing)
    assert (b"".join(fed(decoder, raw)), decoder.finish()) == (body, trailers.values)


@pytest.mark.usefixtures("small_chunks")
async def test_framing_is_what_clients_send() -> None:
    chunks, body = [b"0123456789", b"01234"], b"012345678901234"
    with_crc = Trailers((CRC[0],), dict([CRC]))
    assert await whole([body], with_crc, None) == unsigned_chunks(chunks, [CRC])
    assert await whole([body], with_crc, SIGNING) == signed_chunks(chunks, [CRC])
    assert await whole([body], Trailers(), SIGNING) == signed_chunks(chunks)


@pytest.mark.parametrize("length", [1 << 20, (1 << 20) + 1, 5_000_000_000_000])
def test_framed_length_is_known_for_any_size(length: int) -> None:
    frames = -(-length // (1 << 20))
    plain = framed_length(length, (), signed=False) - length
    assert 0 < plain <= frames * len("100000\r\n\r\n") + 5
    chunks = -(-length // (1 << 16)) + 1
    signature = len(";chunk-signature=") + 64
    signed = framed_length(length, (), signed=True) - length
    assert chunks * signature < signed <= chunks * (signature + len("10000\r\n\r\n"))


@EACH_SIGNING
@pytest.mark.parametrize("blocks", [[b"1234"], [b"123456"], [b"12345", b"6"]])
async def test_body_of_another_length_is_never_framed_to_its_end(
    signing: ChunkSigning | None, blocks: list[bytes]
) -> None:
    out: list[bytes] = []
    pieces = framed(body_of(blocks), 5, Trailers(), signing)
    with pytest.raises(IncompleteBody):
        await collect(pieces, out)
    assert sum(map(len, out)) < framed_length(5, (), signed=signing is not None)


async def test_unsigned_chunks_are_opened_before_their_bytes_are_there() -> None:
    pieces = framed(body_of([b"he", b"llo"]), 5, Trailers(), None)
    assert [piece async for piece in pieces] == [b"5\r\nhe", b"llo\r\n", b"0\r\n\r\n"]
