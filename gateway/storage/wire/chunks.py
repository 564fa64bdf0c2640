"""Chunked bodies, taken apart: RFC 9112, section 7.1. Extensions and trailers are passed over."""

import re

LONGEST_LINE = 4_096

_BREAK = b"\r\n"

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?")


class BrokenChunks(Exception):
    """The framing of a chunked body breaks off."""


class Chunks:
    """The framing of one body, fed as it comes."""

    def __init__(self) -> None:
        self.ended = False
        self._left = 0  # of the chunk that has begun, with the line break behind it
        self._line = b""
        self._trailers = False

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """The pieces of the body in `data`, and what comes behind its end; BrokenChunks."""
        pieces: list[bytes] = []
        start = 0
        while start < len(data) and not self.ended:
            if self._left:
                taken = min(self._left, len(data) - start)
                body = min(max(self._left - len(_BREAK), 0), taken)
                if body:
                    pieces.append(data[start : start + body])
                if taken > body:
                    self._check_break(data[start + body : start + taken])
                self._left -= taken
                start += taken
            else:
                end = data.find(b"\n", start)
                self._line += data[start:] if end < 0 else data[start : end + 1]
                if len(self._line) > LONGEST_LINE:
                    raise BrokenChunks("a line is too long")
                start = len(data) if end < 0 else end + 1
                if end >= 0:
                    self._end_line()
        return pieces, data[start:]

    def _check_break(self, text: bytes) -> None:
        # Of the two bytes behind a chunk's data, as many as are here.
        begun = max(len(_BREAK) - self._left, 0)
        if text != _BREAK[begun : begun + len(text)]:
            raise BrokenChunks("a chunk is longer than it says")

    def _end_line(self) -> None:
        line, self._line = self._line, b""
        if not line.endswith(_BREAK):
            raise BrokenChunks("a line ends without CR")
        line = line[: -len(_BREAK)]
        if self._trailers:
            self.ended = not line
            return
        size = _SIZE.fullmatch(line)
        if size is None:
            raise BrokenChunks("a chunk's size can't be read")
        length = int(size[1], 16)
        if length:
            self._left = length + len(_BREAK)
        else:
            self._trailers = True
