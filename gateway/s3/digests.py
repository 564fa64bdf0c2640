"""Digests of bodies, computed piece by piece: each algorithm of S3's checksums."""

import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import md5, sha1, sha256, sha512
from importlib import import_module
from types import MappingProxyType
from typing import Any, Protocol


class Digest(Protocol):
    """A digest under way, with the interface of hashlib's."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take the next piece in."""

    def digest(self) -> bytes:
        """The digest of all pieces; asked for once."""


class _CRC:
    """A CRC of `size` bytes; `add` makes the next value of a piece and the one before."""

    def __init__(self, add: Callable[[bytes | memoryview, int], int], size: int) -> None:
        self._add = add
        self._size = size
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = self._add(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _XXHash:
    """An xxHash of awscrt's, which calls its digest otherwise."""

    def __init__(self, state: Any) -> None:  # noqa: ANN401 - awscrt has no types
        self._state = state

    def update(self, data: bytes | memoryview, /) -> None:
        self._state.update(bytes(data))  # it takes nothing else

    def digest(self) -> bytes:
        return bytes(self._state.finalize())


@cache
def _awscrt() -> Any:  # noqa: ANN401 - awscrt has no types
    """Its checksums, imported for the first body of which the gateway computes one."""
    return import_module("awscrt.checksums")


# zlib's CRC32 is the fastest there is; awscrt has the others at 20 GB/s and more.
CHECKSUMS: Mapping[str, Callable[[], Digest]] = MappingProxyType(
    {
        "x-amz-checksum-crc32": lambda: _CRC(zlib.crc32, 4),
        "x-amz-checksum-crc32c": lambda: _CRC(_awscrt().crc32c, 4),
        "x-amz-checksum-crc64nvme": lambda: _CRC(_awscrt().crc64nvme, 8),
        "x-amz-checksum-md5": lambda: md5(usedforsecurity=False),
        "x-amz-checksum-sha1": lambda: sha1(usedforsecurity=False),
        "x-amz-checksum-sha256": sha256,
        "x-amz-checksum-sha512": sha512,
        "x-amz-checksum-xxhash128": lambda: _XXHash(_awscrt().XXHash.new_xxhash3_128()),
        "x-amz-checksum-xxhash3": lambda: _XXHash(_awscrt().XXHash.new_xxhash3_64()),
        "x-amz-checksum-xxhash64": lambda: _XXHash(_awscrt().XXHash.new_xxhash64()),
    }
)
"""S3's checksum headers, and a new digest for each: of every one that S3 has."""


def checksum(name: str, data: bytes) -> str:
    """What the checksum header `name` says of `data`, in base64."""
    digest = CHECKSUMS[name]()
    digest.update(data)
    return b64encode(digest.digest()).decode("ascii")
