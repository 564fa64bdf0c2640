"""Bodies in multipart/form-data, read as they come: some small fields, then one file.

The specifications: RFC 7578 and RFC 2046, and "POST Object" of the S3 API Reference: the file is
the last field that counts, and what comes before its bytes has at most 20 KiB. Each byte is
looked at once.
"""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from gateway.errors import (
    InvalidArgument,
    MalformedPOSTRequest,
    MaxPostPreDataLengthExceeded,
)
from gateway.s3.message import Body
from gateway.s3.parameters import filename, parse_parameters

FILE = "file"
"""The name of the field that is the object."""

FIELDS_BYTES = 20_480
"""The most bytes before the file's first: fields, boundaries and headers of parts."""

WHOLE_BYTES = 1 << 20
"""Up to how many bytes, what follows the fields is held whole."""

ENCTYPE = "multipart/form-data"

_BREAK = b"\r\n"
_HEADERS_END = b"\r\n\r\n"
_CLOSE = b"--"
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary"})


@dataclass(frozen=True, slots=True)
class FormHead:
    """What a form says before the bytes of its file.

    `fields` are lower-case names to values. `filename` is the file's as it was sent, path and
    all, "" without one; `content_type` is that of the file's part. `size` is how many bytes of
    the body came before the file's first.
    """

    fields: Mapping[str, str]
    filename: str
    content_type: str | None
    size: int


@dataclass(frozen=True, slots=True)
class _Part:
    """The headers of one part."""

    name: str
    filename: str
    content_type: str | None


class FormReader:
    """One body: `head` first, then its file, by `whole` or by `exact`.

    Whatever can't be read is a MalformedPOSTRequest; a body that breaks off raises what its
    source raises.
    """

    def __init__(self, body: Body, content_type: str) -> None:
        self._body = body
        self._delimiter = b"\r\n--" + _boundary(content_type)
        # A body may start with its first boundary: the line break before that is made up.
        self._buffer = bytearray(_BREAK)
        self._taken = -len(_BREAK)
        self._limit = FIELDS_BYTES

    async def head(self) -> FormHead:
        """The fields, up to the file, of which nothing is taken.

        MaxPostPreDataLengthExceeded beyond FIELDS_BYTES; InvalidArgument where there is no
        file, or a field comes twice.
        """
        fields: dict[str, str] = {}
        await self._until(self._delimiter)
        while (part := await self._part()) is not None:
            if part.name == FILE:
                size = self._taken + len(_BREAK)
                return FormHead(fields, part.filename, part.content_type, size)
            if part.name in fields:
                raise InvalidArgument(
                    "A field of the form occurs more than once.", ArgumentName=part.name
                )
            fields[part.name] = _text(await self._content())
        raise _not_one_file(0)

    def length(self, rest: int) -> int:
        """How long a file is that has `rest` bytes of the body left, when nothing follows it.

        Nothing but the closing boundary, with its line break, which is how clients write it.
        """
        return rest - len(self._delimiter) - len(_CLOSE) - len(_BREAK)

    async def whole(self) -> bytes:
        """The file; the body is read to its end.

        Fields after the file are passed over, as S3 does. InvalidArgument for a second file.
        """
        data = b"".join([piece async for piece in self._file()])
        self._limit = self._taken + WHOLE_BYTES
        while (part := await self._part()) is not None:
            if part.name == FILE:
                raise _not_one_file(2)
            await self._content()
        async for _ in self._body:
            pass
        return data

    async def exact(self, length: int) -> Body:
        """The file's bytes, `length` of them, if the body ends right after it (see `length`).

        MalformedPOSTRequest otherwise, before the end of this: who passes them on must hold the
        last ones back until then.
        """
        left = length
        async for piece in self._file():
            left -= len(piece)
            if left < 0:
                raise _wrong_end()
            yield piece
        async for block in self._body:
            self._buffer += block
            if len(self._buffer) > len(_CLOSE + _BREAK):
                break
        if left or self._buffer != _CLOSE + _BREAK:
            raise _wrong_end()

    async def _file(self) -> AsyncIterator[bytes]:
        """The file's bytes, up to its delimiter, which is taken too."""
        buffer, delimiter = self._buffer, self._delimiter
        before = len(_BREAK)  # of what is in the buffer, this ends the headers
        while (found := buffer.find(delimiter)) < 0:
            size = len(buffer) - len(delimiter)  # what is behind may begin a delimiter
            if size > before:
                yield bytes(memoryview(buffer)[before:size])
                del buffer[:size]
                before = 0
            await self._more()
        if found > before:
            yield bytes(memoryview(buffer)[before:found])
        self._take(found + len(delimiter))

    async def _part(self) -> _Part | None:
        """The headers of the part behind a delimiter; None behind the last one."""
        while len(self._buffer) < len(_CLOSE):
            await self._more()
        if self._buffer.startswith(_CLOSE):
            return None
        headers = await self._until(_HEADERS_END, keep=len(_BREAK))
        return _parse_part(headers)

    async def _content(self) -> bytes:
        """The bytes of the part whose headers were just read."""
        # The line break that ends them may be the one that starts the delimiter, too.
        content = await self._until(self._delimiter)
        return content[len(_BREAK) :]

    async def _until(self, mark: bytes, keep: int = 0) -> bytes:
        """What comes before `mark`, which is taken too, but for the last `keep` bytes of it."""
        start = 0
        while (found := self._buffer.find(mark, start)) < 0:
            start = max(0, len(self._buffer) - len(mark) + 1)
            self._check(self._taken + start)
            await self._more()
        self._check(self._taken + found + len(mark))
        before = bytes(self._buffer[:found])
        self._take(found + len(mark) - keep)
        return before

    def _take(self, size: int) -> None:
        del self._buffer[:size]
        self._taken += size

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise MaxPostPreDataLengthExceeded(
                "Your POST request fields preceding the upload file were too large.",
                MaxPostPreDataLength=FIELDS_BYTES,
            )

    async def _more(self) -> None:
        block = await anext(self._body, None)
        if block is None:
            raise _malformed("it ends before its closing boundary")
        self._buffer += block


def is_form(content_type: str) -> bool:
    """Whether a Content-Type is that of a form with a file."""
    return content_type.partition(";")[0].strip().lower() == ENCTYPE


def base_name(filename: str) -> str:
    """A file's name as ${filename} stands for it: what follows the last slash or backslash."""
    return re.split(r"[/\\]", filename)[-1]


def _boundary(content_type: str) -> bytes:
    _, parameters = _parameters(content_type)
    boundary = parameters.get("boundary", "")
    if _BOUNDARY.fullmatch(boundary) is None:
        raise _malformed("its Content-Type names no boundary of 1 to 70 characters")
    return boundary.encode("ascii")


def _parse_part(block: bytes) -> _Part:
    padding, *lines = block.decode("utf-8", "surrogateescape").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    kind, parameters = _parameters(headers.get("content-disposition", ""))
    name = parameters.get("name", "").lower()
    if padding.strip(" \t") or kind != "form-data" or not name or _has_breaks(lines):
        raise _malformed("a part of it is no named field")
    if headers.get("content-transfer-encoding", "").lower() not in _PLAIN_ENCODINGS:
        raise _malformed("a part of it is encoded, which forms for S3 are not")
    return _Part(name, filename(parameters), headers.get("content-type"))


def _has_breaks(lines: list[str]) -> bool:
    return any(character in line for line in lines for character in "\r\n\0")


def _parameters(value: str) -> tuple[str, dict[str, str]]:
    try:
        return parse_parameters(value)
    except ValueError:
        raise _malformed("the parameters of a header can't be read") from None


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("a field of it is not UTF-8") from None


def _malformed(reason: str) -> MalformedPOSTRequest:
    return MalformedPOSTRequest(
        f"The body of your POST request is not well-formed multipart/form-data: {reason}."
    )


def _wrong_end() -> MalformedPOSTRequest:
    return _malformed(
        f"of more than {WHOLE_BYTES} bytes, it has to end right after the file, with the closing "
        "boundary and one line break; put other fields before the file"
    )


def _not_one_file(number: int) -> InvalidArgument:
    return InvalidArgument(
        "POST requires exactly one file upload per request.",
        ArgumentName=FILE,
        ArgumentValue=str(number),
    )
