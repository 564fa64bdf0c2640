"""Answers that are given again in the same words: their heads, all but the id and the time."""

from dataclasses import dataclass, field

from aiohttp.helpers import rfc822_formatted_time

from gateway.s3.message import Note, Reply
from gateway.web.reply import Before


@dataclass(frozen=True, slots=True)
class Telling:
    """The head of the answer to one request, as long as it is told of the same thing.

    `before` is without that head; its `pieces` stand around the request's id, twice, and the date.
    """

    of: object = field(repr=False)
    public: bool
    before: Before
    pieces: tuple[bytes, bytes, bytes, bytes] = field(repr=False)

    def again(self, reply: Reply, request_id: str) -> Before | None:
        """The head of a reply to another request of the same words; None where it is another."""
        if self.of != reply.of or self.public != reply.public:
            return None
        before, (first, second, third, last) = self.before, self.pieces
        written, date = request_id.encode(), rfc822_formatted_time().encode()
        head = b"".join((first, written, second, written, third, date, last))
        return Before(before.framing, before.status, head)


TELLING: Note[Telling] = Note()


def telling(reply: Reply, before: Before, request_id: str) -> Telling | None:
    """How the reply's head can be told again; None where that can't be told from the head."""
    written, date = request_id.encode(), rfc822_formatted_time().encode()
    first, *others = before.head.split(written)
    if len(others) != 2:  # noqa: PLR2004 - it is there twice
        return None
    second, rest = others
    third, found, last = rest.partition(date)
    if not found or any(date in piece for piece in (first, second, last)):
        return None  # a file of this very second has the date twice
    bare = Before(before.framing, before.status, b"")
    return Telling(reply.of, reply.public, bare, (first, second, third, last))
