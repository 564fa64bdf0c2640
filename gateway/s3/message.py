"""One HTTP request and one reply, without a web framework."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from multidict import CIMultiDict, CIMultiDictProxy

from gateway.light import light

Body = AsyncIterator[bytes]


@light
@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived, before anybody believed it.

    `path` is the raw path and `query` the raw query (without "?"), as on the wire: they are
    what was signed. `body` yields the raw body once; `length` is its Content-Length, None
    when it was not declared. `remote` is the peer's address.
    """

    method: str
    path: str
    query: str = field(repr=False)
    headers: CIMultiDictProxy[str] = field(repr=False)
    body: Body = field(repr=False)
    length: int | None = None
    remote: str = ""


@light
@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, headers, and a body that is bytes at hand or a stream.

    A stream comes with a Content-Length among the headers unless the backend gave none. A
    stream that fails is cut off, never ended as if complete; `aclose` of it always happens.
    `authored` says that the body is, or tells of, bytes that a user stored, which browsers must
    not take for a page of the gateway's. `public` says that callers without credentials would
    have got the same: only then may it be kept by others. Both are for the edge to act on.
    """

    status: int
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    body: bytes | Body = field(default=b"", repr=False)
    authored: bool = False
    public: bool = False

    def shown(self, *, public: bool) -> "Reply":
        """The same reply, for everybody or not."""
        return self if self.public == public else replace(self, public=public)
