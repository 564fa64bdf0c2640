"""Leave keys out of a listing's document; all else in it stays."""

from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element, tostring

from gateway.s3.xml import parse

LISTING_BYTES = 1 << 25
NAMED = {
    "Contents": "Key",
    "Version": "Key",
    "DeleteMarker": "Key",
    "Upload": "Key",
    "CommonPrefixes": "Prefix",
}
NEXT = ("NextMarker", "NextKeyMarker")

Hides = Callable[[str], bool]


def holds(document: bytes, texts: Iterable[bytes]) -> bool:
    """Whether any of these texts is in a document.

    They are looked for from its end. That way Python goes by how a text begins, and these begin
    with what is rarer in XML than what they end with: it takes half of the time in a long listing.
    """
    return any(text[:1] in document and document.rfind(text) >= 0 for text in texts)


def listed_names(document: bytes) -> list[str]:
    """The keys and common prefixes that a listing of whatever kind holds, decoded."""
    return [name for _, name in _items(parse(document, LISTING_BYTES))]


def omit(document: bytes, hides: Hides) -> bytes:
    """The document without the keys and common prefixes that `hides` says yes to.

    As it came where that is none. A marker of the next page that is hidden becomes one just
    behind it, which the client may hand back. MalformedXML for what is no XML.
    """
    root = parse(document, LISTING_BYTES)
    hidden = [item for item, name in _items(root) if hides(name)]
    markers = [item for item in root if item.tag in NEXT and hides(_text(root, item))]
    if not hidden and not markers:
        return document
    for item in hidden:
        root.remove(item)
    for item in markers:
        item.text = (item.text or "").rstrip("/") + "!"
    count = root.find("KeyCount")
    if count is not None:
        count.text = str(sum(1 for _ in _items(root)))
    whole: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return whole


def _items(root: Element) -> Iterator[tuple[Element, str]]:
    for item in root:
        name = item.find(NAMED[item.tag]) if item.tag in NAMED else None
        if name is not None:
            yield item, _text(root, name)


def _text(root: Element, item: Element) -> str:
    text = item.text or ""
    return unquote_plus(text) if root.findtext("EncodingType", "").strip() == "url" else text
