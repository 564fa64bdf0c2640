"""Where a request points: bucket, key and query, decoded from their spelling on the wire."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from gateway.errors import InvalidArgument, InvalidURI, KeyTooLong
from gateway.light import light
from gateway.s3.memo import memo

KEY_BYTES = 1024
"""The longest key, in bytes of UTF-8."""

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PLAIN = re.compile(r"[A-Za-z0-9\-._~/]*")
_SLASHES = re.compile(r"[/\\]+")
_BUCKET_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]")
_IP_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_COPY_VERSION = "versionId="


@light
@dataclass(frozen=True, slots=True)
class Address:
    """A bucket and a key, decoded; each "" when absent."""

    bucket: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class KeyRules:
    r"""What a backend does with keys, as the probe saw it.

    `folds`: `a//b`, `/a/b` and `a\b` are all `a/b`. `private_suffixes`: a segment that ends
    so holds things of the backend's own; `private_segments`: a segment that is so.
    `bytewise_listing`: listings come in the order of the keys' bytes.
    """

    folds: bool = False
    private_suffixes: tuple[str, ...] = ()
    private_segments: tuple[str, ...] = ()
    bytewise_listing: bool = True

    def fold(self, key: str) -> str:
        """The key, or prefix, under which the backend keeps `key`; a trailing slash stays."""
        if not self.folds or not ("//" in key or "\\" in key or key.startswith("/")):
            return key
        return _SLASHES.sub("/", key).removeprefix("/")

    def is_private(self, key: str) -> bool:
        """Whether `key` (or a prefix), folded, is one that the backend keeps for itself."""
        if not any(name in key for name in self.private_suffixes + self.private_segments):
            return False  # folding joins no two names
        return any(
            segment in self.private_segments or segment.endswith(self.private_suffixes)
            for segment in self.fold(key).split("/")
        )


SEAWEEDFS_RULES = KeyRules(
    folds=True,
    private_suffixes=(".versions",),
    private_segments=(".uploads",),
    bytewise_listing=False,
)
"""SeaweedFS 4.48: old versions are below `.versions`, the parts of open uploads `.uploads`."""


@light
@dataclass(frozen=True, slots=True)
class Query:
    """A query's decoded pairs, in the order of the wire; a flag (`?acl`) has the value ""."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, raw: str) -> "Query":
        """The query spelled `raw`, without "?"; "+" stays "+". InvalidURI where it can't be read.

        Bad escapes and bad UTF-8 can't be read. Empty pairs (`a&&b`) are passed over.
        """
        return cls(_pairs(raw)) if raw else NO_QUERY

    def first(self, name: str) -> str | None:
        """The first value called `name`, None when there is none."""
        for known, value in self.pairs:
            if known == name:
                return value
        return None

    def has(self, name: str) -> bool:
        """Whether a pair is called `name`."""
        return any(known == name for known, _ in self.pairs)

    def without(self, names: Collection[str]) -> "Query":
        """The query without the pairs of these names."""
        if not self.pairs:
            return self
        kept = tuple(pair for pair in self.pairs if pair[0] not in names)
        return self if len(kept) == len(self.pairs) else Query(kept)

    def adding(self, name: str, value: str) -> "Query":
        """The query with one more pair at its end."""
        return Query((*self.pairs, (name, value)))

    def replacing(self, name: str, value: str) -> "Query":
        """The query with `name` once, with this value, at its end."""
        return self.without((name,)).adding(name, value)

    def encode(self) -> str:
        """The canonical query string: RFC 3986 spelling, sorted by encoded name, then value.

        It is both what goes on the wire to the backend and what is signed.
        """
        if not self.pairs:
            return ""
        encoded = sorted((_encode(name, ""), _encode(value, "")) for name, value in self.pairs)
        return "&".join(f"{name}={value}" for name, value in encoded)


NO_QUERY = Query()


@memo
def _pairs(raw: str) -> tuple[tuple[str, str], ...]:
    pairs = (pair.partition("=") for pair in raw.split("&") if pair)
    return tuple((_decode(name), _decode(value)) for name, _, value in pairs)


def parse_path(raw_path: str, bucket: str | None = None) -> Address:
    """The address that a raw path spells: path style, or a key of `bucket` if one is given.

    Bucket and key are split on the raw path, then percent-decoded once as UTF-8. InvalidURI
    on bad escapes, bad UTF-8 and NUL, KeyTooLong beyond 1,024 bytes.
    """
    if not raw_path.startswith("/"):
        raise InvalidURI("The path does not start with a slash.")
    if bucket is None:
        raw_bucket, _, raw_key = raw_path[1:].partition("/")
        name = _decode(raw_bucket)
    else:
        raw_key, name = raw_path[1:], bucket
    return _checked(name, _decode(raw_key))


def virtual_host(host: str, domain: str | None) -> str | None:
    """The bucket that a Host header names below `listen.domain`; None for path style."""
    if not domain:
        return None
    name = host.partition(":")[0].rstrip(".").lower()
    bucket = name.removesuffix("." + domain.lower())
    return bucket if bucket != name and bucket else None


def encode_key(key: str) -> str:
    """The RFC 3986 spelling of a key: unreserved characters and "/" stay as they are."""
    return _encode(key, "/")


def encode_path(address: Address) -> str:
    """The canonical raw path of an address: "/", "/bucket" or "/bucket/key".

    Without a bucket, which then the host names, it is "/key".
    """
    if not address.bucket:
        return f"/{encode_key(address.key)}"
    if not address.key:
        return f"/{_encode(address.bucket, '')}"
    return f"/{_encode(address.bucket, '')}/{encode_key(address.key)}"


def valid_bucket_name(name: str) -> bool:
    """Whether `name` is an S3 bucket name: 3 to 63 of a-z, 0-9, "." and "-", no IP address."""
    return (
        _BUCKET_NAME.fullmatch(name) is not None
        and ".." not in name
        and _IP_ADDRESS.fullmatch(name) is None
    )


def parse_copy_source(value: str) -> tuple[Address, str | None]:
    """Address and version id of an x-amz-copy-source, decoded.

    It is `[/]bucket/key[?versionId=…]` and nothing else: InvalidArgument otherwise. Some SDKs
    encode the slashes, too.
    """
    path, mark, query = value.partition("?")
    try:
        bucket, _, key = _decode(path).removeprefix("/").partition("/")
        address = _checked(bucket, key)
        version = _decode(query.removeprefix(_COPY_VERSION)) if mark else None
    except InvalidURI as error:
        raise _bad_copy_source(value) from error
    if not address.bucket or not address.key:
        raise _bad_copy_source(value)
    if version is not None and (not query.startswith(_COPY_VERSION) or not _plain(query, version)):
        raise _bad_copy_source(value)
    return address, version


def encode_copy_source(address: Address, version_id: str | None) -> str:
    """An x-amz-copy-source that names exactly this object, or this version of it."""
    source = encode_path(address)[1:]
    return source if version_id is None else f"{source}?{_COPY_VERSION}{_encode(version_id, '')}"


def _checked(bucket: str, key: str) -> Address:
    if "\0" in key or "\0" in bucket:
        raise InvalidURI("The path holds a NUL.")
    size = len(key.encode())
    if size > KEY_BYTES:
        raise KeyTooLong("Your key is too long.", Size=size, MaxSizeAllowed=KEY_BYTES)
    return Address(bucket, key)


def _plain(query: str, version: str) -> bool:
    return bool(version) and "&" not in query and version.isprintable()


def _bad_copy_source(value: str) -> InvalidArgument:
    return InvalidArgument(
        "A copy source is bucket/key or bucket/key?versionId=id, URL-encoded.",
        ArgumentName="x-amz-copy-source",
        ArgumentValue=value,
    )


def _decode(text: str) -> str:
    """`text` percent-decoded once; "+" stays. Raw bytes arrive as surrogate escapes."""
    if text.isascii() and "%" not in text:
        return text
    if _BAD_ESCAPE.search(text):
        raise InvalidURI("A percent sign is not followed by two hexadecimal digits.")
    try:
        return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8")
    except UnicodeError as error:
        raise InvalidURI("The URI is not UTF-8.") from error


def _encode(text: str, safe: str) -> str:
    if _PLAIN.fullmatch(text) and (safe or "/" not in text):
        return text
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError as error:
        raise InvalidURI("A name is not UTF-8.") from error
