"""What the names of a request's headers say, whatever their values: one client's are the same."""

from dataclasses import dataclass
from functools import lru_cache

from multidict import MultiMapping

from gateway.s3.memo import LONGEST

METADATA = "x-amz-meta-"
GRANTS = "x-amz-grant-"
CHECKSUMS = "x-amz-checksum-"

SETS = 256
"""Of how many sets it is kept what they say: clients have few, and strangers can make any up.

What is kept of one made up for it takes 20 KiB.
"""

_DIGESTS = frozenset({"content-md5", "x-amz-trailer"})
_POWERS = frozenset({"x-amz-acl", "x-amz-bypass-governance-retention", "x-amz-object-ownership"})


@dataclass(frozen=True, slots=True)
class HeaderNames:
    """All names in lower case, and those that begin with `x-amz-`.

    `metadata` says whether any is an object's metadata, `grants` whether any grants a right,
    `empowering` whether any may make an operation more than its row says, and `declaring` whether
    any tells a digest of the body.
    """

    all: frozenset[str]
    amz: frozenset[str]
    metadata: bool
    grants: bool
    empowering: bool
    declaring: bool


def names_of(headers: MultiMapping[str]) -> HeaderNames:
    """The names of a request's headers."""
    text = "\n".join(headers)
    return _known(text) if len(text) <= LONGEST else _read(text)


@lru_cache(SETS)
def _known(text: str) -> HeaderNames:
    return _read(text)


def _read(text: str) -> HeaderNames:
    names = frozenset(text.lower().split("\n"))
    grants = any(name.startswith(GRANTS) for name in names)
    return HeaderNames(
        names,
        frozenset([name for name in names if name.startswith("x-amz-")]),
        any(name.startswith(METADATA) for name in names),
        grants,
        grants or not names.isdisjoint(_POWERS),
        not names.isdisjoint(_DIGESTS) or any(name.startswith(CHECKSUMS) for name in names),
    )
