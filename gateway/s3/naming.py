"""Where S3's documents name buckets and keys, and how such a name becomes the workspace's."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

from gateway.light import light


@light
@dataclass(frozen=True, slots=True)
class Names:
    """How a workspace's names and its backend's map onto each other.

    `prefix` is the key prefix of the workspace in `bucket`, "" or ending in "/". `place` is the
    workspace's URL at the gateway, with a slash at its end, where a Location is to be told; `key`
    is then the percent-encoded key that is meant.
    """

    workspace: str
    bucket: str
    prefix: str = ""
    place: str = ""
    key: str = ""

    @property
    def equal(self) -> bool:
        """Whether nothing differs, so that documents pass untouched."""
        return self.workspace == self.bucket and not self.prefix and not self.place

    @property
    def reversed(self) -> "Names":
        """The names of a whole bucket the other way round, for documents that go there."""
        return replace(self, workspace=self.bucket, bucket=self.workspace, place="", key="")


class Kind(Enum):
    """What an element says. FOLLOWING is a key at which the next page may start."""

    BUCKET = auto()
    KEY = auto()
    FOLLOWING = auto()
    LOCATION = auto()
    RESOURCE = auto()
    ARN = auto()
    MESSAGE = auto()
    COUNT = auto()


ENTRIES = frozenset({"Contents", "Version", "DeleteMarker", "Upload", "CommonPrefixes"})
"""The elements of a listing that stand for one name each."""


def _both(*roots: str) -> tuple[str, ...]:
    # Some backends call the answer to an operation its response, as the API's reference does.
    return tuple(root + end for root in roots for end in ("Result", "Response"))


LISTINGS = _both("ListBucket", "ListVersions", "ListMultipartUploads")
_UPLOADS = (
    *_both("ListMultipartUploads", "ListParts"),
    *_both("InitiateMultipartUpload", "CompleteMultipartUpload"),
    "PostResponse",
)
_ECHOED = ("Prefix", "Marker", "StartAfter", "KeyMarker")
_FOLLOWING = ("NextMarker", "NextKeyMarker")
_KEYED = ("Contents", "Version", "DeleteMarker", "Upload", "Deleted", "Error", *_UPLOADS)

_PLACES: dict[tuple[str, str], Kind] = {
    **{(root, "Name"): Kind.BUCKET for root in LISTINGS},
    **{(root, "Bucket"): Kind.BUCKET for root in _UPLOADS},
    **{(root, name): Kind.KEY for root in LISTINGS for name in _ECHOED},
    **{(root, name): Kind.FOLLOWING for root in LISTINGS for name in _FOLLOWING},
    **{(root, "KeyCount"): Kind.COUNT for root in LISTINGS},
    **{(parent, "Key"): Kind.KEY for parent in _KEYED},
    **{(root, "Location"): Kind.LOCATION for root in _UPLOADS},
    ("CommonPrefixes", "Prefix"): Kind.KEY,
    ("Error", "BucketName"): Kind.BUCKET,
    ("Error", "Bucket"): Kind.BUCKET,
    ("Error", "Resource"): Kind.RESOURCE,
    ("Error", "Message"): Kind.MESSAGE,
    ("LoggingEnabled", "TargetBucket"): Kind.BUCKET,
    ("Destination", "Bucket"): Kind.ARN,
    ("S3BucketDestination", "Bucket"): Kind.ARN,
}


def _by_parent(places: Iterable[tuple[str, str]]) -> Mapping[str, Mapping[str, Kind]]:
    found: dict[str, dict[str, Kind]] = {}
    for parent, name in places:
        found.setdefault(parent, {})[name] = _PLACES[parent, name]
    return found


NAMING = _by_parent(_PLACES)
"""Parent, then element, to what the element names; tags' keys and rules' prefixes are not here."""


def translated(names: Names, kind: Kind, text: str) -> tuple[str, int]:
    """What takes the place of the start of `text`, and how many characters of it that is.

    What is behind stays as it came. A key outside the workspace's prefix goes altogether.
    """
    if kind is Kind.BUCKET:
        return (names.workspace if text == names.bucket else text), len(text)
    if kind is Kind.KEY or kind is Kind.FOLLOWING:
        return "", outside(text, names.prefix)
    if kind is Kind.LOCATION:
        return _located(names, text)
    if kind is Kind.ARN or kind is Kind.MESSAGE:
        return rename_arns(names, text), len(text)
    slash = "/" if text.startswith("/") else ""
    bucket, found, key = text.removeprefix("/").partition("/")
    if bucket != names.bucket:
        return text, len(text)
    before = len(text) - len(key)
    return f"{slash}{names.workspace}{found}", before + outside(key, names.prefix)


def rename_arns(names: Names, text: str) -> str:
    """A text, such as a policy, in which the bucket's ARNs are the workspace's."""
    prefix = re.escape(names.prefix)
    bucket = rf"(?<=:s3:::){re.escape(names.bucket)}(?![\w.-])"
    shorter = re.sub(rf"{bucket}(\\?/){prefix}", rf"{names.workspace}\1", text)
    return re.sub(bucket, names.workspace, shorter)


def outside(text: str, prefix: str) -> int:
    """How long `prefix` is at the start of `text`, in whatever way that is encoded.

    All of the text where it does not start so. Backends encode names where they were asked to,
    but not all of them, and each in its way.
    """
    if text.startswith(prefix):
        return len(prefix)
    position = 0
    for character in prefix:
        escaped = "".join(f"%{byte:02X}" for byte in character.encode())
        found = text[position : position + 1]
        if (found == character and found != "%") or (found == "+" and character == " "):
            position += 1
        elif text[position : position + len(escaped)].upper() == escaped:
            position += len(escaped)
        else:
            return len(text)
    return position


def _located(names: Names, text: str) -> tuple[str, int]:
    """As `translated`, of a URL: path style keeps the backend's spelling of the key."""
    if not names.place:
        return text, len(text)
    path = text.partition("://")[2].partition("/")[2]
    bucket, _, key = path.partition("/")
    start = len(text) - len(key)
    length = outside(key, names.prefix)
    if bucket != names.bucket or length == len(key):
        return names.place + names.key, len(text)
    return names.place, start + length
