"""aws-chunked: any split decodes the same, and nothing that lies gets through."""

from dataclasses import replace
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import (
    GatewayError,
    IncompleteBody,
    InvalidRequest,
    MalformedTrailer,
    SignatureDoesNotMatch,
)
from gateway.s3.chunked import ChunkDecoder, ChunkSigning
from tests.s3.framing import SIGNING, fed, signed_chunks, split, unsigned_chunks
from tests.s3.oracle import refusals

CRC = ("x-amz-checksum-crc32", "AAAAAA==")
CHUNKS = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
CUTS = st.lists(st.integers(0, 2000), max_size=20)


def decode(
    pieces: list[bytes],
    length: int,
    signing: ChunkSigning | None = None,
    names: tuple[str, ...] = (),
    *,
    trailing: bool = True,
) -> tuple[bytes, dict[str, str]]:
    decoder = ChunkDecoder(length, signing, names, trailing=trailing)
    data = b"".join([view for piece in pieces for view in fed(decoder, piece)])
    return data, decoder.finish()


@given(chunks=CHUNKS, cuts=CUTS, trailer=st.booleans())
def test_unsigned_chunks_decode_however_they_are_split(
    chunks: list[bytes], cuts: list[int], *, trailer: bool
) -> None:
    trailers = [CRC] if trailer else []
    body = b"".join(chunks)
    raw = unsigned_chunks(chunks, trailers)
    names = tuple(name for name, _ in trailers)
    assert decode(split(raw, cuts), len(body), names=names) == (body, dict(trailers))
    assert decode([bytes((byte,)) for byte in raw], len(body), names=names)[0] == body


@given(chunks=CHUNKS, cuts=CUTS, most=st.integers(1, 4), signed=st.booleans())
def test_decoder_stops_after_so_many_pieces_and_goes_on_from_there(
    chunks: list[bytes], cuts: list[int], most: int, *, signed: bool
) -> None:
    body = b"".join(chunks)
    raw = signed_chunks(chunks, None) if signed else unsigned_chunks(chunks, [])
    decoder = ChunkDecoder(len(body), SIGNING if signed else None, (), trailing=not signed)
    decoded: list[memoryview] = []
    for piece in split(raw, cuts):
        rest = piece
        while rest:
            views, size = decoder.feed(rest, most)
            assert len(views) <= most
            assert size
            decoded += views
            rest = rest[size:]
    assert (b"".join(decoded), decoder.finish()) == (body, {})


@given(CHUNKS, CUTS, st.sampled_from([None, (), (CRC,)]))
def test_signed_chunks_decode_however_they_are_split(
    chunks: list[bytes], cuts: list[int], trailers: tuple[tuple[str, str], ...] | None
) -> None:
    body = b"".join(chunks)
    raw = signed_chunks(chunks, trailers)
    names = tuple(name for name, _ in trailers or ())
    decoded = decode(split(raw, cuts), len(body), SIGNING, names, trailing=trailers is not None)
    assert decoded == (body, dict(trailers or ()))


@given(CHUNKS.filter(bool), st.integers(0), st.integers(1, 255), CUTS)
def test_no_changed_byte_of_a_signed_body_gives_other_bytes(
    chunks: list[bytes], place: int, change: int, cuts: list[int]
) -> None:
    raw = bytearray(signed_chunks(chunks, [CRC]))
    raw[place % len(raw)] ^= change
    body = b"".join(chunks)
    try:
        decoded = decode(split(bytes(raw), cuts), len(body), SIGNING, (CRC[0],))
    except GatewayError:
        return
    assert decoded == (body, dict([CRC]))


@given(raw=st.binary(max_size=300), cuts=CUTS, length=st.integers(0, 100), signed=st.booleans())
def test_any_bytes_are_decoded_or_refused(
    raw: bytes, cuts: list[int], length: int, *, signed: bool
) -> None:
    for data in (raw, b"5\r\nhello\r\n0\r\n" + raw, b"0;chunk-signature=" + raw):
        with refusals(400, 403):
            decode(split(data, cuts), length, SIGNING if signed else None, (CRC[0],))


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", IncompleteBody),
        (b"5\r\nhello\r\n", IncompleteBody),
        (b"5\r\nhel", IncompleteBody),
        (b"5\r\nhello\r\n0", IncompleteBody),
        (b"4\r\nhell\r\n0\r\n\r\n", IncompleteBody),
        (b"6\r\nhello!\r\n0\r\n\r\n", IncompleteBody),
        (b"ffffffffffffffff\r\n", IncompleteBody),
        (b"5\r\nhello!\r\n0\r\n\r\n", InvalidRequest),
        (b"5\nhello\r\n0\r\n\r\n", InvalidRequest),
        (b"5\r\nhello\n0\r\n\r\n", InvalidRequest),
        (b"-5\r\nhello\r\n0\r\n\r\n", InvalidRequest),
        (b"0x5\r\nhello\r\n0\r\n\r\n", InvalidRequest),
        (b"11111111111111111\r\n", InvalidRequest),
        (b"\r\n5\r\nhello\r\n0\r\n\r\n", InvalidRequest),
        (b"5;chunk-signature=" + b"a" * 64 + b"\r\nhello\r\n0\r\n\r\n", InvalidRequest),
        (b"5\r\nhello\r\n0\r\n\r\nmore\r\n", InvalidRequest),
        (b"5\r\nhello\r\n0\r\n\r\nmore", InvalidRequest),
        (b"5\r\nhello\r\n0\r\n\r\n" + b"\r\n" * 16, InvalidRequest),
        (b"5\r\nhello\r\n0\r\nx-amz-meta-a:1\r\n\r\n", MalformedTrailer),
        (b"5\r\nhello\r\n0\r\nno colon\r\n\r\n", MalformedTrailer),
        (b"5\r\nhello\r\n0\r\nx-amz-trailer-signature:ab\r\n\r\n", MalformedTrailer),
    ],
)
def test_framing_that_lies_is_refused(raw: bytes, error: type[GatewayError]) -> None:
    with pytest.raises(error):
        decode([raw], 5)


def test_framing_with_a_few_empty_lines_behind_it_is_complete() -> None:
    assert decode([b"5\r\nhello\r\n0\r\n\r\n" + b"\r\n" * 15], 5) == (b"hello", {})


def test_framing_without_its_last_line_end_is_complete() -> None:
    assert decode([b"5\r\nhello\r\n0\r\n"], 5) == (b"hello", {})
    assert decode([b"5\r\nhello\r\n0\r\n\r\n\r\n"], 5) == (b"hello", {})
    raw = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA=="
    assert decode([raw], 5, names=(CRC[0],)) == (b"hello", dict([CRC]))


@pytest.mark.parametrize(
    ("trailers", "error"),
    [
        ([], MalformedTrailer),
        ([CRC, CRC], MalformedTrailer),
        ([("x-amz-checksum-sha1", "A" * 27 + "=")], MalformedTrailer),
        ([(CRC[0], "")], InvalidRequest),
        ([(CRC[0], "AAAA")], InvalidRequest),
        ([(CRC[0], "AAAAAAA!")], InvalidRequest),
    ],
)
def test_trailers_are_the_announced_ones(
    trailers: list[tuple[str, str]], error: type[GatewayError]
) -> None:
    with pytest.raises(error):
        decode([unsigned_chunks([b"hello"], trailers)], 5, names=(CRC[0],))


def test_trailers_where_the_form_has_none_are_refused() -> None:
    raw = signed_chunks([b"hello"])[:-2] + b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    with pytest.raises(MalformedTrailer):
        decode([raw], 5, SIGNING, trailing=False)


def test_many_trailers_are_refused() -> None:
    raw = b"0\r\n" + b"\r\n".join(b"a%d:b" % number for number in range(1000))
    with pytest.raises(MalformedTrailer):
        decode([raw], 0)


@pytest.mark.parametrize(
    "other",
    [
        replace(SIGNING, key=b"other"),
        replace(SIGNING, seed="00" * 32),
        replace(SIGNING, timestamp="20240229T123457Z"),
        replace(SIGNING, scope="20240229/other/s3/aws4_request"),
    ],
)
def test_chunks_signed_otherwise_are_refused(other: ChunkSigning) -> None:
    with pytest.raises(SignatureDoesNotMatch):
        decode([signed_chunks([b"hello"], signing=other)], 5, SIGNING, trailing=False)


def test_chunks_in_another_order_or_left_out_are_refused() -> None:
    one, two = signed_chunks([b"aaaaa", b"bbbbb"]), signed_chunks([b"bbbbb", b"aaaaa"])
    start = len(b"5;chunk-signature=") + 64 + len(b"\r\naaaaa\r\n")
    swapped = one[start : 2 * start] + one[:start] + one[2 * start :]
    left_out = one[start:]
    spliced = one[:start] + two[start:]
    for raw, length in ((swapped, 10), (left_out, 5), (spliced, 10)):
        with pytest.raises(SignatureDoesNotMatch):
            decode([raw], length, SIGNING, trailing=False)


def test_missing_or_wrong_trailer_signature_is_refused() -> None:
    good = signed_chunks([b"hello"], [CRC])
    assert decode([good], 5, SIGNING, (CRC[0],))[1] == dict([CRC])
    changed = good.replace(b"AAAAAA==", b"AAAAAQ==")
    missing = good[: good.index(b"x-amz-trailer-signature")] + b"\r\n"
    after = good[:-2] + b"x-amz-checksum-sha1:" + b"A" * 27 + b"=\r\n\r\n"
    for raw in (changed, missing):
        with pytest.raises(SignatureDoesNotMatch):
            decode([raw], 5, SIGNING, (CRC[0],))
    with pytest.raises(MalformedTrailer):
        decode([after], 5, SIGNING, (CRC[0], "x-amz-checksum-sha1"))


@pytest.mark.parametrize("raw", [b"5" * 5000, b"0\r\n" + b"a" * 5000, b"1\r\na" + b"\r" * 5000])
def test_lines_are_bounded_however_they_arrive(raw: bytes) -> None:
    for pieces in ([raw], [bytes((byte,)) for byte in raw]):
        with pytest.raises(InvalidRequest):
            decode(pieces, 1)


def test_time_is_linear_in_the_bytes() -> None:
    def seconds(count: int) -> float:
        body = unsigned_chunks([b"x"] * count)
        pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
        start = process_time()
        decode(pieces, count)
        return process_time() - start

    seconds(1000)
    small = min(seconds(4000) for _ in range(3))
    assert min(seconds(32000) for _ in range(3)) < small * 8 * 4


THREE = [b"first", b"second", b"third"]


def with_wrong_signature(number: int) -> bytes:
    """The three chunks and the zero chunk, of which one has another signature."""
    parts = signed_chunks(THREE).split(b"chunk-signature=")
    parts[number + 1] = (b"1" if parts[number + 1][:1] == b"0" else b"0") + parts[number + 1][1:]
    return b"chunk-signature=".join(parts)


@pytest.mark.parametrize("signed", [True, False])
def test_framing_may_be_split_at_every_byte(*, signed: bool) -> None:
    raw = signed_chunks(THREE, [CRC]) if signed else unsigned_chunks(THREE, [CRC])
    signing = SIGNING if signed else None
    whole = (b"".join(THREE), dict([CRC]))
    for place in range(len(raw) + 1):
        for pieces in ([raw[:place], raw[place:]], [raw[:place], raw[place : place + 1]]):
            rest = raw[sum(map(len, pieces)) :]
            assert decode([*pieces, rest], len(whole[0]), signing, (CRC[0],)) == whole


@pytest.mark.parametrize("number", range(4))
def test_wrong_signature_of_any_chunk_is_found_wherever_it_is_split(number: int) -> None:
    wrong = with_wrong_signature(number)
    for place in range(len(wrong) + 1):
        with pytest.raises(SignatureDoesNotMatch):
            decode([wrong[:place], wrong[place:]], 16, SIGNING, trailing=False)


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("length", range(17))
def test_of_a_wrong_signature_and_a_chunk_too_many_the_first_is_what_is_said(
    number: int, length: int
) -> None:
    wrong = with_wrong_signature(number)
    longer = [place for place, end in enumerate((5, 11, 16)) if end > length]
    first = IncompleteBody if longer and longer[0] <= number else SignatureDoesNotMatch
    for place in range(len(wrong) + 1):
        with pytest.raises(first):
            decode([wrong[:place], wrong[place:]], length, SIGNING, trailing=False)
