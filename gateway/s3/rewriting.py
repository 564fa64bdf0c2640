"""Names in XML answers, rewritten while they stream: a thousand entries in half a millisecond.

Backends write the entries of a listing one like the other, each beginning with its name. Of such
a run, in which nothing is to be left out, the workspace's prefix is cut off all names at once,
without a look at each tag. What is around the runs, and whatever is written otherwise, is the
`Translator`'s, who takes any document.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from gateway.s3.naming import Names
from gateway.s3.runs import KINDS, Run, cut
from gateway.s3.translation import MAX_ENTRY, Translator

STRETCH = 28_000
"""How much of a run is looked at together, in bytes.

It stays in the processor's nearest cache meanwhile. In more than 30,000 bytes Python searches in a
way that is never slow, and takes two to four times as long to find how tags are spelled.
"""

_BEGINNING = re.compile(b"|".join(KINDS))


@dataclass(frozen=True, slots=True)
class Hiding:
    """Which keys a listing does not show: those that hold one of `texts`, and are `private`.

    Without texts there are none. They are of unreserved characters.
    """

    texts: tuple[str, ...]
    private: Callable[[str], bool]

    def hides(self, key: str) -> bool:
        """Whether a key, decoded, is not shown."""
        return any(text in key for text in self.texts) and self.private(key)


class Rewriter:
    """One document, fed in any pieces, as the `Translator` would have it."""

    def __init__(
        self, names: Names, hiding: Hiding | None = None, *, encoded: bool = False
    ) -> None:
        """`encoded` says that a listing was asked for with encoding-type=url."""
        self._prefix = names.prefix
        self._texts = () if hiding is None else hiding.texts
        self._translator = Translator(names, hiding.hides if hiding else None, encoded=encoded)
        self._held = b""  # an entry whose end has not come

    def feed(self, data: bytes) -> bytes:
        """What can be said of the document so far; MalformedXML where it is none."""
        said: list[bytes] = []
        rest, at = self._held + data, 0
        self._held = b""
        while at < len(rest):
            beginning = _BEGINNING.search(rest, at)
            start = beginning.start() if beginning else len(rest)
            if start > at:
                said.append(self._translator.feed(rest[at:start]))
            if beginning is None:
                break
            if not self._translator.between_entries:
                said.append(self._translator.feed(rest[start:]))
                break
            run = KINDS[beginning[0]]
            at = _end(rest, run.closing, start)
            if at == start:
                if len(rest) - start > MAX_ENTRY:
                    said.append(self._translator.feed(rest[start:]))
                else:
                    self._held = rest[start:]
                break
            said.append(self._entries(rest[start:at], run))
        return b"".join(said)

    def close(self) -> bytes:
        """The rest; MalformedXML where the document is not complete."""
        held, self._held = self._held, b""
        return self._translator.feed(held) + self._translator.close()

    def _entries(self, entries: bytes, run: Run) -> bytes:
        """Whole entries of a listing, and whatever lies between them."""
        found = cut(entries, run, self._prefix, self._texts)
        return self._translator.feed(entries) if found is None else found


def rewrite(
    document: bytes, names: Names, hiding: Hiding | None = None, *, encoded: bool = False
) -> bytes:
    """A whole document with the workspace's names in it; MalformedXML."""
    rewriter = Rewriter(names, hiding, encoded=encoded)
    said, rest = rewriter.feed(document), rewriter.close()
    return said + rest if rest else said


def _end(document: bytes, closing: bytes, start: int) -> int:
    """Where the last entry of a stretch ends, or one that is longer; `start` where none does."""
    last = document.rfind(closing, start, start + STRETCH)
    if last < 0:
        last = document.find(closing, start)
    return start if last < 0 else last + len(closing)
