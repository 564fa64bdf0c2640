"""multipart/form-data: any split reads the same, and nothing that is no form gets through."""

import asyncio
from collections.abc import Callable, Sequence
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import (
    GatewayError,
    InvalidArgument,
    MalformedPOSTRequest,
    MaxPostPreDataLengthExceeded,
)
from gateway.s3.form import FIELDS_BYTES, FormHead, FormReader, base_name, is_form
from gateway.s3.integrity import checked
from gateway.s3.payload import Form, Payload
from tests.s3.framing import split
from tests.s3.oracle import body_of, collect, refusals

BOUNDARY = "--between"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"
DELIMITER = f"\r\n--{BOUNDARY}".encode()
END = DELIMITER + b"--\r\n"
SUBMIT = DELIMITER + b'\r\nContent-Disposition: form-data; name="submit"\r\n\r\nUpload' + END
CUTS = st.lists(st.integers(0, 5000), max_size=20)
# What could be taken for a delimiter, or for a part of one.
DATA = st.lists(
    st.sampled_from([b"\r\n", b"--", b"-", b"\r", BOUNDARY.encode(), b"x", DELIMITER[:-1]]),
    max_size=30,
).map(b"".join)
DATA = DATA.filter(lambda data: DELIMITER not in b"\r\n" + data)


def part(name: str, value: bytes, more: str = "") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + value


def form(
    fields: dict[str, bytes], data: bytes, end: bytes = END, file: str = '; filename="a.csv"'
) -> bytes:
    parts = [part(name, value) + b"\r\n" for name, value in fields.items()]
    return b"".join(parts) + part("file", data, file) + end


def read(pieces: Sequence[bytes], content_type: str = TYPE) -> tuple[FormHead, bytes]:
    async def run() -> tuple[FormHead, bytes]:
        reader = FormReader(body_of(pieces), content_type)
        return await reader.head(), await reader.whole()

    return asyncio.run(run())


def stream(body: bytes, pieces: Sequence[bytes]) -> tuple[int, bytes, Exception | None]:
    """What came of a file that is streamed, how long it should have been, and what went wrong."""
    out: list[bytes] = []

    async def run() -> tuple[int, bytes, Exception | None]:
        reader = FormReader(body_of(pieces), TYPE)
        head = await reader.head()
        length = reader.length(len(body) - head.size)
        try:
            # As it goes to a backend: the last piece waits until everything agrees.
            await collect(await checked(reader.exact(length), Payload(Form.UNSIGNED, length)), out)
        except GatewayError as error:
            return length, b"".join(out), error
        return length, b"".join(out), None

    return asyncio.run(run())


def head_of(body: bytes, content_type: str = TYPE) -> FormHead:
    return read([body], content_type)[0]


@given(st.dictionaries(st.sampled_from(["key", "acl", "Policy"]), DATA), DATA, CUTS)
def test_a_form_reads_the_same_however_it_is_split(
    fields: dict[str, bytes], data: bytes, cuts: list[int]
) -> None:
    body = form(fields, data)
    head, got = read(split(body, cuts))
    assert got == data
    assert head.fields == {name.lower(): value.decode() for name, value in fields.items()}
    assert body[head.size :] == data + END
    assert stream(body, split(body, cuts)) == (len(data), data, None)


@given(DATA, CUTS, st.sampled_from([b"", END[:-2], END + b"\r\n", SUBMIT, END[:-4], b"\r\n"]))
def test_a_streamed_file_with_another_end_never_comes_whole(
    data: bytes, cuts: list[int], end: bytes
) -> None:
    body = form({}, data, end)
    length, got, error = stream(body, split(body, cuts))
    assert isinstance(error, MalformedPOSTRequest)
    assert len(got) < length or not got


@given(st.binary(max_size=200), CUTS)
def test_no_input_raises_anything_else(noise: bytes, cuts: list[int]) -> None:
    with refusals(400):
        read(split(noise, cuts))
    with refusals(400):
        read(split(form({}, b"data", noise), cuts))
    with refusals(400):
        read(split(part("a", b"", noise.decode("latin-1")) + END, cuts))


@pytest.mark.parametrize("end", [END, END[:-2], END + b"epilogue\r\n--x", SUBMIT])
def test_a_small_form_may_end_as_forms_may(end: bytes) -> None:
    assert read([form({}, b"data", end)])[1] == b"data"


def test_a_preamble_and_white_space_behind_boundaries_are_passed_over() -> None:
    body = b"preamble\r\n" + form({"key": b"k"}, b"data").replace(
        BOUNDARY.encode() + b"\r\n", BOUNDARY.encode() + b" \t\r\n"
    )
    head, data = read([body])
    assert (dict(head.fields), data) == ({"key": "k"}, b"data")


def test_an_empty_part_may_share_its_line_break_with_the_boundary() -> None:
    body = form({}, b"")
    assert read([body])[1] == b""
    assert read([body.replace(b"\r\n\r\n\r\n--", b"\r\n\r\n--")])[1] == b""
    fields = form({"key": b""}, b"data").replace(b"\r\n\r\n\r\n--", b"\r\n\r\n--")
    assert read([fields])[0].fields == {"key": ""}


@pytest.mark.parametrize("end", [b"", b"\r\n", DELIMITER, DELIMITER + b"-", END[: -len(b"--\r\n")]])
def test_a_form_that_does_not_end_is_malformed(end: bytes) -> None:
    with pytest.raises(MalformedPOSTRequest):
        read([form({}, b"data", end)])


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="a',
        f"multipart/form-data; boundary={'b' * 71}",
        "multipart/form-data; boundary=a\u00fc",
        'multipart/form-data; boundary="a "',
    ],
)
def test_a_content_type_without_a_boundary_is_malformed(content_type: str) -> None:
    with pytest.raises(MalformedPOSTRequest):
        read([form({}, b"data")], content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        f'Multipart/Form-Data; charset=utf-8; Boundary="{BOUNDARY}"',
        f"multipart/form-data;boundary={BOUNDARY};",
        f"multipart/form-data; boundary = {BOUNDARY} ; x=y",
    ],
)
def test_a_boundary_is_found_however_it_is_written(content_type: str) -> None:
    assert is_form(content_type)
    assert read([form({}, b"data")], content_type)[1] == b"data"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ('; filename="a.csv"', "a.csv"),
        ("; filename=a.csv", "a.csv"),
        ('; filename="a \\"b\\" \\\\c.csv"', 'a "b" \\c.csv'),
        ('; filename="a%22b.csv"', "a%22b.csv"),
        ('; filename="C:\\dir\\a.csv"', "C:\\dir\\a.csv"),
        ('; filename="größe; x=y.csv"', "größe; x=y.csv"),
        ("; filename=\"?\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.csv", "größe.csv"),
        ("; filename*=latin-1''gr%F6%DFe.csv; filename=\"x\"", "x"),
        ('; filename=""', ""),
        ("", ""),
    ],
)
def test_file_names_are_read_as_clients_write_them(written: str, name: str) -> None:
    assert head_of(form({}, b"data", file=written)).filename == name


def test_a_name_that_is_not_utf8_harms_only_who_uses_it() -> None:
    body = form({}, b"data").replace(b"a.csv", b"gr\xf6\xdfe.csv")
    assert head_of(body).filename == "gr\udcf6\udcdfe.csv"


@pytest.mark.parametrize(
    ("filename", "name"),
    [("a.csv", "a.csv"), ("/d/a.csv", "a.csv"), ("C:\\d\\a.csv", "a.csv"), ("d/", ""), ("", "")],
)
def test_the_name_of_a_file_is_without_its_folder(filename: str, name: str) -> None:
    assert base_name(filename) == name


@pytest.mark.parametrize(
    "bad",
    [
        b"\r\n\r\nvalue",
        b'\r\nContent-Disposition: attachment; name="a"\r\n\r\nvalue',
        b"\r\nContent-Disposition: form-data\r\n\r\nvalue",
        b'\r\nContent-Disposition: form-data; name=""\r\n\r\nvalue',
        b'\r\nContent-Disposition: form-data; name="a\r\n\r\nvalue',
        b'\r\nContent-Disposition: form-data; name="a\nb"\r\n\r\nvalue',
        b'x\r\nContent-Disposition: form-data; name="a"\r\n\r\nvalue',
        b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff',
        b"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: form-data; name=a\r\n\r\n",
    ],
)
def test_a_part_that_is_no_field_is_malformed(bad: bytes) -> None:
    body = f"--{BOUNDARY}".encode() + bad + b"\r\n" + form({}, b"data")
    with pytest.raises(MalformedPOSTRequest):
        read([body])


def test_encodings_that_change_nothing_may_be_named() -> None:
    body = form({}, b"data").replace(
        b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: binary\r\nContent-Type: text/csv\r\n\r\n"
    )
    head, data = read([body])
    assert (head.content_type, data) == ("text/csv", b"data")


def test_there_is_one_file_and_each_field_comes_once() -> None:
    with pytest.raises(InvalidArgument, match="exactly one file"):
        read([part("key", b"k") + END])
    two = b"\r\n" + form({}, b"more")
    with pytest.raises(InvalidArgument, match="exactly one file"):
        read([form({}, b"data", two)])
    with pytest.raises(InvalidArgument, match="more than once"):
        read([part("key", b"a") + b"\r\n" + form({"KEY": b"b"}, b"data")])


@pytest.mark.parametrize("size", [1, 1000, FIELDS_BYTES])
def test_what_comes_before_the_file_is_bounded(size: int) -> None:
    room = FIELDS_BYTES - len(form({"key": b""}, b"", b""))
    body = form({"key": b"k" * room}, b"data")
    assert read([body])[0].size == FIELDS_BYTES
    long = form({"key": b"k" * (room + size)}, b"data" * FIELDS_BYTES)
    with pytest.raises(MaxPostPreDataLengthExceeded):
        read([long])
    with pytest.raises(MaxPostPreDataLengthExceeded):
        read(split(long, range(0, len(long), 997)))


def best(work: Callable[[], object]) -> float:
    """The seconds of processor time that it takes, of five tries the quickest."""

    def once() -> float:
        started = process_time()
        work()
        return process_time() - started

    return min(once() for _ in range(5))


def test_streaming_takes_linear_time() -> None:
    def seconds(size: int) -> float:
        data = (DELIMITER[:-1] + b"\r") * (size // len(DELIMITER))
        body = form({}, data)
        pieces = [body[start : start + 1000] for start in range(0, len(body), 1000)]
        return best(lambda: stream(body, pieces))

    assert seconds(1 << 22) < 12 * seconds(1 << 20)


def test_fields_that_come_a_byte_at_a_time_take_linear_time() -> None:
    def seconds(size: int) -> float:
        body = form({"key": b"\r\n--" * (size // 4)}, b"data")
        pieces = [bytes((byte,)) for byte in body]
        return best(lambda: read(pieces))

    assert seconds(16_000) < 12 * seconds(4_000)
