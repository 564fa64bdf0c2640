"""The wire to the backend: heads and chunks, in whatever pieces they come."""

import pytest

from gateway.errors import InvalidArgument
from gateway.storage.wire.chunks import BrokenChunks, Chunks
from gateway.storage.wire.head import BrokenHead, answer_head, request_head

CHUNKED = (
    b"4\r\nWiki\r\n6;name=value\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nTrailer: 1\r\n\r\n"
)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 200])
def test_chunks_come_apart_however_they_arrive(size: int) -> None:
    chunks, body, rest = Chunks(), b"", b""
    data = CHUNKED + b"next"
    for start in range(0, len(data), size):
        pieces, behind = chunks.feed(data[start : start + size])
        body += b"".join(pieces)
        rest += behind
    assert (body, rest, chunks.ended) == (b"Wikipedia in \r\n\r\nchunks.", b"next", True)


@pytest.mark.parametrize(
    "data",
    [b"4\nWiki", b"x\r\n", b"-1\r\n", b"4\r\nWikiX\r", b"4\r\nWiki\rX", b"\r\n", b"1" * 5_000],
)
@pytest.mark.parametrize("size", [1, 100_000])
def test_chunks_that_break_off_are_refused(data: bytes, size: int) -> None:
    chunks = Chunks()
    parts = (data[start : start + size] for start in range(0, len(data), size))
    with pytest.raises(BrokenChunks):
        [*map(chunks.feed, parts)]


@pytest.mark.parametrize(
    ("method", "lines", "ends"),
    [
        ("GET", "Content-Length: 7", (7, False, True)),
        ("GET", "Content-Length: 7\r\nContent-Length: 7", (7, False, True)),
        ("GET", "Content-Length: 7\r\nConnection: close", (7, False, False)),
        ("GET", "Content-Length: 7\r\nConnection: a\r\nconnection: Close", (7, False, False)),
        ("GET", "Transfer-Encoding: chunked", (None, True, True)),
        ("GET", "ETag: 1", (None, False, False)),
        ("HEAD", "Content-Length: 7", (0, False, True)),
    ],
)
def test_an_answers_head_says_where_its_body_ends(
    method: str, lines: str, ends: tuple[int | None, bool, bool]
) -> None:
    head = answer_head(f"HTTP/1.1 200 OK\r\n{lines}".encode(), method)
    assert (head.status, head.length, head.chunked, head.lasting) == (200, *ends)


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_have_no_body(status: int) -> None:
    assert answer_head(f"HTTP/1.1 {status} X\r\nContent-Length: 7".encode(), "GET").length == 0


def test_headers_keep_their_order_and_their_bytes() -> None:
    head = answer_head(b"HTTP/1.1 200\r\nA:  1 \r\nb: \xff\r\na: 2\x0b", "GET")
    assert [*head.headers.items()] == [("A", "1"), ("b", "\udcff"), ("a", "2\x0b")]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/2 200 OK",
        b"SSH-2.0-x",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
        b"HTTP/1.1 200 OK\r\nName : x",
        b"HTTP/1.1 200 OK\r\nno colon",
        b"HTTP/1.1 200 OK\r\nno-colon",
        b"HTTP/1.1 200 OK\r\nA: 1\r\n folded",
        b"HTTP/1.1 200 OK\r\nA: 1\nB: 2",
        b"HTTP/1.1 200 OK\r\nA: \0",
    ],
)
def test_heads_in_doubt_are_refused(head: bytes) -> None:
    with pytest.raises(BrokenHead):
        answer_head(head, "GET")


@pytest.mark.timeout(5)
def test_spaces_within_a_header_cost_no_more_than_others() -> None:
    value = "a" + " " * 200_000 + "b"
    head = answer_head(f"HTTP/1.1 200 OK\r\nx-amz-meta-a: {value} \r\nb: 1".encode(), "GET")
    assert [*head.headers.items()] == [("x-amz-meta-a", value), ("b", "1")]


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\0b", "\udcff"])
def test_no_header_ends_its_line(value: str) -> None:
    with pytest.raises(InvalidArgument, match="x-amz-meta-a"):
        request_head("GET", "/", [("Host", "h"), ("x-amz-meta-a", value)])
    with pytest.raises(InvalidArgument, match="target"):
        request_head("GET", f"/{value}" if value != "\udcff" else "/\n", [("Host", "h")])
