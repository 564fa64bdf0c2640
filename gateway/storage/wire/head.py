"""Heads of messages: requests written, answers read, nothing taken for what it may not be.

RFC 9112. What is in doubt is refused: two lengths, a length beside a transfer coding, folded
lines, bare line breaks. A head that comes again in the same words is not read anew.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from multidict import CIMultiDict, CIMultiDictProxy

from gateway.errors import InvalidArgument
from gateway.light import light
from gateway.s3.message import NOWHERE, Notes, new_notes

LONGEST = 262_144
"""The longest head of an answer, in bytes."""

BEGINNING = b"HTTP/1."
"""How each answer begins."""

KEPT = 1_024
"""How many heads of answers to one method are kept that may come again."""

LONGEST_KEPT = 2_048
"""The longest of these, in bytes."""

_END = "\r\n"
_FORBIDDEN = frozenset("\r\n\0")
_STATUS = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n\0]*)?")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_DIGITS = re.compile(r"[0-9]{1,19}")
_EMPTY = frozenset((204, 304))
# What says when an answer was given, and which it was: two of the same thing differ in it alone.
# Spelled as servers do: where case does not matter, a look takes half as long again.
_OF_THE_MOMENT = re.compile(rb"\r\n(?:[Dd]ate|[Xx]-[Aa]mz-[Rr]equest-[Ii]d): [ -~]*(?=\r\n|\Z)")
# What is behind such a line: the next one, or nothing.
_ENDS = (b"\r\n", b"")
# The spellings of the id, each as long as the other.
_IDS = (b"\r\nx-amz-request-id: ", b"\r\nX-Amz-Request-Id: ")
_ID_BYTES = len(_IDS[0])
_OF_EACH_MOMENT = frozenset(("date", "x-amz-request-id"))
_UNIQUE = b"\r\nx-amz-id-2:"  # it is another each time, and for clients to see
_DATE = re.compile(rb"\r\nDate: ([ -~]*)", re.IGNORECASE)


class BrokenHead(Exception):
    """This is no head of an HTTP/1.1 answer."""


@light
@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """An answer's head. `length` is None where the body is `chunked`, or ends with the connection.

    `headers` are without the date and the backend's id of the request. `lasting` says that the
    connection can carry another exchange. `notes` have what was worked out of the head; `NOWHERE`
    where it is not kept.
    """

    status: int
    headers: CIMultiDictProxy[str]
    length: int | None
    chunked: bool
    lasting: bool
    notes: Notes = NOWHERE


def request_head(method: str, target: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """The head of a request; InvalidArgument where a header holds what would end its line."""
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers]
    text = _END.join(lines)
    breaks = len(lines) - 1
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise _refusal(headers) from None
    if data.count(b"\r") != breaks or data.count(b"\n") != breaks or b"\0" in data:
        raise _refusal(headers)
    return data + b"\r\n\r\n"


def answer_head(data: bytes, method: str) -> Head:
    """The head of an answer to `method`; `data` is all before the empty line. BrokenHead."""
    known = _known.get(method)
    if known is None:
        return _read(data, method)
    head = known.get(_lasting(data))
    if head is None:
        if _UNIQUE in data:
            return _read(data, method)
        lasting = _searched(data)
        if len(lasting) > LONGEST_KEPT:
            return _read(data, method)
        head = known.get(lasting)
        if head is None:
            head = known[lasting] = _read(lasting, method, new_notes())
            if len(known) > KEPT:
                del known[next(iter(known))]
    return head


def date_of(data: bytes) -> str:
    """What the clock said of whoever wrote a head; "" where it says nothing of it."""
    found = _DATE.search(data)
    return "" if found is None else found[1].decode()


_known: dict[str, dict[bytes, Head]] = {"GET": {}, "HEAD": {}}

# By the length of a head, where such lines began and ended in the last one that was as long.
_places: dict[int, list[tuple[int, int]]] = {}

# The last such line that the pattern was asked about: a date, since ids mostly need none.
_matched = b""


def _lasting(data: bytes) -> bytes:
    """A head without what says when it was written, and which answer it was, if that is known.

    Such lines mostly stand where they stood before: to look there takes less than a search. Where
    the last head of that length had fewer of them, some are left, and the head is not found.
    """
    global _matched  # noqa: PLW0603
    lasting, behind = b"", 0
    for start, end in _places.get(len(data), ()):
        line = data[start:end]
        # The same as before, or an id of letters and digits: else the pattern is asked about it.
        if line != _matched and not (line[_ID_BYTES:].isalnum() and line.startswith(_IDS)):
            if _OF_THE_MOMENT.fullmatch(line) is None:
                return data
            _matched = line
        if data[end : end + 2] not in _ENDS:
            return data
        lasting += data[behind:start]
        behind = end
    return lasting + data[behind:]


def _searched(data: bytes) -> bytes:
    """A head without all such lines; where they are is kept."""
    if len(data) <= LONGEST_KEPT:
        _places[len(data)] = [found.span() for found in _OF_THE_MOMENT.finditer(data)]
    return _OF_THE_MOMENT.sub(b"", data)


def _read(data: bytes, method: str, notes: Notes = NOWHERE) -> Head:
    text = data.decode("utf-8", "surrogateescape")
    first, *lines = text.split(_END)
    minor, status = _status(first)
    breaks = len(lines)
    if text.count("\r") != breaks or text.count("\n") != breaks or "\0" in text:
        raise BrokenHead("a header can't be read")
    pairs = []
    for line in lines:
        name, colon, value = line.partition(":")
        lowered = _lowered(name)
        if lowered is None or not colon:
            raise BrokenHead("a header can't be read")
        if lowered not in _OF_EACH_MOMENT:
            # A pattern that left spaces out would go over them again for each: metadata is users'.
            pairs.append((name, value.strip(" \t")))
    headers = CIMultiDictProxy(CIMultiDict(pairs))
    length, chunked = _framing(method, status, headers)
    said = headers.getall("Connection", ())
    closing = minor != "1" or "close" in ",".join(said).lower()
    lasting = not closing and (length is not None or chunked)
    return Head(status, headers, length, chunked, lasting, notes)


@lru_cache(256)
def _lowered(name: str) -> str | None:
    """A header's name in lower case; None for what can't be one."""
    return name.lower() if _NAME.fullmatch(name) else None


@lru_cache(64)
def _status(line: str) -> tuple[str, int]:
    """The minor version of HTTP, and the status."""
    found = _STATUS.fullmatch(line)
    if found is None:
        raise BrokenHead("the status line can't be read")
    return found[1], int(found[2])


def _framing(method: str, status: int, headers: CIMultiDictProxy[str]) -> tuple[int | None, bool]:
    lengths = headers.getall("Content-Length", ())
    length = None
    if lengths:
        if len(set(lengths)) != 1 or not _DIGITS.fullmatch(lengths[0]):
            raise BrokenHead("Content-Length can't be read")
        length = int(lengths[0])
    codings = headers.getall("Transfer-Encoding", ())
    if codings and (lengths or [each.strip().lower() for each in codings] != ["chunked"]):
        raise BrokenHead("Transfer-Encoding can't be read, or there is a length beside it")
    if method == "HEAD" or status in _EMPTY:
        return 0, False
    return length, bool(codings)


def _refusal(headers: Iterable[tuple[str, str]]) -> InvalidArgument:
    for name, value in headers:
        if not _FORBIDDEN.isdisjoint(name) or not _FORBIDDEN.isdisjoint(value):
            return InvalidArgument(f"the header {name!r} holds a line break or NUL")
        try:
            f"{name}{value}".encode()
        except UnicodeEncodeError:
            return InvalidArgument(f"the header {name!r} is not UTF-8")
    return InvalidArgument("the request's target holds a line break or NUL")
