"""The system area, looked through: what lies under each workspace's id, known or not."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.artifact.record import (
    Announcement,
    UnreadableRecord,
    WeightChange,
    decode,
    decode_weight,
)
from gateway.artifact.record_key import (
    announcement_folder,
    record_folder,
    record_number,
    weight_folder,
)
from gateway.artifact.version import Record
from gateway.storage import announced
from gateway.storage.bucket import Bucket, ObjectHead
from gateway.storage.records import LIMIT

ROOTS = RECORDS, ANNOUNCEMENTS, WEIGHTS = "records/", "announcements/", "weights/"

T = TypeVar("T", Announcement, WeightChange)


@dataclass(frozen=True, slots=True)
class Shelf:
    """One artifact's records: the key of their folder, with its slash, and their numbers.

    The folder's name is a digest: whose they are is written in them alone.
    """

    folder: str
    numbers: list[int] = field(default_factory=list)


class Shelves:
    """Lists and reads the system area below `system_prefix` as it is, damage included."""

    def __init__(self, bucket: Bucket, system_bucket: str, system_prefix: str = "") -> None:
        self._bucket = bucket
        self._area = system_bucket
        self._prefix = system_prefix

    async def workspace_ids(self) -> set[str]:
        """Every workspace id that anything lies under."""
        found: set[str] = set()
        for root in ROOTS:
            folder = self._prefix + root
            async for page in self._bucket.folders(self._area, folder):
                found |= {name[len(folder) :].rstrip("/") for name in page}
        return found

    async def shelves(self, workspace_id: str) -> AsyncIterator[Shelf]:
        """The records of each artifact of a workspace, one artifact after the other."""
        shelf = Shelf("")
        async for key in self._keys(f"{RECORDS}{workspace_id}/"):
            number = record_number(key)
            if number is None:
                continue
            folder = key[: key.rindex("/") + 1]
            if folder != shelf.folder:
                if shelf.numbers:
                    yield shelf
                shelf = Shelf(folder)
            shelf.numbers.append(number)
        if shelf.numbers:
            yield shelf

    async def record(self, workspace_id: str, folder: str, number: int) -> Record | None:
        """The record of this number, None where there is none; UnreadableRecord."""
        data = await self._read(f"{folder}{number:010d}")
        if data is None:
            return None
        record = decode(data)
        home = self._prefix + record_folder(record.workspace_id, record.prefix)
        if (home, record.workspace_id, record.number) != (folder, workspace_id, number):
            raise UnreadableRecord("A record lies where another one belongs")
        return record

    async def numbered(self, workspace_id: str, prefix: str, number: int) -> Record | None:
        """As `record`, of the artifact at a prefix."""
        return await self.record(workspace_id, self.folder(workspace_id, prefix), number)

    def folder(self, workspace_id: str, prefix: str) -> str:
        """The folder of an artifact's records."""
        return self._prefix + record_folder(workspace_id, prefix)

    def announcements(
        self, workspace_id: str, prefix: str | None = None
    ) -> AsyncIterator[Announcement]:
        """Every announcement of a workspace, or of one artifact, that can be read."""
        folder = f"{ANNOUNCEMENTS}{workspace_id}/"
        if prefix is not None:
            folder = announcement_folder(workspace_id, prefix)
        return self._notes(folder, announced.read)

    def weights(self, workspace_id: str, prefix: str | None = None) -> AsyncIterator[WeightChange]:
        """Every weight change of a workspace, or of one artifact, that can be read."""
        folder = f"{WEIGHTS}{workspace_id}/"
        if prefix is not None:
            folder = weight_folder(workspace_id, prefix)
        return self._notes(folder, lambda _, data: decode_weight(data))

    async def _notes(
        self, folder: str, decoded: Callable[[ObjectHead, bytes], T]
    ) -> AsyncIterator[T]:
        async for key in self._keys(folder):
            found = await self._get(key)
            if found is None:
                continue
            try:
                note = decoded(*found)
            except UnreadableRecord:
                continue
            yield note

    async def _keys(self, folder: str) -> AsyncIterator[str]:
        async for page in self._bucket.list(self._area, self._prefix + folder):
            for found in page:
                yield found.key

    async def _get(self, key: str) -> tuple[ObjectHead, bytes] | None:
        return await self._bucket.get(self._area, key, limit=LIMIT)

    async def _read(self, key: str) -> bytes | None:
        found = await self._get(key)
        return None if found is None else found[1]
