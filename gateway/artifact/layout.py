"""Names and paths: which artifact a key belongs to, and what it is there."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from gateway.artifact.value import brief
from gateway.errors import InvalidPath, KeyTooLong
from gateway.light import light

MANIFEST = "manifest.yaml"
STAGED_MANIFEST = "_manifest.yaml"
KEY_BYTES = 1024
PUBLIC = "public"
DOTS = frozenset((".", ".."))

CHECKED = 1_024
"""Of how many prefixes and paths it is kept that they may be some."""


@dataclass(frozen=True, slots=True)
class Node:
    """An artifact as the index knows it."""

    prefix: str
    collection: bool


class Role(Enum):
    """What a key is to the artifact around it."""

    ORDINARY = "ordinary"
    MANIFEST = "manifest"
    STAGED_MANIFEST = "staged manifest"
    FILE = "file"
    ARRIVING = "arriving"
    MARKER = "marker"


@light
@dataclass(frozen=True, slots=True)
class Place:
    """A key's role, the prefix of the artifact that owns it (or would), and its path there.

    `path` is relative to `prefix`; for manifests it is the manifest's name. An ORDINARY key,
    and a MARKER in no artifact, has the prefix "" and the whole key as its path. ARRIVING is
    a key below a member whose manifest has not come: `prefix` is the directory directly below
    the collection.
    """

    role: Role
    prefix: str
    path: str


_MANIFESTS = {MANIFEST: Role.MANIFEST, STAGED_MANIFEST: Role.STAGED_MANIFEST}


def ancestors(key: str) -> tuple[str, ...]:
    """Every prefix at which an artifact could own `key`, nearest first, the root "" last."""
    found = [""]
    for segment in key.split("/")[:-1]:
        if _fault(segment) or segment in _MANIFESTS:
            break
        found.append(f"{found[-1]}/{segment}" if found[-1] else segment)
    return tuple(reversed(found))


def place(key: str, nodes: Sequence[Node]) -> Place:
    """Where `key` belongs, `nodes` being the artifacts that exist among `ancestors(key)`."""
    owners = [node for node in nodes if _below(key, node.prefix)]
    owner = max(owners, key=lambda node: len(node.prefix)) if owners else None
    prefix = owner.prefix if owner else ""
    path = key[len(prefix) + 1 :] if prefix else key
    if key.endswith("/"):
        return Place(Role.MARKER, prefix, path)
    directory, slash, name = path.rpartition("/")
    if owner and not owner.collection:
        # Below anything but a collection, a deeper manifest.yaml is a file like others.
        return Place(Role.FILE if slash else _MANIFESTS.get(path, Role.FILE), prefix, path)
    if name in _MANIFESTS and _fits(path):
        return Place(_MANIFESTS[name], "/".join(filter(None, (prefix, directory))), name)
    if not owner:
        return Place(Role.ORDINARY, "", key)
    if not slash:
        return Place(Role.FILE, prefix, path)
    member, _, rest = path.partition("/")
    return Place(Role.ARRIVING, f"{prefix}/{member}" if prefix else member, rest)


@lru_cache(CHECKED)
def check_prefix(prefix: str) -> str:
    """`prefix` as it came ("" is the root), when an artifact may have it; InvalidPath."""
    segments = prefix.split("/") if prefix else []
    reason = _first_fault(segments)
    if reason is None and not _MANIFESTS.keys().isdisjoint(segments):
        reason = "it holds a manifest's name"
    if reason is None and len(f"{prefix}/{STAGED_MANIFEST}".encode()) > KEY_BYTES:
        reason = f"its manifest's key would have more than {KEY_BYTES} bytes"
    if reason:
        raise InvalidPath(f"{brief(prefix)} can't be an artifact's prefix: {reason}")
    return prefix


@lru_cache(CHECKED)
def check_path(path: str, *, collection: bool = False) -> str:
    """`path` as it came, when a file may have it in an artifact; InvalidPath with the reason.

    In a `collection`, paths with a "/" reach into a member and are refused.
    """
    segments = path.split("/")
    reason = _first_fault(segments)
    if reason is None and segments[0] in _MANIFESTS:
        reason = "it names the artifact's manifest"
    if reason is None and collection and len(segments) > 1:
        reason = "below a collection, it reaches into a member"
    if reason is None and len(path.encode()) > KEY_BYTES:
        reason = f"it has more than {KEY_BYTES} bytes"
    if reason:
        raise InvalidPath(f"{brief(path)} can't be a file's path: {reason}")
    return path


def join(prefix: str, path: str) -> str:
    """The key of `path` in the artifact at `prefix`; KeyTooLong beyond 1,024 bytes."""
    key = f"{prefix}/{path}" if prefix else path
    if len(key) * 4 > KEY_BYTES and len(key.encode(errors="surrogatepass")) > KEY_BYTES:
        raise KeyTooLong(f"Prefix and path together have more than {KEY_BYTES} bytes")
    return key


def is_public(prefix: str) -> bool:
    """Whether a prefix is `public` or below it."""
    return prefix == PUBLIC or is_public_key(prefix)


def is_public_key(key: str) -> bool:
    """Whether a key is below `public/`, and would be however somebody resolved its segments."""
    return key.startswith(PUBLIC + "/") and DOTS.isdisjoint(key.split("/"))


def _below(key: str, prefix: str) -> bool:
    return not prefix or key.startswith(prefix + "/")


def _fits(path: str) -> bool:
    """Whether an artifact may be in the directory of `path`."""
    directories = path.split("/")[:-1]
    return _first_fault(directories) is None and _MANIFESTS.keys().isdisjoint(directories)


def _first_fault(segments: Sequence[str]) -> str | None:
    return next(filter(None, map(_fault, segments)), None)


def _fault(segment: str) -> str | None:
    """Why `segment` can't be part of a path; None when it can."""
    reason = None
    if not segment:
        reason = "it is empty, begins or ends with a slash, or has two in a row"
    elif segment in DOTS:
        reason = f'it has a segment "{segment}"'
    elif "\\" in segment:
        reason = "it holds a backslash"
    elif not (segment.isascii() and segment.isprintable()):
        categories = {unicodedata.category(character) for character in segment}
        if "Cs" in categories:
            reason = "it is not UTF-8"
        elif "Cc" in categories:
            reason = "it holds a control character"
    return reason
