"""ETags: what they tell of a file's bytes.

S3's ETag of a file that was put whole is the MD5 of its bytes; of one that was put in parts, the
MD5 of its parts' MD5s, with their number. Other ETags (of encrypted files, say) tell nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path

MEBIBYTE = 1 << 20
LEAST_PART = 5 * MEBIBYTE
MOST_PARTS = 10_000
_PIECE = MEBIBYTE
_ETAG = re.compile(r"([0-9a-f]{32})(?:-([1-9][0-9]{0,4}))?")
# What clients take unless they are told otherwise, where a number of parts fits several.
_CUSTOMARY = tuple(n * MEBIBYTE for n in (64, 8, 5, 16, 50, 10, 32, 128, 100, 256, 512, 1024))
_MOST_TRIED = 16


@dataclass(frozen=True, slots=True)
class Part:
    """A span of a file that goes on its own: its number, from 1, and bytes from `start`."""

    number: int
    start: int
    size: int


def parts_of(size: int, part_bytes: int) -> Sequence[Part]:
    """The parts of a file: of `part_bytes`, or larger where there would be more than 10,000."""
    least = -(-size // MOST_PARTS)
    if least > part_bytes:
        part_bytes = -(-least // MEBIBYTE) * MEBIBYTE
    starts = range(0, size, part_bytes)
    return [Part(n, start, min(part_bytes, size - start)) for n, start in enumerate(starts, 1)]


def md5_of(path: Path, start: int = 0, size: int | None = None) -> bytes:
    """The MD5 of a span of a file, as far as it goes."""
    digest = md5(usedforsecurity=False)
    with path.open("rb") as file:
        file.seek(start)
        left = path.stat().st_size - start if size is None else size
        while left > 0 and (piece := file.read(min(_PIECE, left))):
            digest.update(piece)
            left -= len(piece)
    return digest.digest()


def can_tell(etag: str) -> bool:
    """Whether an ETag was made of a file's bytes."""
    return _ETAG.fullmatch(etag) is not None


def tells(path: Path, etag: str, *, part_bytes: int | None = None) -> bool | None:
    """Whether a file's bytes are those of an ETag; None where it doesn't tell.

    Nothing says how large the parts of a file were: those of `part_bytes` are tried first, then
    those that clients use. Where none fits, it can be other bytes, or other parts.
    """
    match = _ETAG.fullmatch(etag)
    if match is None:
        return None
    if match[2] is None:
        return md5_of(path).hex() == match[1]
    size = path.stat().st_size
    for each in part_sizes(size, int(match[2]), part_bytes):
        if joined(path, size, each) == etag:
            return True
    return None


def joined(path: Path, size: int, part_bytes: int) -> str:
    """The ETag of a file that was put in parts of so many bytes."""
    digests = [
        md5_of(path, start, min(part_bytes, size - start)) for start in range(0, size, part_bytes)
    ]
    return f"{md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"


def part_sizes(size: int, count: int, likely: int | None = None) -> Sequence[int]:
    """Sizes of parts, the likely ones first, of which a file of `size` bytes has `count`."""
    if not size:
        return []
    least = -(-size // count)
    most = size if count == 1 else -(-size // (count - 1)) - 1
    first = -(-least // MEBIBYTE)
    whole = range(first, min(most // MEBIBYTE, first + _MOST_TRIED) + 1)
    tried = [likely or 0, *_CUSTOMARY, *(n * MEBIBYTE for n in whole)]
    if count == 1:
        tried.append(size)
    return list(dict.fromkeys(n for n in tried if least <= n <= most))[:_MOST_TRIED]
