"""Long bodies of requests, past aiohttp's parser: it would copy each byte, twice."""

import asyncio
from typing import cast

from aiohttp import EMPTY_PAYLOAD, StreamReader, hdrs, web
from aiohttp.http import HttpRequestParser, RawRequestMessage

from gateway.conduit import LEAST, Ends, Outlet, Tap


class Intake(web.RequestHandler):
    """aiohttp's protocol, of which a body can be tapped whose length is known.

    Until then it comes in by the piece, when one is asked for: what is still in the socket can be
    tapped. From then on what is left of the body is counted here. Behind it a new parser begins.
    """

    __slots__ = ("_coming_in", "_ends", "_held", "_left", "_length", "_tapped")

    _coming_in: StreamReader
    _ends: Ends
    _left: int
    _length: int
    _tapped: StreamReader

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing is tapped yet."""
        self._left = self._length = 0
        self._held = False
        super().connection_made(transport)
        self._ends = Ends(cast("asyncio.Transport", transport))

    def outlet(self, most: int, seconds: float) -> Outlet | None:
        """Where so many bytes can go that are not read; None where they have to be written."""
        return None if self.transport is None else self._ends.outlet(most, seconds)

    def ask(self) -> None:
        """Nothing; more of a long body may come in."""
        if self._held:
            self._held = False
            if not (self._reading_paused or self._buffer_paused):
                self._resume_transport_reading()

    def tap(self, content: StreamReader, length: int, seconds: float) -> Tap | None:
        """Where the rest of a body is to be had; what has come before is in `content`.

        None where it has to be read, as it is when it is short. Until `tapped`, nothing comes in.
        """
        left = self._left or length - content.total_bytes
        if self.transport is None or content.is_eof() or content.exception() is not None:
            return None
        tap = self._ends.tap(left, seconds)
        if tap is None:
            return None
        if not self._left:
            self._parser = self._new_parser()
        self._tapped, self._left = content, left
        self._pause_reading_for_buffer()
        return tap

    def tapped(self, tap: Tap) -> None:
        """Nothing; what the tap has left comes in again."""
        content = self._tapped
        content.total_bytes += self._left - tap.left
        self._left = tap.left
        self._length = 0
        self._held = False
        if not self._left:
            content.feed_eof()
        self._resume_reading_for_buffer()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent in."""
        if self._left:
            piece, data = data[: self._left], data[self._left :]
            self._tapped.feed_data(piece)
            self._left -= len(piece)
            if self._left:
                return
            self._tapped.feed_eof()
        count = self._request_count
        super().data_received(data)
        if self._request_count != count:
            self._length = self._length_of(*self._messages[-1])
        if self._length and self._length - self._coming_in.total_bytes >= LEAST:
            self._held = True
            self._pause_transport_reading()

    def _length_of(self, head: RawRequestMessage | object, content: StreamReader) -> int:
        """How long a body is that may be tapped; else 0."""
        if content is EMPTY_PAYLOAD or not isinstance(head, RawRequestMessage) or head.upgrade:
            return 0
        length = int(head.headers.get(hdrs.CONTENT_LENGTH, 0))
        if length < LEAST or self.transport is None or not self._ends.passing:
            return 0
        self._coming_in = content
        return length

    def _resume_transport_reading(self) -> None:
        if not self._held:
            super()._resume_transport_reading()

    def pause_reading(self) -> None:
        """Hold the client back; there is no parser to be held where a body was tapped."""
        if self._left:
            self._reading_paused = True
            self._pause_transport_reading()
        else:
            super().pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 (aiohttp's)
        """Let the client go on; where nobody was held back there is nothing left to be parsed."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def _new_parser(self) -> HttpRequestParser:
        return HttpRequestParser(
            self,
            self._loop,
            self._read_bufsize,
            max_line_size=self.max_line_size,
            max_field_size=self.max_field_size,
            max_headers=self.max_headers,
            payload_exception=web.RequestPayloadError,
            auto_decompress=False,
            max_msg_queue_size=self._max_msg_queue_size,
        )
