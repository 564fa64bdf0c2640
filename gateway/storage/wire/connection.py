"""One connection to the backend: a request goes out, its answer comes in, then the next.

Everything that comes is counted on: what nobody asked for ends the connection, or somebody else
would be given it as the answer to the next request.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from gateway.conduit import LEAST, Ends, Outlet, Tap
from gateway.storage.wire.chunks import BrokenChunks, Chunks
from gateway.storage.wire.head import BEGINNING, LONGEST, BrokenHead, answer_head
from gateway.storage.wire.incoming import Broken, Incoming, Silent

IDLE_SECONDS = 60.0
"""How long nothing may move, in seconds, while something is waited for."""

KEEPALIVE_SECONDS = 10.0
"""How long a connection is kept for the next request: below what servers and balancers allow."""

BUFFER_BYTES = 1 << 18
"""How much of an answer is read at a time, and held before the backend has to wait."""

BEGINNING_BYTES = 1 << 14
"""How much is read with a head: what of a long body is still in the socket can be tapped."""

_ROOM = memoryview(bytearray(BUFFER_BYTES))
_ROOM_TO_BEGIN = _ROOM[:BEGINNING_BYTES]
_FULL = (BUFFER_BYTES, BEGINNING_BYTES)
_SWITCHING, _FINAL = 101, 200


class Connection(asyncio.BufferedProtocol):
    """One connection, unused since `moved`. `released` is told when it is free for an exchange."""

    def __init__(self, released: Callable[["Connection"], None]) -> None:
        self._released = released
        self.loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._ends: Ends | None = None
        self._incoming: Incoming | None = None
        self._sending = False
        self._head = b""
        self._left: int | None = None
        self._chunks: Chunks | None = None
        self._reusable = False
        self._paused = False
        self._drained: asyncio.Future[None] | None = None
        self.moved = self.loop.time()
        self._watch: asyncio.TimerHandle | None = None
        self.open = False

    # What the pool and the sender do with it.

    def begin(self, method: str, head: bytes, *, more: bool, eager: bool = False) -> Incoming:
        """The answer that will come to a request, whose head (and body) is sent at once.

        With `more`, the body follows, by `send`, and `sent` says that it has ended. With `eager`,
        the answer is to come as fast as it can: nobody will tap it.
        """
        if self._transport is None:
            raise Broken("the connection is closed")
        self._incoming = Incoming(method, self.loop, eager=eager)
        self._sending = more
        self._head = b""
        self.moved = self.loop.time()
        self._transport.write(head)
        return self._incoming

    async def send(self, piece: bytes) -> None:
        """Nothing, once the next piece may come; Broken where the connection has ended."""
        if self._ends is not None and not self._ends.quiet():
            await asyncio.sleep(0)  # it is read first: a write that fails would take it away
        if self._transport is None:
            raise Broken("the backend closed the connection")
        self.moved = self.loop.time()
        self._transport.write(piece)
        while self._drained is not None:
            await asyncio.shield(self._drained)

    def outlet(self, most: int) -> Outlet | None:
        """Where the next `most` bytes of a body can go that are not sent as pieces; or None."""
        return None if self._ends is None else self._ends.outlet(most, IDLE_SECONDS)

    def sent(self) -> None:
        """The request's body has ended: from here on the backend is waited for."""
        self.moved = self.loop.time()
        self._sending = False
        self._end_exchange()

    def taken(self, incoming: Incoming) -> None:
        """Room was made: the backend may go on sending."""
        if self._paused and incoming is self._incoming and incoming.held < BUFFER_BYTES:
            self._paused = False
            self.moved = self.loop.time()
            if self._transport is not None:
                self._transport.resume_reading()

    def tap(self, incoming: Incoming, most: int) -> Tap | None:
        """Where the rest of a body is to be had that is long, but no longer than `most`.

        None where it has to be taken in pieces. Until `tapped`, nothing is read here.
        """
        ends, left = self._ends, self._left
        if ends is None or incoming is not self._incoming or left is None or left > most:
            return None
        tap = ends.tap(left, IDLE_SECONDS)
        if tap is not None:
            self._hold()
        return tap

    def tapped(self, incoming: Incoming, left: int) -> None:
        """So much is left of what was tapped."""
        self.moved = self.loop.time()
        self._left = left
        incoming.ended = not left
        if left:
            self.taken(incoming)
            return
        # The next request may go before the loop reads what is there.
        self._reusable = self._reusable and self._ends is not None and self._ends.quiet()
        self._end_exchange()

    def give_up(self, incoming: Incoming, reason: Broken | None = None) -> None:
        """Close at once, unless the exchange is over: by then somebody else may have begun one."""
        if incoming is self._incoming:
            self._fail(reason or Broken("the exchange was given up"))

    def close(self) -> None:
        """Close a connection on which no exchange is under way."""
        if self._transport is not None:
            self._transport.close()
        self._lost(Broken("the connection was closed"))

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._ends = Ends(self._transport)
        self.open = True
        self._watch = self.loop.call_later(min(IDLE_SECONDS, KEEPALIVE_SECONDS), self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        incoming = self._incoming
        until_end = self._left is None and self._chunks is None
        if incoming is not None and incoming.head is not None and until_end and exc is None:
            incoming.ended = True
        self._lost(Broken(str(exc) if exc else "the backend closed the connection"))

    def eof_received(self) -> bool:
        """False: who has said all is not spoken to any more."""
        return False

    def pause_writing(self) -> None:
        """The backend is slower than we are."""
        self._drained = self.loop.create_future()

    def resume_writing(self) -> None:
        """The backend has caught up."""
        self.moved = self.loop.time()
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where what comes is put: it is taken out at once, so that all connections share it."""
        del sizehint
        incoming = self._incoming
        return _ROOM if incoming is not None and incoming.eager else _ROOM_TO_BEGIN

    def buffer_updated(self, nbytes: int) -> None:
        """Take what has come in."""
        data, incoming = bytes(_ROOM[:nbytes]), self._incoming
        self.moved = self.loop.time()
        if incoming is None:
            self.close()  # nobody has asked for anything
            return
        taps = not incoming.eager
        try:
            if incoming.head is None:
                data = self._take_head(incoming, data)
                if incoming.head is None:
                    return
            self._take_body(incoming, data)
        except (BrokenHead, BrokenChunks) as error:
            self._fail(Broken(str(error)))
            return
        if incoming.ended:
            if nbytes in _FULL:
                self._reusable = False  # likewise: more may be behind what filled the buffer
            self._end_exchange()
        elif incoming.held >= BUFFER_BYTES or (taps and (self._left or 0) >= LEAST):
            # Of a long body the rest may be tapped: it waits until somebody asks for it.
            self._hold()
        incoming.wake()

    # How an answer is taken apart.

    def _take_head(self, incoming: Incoming, data: bytes) -> bytes:
        """What comes behind the head, once it is whole; answers before the answer are passed by."""
        data = self._head + data if self._head else data
        while True:
            if not (data.startswith(BEGINNING) or BEGINNING.startswith(data)):
                raise BrokenHead("whoever is there speaks no HTTP/1")
            end = data.find(b"\r\n\r\n")
            if end < 0 or end > LONGEST:
                if len(data) > LONGEST:
                    raise BrokenHead("the head is too long")
                self._head = data
                return b""
            written = data[:end]
            head = answer_head(written, incoming.method)
            data = data[end + 4 :]
            if head.status >= _FINAL:
                break
            if head.status == _SWITCHING:
                raise BrokenHead("nobody asked for another protocol")
        self._head = b""
        self._left = head.length
        self._chunks = Chunks() if head.chunked else None
        self._reusable = head.lasting
        incoming.head, incoming.written, incoming.eager = head, written, True
        return data

    def _take_body(self, incoming: Incoming, data: bytes) -> None:
        if self._chunks is not None:
            pieces, behind = self._chunks.feed(data)
            if behind:
                self._reusable = False
            incoming.pieces.extend(pieces)
            incoming.held += sum(map(len, pieces))
            incoming.ended = self._chunks.ended
            return
        left = self._left
        if left is not None:
            if len(data) > left:
                self._reusable = False
                data = data[:left]
            self._left = left = left - len(data)
            incoming.ended = not left
        if data:
            incoming.pieces.append(data)
            incoming.held += len(data)

    def _hold(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    # How an exchange ends.

    def _end_exchange(self) -> None:
        """Free the connection where all was sent and came."""
        incoming = self._incoming
        if incoming is None or not incoming.ended or self._sending:
            return
        self._incoming = None
        if self._paused and self._transport is not None:
            self._transport.resume_reading()
        self._paused = False
        if self._reusable:
            self._released(self)
        else:
            self.close()

    def _fail(self, error: Exception) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._lost(error)

    def _lost(self, error: Exception) -> None:
        self.open = False
        self._transport = self._ends = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self.resume_writing()
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            if not incoming.ended:
                incoming.failure = error
            incoming.wake()

    def _look(self) -> None:
        """End what has not moved for too long: one timer a connection, not one a piece."""
        unused = self.loop.time() - self.moved
        idle = self._incoming is None
        # Where the client is slow, its gateway waits for it and not for the backend.
        waits = not idle and not self._paused and (not self._sending or self._drained is not None)
        if idle and unused >= KEEPALIVE_SECONDS:
            self.close()
        elif waits and unused >= IDLE_SECONDS:
            self._fail(Silent(f"nothing moved for {IDLE_SECONDS:g} seconds"))
        else:
            limit = KEEPALIVE_SECONDS if idle else IDLE_SECONDS
            wait = min(max(limit - unused, 0.01), IDLE_SECONDS, KEEPALIVE_SECONDS)
            self._watch = self.loop.call_later(wait, self._look)
