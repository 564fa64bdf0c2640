"""The layout of a zip archive of stored files, whose length is known before a file is read.

After PKWARE's APPNOTE 6.3, with zip64 where something is too large for 32 bits. A file's CRC
is known when its bytes have passed, so it follows them in a data descriptor. Its size is known
before, and stands in front of the bytes too: so the archive can also be unpacked from a pipe.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from struct import Struct

_LOCAL = Struct("<4s5H3L2H")
_DESCRIPTOR = Struct("<4s3L")
_DESCRIPTOR_64 = Struct("<4sL2Q")
_CENTRAL = Struct("<4s6H3L5H2L")
_END = Struct("<4s4H2LH")
_END_64 = Struct("<4sQ2H2L4Q")
_LOCATOR_64 = Struct("<4sLQL")
_SIZES_64 = Struct("<2H2Q")
_OFFSET_64 = Struct("<2HQ")
_BOTH_64 = Struct("<2H3Q")
_STAMP = Struct("<2HBl")

MOST_16, MOST_32 = 0xFFFF, 0xFFFFFFFF
"""Say that the value is in a zip64 field, and so are no values themselves."""

PLAIN, ZIP64 = 20, 45  # the version of the format that a reader needs
UNIX = 3 << 8
REGULAR = 0o100644 << 16  # a file that its owner may write and everybody read
FLAGS = 1 << 3 | 1 << 11  # a data descriptor follows; the name is UTF-8
STORED = 0
TAG_64, TAG_STAMP = 1, 0x5455
TAGGED = 4  # bytes of an extra field before what its length counts
MODIFIED = 1  # of the times that a stamp may have
MOST_SECONDS = 0x7FFFFFFF
BLOCK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an archive: its name there, its size in bytes, when it was changed (aware)."""

    name: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class _Place:
    """An entry and where it begins, in bytes from the archive's start.

    `stamp` is an extra field: its time to the second, which MS-DOS's has not.
    """

    entry: Entry
    offset: int
    name: bytes
    stamp: bytes

    @property
    def large(self) -> bool:
        """Whether the size takes zip64."""
        return self.entry.size >= MOST_32

    @property
    def around(self) -> int:
        """How many bytes stand before and after the file's own."""
        zip64 = _SIZES_64.size + _DESCRIPTOR_64.size if self.large else _DESCRIPTOR.size
        return _LOCAL.size + len(self.name) + len(self.stamp) + zip64

    @property
    def listed(self) -> int:
        """How many bytes the file's line in the central directory has."""
        return _CENTRAL.size + len(self.name) + len(self.stamp) + len(self._central_64())

    def header(self) -> bytes:
        """What stands before the file's bytes."""
        size = min(self.entry.size, MOST_32)
        extra = self.stamp + (self._sizes_64() if self.large else b"")
        fixed = _LOCAL.pack(
            b"PK\3\4",
            ZIP64 if self.large else PLAIN,
            FLAGS,
            STORED,
            *_dos_time(self.entry.modified),
            0,
            size,
            size,
            len(self.name),
            len(extra),
        )
        return fixed + self.name + extra

    def descriptor(self, crc: int) -> bytes:
        """What stands after the file's bytes."""
        form = _DESCRIPTOR_64 if self.large else _DESCRIPTOR
        return form.pack(b"PK\7\x08", crc, self.entry.size, self.entry.size)

    def line(self, crc: int) -> bytes:
        """The file's line in the central directory."""
        size, zip64 = min(self.entry.size, MOST_32), self._central_64()
        fixed = _CENTRAL.pack(
            b"PK\1\2",
            UNIX | ZIP64,
            ZIP64 if zip64 else PLAIN,
            FLAGS,
            STORED,
            *_dos_time(self.entry.modified),
            crc,
            size,
            size,
            len(self.name),
            len(self.stamp) + len(zip64),
            0,
            0,
            0,
            REGULAR,
            min(self.offset, MOST_32),
        )
        return fixed + self.name + self.stamp + zip64

    def _sizes_64(self) -> bytes:
        size = self.entry.size
        return _SIZES_64.pack(TAG_64, _SIZES_64.size - TAGGED, size, size)

    def _central_64(self) -> bytes:
        """Only what its 32 bits don't hold."""
        size, offset = self.entry.size, self.offset
        if offset < MOST_32:
            return self._sizes_64() if self.large else b""
        if self.large:
            return _BOTH_64.pack(TAG_64, _BOTH_64.size - TAGGED, size, size, offset)
        return _OFFSET_64.pack(TAG_64, _OFFSET_64.size - TAGGED, offset)


class Archive:
    """The archive of some entries, in their order; `length` is that of all of it, in bytes.

    It is each entry's `header`, its bytes and its `descriptor`, then the blocks of `ending`.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._places: list[_Place] = []
        self._start = self._listed = 0
        for entry in entries:
            place = _Place(entry, self._start, entry.name.encode(), _stamp(entry.modified))
            self._places.append(place)
            self._start += place.around + entry.size
            self._listed += place.listed
        self.length = self._start + self._listed + len(self._end())

    def header(self, index: int) -> bytes:
        """What stands before the bytes of an entry."""
        return self._places[index].header()

    def descriptor(self, index: int, crc: int) -> bytes:
        """What stands after the bytes of an entry, whose CRC-32 is `crc`."""
        return self._places[index].descriptor(crc)

    def ending(self, crcs: Sequence[int]) -> Iterator[bytes]:
        """What stands after all entries, in blocks; `crcs` are the entries', in their order."""
        block = bytearray()
        for place, crc in zip(self._places, crcs, strict=True):
            block += place.line(crc)
            if len(block) >= BLOCK_BYTES:
                yield bytes(block)
                block.clear()
        yield bytes(block) + self._end()

    def _end(self) -> bytes:
        count, size, start = len(self._places), self._listed, self._start
        zip64 = b""
        if count >= MOST_16 or size >= MOST_32 or start >= MOST_32:
            rest = _END_64.size - 12  # without its signature and this length
            zip64 = _END_64.pack(
                b"PK\6\6", rest, UNIX | ZIP64, ZIP64, 0, 0, count, count, size, start
            ) + _LOCATOR_64.pack(b"PK\6\7", 0, start + size, 1)
        few = min(count, MOST_16)
        return zip64 + _END.pack(
            b"PK\5\6", 0, 0, few, few, min(size, MOST_32), min(start, MOST_32), 0
        )


def _stamp(modified: datetime) -> bytes:
    """The time as UTC, in seconds; nothing where its 32 bits are too few."""
    seconds = int(modified.timestamp())
    if not 0 <= seconds <= MOST_SECONDS:
        return b""
    return _STAMP.pack(TAG_STAMP, _STAMP.size - TAGGED, MODIFIED, seconds)


def _dos_time(modified: datetime) -> tuple[int, int]:
    """Time and date as MS-DOS counts them, in steps of two seconds from 1980 to 2107; UTC."""
    utc = modified.astimezone(UTC)
    year = min(max(utc.year, 1980), 2107)
    date = (year - 1980) << 9 | utc.month << 5 | utc.day
    return utc.hour << 11 | utc.minute << 5 | utc.second // 2, date
