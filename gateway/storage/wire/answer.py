"""An exchange with the backend: a request sent, its answer handed over as it comes."""

import asyncio
from typing import Self

from gateway.conduit import Blocked, Dry, Outlet, Stalled
from gateway.errors import EntityTooLarge, ServiceUnavailable
from gateway.passage import conduct
from gateway.s3.message import Body
from gateway.storage.upload import Upload
from gateway.storage.upstream import BrokenUpstream, Upstream
from gateway.storage.wire.connection import Connection
from gateway.storage.wire.head import date_of
from gateway.storage.wire.incoming import Broken, Incoming, Silent

PARTING_SECONDS = 0.1
"""How long a backend that takes no more may still be heard: it may have said why."""


class Reset(Exception):
    """The connection broke before an answer."""


class Answer(Upstream):
    """An answer, whose connection is used again when all was sent and read."""

    def __init__(
        self, connection: Connection, incoming: Incoming, sending: asyncio.Task[None] | None
    ) -> None:
        self._connection = connection
        self._incoming = incoming
        self._sending = sending
        head = incoming.head
        if head is None:
            raise RuntimeError("there is no answer yet")
        self.status, self.headers, self.notes = head.status, head.headers, head.notes

    @property
    def date(self) -> str:
        """When it was given, by the backend's clock."""
        return date_of(self._incoming.written)

    def at_hand(self, limit: int) -> bytes | None:
        """The whole body, where it came in one piece, and nothing is left to be sent."""
        incoming = self._incoming
        if not incoming.ended or self._sending is not None or incoming.held > limit:
            return None
        pieces = incoming.pieces
        if len(pieces) != 1:
            return None
        incoming.held = 0
        return pieces.pop()

    async def read(self, limit: int) -> bytes:
        """The whole body."""
        incoming, size = self._incoming, 0
        pieces: list[bytes] = []
        try:
            while True:
                pieces += incoming.pieces
                size += incoming.held
                incoming.pieces.clear()
                incoming.held = 0
                if size > limit:
                    raise EntityTooLarge(f"more than {limit} bytes can't be held whole")
                if incoming.ended:
                    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
                if incoming.failure is not None:
                    raise _broken(incoming.failure)
                self._connection.taken(incoming)
                await incoming.change()
        finally:
            if self._sending is not None or not incoming.ended:
                await self.close()

    def stream(self) -> Body:
        """The body as it comes."""
        return _Stream(self, self._connection, self._incoming)

    async def close(self) -> None:
        """Nothing; the request's body is not read from here on."""
        if not self._incoming.ended:
            self._connection.give_up(self._incoming)
        await _stop(self._connection, self._incoming, self._sending)


class _Stream:
    """The body of an answer. A class: a generator that never ran would not close."""

    def __init__(self, answer: Answer, connection: Connection, incoming: Incoming) -> None:
        self._answer = answer
        self._connection = connection
        self._incoming = incoming

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        incoming = self._incoming
        while not incoming.pieces:
            if incoming.ended or incoming.failure is not None:
                await self._answer.close()
                if incoming.ended:
                    raise StopAsyncIteration
                raise _broken(incoming.failure)
            self._connection.taken(incoming)
            try:
                await incoming.change()
            except BaseException:
                self._connection.give_up(incoming)
                raise
        piece = incoming.pieces.popleft()
        incoming.held -= len(piece)
        self._connection.taken(incoming)
        return piece

    async def pour(self, outlet: Outlet) -> None:
        """Nothing, once what can go from socket to socket has gone; the rest is still to be read.

        BrokenUpstream, Blocked.
        """
        incoming, connection = self._incoming, self._connection
        tap = connection.tap(incoming, outlet.most - incoming.held)
        if tap is None:
            return
        while incoming.pieces:
            outlet.write(incoming.pieces.popleft())
        incoming.held = 0
        try:
            with tap:
                await conduct(tap, outlet)
        except BaseException as error:
            connection.give_up(incoming)
            if isinstance(error, Dry):
                raise _broken(error) from error
            raise
        connection.tapped(incoming, tap.left)

    async def aclose(self) -> None:
        """Nothing; an answer that was not read to its end is cut off."""
        self._incoming.pieces.clear()
        await self._answer.close()


async def exchange(
    connection: Connection, method: str, head: bytes, upload: Upload, *, eager: bool = False
) -> Answer:
    """The answer to a request, its body still to come; Reset, ServiceUnavailable.

    With `eager`, it is a document, of which as much is read at once as there is room for.
    What the upload's source raises comes back as it was raised.
    """
    more, sending = False, None
    if upload.length:
        more = upload.whole is None
        head += upload.whole or b""
    try:
        incoming = connection.begin(method, head, more=more, eager=eager)
    except Broken as error:
        raise Reset(str(error)) from error
    if more:
        sending = asyncio.create_task(_send(connection, upload, incoming))
    try:
        while incoming.head is None and incoming.failure is None:
            await incoming.change()
    except BaseException:
        connection.give_up(incoming)
        await _stop(connection, incoming, sending)
        raise
    if incoming.head is not None:
        return Answer(connection, incoming, sending)
    await _stop(connection, incoming, sending)
    if upload.failure is not None:
        raise upload.failure
    if isinstance(incoming.failure, Silent):
        raise ServiceUnavailable("the backend does not answer; try again") from incoming.failure
    raise Reset(str(incoming.failure)) from incoming.failure


async def _send(connection: Connection, upload: Upload, incoming: Incoming) -> None:
    try:
        outlet = connection.outlet(upload.left)
        if outlet is not None:
            with outlet:
                await upload.pour(outlet)
        async for piece in upload.pieces():
            await connection.send(piece)
    except Broken:
        return  # the answer's reader is told by the connection
    except Stalled as error:
        connection.give_up(incoming, Silent(str(error)))
        return
    except Blocked as error:
        await asyncio.sleep(PARTING_SECONDS)
        connection.give_up(incoming, Broken(str(error)))
        return
    except Exception:  # noqa: BLE001 - the upload keeps what its source raised
        connection.give_up(incoming)
        return
    connection.sent()


async def _stop(
    connection: Connection, incoming: Incoming, sending: asyncio.Task[None] | None
) -> None:
    """Nothing, as soon as nobody reads the request's body any more."""
    if sending is None or sending.done():
        return
    connection.give_up(incoming)
    sending.cancel()
    await asyncio.wait([sending])


def _broken(failure: Exception | None) -> BrokenUpstream:
    return BrokenUpstream(f"the backend broke its answer off: {failure}")
