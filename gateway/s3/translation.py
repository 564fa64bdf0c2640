"""Backend names in XML answers, turned into the workspace's while they stream."""

from collections.abc import Callable, Mapping
from urllib.parse import unquote_plus
from xml.parsers.expat import ExpatError, ParserCreate

from gateway.errors import MalformedXML
from gateway.s3.naming import ENTRIES, LISTINGS, NAMING, Kind, Names, translated
from gateway.s3.xml import escape, refuse_declaration

ROOT_DEPTH, ENTRY_DEPTH, MAX_DEPTH = 2, 3, 16  # the document itself is 1

MAX_NAME = 1 << 14
"""The longest name, in characters: a key of 1,024 bytes, escaped, and a URL around it."""

MAX_ENTRY = 1 << 18
"""The longest entry of a listing, in bytes."""

_NOTHING: Mapping[str, Kind] = {}

Hides = Callable[[str], bool]


class Translator:
    """One document in UTF-8, fed in any pieces; all but its names comes out byte for byte.

    Of a name, too, what stays is spelled as it came. An entry of a listing is left out whose
    key is outside the workspace's prefix, or which `hides` says yes to (it is given the key as
    the workspace has it, decoded); another name outside comes out empty. White space before
    the document, which keeps a slow answer alive, passes at once.

    The count of a listing that has lost entries is put right where it comes behind them.
    """

    def __init__(self, names: Names, hides: Hides | None = None, *, encoded: bool = False) -> None:
        """`encoded` says that the listing was asked for with encoding-type=url."""
        self._names = names
        self._hides = hides
        self._encoded = encoded
        self._raw = bytearray()  # what was fed and has not come out
        self._base = 0  # where _raw starts, in the parser's count of bytes
        self._unread = bytearray()  # the end of _raw, which the parser has not been given
        # How much of a tag is still without its end. The parser reads all of it again with each
        # piece, so it is given as much again at least.
        self._unfinished = 0
        self._inner = [_NOTHING]  # for the document and each open element, what is named in it
        self._listing = False
        self._kind: Kind | None = None
        self._text: list[tuple[int, str]] = []  # pieces of the name, and where each starts
        self._length = 0  # of the name so far, in characters
        self._from: int | None = None  # where the text of the name starts
        self._section = False  # whether a part of it is a CDATA section
        self._entry: int | None = None  # where in _out the entry starts that is being read
        self._dropped = False  # whether that entry is to be left out
        self._missing = 0  # how many were
        self._out = bytearray()
        self._started = False
        self._parser = ParserCreate()
        self._parser.XmlDeclHandler = _check_encoding
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = refuse_declaration
        self._parser.EntityDeclHandler = refuse_declaration

    def feed(self, data: bytes) -> bytes:
        """What can be said of the document so far; MalformedXML where it is none."""
        if not self._started:
            rest = data.lstrip()
            self._out += data[: len(data) - len(rest)]
            self._started = bool(rest)
            data = rest
        self._raw += data
        self._unread += data
        if len(self._unread) > self._unfinished:
            self._parse(last=False)
            position = self._parser.CurrentByteIndex
            self._unfinished = self._base + len(self._raw) - position
            self._flush(position if self._from is None else self._from)
        return self._taken()

    def close(self) -> bytes:
        """The rest; MalformedXML where the document is not complete."""
        self._parse(last=True)
        self._flush(self._base + len(self._raw))
        return self._taken()

    @property
    def between_entries(self) -> bool:
        """Whether all that was fed has come out, and what comes next is an entry of a listing.

        Or another element directly below its root.
        """
        below_root = self._listing and len(self._inner) == ROOT_DEPTH
        return below_root and not self._raw and self._entry is None

    def _parse(self, *, last: bool) -> None:
        data = bytes(self._unread)
        self._unread.clear()
        try:
            self._parser.Parse(data, last)
        except (ExpatError, ValueError, LookupError) as error:
            raise MalformedXML("The XML is not well-formed.") from error

    def _taken(self) -> bytes:
        """What may leave: all but an entry of which nobody knows yet whose it is."""
        if self._entry is None:
            out = bytes(self._out)
            self._out.clear()
            return out
        out = bytes(self._out[: self._entry])
        del self._out[: self._entry]
        self._entry = 0
        if len(self._out) > MAX_ENTRY:
            raise MalformedXML("An entry of the XML is too long.")
        return out

    def _flush(self, stop: int) -> None:
        """Let everything before `stop` out as it came."""
        size = stop - self._base
        if size > 0:
            self._out += self._raw[:size]
            del self._raw[:size]
            self._base = stop

    def _start(self, name: str, _attributes: Mapping[str, str]) -> None:
        if ":" in name:
            name = name.rpartition(":")[2]
        inner = self._inner
        kind = inner[-1].get(name)
        inner.append(NAMING.get(name, _NOTHING))
        if kind is not None or self._kind is not None:
            self._listen(kind)
            return
        depth = len(inner)
        if depth == ENTRY_DEPTH and self._listing and name in ENTRIES:
            self._flush(self._parser.CurrentByteIndex)
            self._entry = len(self._out)
        elif depth == ROOT_DEPTH:
            self._check_root()
            self._listing = name in LISTINGS
        elif depth > MAX_DEPTH:
            raise MalformedXML("The XML nests too deeply.")

    def _check_root(self) -> None:
        start = self._parser.CurrentByteIndex - self._base
        if self._raw[start : start + 1] != b"<" or self._raw[start + 1 : start + 2] == b"\0":
            raise MalformedXML("The XML is not in UTF-8.")

    def _listen(self, kind: Kind | None) -> None:
        """Take the text of an element in that names something; none of any other."""
        self._kind = kind
        self._text.clear()
        self._length = 0
        self._from = None
        self._section = False
        self._parser.CharacterDataHandler = self._characters if kind else None
        self._parser.StartCdataSectionHandler = self._open_section if kind else None

    def _open_section(self) -> None:
        self._section = True
        self._open()

    def _open(self) -> None:
        if self._from is None:
            self._from = self._parser.CurrentByteIndex

    def _characters(self, data: str) -> None:
        self._open()
        self._text.append((self._parser.CurrentByteIndex, data))
        self._length += len(data)
        if self._length > MAX_NAME:
            raise MalformedXML("A name in the XML is too long.")

    def _end(self, _name: str) -> None:
        self._inner.pop()
        if self._kind is not None:
            if self._from is not None:
                self._replace(self._kind)
            self._listen(None)
        elif self._entry is not None and len(self._inner) == ROOT_DEPTH:
            self._end_entry()

    def _end_entry(self) -> None:
        if self._dropped:
            end = self._parser.CurrentByteIndex
            self._flush(end)
            size = self._raw.index(b">") + 1  # of the end tag
            del self._raw[:size]
            self._base = end + size
            del self._out[self._entry :]
            self._missing += 1
        self._entry, self._dropped = None, False

    def _replace(self, kind: Kind) -> None:
        """Put the workspace's name where the backend's is."""
        text = "".join(piece for _, piece in self._text)
        if kind is Kind.COUNT:
            head, kept = self._count(text), len(text)
        else:
            head, kept = translated(self._names, kind, text)
        if kind is Kind.KEY and self._entry is not None and self._is_hidden(text, kept):
            self._dropped = True
        elif kind is Kind.FOLLOWING and self._hidden(text[kept:]):
            # A client may not hand back a name that is kept from it, but one just behind it.
            head, kept = text[kept:].rstrip("/") + "!", len(text)
        if head == text[:kept]:
            return
        self._flush(self._from or 0)
        if self._section:  # its spelling is of no use outside it
            head, kept = head + text[kept:], len(text)
        end = self._start_of(kept)
        del self._raw[: end - self._base]
        self._base = end
        self._out += escape(head).encode()

    def _count(self, text: str) -> str:
        whole = text.strip()
        return str(int(whole) - self._missing) if self._missing and whole.isdigit() else text

    def _is_hidden(self, text: str, kept: int) -> bool:
        """Whether the entry of a key is left out; `kept` is where the workspace's key starts."""
        if self._names.prefix and kept == len(text):
            return True  # also the workspace's own folder, which has no name in it
        return self._hidden(text[kept:])

    def _hidden(self, name: str) -> bool:
        if self._hides is None:
            return False
        return self._hides(unquote_plus(name) if self._encoded else name)

    def _start_of(self, position: int) -> int:
        """Where the name's character at `position` starts in the document, or the name's end."""
        for start, piece in self._text:
            if position < len(piece):
                # What expat gives in one piece is spelled as it is: entities are pieces alone.
                return start + len(piece[:position].encode())
            position -= len(piece)
        return self._parser.CurrentByteIndex


def translate(
    body: bytes, names: Names, hides: Hides | None = None, *, encoded: bool = False
) -> bytes:
    """A whole document with the workspace's names in it."""
    translator = Translator(names, hides, encoded=encoded)
    return translator.feed(body) + translator.close()


def _check_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.lower() not in ("utf-8", "us-ascii"):
        raise MalformedXML("The XML is not in UTF-8.")
