"""The body of a request, as it comes: whole, in pieces, or from socket to socket."""

from collections.abc import AsyncGenerator, Awaitable
from typing import Self

from aiohttp import ClientError, web
from aiohttp.http import HttpProcessingError

from gateway.conduit import Dry, Outlet, Silent
from gateway.errors import IncompleteBody, RequestTimeout
from gateway.passage import conduct
from gateway.sieve import sift
from gateway.web.asked import Asked

IDLE_SECONDS = 60
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Content:
    """A body of `length` bytes, None where nobody has said; `received` is how much has come.

    `waiting` says that the client still waits for `100 Continue`: it is sent when the body is
    first read, and never otherwise. `stalled` says that the body stopped coming. Only what is
    `tappable` can go from socket to socket.
    """

    __slots__ = ("_asked", "_length", "_pieces", "_tappable", "received", "stalled", "waiting")

    def __init__(self, asked: Asked, length: int | None, *, waiting: bool, tappable: bool) -> None:
        self._asked = asked
        self._length = length
        self._tappable = tappable and length is not None
        self._pieces: AsyncGenerator[bytes, None] | None = None
        self.received = 0
        self.waiting = waiting
        self.stalled = False

    def at_hand(self) -> bytes | None:
        """All of a body that has come by now, of which nothing is left then; None before."""
        content = self._asked.content
        if self.received or not content.is_eof() or content.exception() is not None:
            return None
        # Leave to send what is here, or nothing, is given all the same: botocore, once answered
        # without it, takes the next answer's status for a header, and waits for its body.
        self._go_on()
        whole = content.read_nowait()
        self.received = len(whole)
        return whole

    async def pour(self, outlet: Outlet) -> None:
        """Nothing, once what of a long body has not been read has gone; the rest is to be read.

        RequestTimeout, IncompleteBody, Blocked.
        """
        content = self._asked.content
        tap = self._asked.tap(self._length or 0, IDLE_SECONDS) if self._tappable else None
        if tap is None:
            return
        began = tap.left
        try:
            with tap:
                piece = content.read_nowait()
                self.received += len(piece)
                if outlet.sieve is None:
                    outlet.write(piece)
                    await conduct(tap, outlet)
                else:
                    await sift(piece, tap, outlet, outlet.sieve)
        except Silent:
            raise self._timed_out() from None
        except Dry as error:
            raise _broken_off() from error
        finally:
            self.received += began - tap.left
            self._asked.tapped(tap)

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Awaitable[bytes]:
        return self._stream().__anext__()

    async def aclose(self) -> None:
        """Nothing; no more pieces come."""
        await self._stream().aclose()

    def _stream(self) -> AsyncGenerator[bytes, None]:
        if self._pieces is None:
            self._pieces = self._come()
        return self._pieces

    async def _come(self) -> AsyncGenerator[bytes, None]:
        content = self._asked.content
        due = self._asked.body_due
        try:
            self._go_on()
            while True:
                due.set(IDLE_SECONDS)
                if content.total_bytes == self.received:
                    self._asked.ask()
                piece = await content.readany()
                due.clear()
                if not piece:
                    return
                self.received += len(piece)
                yield piece
        except TimeoutError:
            raise self._timed_out() from None
        except (
            ClientError,
            ConnectionError,
            HttpProcessingError,
            web.RequestPayloadError,
        ) as error:
            raise _broken_off() from error
        finally:
            due.clear()

    def _timed_out(self) -> RequestTimeout:
        self.stalled = True
        return RequestTimeout(f"nothing came for {IDLE_SECONDS} seconds")

    def _go_on(self) -> None:
        if not self.waiting:
            return
        self.waiting = False
        self._asked.write(CONTINUE)


def _broken_off() -> IncompleteBody:
    return IncompleteBody("the body ended before its declared length")
