"""Answers that are given again in the same words: their heads, all but the id and the time."""

from dataclasses import dataclass, field

from aiohttp.helpers import rfc822_formatted_time

from gateway.s3.message import Note, Reply
from gateway.web.reply import Before

PLACE = b"%b"


@dataclass(frozen=True, slots=True)
class Telling:
    """The head of the answer to one request, as long as it is told of the same thing.

    `before` has it with places for the request's id, twice, and for the date.
    """

    of: object = field(repr=False)
    public: bool
    before: Before

    def again(self, reply: Reply, request_id: str) -> Before | None:
        """The head of a reply to another request of the same words; None where it is another."""
        if self.of != reply.of or self.public != reply.public:
            return None
        written = request_id.encode()
        head = self.before.head % (written, written, rfc822_formatted_time().encode())
        return Before(self.before.framing, self.before.status, head)


TELLING: Note[Telling] = Note()


def telling(reply: Reply, before: Before, request_id: str) -> Telling | None:
    """How the reply's head can be told again; None where that can't be told from the head."""
    written, date = request_id.encode(), rfc822_formatted_time().encode()
    places = before.head.replace(b"%", b"%%").replace(written, PLACE).replace(date, PLACE)
    try:
        same = places % (written, written, date) == before.head
    except TypeError:
        return None  # a file of this very second has the date twice
    if not same:
        return None
    return Telling(reply.of, reply.public, Before(before.framing, before.status, places))
