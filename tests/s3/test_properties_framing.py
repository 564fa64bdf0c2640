"""aws-chunked: any split of the same bytes has the same outcome, and what is framed comes back."""

from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.s3 import framing
from gateway.s3.chunked import ChunkDecoder, ChunkSigning
from gateway.s3.framing import Trailers, framed, framed_length
from tests.s3.framing import SIGNING, fed, signed_chunks, split, unsigned_chunks
from tests.s3.oracle import body_of

CRC = ("x-amz-checksum-crc32", "AAAAAA==")
SHA = ("x-amz-checksum-sha1", "A" * 27 + "=")
CHUNKS = st.lists(st.binary(min_size=1, max_size=30), max_size=5)
CUTS = st.lists(st.integers(0, 2_000), max_size=20)
NOISE = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r", b"0\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b";", b" ", b"\t"),
        *(b"0;chunk-signature=", b"f" * 16, b"1", b"-", b"x-amz-checksum-crc32:AAAAAA==\r\n"),
        *(b"x-amz-trailer-signature:", b"a" * 64, b"a" * 1_100, b"\0", b"\xff"),
    ]
)

Outcome = tuple[bytes, dict[str, str]] | tuple[type[GatewayError], str]


def outcome(pieces: list[bytes], decoder: ChunkDecoder) -> Outcome:
    """What comes out of a body that arrives so, or the error that it ends with."""
    try:
        data = b"".join([view for piece in pieces for view in fed(decoder, piece)])
        return data, decoder.finish()
    except GatewayError as error:
        return type(error), error.message


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, Callable[[], ChunkDecoder]]:
    """A framed body, perhaps spoilt somewhere, and what makes decoders of it."""
    chunks = draw(CHUNKS)
    signing = draw(st.sampled_from([None, SIGNING]))
    trailers = draw(st.sampled_from([(), (CRC,), (CRC, SHA)]))
    trailing = signing is None or bool(trailers) or draw(st.booleans())
    if signing is None:
        raw = unsigned_chunks(chunks, trailers)
    else:
        raw = signed_chunks(chunks, trailers if trailing else None)
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(raw)))
        raw = raw[:place] + draw(NOISE) + raw[place + draw(st.integers(0, 4)) :]
    length = max(0, sum(map(len, chunks)) + draw(st.sampled_from([0, 0, 0, 1, -1])))
    names = tuple(name for name, _ in trailers)
    return raw, lambda: ChunkDecoder(length, signing, names, trailing=trailing)


@settings(max_examples=400, deadline=None)
@given(bodies(), CUTS)
def test_any_split_has_the_outcome_of_the_whole(
    body: tuple[bytes, Callable[[], ChunkDecoder]], cuts: list[int]
) -> None:
    raw, decoder = body
    whole = outcome([raw], decoder())
    assert outcome(split(raw, cuts), decoder()) == whole
    assert outcome([bytes((byte,)) for byte in raw], decoder()) == whole
    assert outcome([raw, b"", b""], decoder()) == whole


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=90),
    CUTS,
    CUTS,
    st.integers(1, 40),
    st.sampled_from([(), (CRC,), (CRC, SHA)]),
    st.sampled_from([None, SIGNING]),
)
async def test_what_is_framed_in_any_pieces_is_decoded_from_any(
    body: bytes,
    cuts: list[int],
    others: list[int],
    size: int,
    values: tuple[tuple[str, str], ...],
    signing: ChunkSigning | None,
) -> None:
    trailers = Trailers(tuple(name for name, _ in values), dict(values))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framing, "FRAME_BYTES", size)
        patch.setattr(framing, "SIGNED_FRAME_BYTES", size)
        made = [
            piece
            async for piece in framed(body_of(split(body, cuts)), len(body), trailers, signing)
        ]
        length = framed_length(len(body), trailers.names, signed=signing is not None)
    raw = b"".join(made)
    assert len(raw) == length
    trailing = signing is None or bool(values)
    decoder = ChunkDecoder(len(body), signing, trailers.names, trailing=trailing)
    assert outcome(split(raw, others), decoder) == (body, dict(values))


@settings(max_examples=100, deadline=None)
@given(bodies())
def test_nothing_comes_out_that_was_not_sent(
    body: tuple[bytes, Callable[[], ChunkDecoder]],
) -> None:
    raw, decoder = body
    reading = decoder()
    sizes: list[int] = []
    with suppress(GatewayError):
        sizes.extend(
            sum(map(len, fed(reading, raw[place : place + 1]))) for place in range(len(raw))
        )
    assert all(total <= place + 1 for place, total in enumerate(accumulate(sizes)))
    assert set(sizes) <= {0, 1}
