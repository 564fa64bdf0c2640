"""Make sure that the index says what the records say: the records are the truth."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

from gateway.artifact.layout import MANIFEST
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.record import UnreadableRecord
from gateway.artifact.version import Record
from gateway.identity import Workspace
from gateway.services.maintenance.abreast import abreast
from gateway.storage.catalogue import Catalogue
from gateway.storage.claims import Claimants
from gateway.storage.inspection import Inspection
from gateway.storage.records import Records
from gateway.storage.shelves import Shelf, Shelves

AT_ONCE = 8
PAGE = 500
LOOKS = 4
PAUSE = 0.25


class Disagreement(Exception):
    """Index and records differ, or a record can't be read; the message says where."""


class Confirming:
    """Holds the records of a workspace against the index, all of them, before it is touched."""

    def __init__(
        self,
        catalogue: Catalogue,
        inspection: Inspection,
        claimants: Claimants,
        records: Records,
        shelves: Shelves,
    ) -> None:
        self._catalogue = catalogue
        self._inspection = inspection
        self._claimants = claimants
        self._records = records
        self._shelves = shelves

    async def confirm(self, workspace: Workspace) -> AsyncIterator[int]:
        """How many artifacts were held against their records so far; Disagreement.

        What is committed meanwhile is no disagreement.
        """
        confirmed = 0
        batch: list[Shelf] = []
        async for shelf in self._shelves.shelves(workspace.id):
            batch.append(shelf)
            if len(batch) == AT_ONCE:
                confirmed += await self._confirm_batch(workspace, batch)
                batch = []
                yield confirmed
        confirmed += await self._confirm_batch(workspace, batch)
        yield confirmed
        if await self._claimants.recorded(workspace.id) > confirmed:
            await self._find_unrecorded(workspace)

    async def _confirm_batch(self, workspace: Workspace, batch: Sequence[Shelf]) -> int:
        await abreast(batch, partial(self._confirm_shelf, workspace), at_once=AT_ONCE)
        return len(batch)

    async def _confirm_shelf(self, workspace: Workspace, shelf: Shelf) -> None:
        artifact: Artifact | None = None
        for number in sorted(shelf.numbers):
            record = await self._record(workspace, shelf, number)
            artifact = artifact or await self._claimants.at(workspace.id, record.prefix)
            if artifact is None:
                raise Disagreement(f"{record.prefix!r} has records, and the index does not know it")
            indexed = await self._indexed(artifact, number)
            if indexed is not None and _said(indexed) != _said(record):
                raise Disagreement(
                    f"version {number} of {record.prefix!r} is another in the index than in its "
                    f"record, {shelf.folder}{number:010d}"
                )
        if artifact is None:
            return
        for number in await self._inspection.numbers(artifact.id) - set(shelf.numbers):
            # It may have been committed since the records were listed.
            if await self._records.get_record(workspace.id, artifact.prefix, number) is None:
                raise Disagreement(f"version {number} of {artifact.prefix!r} has no record")

    async def _record(self, workspace: Workspace, shelf: Shelf, number: int) -> Record:
        key = f"{shelf.folder}{number:010d}"
        try:
            record = await self._shelves.record(workspace.id, shelf.folder, number)
        except UnreadableRecord as error:
            raise Disagreement(f"{error}, {key} in the system area") from None
        if record is None:
            raise Disagreement(f"a record that was listed is not there, {key} in the system area")
        return record

    async def _indexed(self, artifact: Artifact, number: int) -> Record | None:
        """What the index has of a record that stands; None while its commit is under way."""
        for _ in range(LOOKS):
            indexed = await self._catalogue.record(artifact, number)
            if indexed is not None:
                return indexed
            if await self._claimants.under_way(artifact, number):
                # Its intent keeps everything at the artifact's keys until it is over.
                return None
            await asyncio.sleep(PAUSE)
        raise Disagreement(f"record {number} of {artifact.prefix!r} is not in the index")

    async def _find_unrecorded(self, workspace: Workspace) -> None:
        """Raise for an artifact of which the index has versions, and nobody a record."""
        after = 0
        while page := await self._claimants.page(workspace.id, after, PAGE):
            after = page[-1].id
            for artifact in page:
                if artifact.number and not await self._records.numbers(
                    workspace.id, artifact.prefix
                ):
                    raise Disagreement(f"{artifact.prefix!r} is in the index and has no records")


def _said(record: Record) -> tuple[object, ...]:
    """What a record says of its place, its manifest and the backend versions that it pins."""
    pins = {pin.path: pin.version_id for pin in record.pins if pin.path != MANIFEST}
    manifest = None if record.manifest is None else record.manifest.data
    return record.prefix, record.number, record.parent, manifest, pins
