"""The system area: commit records, announcements, weights, workspaces, each an object."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from gateway.artifact.record import (
    Announcement,
    WeightChange,
    WorkspaceRecord,
    decode,
    decode_weight,
    decode_workspace,
    encode_weight,
    encode_workspace,
    pieces,
)
from gateway.artifact.record_key import (
    WORKSPACES,
    announcement_folder,
    announcement_key,
    record_folder,
    record_key,
    record_number,
    records_folder,
    weight_folder,
    weight_key,
    workspace_key,
)
from gateway.artifact.version import Record
from gateway.errors import PreconditionFailed, ServiceUnavailable
from gateway.storage import announced
from gateway.storage.bucket import Bucket, ListedObject, ObjectHead
from gateway.turns import turns

LIMIT = 256 << 20
TRIES = 3
PAUSE = 0.1
JSON: Mapping[str, str] = MappingProxyType({"Content-Type": "application/json"})


class Records:
    """The objects of the system area, below `system_prefix` (empty, or ending in "/")."""

    def __init__(self, bucket: Bucket, system_bucket: str, system_prefix: str = "") -> None:
        self._bucket = bucket
        self._area = system_bucket
        self._prefix = system_prefix

    async def put_record(self, record: Record) -> None:
        """Nothing; the record is stored, which is the commit.

        PreconditionFailed when another record has this number. When the answer to a PUT got
        lost, the key is read: a commit that was made is never reported as lost.
        ServiceUnavailable only when the backend stays silent: then nobody knows.
        """
        key = self._prefix + record_key(record.workspace_id, record.prefix, record.number)
        data = b"".join([piece async for (piece,) in turns(pieces(record), 1)])
        for attempt in range(1, TRIES + 1):
            try:
                await self._bucket.put(self._area, key, data, JSON, if_absent=True)
            except ServiceUnavailable:
                if attempt == TRIES:
                    raise
                await asyncio.sleep(PAUSE)
            except PreconditionFailed:
                if attempt == 1 or await self._read(key) != data:
                    raise
                return
            else:
                return

    async def get_record(self, workspace_id: str, prefix: str, number: int) -> Record | None:
        """The record with this number of the artifact at `prefix`, or None."""
        data = await self._read(self._prefix + record_key(workspace_id, prefix, number))
        # A long one takes long to read.
        return None if data is None else await asyncio.to_thread(decode, data)

    async def numbers(self, workspace_id: str, prefix: str, *, after: int = 0) -> list[int]:
        """The numbers of the records of `prefix` that are greater than `after`, ascending."""
        folder = self._prefix + record_folder(workspace_id, prefix)
        start = self._prefix + record_key(workspace_id, prefix, after) if after else ""
        found = [record_number(key) async for key in self._keys(folder, start)]
        return sorted(number for number in found if number is not None and number > after)

    async def records(self, workspace_id: str, prefix: str | None = None) -> AsyncIterator[Record]:
        """Every record of a workspace or of one prefix, each prefix's in ascending order."""
        folder = (
            records_folder(workspace_id) if prefix is None else record_folder(workspace_id, prefix)
        )
        # The backend's order is not leant on; keys are short, records are not.
        keys = [key async for key in self._keys(self._prefix + folder)]
        for key in sorted(keys):
            if record_number(key) is not None and (data := await self._read(key)) is not None:
                yield decode(data)

    async def hold(self, workspace_id: str) -> bool:
        """Whether any record lies under this workspace's id."""
        async for _ in self._keys(self._prefix + records_folder(workspace_id)):
            return True
        return False

    async def pages(self, folder: str) -> AsyncIterator[list[ListedObject]]:
        """What lies in a folder of the system area, whose keys begin with that folder's."""
        async for page in self._bucket.list(self._area, self._prefix + folder):
            yield [replace(item, key=item.key[len(self._prefix) :]) for item in page]

    async def read_record(self, key: str) -> Record | None:
        """The record under a key that `pages` told; None when it has gone; UnreadableRecord."""
        data = await self._read(self._prefix + key)
        return None if data is None else decode(data)

    async def read_announcement(self, key: str) -> Announcement | None:
        """As `read_record`, for an announcement."""
        found = await self._get(self._prefix + key)
        return None if found is None else announced.read(*found)

    async def read_weight(self, key: str) -> WeightChange | None:
        """As `read_record`, for a weight change."""
        data = await self._read(self._prefix + key)
        return None if data is None else decode_weight(data)

    async def read_workspace(self, key: str) -> WorkspaceRecord | None:
        """As `read_record`, for a workspace."""
        data = await self._read(self._prefix + key)
        return None if data is None else decode_workspace(data)

    async def announce(self, workspace_id: str, announcement: Announcement) -> None:
        """Nothing; the announcement is stored, the last one of a path wins."""
        key = announcement_key(workspace_id, announcement.prefix, announcement.path)
        data, headers = announced.written(announcement)
        await self._bucket.put(self._area, self._prefix + key, data, headers)

    async def withdraw(self, workspace_id: str, prefix: str, path: str) -> None:
        """Nothing; the path's announcement is gone."""
        await self._remove(announcement_key(workspace_id, prefix, path))

    async def announcements(self, workspace_id: str, prefix: str) -> AsyncIterator[Announcement]:
        """Every announcement of the artifact at `prefix`."""
        folder = self._prefix + announcement_folder(workspace_id, prefix)
        for key in sorted([key async for key in self._keys(folder)]):
            if (found := await self._get(key)) is not None:
                yield announced.read(*found)

    async def put_weight(self, workspace_id: str, change: WeightChange) -> None:
        """Nothing; the weight change is stored, the last one of a path wins."""
        await self._write(
            weight_key(workspace_id, change.prefix, change.path), encode_weight(change)
        )

    async def get_weight(self, workspace_id: str, prefix: str, path: str) -> WeightChange | None:
        """The last weight change of a path, or None."""
        data = await self._read(self._prefix + weight_key(workspace_id, prefix, path))
        return None if data is None else decode_weight(data)

    async def remove_weight(self, workspace_id: str, prefix: str, path: str) -> None:
        """Nothing; the path's weight change is gone."""
        await self._remove(weight_key(workspace_id, prefix, path))

    async def weights(self, workspace_id: str, prefix: str) -> AsyncIterator[WeightChange]:
        """Every weight change of the artifact at `prefix`."""
        async for data in self._below(self._prefix + weight_folder(workspace_id, prefix)):
            yield decode_weight(data)

    async def put_workspace(self, workspace: WorkspaceRecord) -> None:
        """Nothing; the workspace is recorded. PreconditionFailed when its id is taken."""
        await self._bucket.put(
            self._area,
            self._prefix + workspace_key(workspace.id),
            encode_workspace(workspace),
            JSON,
            if_absent=True,
        )

    async def remove_workspace(self, workspace_id: str) -> None:
        """Nothing; the workspace is no longer among the recorded ones."""
        await self._remove(workspace_key(workspace_id))

    async def workspaces(self) -> AsyncIterator[WorkspaceRecord]:
        """Every recorded workspace, of the configuration and made at run time."""
        async for data in self._below(self._prefix + WORKSPACES):
            yield decode_workspace(data)

    async def _keys(self, folder: str, start_after: str = "") -> AsyncIterator[str]:
        async for page in self._bucket.list(self._area, folder, start_after=start_after):
            for found in page:
                yield found.key

    async def _below(self, folder: str) -> AsyncIterator[bytes]:
        for key in sorted([key async for key in self._keys(folder)]):
            if (data := await self._read(key)) is not None:
                yield data

    async def _get(self, key: str) -> tuple[ObjectHead, bytes] | None:
        return await self._bucket.get(self._area, key, limit=LIMIT)

    async def _read(self, key: str) -> bytes | None:
        found = await self._get(key)
        return None if found is None else found[1]

    async def _write(self, key: str, data: bytes) -> None:
        await self._bucket.put(self._area, self._prefix + key, data, JSON)

    async def _remove(self, key: str) -> None:
        await self._bucket.delete(self._area, self._prefix + key)
