"""One HTTP request and one reply, without a web framework."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, Self, TypeVar

from multidict import CIMultiDict, CIMultiDictProxy, MultiMapping

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


class Note(Generic[T]):
    """A kind of thing that is worked out of a head, for when the same one comes again."""


class Notes(Protocol):
    """What was worked out of a head, a request's or an answer's, by its kind; a dictionary is one.

    Whoever keeps something finds out each time what it depends on besides the head's bytes.
    """

    def get(self, note: Note[T], /) -> T | None:
        """What was kept; None where nothing was."""

    def __setitem__(self, note: Note[T], value: T, /) -> None:
        """Keep it."""


def new_notes() -> Notes:
    """Notes of a head that may come again."""
    notes: dict[Note[Any], Any] = {}
    return notes


class Nowhere:
    """Notes of a head that will not come again: nothing is kept."""

    def get(self, note: Note[T], /) -> T | None:
        """None."""
        del note
        return None

    def __setitem__(self, note: Note[T], value: T, /) -> None:
        """Nothing."""


NOWHERE = Nowhere()


@light
@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived, before anybody believed it.

    `path` is the raw path and `query` the raw query (without "?"), as on the wire: they are
    what was signed. `body` yields the raw body once; `length` is its Content-Length, None
    when it was not declared. `remote` is the peer's address. `notes` have what was worked out of
    the request; `NOWHERE` where it will not come again.
    """

    method: str
    path: str
    query: str = field(repr=False)
    headers: CIMultiDictProxy[str] = field(repr=False)
    body: Body = field(repr=False)
    length: int | None = None
    remote: str = ""
    notes: Notes = field(default=NOWHERE, repr=False)


@dataclass(slots=True)
class Reply:
    """An answer: status, headers, and a body that is bytes at hand or a stream.

    A stream comes with a Content-Length among the headers unless the backend gave none. A
    stream that fails is cut off, never ended as if complete; `aclose` of it always happens.
    `authored` says that the body is, or tells of, bytes that a user stored, which browsers must
    not take for a page of the gateway's. `public` says that callers without credentials would
    have got the same: only then may it be kept by others. Both are for the edge to act on. `of` is
    what its headers follow from, where the same request has the same ones for as long as that is.

    It is one request's own, and changes on its way up instead of being made anew on each floor.
    Its headers may be shared with others, so they do not change (`saying`).
    """

    status: int
    headers: MultiMapping[str] = field(default_factory=CIMultiDict)
    body: bytes | Body = field(default=b"", repr=False)
    authored: bool = False
    public: bool = False
    of: object | None = field(default=None, repr=False)

    def saying(self, name: str, value: str) -> "Reply":
        """The same reply, from here on with this header: others may share those that it had."""
        headers = CIMultiDict(self.headers)
        headers[name] = value
        self.headers = headers
        return self

    async def whole(self) -> bytes:
        """The whole body, which the reply has at hand from here on."""
        if not isinstance(self.body, bytes):
            self.body = b"".join([piece async for piece in self.body])
            if self.of is not None:
                self.of = (self.of, len(self.body))  # what is at hand has its length said
        return self.body


async def pour_body(body: Body, outlet: Outlet) -> None:
    """Nothing, once what of a stream can go there unread has gone; the rest is to be read."""
    pour = getattr(body, "pour", None)
    if pour is not None:
        await pour(outlet)
