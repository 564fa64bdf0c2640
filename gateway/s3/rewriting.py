"""Names in XML answers, rewritten while they stream: a thousand entries in about a millisecond.

Backends write the entries of a listing one like the other, each beginning with its name. Of such
a run, in which nothing is to be left out, the workspace's prefix is cut off all names at once,
without a look at each tag. What is around the runs, and whatever is written otherwise, is the
`Translator`'s, who takes any document.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.s3.naming import Names, outside
from gateway.s3.translation import MAX_ENTRY, Translator

# How an entry begins, and how it ends.
_KINDS: Mapping[bytes, bytes] = {
    b"<Contents><Key>": b"</Contents>",
    b"<Version><Key>": b"</Version>",
    b"<CommonPrefixes><Prefix>": b"</CommonPrefixes>",
}
_BEGINNING = re.compile(b"|".join(_KINDS))
# Names in another namespace, and what may hold tags that are none.
_STRANGE = (b":Key", b":Prefix", b"<!", b"<?")
# Unreserved characters, which nobody escapes who means well: a name could hide in them.
_ODD_ESCAPE = re.compile(rb"%(?:2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)", re.IGNORECASE)


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

    def may_hide(self, entries: bytes) -> bool:
        """Whether any key in a listing could be one of them, however it is spelled."""
        return bool(self.texts) and (
            any(text.encode() in entries for text in self.texts)
            # ETags have quotes; no other character is written by its number.
            or entries.count(b"&#") != entries.count(b"&#34;")
            or (b"%" in entries and _ODD_ESCAPE.search(entries) is not None)
        )


class Rewriter:
    """One document, fed in any pieces, as the `Translator` would have it."""

    def __init__(
        self, names: Names, hiding: Hiding | None = None, *, encoded: bool = False
    ) -> None:
        """`encoded` says that a listing was asked for with encoding-type=url."""
        self._prefix = names.prefix
        self._hiding = hiding
        self._translator = Translator(names, hiding.hides if hiding else None, encoded=encoded)
        self._held = b""  # an entry whose end has not come

    def feed(self, data: bytes) -> bytes:
        """What can be said of the document so far; MalformedXML where it is none."""
        said: list[bytes] = []
        rest = self._held + data
        self._held = b""
        while rest:
            beginning = _BEGINNING.search(rest)
            start = beginning.start() if beginning else len(rest)
            if start:
                said.append(self._translator.feed(rest[:start]))
            if beginning is None:
                break
            rest = rest[start:]
            if not self._translator.between_entries:
                said.append(self._translator.feed(rest))
                break
            closing = _KINDS[beginning[0]]
            end = rest.rfind(closing) + len(closing)
            if end < len(closing):
                if len(rest) > MAX_ENTRY:
                    said.append(self._translator.feed(rest))
                else:
                    self._held = rest
                break
            said.append(self._entries(rest[:end], beginning[0], closing))
            rest = rest[end:]
        return b"".join(said)

    def close(self) -> bytes:
        """The rest; MalformedXML where the document is not complete."""
        held, self._held = self._held, b""
        return self._translator.feed(held) + self._translator.close()

    def _entries(self, entries: bytes, beginning: bytes, closing: bytes) -> bytes:
        """Whole entries of a listing, and whatever lies between them."""
        if self._hiding is None or not self._hiding.may_hide(entries):
            cut = _cut(entries, beginning, closing, self._prefix)
            if cut is not None:
                return cut
        return self._translator.feed(entries)


def rewrite(
    document: bytes, names: Names, hiding: Hiding | None = None, *, encoded: bool = False
) -> bytes:
    """A whole document with the workspace's names in it; MalformedXML."""
    rewriter = Rewriter(names, hiding, encoded=encoded)
    return rewriter.feed(document) + rewriter.close()


def _cut(entries: bytes, beginning: bytes, closing: bytes, prefix: str) -> bytes | None:
    """Entries without the prefix of their names.

    None where they are not all of one kind, one behind the other, each with a name below it.
    """
    spelled = _spelled(entries, beginning, prefix)
    if spelled is None or any(each in entries for each in _STRANGE):
        return None
    opening, name = beginning[: beginning.index(b">") + 1], beginning[beginning.rindex(b"<") :]
    number = entries.count(beginning + spelled)
    joints = entries.count(closing + beginning)
    if not number == joints + 1 == entries.count(opening[:-1]) == entries.count(name):
        return None
    if not prefix:
        return entries
    if beginning + spelled + b"<" in entries:
        return None  # the workspace's own folder, which has no name in it
    return entries.replace(beginning + spelled, beginning)


def _spelled(entries: bytes, beginning: bytes, prefix: str) -> bytes | None:
    """How the first entry's name spells `prefix`; None where it is not below it."""
    start = len(beginning)
    text = entries[start : entries.find(b"<", start)].decode(errors="replace")
    length = outside(text, prefix)
    return text[:length].encode() if length < len(text) or not prefix else None
