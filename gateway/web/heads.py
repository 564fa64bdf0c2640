"""Heads that come again: what is read from the same bytes, of the same client, is the same.

Much of what reaches a gateway is what reached it a moment before: downloads without credentials,
presigned URLs, whatever an SDK signs within one second. Of a head that comes for the second time
and is answered well is kept what has been worked out of it: the request, its door, and with it what
each floor has noted of it (`s3.message.Notes`), such as that its signature holds for this key. All
else is found out each time: whether the key is still that key, whether the time is right, what the
caller may do, what lies there now.

A head is known by its bytes. They, and what was read from them, credentials and all, lie in this
process's memory as the keys themselves do, and nowhere else; a head that was refused, or has come
once, leaves no more than a number.
"""

from collections.abc import Sequence

from aiohttp import EMPTY_PAYLOAD, HttpVersion11, StreamReader, hdrs
from aiohttp.http import RawRequestMessage

from gateway.s3.message import Request

LONGEST_KEPT = 4_096
"""Longer heads, in bytes, are read anew each time."""

MOST = 2_048
"""How many heads are kept."""

MOST_SEEN = 8_192
"""Of how many it is known that they have come once."""

READING = (b"GET ", b"HEAD")
END = b"\r\n\r\n"

# What a body comes with, or something else than a request.
FOLLOWED = (hdrs.CONTENT_LENGTH, hdrs.TRANSFER_ENCODING, hdrs.EXPECT, hdrs.UPGRADE)


class Known:
    """What was read from a head: aiohttp's words for it, and the request; None until then.

    `words` are what it is known by: its own, and whose it is.
    """

    __slots__ = ("head", "request", "words")

    def __init__(self, words: bytes) -> None:
        self.words = words
        self.head: RawRequestMessage | None = None
        self.request: Request | None = None


class Heads:
    """The heads that have come lately, each with whose it was."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: dict[bytes, Known] = {}
        # Most heads never come again. Of these a hash is all that is left, as what is kept of
        # more would be the garbage collector's to go through. Who shares one is kept a head early.
        self._seen: dict[int, None] = {}

    def find(self, data: bytes, whose: bytes) -> Known | None:
        """What is known of what a client sent, or is to be from now on, if it is such a head.

        None where it is something else, or has not come before.
        """
        if data[:4] not in READING or len(data) > LONGEST_KEPT or not data.endswith(END):
            return None
        words = data + whose
        known = self._known.get(words)
        if known is not None:
            return known
        seen = hash(words)
        if seen in self._seen:
            return Known(words)
        self._seen[seen] = None
        if len(self._seen) > MOST_SEEN:
            del self._seen[next(iter(self._seen))]
        return None

    def keep(self, known: Known) -> None:
        """Keep what is known of a head, instead of what was kept longest ago."""
        self._known[known.words] = known
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]


def is_alone(messages: Sequence[tuple[object, StreamReader]], data: bytes) -> bool:
    """Whether what came is one head, which nothing can follow but another one."""
    if len(messages) != 1 or data.find(END) != len(data) - len(END):
        return False
    head, content = messages[0]
    return (
        content is EMPTY_PAYLOAD
        and isinstance(head, RawRequestMessage)
        and head.version == HttpVersion11
        and not (head.should_close or head.upgrade or head.chunked)
        and not any(name in head.headers for name in FOLLOWED)
    )
