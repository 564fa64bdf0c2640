"""Backend names in XML answers, turned into the workspace's while they stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from xml.parsers.expat import ExpatError, ParserCreate

from gateway.errors import MalformedXML
from gateway.s3.xml import escape, refuse_declaration

MAX_DEPTH = 16

MAX_NAME = 1 << 14
"""The longest name, in characters: a key of 1,024 bytes, escaped, and a URL around it."""


@dataclass(frozen=True, slots=True)
class Names:
    """How a workspace's names and its backend's map onto each other.

    `prefix` is the key prefix of the workspace in `bucket`, "" or ending in "/". `location`
    replaces Location elements (a URL of the gateway) where it is not "".
    """

    workspace: str
    bucket: str
    prefix: str = ""
    location: str = ""

    @property
    def equal(self) -> bool:
        """Whether nothing differs, so that documents pass untouched."""
        return self.workspace == self.bucket and not self.prefix and not self.location


class _Kind(Enum):
    """What an element names."""

    BUCKET = auto()
    KEY = auto()
    LOCATION = auto()
    RESOURCE = auto()


_LISTINGS = ("ListBucketResult", "ListVersionsResult", "ListMultipartUploadsResult")
_UPLOADS = (
    "ListMultipartUploadsResult",
    "ListPartsResult",
    "InitiateMultipartUploadResult",
    "CompleteMultipartUploadResult",
    "PostResponse",
)
_ECHOED = ("Prefix", "Marker", "NextMarker", "StartAfter", "KeyMarker", "NextKeyMarker")
_KEYED = ("Contents", "Version", "DeleteMarker", "Upload", "Deleted", "Error", *_UPLOADS)

_NAMING: dict[tuple[str, str], _Kind] = {
    **{(root, "Name"): _Kind.BUCKET for root in _LISTINGS},
    **{(root, "Bucket"): _Kind.BUCKET for root in _UPLOADS},
    **{(root, name): _Kind.KEY for root in _LISTINGS for name in _ECHOED},
    **{(parent, "Key"): _Kind.KEY for parent in _KEYED},
    **{(root, "Location"): _Kind.LOCATION for root in _UPLOADS},
    ("CommonPrefixes", "Prefix"): _Kind.KEY,
    ("Error", "BucketName"): _Kind.BUCKET,
    ("Error", "Bucket"): _Kind.BUCKET,
    ("Error", "Resource"): _Kind.RESOURCE,
}
"""Parent and element, to what the element names; tags' keys and rules' prefixes are not here."""


class Translator:
    """One document in UTF-8, fed in any pieces; all but its names comes out byte for byte.

    A key outside the workspace's prefix comes out empty: names of others never leave. White
    space before the document, which keeps a slow answer alive, passes at once.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._raw = bytearray()  # what was fed and has not come out
        self._base = 0  # where _raw starts, in the parser's count of bytes
        self._path: list[str] = []
        self._kind: _Kind | None = None
        self._text: list[str] = []
        self._from: int | None = None  # where the text of the name starts
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
        if data:
            self._raw += data
            self._parse(data, last=False)
            self._flush(self._parser.CurrentByteIndex if self._from is None else self._from)
        return self._taken()

    def close(self) -> bytes:
        """The rest; MalformedXML where the document is not complete."""
        self._parse(b"", last=True)
        self._flush(self._base + len(self._raw))
        return self._taken()

    def _parse(self, data: bytes, *, last: bool) -> None:
        try:
            self._parser.Parse(data, last)
        except (ExpatError, ValueError, LookupError) as error:
            raise MalformedXML("The backend's XML is not well-formed.") from error

    def _taken(self) -> bytes:
        out = bytes(self._out)
        self._out.clear()
        return out

    def _flush(self, stop: int) -> None:
        """Let everything before `stop` out as it came."""
        size = stop - self._base
        if size > 0:
            self._out += self._raw[:size]
            del self._raw[:size]
            self._base = stop

    def _start(self, name: str, _attributes: Mapping[str, str]) -> None:
        local = name.rpartition(":")[2]
        if self._path:
            kind = _NAMING.get((self._path[-1], local))
        else:
            kind = None
            self._check_root()
        self._path.append(local)
        if len(self._path) > MAX_DEPTH:
            raise MalformedXML("The backend's XML nests too deeply.")
        if kind is not None or self._kind is not None:
            self._listen(kind)

    def _check_root(self) -> None:
        start = self._parser.CurrentByteIndex - self._base
        if self._raw[start : start + 1] != b"<" or self._raw[start + 1 : start + 2] == b"\0":
            raise MalformedXML("The backend's XML is not in UTF-8.")

    def _listen(self, kind: _Kind | None) -> None:
        """Take the text of an element in that names something; none of any other."""
        self._kind = kind
        self._text.clear()
        self._from = None
        self._parser.CharacterDataHandler = self._characters if kind else None
        self._parser.StartCdataSectionHandler = self._open if kind else None

    def _open(self) -> None:
        if self._from is None:
            self._from = self._parser.CurrentByteIndex

    def _characters(self, data: str) -> None:
        self._open()
        self._text.append(data)
        if len(self._text) > MAX_NAME:
            raise MalformedXML("A name in the backend's XML is too long.")

    def _end(self, _name: str) -> None:
        self._path.pop()
        if self._kind is None:
            return
        if self._from is not None:
            text = "".join(self._text)
            translated = self._translated(self._kind, text)
            if translated != text:
                self._flush(self._from)
                end = self._parser.CurrentByteIndex
                del self._raw[: end - self._base]
                self._base = end
                self._out += escape(translated).encode()
        self._listen(None)

    def _translated(self, kind: _Kind, text: str) -> str:
        names = self._names
        if kind is _Kind.BUCKET:
            return names.workspace if text == names.bucket else text
        if kind is _Kind.LOCATION:
            return names.location or text
        if kind is _Kind.KEY:
            return _stripped(text, names.prefix) or ""
        slash = "/" if text.startswith("/") else ""
        bucket, _, key = text.removeprefix("/").partition("/")
        if bucket != names.bucket:
            return text
        if "/" not in text.removeprefix("/"):
            return f"{slash}{names.workspace}"
        return f"{slash}{names.workspace}/{_stripped(key, names.prefix) or ''}"


def translate(body: bytes, names: Names) -> bytes:
    """A whole document with the workspace's names in it."""
    translator = Translator(names)
    return translator.feed(body) + translator.close()


def _check_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.lower() not in ("utf-8", "us-ascii"):
        raise MalformedXML("The backend's XML is not in UTF-8.")


def _stripped(text: str, prefix: str) -> str | None:
    """`text` without `prefix`, in whatever way it is encoded; None where it does not have it.

    Backends encode names where they were asked to, but not all of them, and each in its way.
    """
    if text.startswith(prefix):
        return text[len(prefix) :]
    position = 0
    for character in prefix:
        escaped = "".join(f"%{byte:02X}" for byte in character.encode())
        found = text[position : position + 1]
        if (found == character and found != "%") or (found == "+" and character == " "):
            position += 1
        elif text[position : position + len(escaped)].upper() == escaped:
            position += len(escaped)
        else:
            return None
    return text[position:]
