"""One request on a connection: its head, its body as it comes, and the way back to the client."""

import asyncio
from typing import Protocol

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage

from gateway.conduit import Outlet, Tap
from gateway.web.deadline import Deadline
from gateway.web.heads import Known


class Line(Protocol):
    """What a request came on; `web.connection.Connection` is one."""

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport, as long as the connection is there."""

    @property
    def remote(self) -> str:
        """The peer's address: a host, a socket's path, or "" where it is not known."""

    @property
    def writing_paused(self) -> bool:
        """Whether the client is slower than what is written."""

    @property
    def body_due(self) -> Deadline:
        """When more must have come of the body that is read."""

    async def drain(self, seconds: float) -> None:
        """Nothing, once the client has room again; ConnectionError where it makes none in time."""

    def outlet(self, most: int, seconds: float) -> Outlet | None:
        """Where so many bytes can go that are not read; None where they have to be written."""

    def ask(self) -> None:
        """Nothing; more of a long body may come in."""

    def tap(self, content: StreamReader, length: int, seconds: float) -> Tap | None:
        """Where the rest of a body is to be had; None where it has to be read."""

    def tapped(self, tap: Tap) -> None:
        """Nothing; what the tap has left comes in again."""

    def force_close(self) -> None:
        """Close, and read nothing more."""

    def request_of(self, asked: "Asked") -> web.BaseRequest:
        """A request as aiohttp's own handlers have it."""


class Asked:
    """A request as aiohttp's parser has read it, and where its answer goes.

    `head` has its method, target, version and headers; `content` is its body. `remote` is the
    peer's address, "" where it is not known. `known` is what was found out of the same head
    before, or takes what is found out now; None where it is not to be kept.
    """

    __slots__ = ("_line", "content", "head", "known", "remote")

    def __init__(
        self,
        head: RawRequestMessage,
        content: StreamReader,
        line: Line,
        known: Known | None = None,
    ) -> None:
        self.head = head
        self.content = content
        self.known = known
        self.remote = line.remote
        self._line = line

    def write(self, data: bytes) -> bool:
        """Whether the client has enough to take by now; the bytes are on their way.

        Then `drain` before there is more. ConnectionError where the client has gone.
        """
        line = self._line
        transport = line.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        transport.write(data)
        return line.writing_paused

    def write_two(self, first: bytes, second: bytes) -> bool:
        """As `write`, of two pieces that are not joined before."""
        line = self._line
        transport = line.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        transport.writelines((first, second))
        return line.writing_paused

    def outlet(self, most: int, seconds: float) -> Outlet | None:
        """Where `most` bytes can go that are not read; None where all has to be written.

        `seconds` is how long the client may take nothing.
        """
        return self._line.outlet(most, seconds)

    def ask(self) -> None:
        """Nothing; more of the body may come in than is in `content`."""
        self._line.ask()

    def tap(self, length: int, seconds: float) -> Tap | None:
        """Where the rest of a body of this length is, behind what is in `content`.

        None where it has to be read. `seconds` is how long nothing may come.
        """
        return self._line.tap(self.content, length, seconds)

    def tapped(self, tap: Tap) -> None:
        """Nothing; what the tap has left comes in again."""
        self._line.tapped(tap)

    @property
    def body_due(self) -> Deadline:
        """When more must have come of the body; missed, who waits for it has a TimeoutError."""
        return self._line.body_due

    async def drain(self, seconds: float) -> None:
        """Nothing, once the client has room again; ConnectionError where it makes none in time."""
        await self._line.drain(seconds)

    def abort(self) -> None:
        """Cut the connection: nothing that waits is sent any more."""
        transport = self._line.transport
        if transport is not None:
            transport.abort()

    def drop(self) -> None:
        """Close the connection, and read nothing more from it."""
        self._line.force_close()

    def upgraded(self) -> tuple[web.BaseRequest, asyncio.Transport | None]:
        """The request as aiohttp's websockets want it, and the connection under it."""
        return self._line.request_of(self), self._line.transport
