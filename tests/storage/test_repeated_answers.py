"""A head of the backend's that comes again in the same words is read once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.s3.message import NOWHERE, new_notes
from gateway.storage.wire.head import KEPT, LONGEST_KEPT, BrokenHead, answer_head, date_of

LINES = 'ETag: "1"\r\nContent-Length: 7\r\nX-Amz-Request-Id: {}\r\nDate: {}\r\nServer: s'


def head(request: str, date: str, lines: str = LINES) -> bytes:
    return f"HTTP/1.1 200 OK\r\n{lines.format(request, date)}".encode()


def test_what_differs_by_the_moment_is_the_same_head() -> None:
    first = answer_head(head("A", "Mon, 01 Jan 2026 00:00:00 GMT"), "GET")
    assert answer_head(head("B", "Mon, 01 Jan 2026 00:00:01 GMT"), "GET") is first
    assert [*first.headers] == ["ETag", "Content-Length", "Server"]
    assert (first.length, first.notes) == (7, new_notes())


def test_what_differs_by_more_is_another() -> None:
    first = answer_head(head("A", "then"), "GET")
    others = [
        answer_head(head("A", "then"), "HEAD"),
        answer_head(head("A", "then").replace(b"200", b"206"), "GET"),
        answer_head(head("A", "then", LINES.replace('"1"', '"2"')), "GET"),
        answer_head(head("A", "then", LINES + "\r\nA: 1"), "GET"),
    ]
    assert len({id(each) for each in (first, *others)}) == 5
    assert others[0].length == 0


@pytest.mark.parametrize(
    ("method", "lines"),
    [
        ("PUT", LINES),  # what is stored has another tag each time
        ("GET", LINES + "\r\nx-amz-id-2: 1"),
        ("GET", LINES + "\r\nx-amz-meta-a: " + "a" * LONGEST_KEPT),
    ],
)
def test_what_does_not_come_again_is_not_kept(method: str, lines: str) -> None:
    one, other = (answer_head(head("A", "then", lines), method) for _ in range(2))
    assert one is not other
    assert one.notes is NOWHERE
    assert [*one.headers.items()] == [*other.headers.items()]


@pytest.mark.parametrize(
    "line", ["Date: a\r\n b", "X-Amz-Request-Id: a\nb", "Date: a\0", "Date: \r"]
)
def test_line_of_the_moment_that_is_broken_breaks_the_head(line: str) -> None:
    with pytest.raises(BrokenHead):
        answer_head(f"HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 7".encode(), "GET")


@given(
    st.lists(
        st.sampled_from(
            [
                "Date: Mon, 01 Jan 2026 00:00:00 GMT",
                "date: Mon, 01 Jan 2026 00:00:01 GMT",
                "X-Amz-Request-Id: 0123456789",
                "x-amz-request-id: 9876543210",
                "X-Date: Mon, 01 Jan 2026 00:00:0 GMT",
                "Content-Length: 7",
                "ETag: 1",
            ]
        ),
        unique=True,
    )
)
def test_heads_of_one_length_have_the_headers_that_are_in_them(lines: list[str]) -> None:
    found = answer_head("\r\n".join(["HTTP/1.1 200 OK", *lines]).encode(), "GET")
    passing = [line for line in lines if not line.lower().startswith(("date:", "x-amz-request"))]
    assert [f"{name}: {value}" for name, value in found.headers.items()] == passing


@pytest.mark.parametrize("lines", ["", "\r\nDate: {:029}"])
def test_head_with_fewer_lines_of_the_moment_hides_no_other_of_its_length(lines: str) -> None:
    def of(moment: int) -> bytes:
        said = f"HTTP/1.1 200 OK\r\nDate: {moment:029}\r\nx-amz-request-id: {moment:029}"
        return f"{said}\r\nContent-Length: 7".encode()

    fewer = f"HTTP/1.1 200 OK{lines.format(1)}\r\nETag: "
    answer_head(fewer.ljust(len(of(1)), "1").encode(), "GET")
    assert answer_head(of(2), "GET") is answer_head(of(3), "GET")


def test_line_that_breaks_where_a_good_one_stood_breaks_the_head() -> None:
    answer_head(head("A", "Mon, 01 Jan 2026 00:00:00 GMT"), "GET")
    for date in ("Mon, 01 Jan 2026 00:00:00\nGMT", "Mon, 01 Jan 2026 00:00:00\0GMT"):
        with pytest.raises(BrokenHead):
            answer_head(head("A", date), "GET")


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("line", ["Date: \xff", "date:then", "DATE: then", "X-AMZ-Request-Id: 1"])
def test_line_of_the_moment_is_no_header_however_it_is_written(line: str, method: str) -> None:
    found = answer_head(f"HTTP/1.1 200 OK\r\nETag: 1\r\n{line}".encode(), method)
    assert [*found.headers.items()] == [("ETag", "1")]


def test_heads_are_kept_up_to_a_number_and_the_oldest_goes() -> None:
    first, *others = (head("A", "then", f"Kept: {each}") for each in range(KEPT + 1))
    before = answer_head(first, "GET")
    second, *_, last = [answer_head(each, "GET") for each in others]
    assert answer_head(others[-1], "GET") is last
    assert answer_head(others[0], "GET") is second
    assert answer_head(first, "GET") is not before


def test_date_is_what_the_clock_said() -> None:
    assert date_of(head("A", "Mon, 01 Jan 2026 00:00:00 GMT")) == "Mon, 01 Jan 2026 00:00:00 GMT"
    assert not date_of(b"HTTP/1.1 200 OK\r\nX-Date: then")


def test_other_header_in_the_place_of_an_id_is_kept() -> None:
    lines = "HTTP/1.1 200 OK\r\nx-amz-{}-id: 0A1B\r\nContent-Length: 4"
    for name, shown in (("request", None), ("version", "0A1B")):
        for _ in range(2):
            head = answer_head(lines.format(name).encode(), "GET")
            assert head.headers.get("x-amz-version-id") == shown
