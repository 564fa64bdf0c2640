"""One HTTP request and one reply, without a web framework."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, Self, TypeVar

from multidict import CIMultiDict, CIMultiDictProxy

from gateway.conduit import Outlet
from gateway.light import light

T = TypeVar("T")

Body = AsyncIterator[bytes]


class Nothing:
    """The body of a request that has none. It is never read, so all may share it."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration


NOTHING = Nothing()


@light
@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived, before anybody believed it.

    `path` is the raw path and `query` the raw query (without "?"), as on the wire: they are
    what was signed. `body` yields the raw body once; `length` is its Content-Length, None
    when it was not declared. `remote` is the peer's address. `notes` are for what is worked out of
    the request (`Note`); None where it will not come again.
    """

    method: str
    path: str
    query: str = field(repr=False)
    headers: CIMultiDictProxy[str] = field(repr=False)
    body: Body = field(repr=False)
    length: int | None = None
    remote: str = ""
    notes: dict[object, Any] | None = field(default=None, repr=False)


class Noted(Protocol):
    """A request, or the head of an answer of the backend's: what may come again, byte for byte."""

    @property
    def notes(self) -> dict[object, Any] | None:
        """Where what is worked out of it is kept; None where it will not come again."""


class Note(Generic[T]):
    """What is worked out of a head, kept for when the same one comes again, byte for byte.

    Whoever keeps something finds out each time what it depends on besides the head.
    """

    def of(self, noted: Noted) -> T | None:
        """What was kept of a head; None where nothing was."""
        notes = noted.notes
        return None if notes is None else notes.get(self)

    def keep(self, noted: Noted, value: T) -> None:
        """Keep it, if the head may come again."""
        if noted.notes is not None:
            noted.notes[self] = value


@light
@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, headers, and a body that is bytes at hand or a stream.

    A stream comes with a Content-Length among the headers unless the backend gave none. A
    stream that fails is cut off, never ended as if complete; `aclose` of it always happens.
    `authored` says that the body is, or tells of, bytes that a user stored, which browsers must
    not take for a page of the gateway's. `public` says that callers without credentials would
    have got the same: only then may it be kept by others. Both are for the edge to act on. `of` is
    what its headers follow from, where the same request has the same ones for as long as that is.
    """

    status: int
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    body: bytes | Body = field(default=b"", repr=False)
    authored: bool = False
    public: bool = False
    of: object | None = field(default=None, repr=False)

    def shown(self, *, public: bool) -> "Reply":
        """The same reply, for everybody or not."""
        if self.public == public:
            return self
        return Reply(self.status, self.headers, self.body, self.authored, public, self.of)


async def pour_body(body: Body, outlet: Outlet) -> None:
    """Nothing, once what of a stream can go there unread has gone; the rest is to be read."""
    pour = getattr(body, "pour", None)
    if pour is not None:
        await pour(outlet)
