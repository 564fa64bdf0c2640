"""Long bodies of requests, past aiohttp's parser: it would copy each byte, twice."""

import asyncio

from aiohttp import StreamReader, web
from aiohttp.http import HttpRequestParser

from gateway.conduit import Tap, tap_of


class Intake(web.RequestHandler):
    """aiohttp's protocol, of which a body can be tapped whose length is known.

    From then on what is left of the body is counted here. Behind it a new parser begins.
    """

    __slots__ = ("_left", "_tapped")

    _left: int
    _tapped: StreamReader

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing is tapped yet."""
        self._left = 0
        super().connection_made(transport)

    def tap(self, content: StreamReader, length: int, seconds: float) -> Tap | None:
        """Where the rest of a body is to be had; what has come before is in `content`.

        None where it has to be read, as it is when it is short. Until `tapped`, nothing comes in.
        """
        transport, left = self.transport, self._left or length - content.total_bytes
        if transport is None or content.is_eof() or content.exception() is not None:
            return None
        tap = tap_of(transport, left, seconds)
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
        super().data_received(data)

    def pause_reading(self) -> None:
        """Hold the client back; there is no parser to be held where a body was tapped."""
        if self._left:
            self._reading_paused = True
            self._pause_transport_reading()
        else:
            super().pause_reading()

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
