"""Set the weight of a committed file: the record first, then the index."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from gateway.artifact.lifecycle import Artifact
from gateway.artifact.record import WeightChange
from gateway.artifact.version import Pin
from gateway.errors import OperationAborted
from gateway.identity import Workspace
from gateway.storage.catalogue import Catalogue
from gateway.storage.endings import Endings
from gateway.storage.intents import Intent
from gateway.storage.records import Records
from gateway.storage.weights import Weights

TRIES = 20
PAUSE = 0.25


class Weighing:
    """Changes weights without a commit, and finishes changes that were interrupted."""

    def __init__(
        self, catalogue: Catalogue, weights: Weights, endings: Endings, records: Records
    ) -> None:
        self._catalogue = catalogue
        self._weights = weights
        self._endings = endings
        self._records = records

    async def weigh(
        self, workspace: Workspace, artifact: Artifact, path: str, micros: int, *, now: datetime
    ) -> None:
        """The file has its weight, in millionths, from the next download on; NoSuchKey.

        A commit that is under way may have looked at the weights before: then it is given once
        more, to the version that comes of it. OperationAborted when that takes too long.
        """
        for _ in range(TRIES):
            intent = await self._weights.begin(artifact, path, now)
            change = WeightChange(artifact.prefix, path, micros, intent.number, now)
            await self._records.put_weight(workspace.id, change)
            await self._weights.settle(intent, micros)
            if await self._weights.holds(intent):
                return
            await asyncio.sleep(PAUSE)
        raise OperationAborted(
            f"a commit of {artifact.prefix!r} is under way, and may undo the weight: try again "
            "when it is over",
            prefix=artifact.prefix,
        )

    async def finish(self, workspace: Workspace, artifact: Artifact, intent: Intent) -> None:
        """Settle a change that was interrupted: it was made if its record stands."""
        change = await self._records.get_weight(workspace.id, artifact.prefix, intent.path)
        if change is None or change.version != intent.number:
            await self._endings.finish(intent)
            return
        await self._weights.settle(intent, change.weight)

    async def restored(
        self, workspace: Workspace, artifact: Artifact, pins: Mapping[str, Pin], number: int
    ) -> dict[str, Pin]:
        """The `pins` of version `number`, to go back to: with the weights that were set since.

        What a commit chose in their place is of that commit, and goes with it.
        """
        current = await self._catalogue.pins(artifact.id)
        restored = dict(pins)
        async for change in self._records.weights(workspace.id, artifact.prefix):
            pin, now = restored.get(change.path), current.get(change.path)
            holds = now is None or now.weight == change.weight
            if pin is not None and change.version >= number and holds:
                restored[change.path] = pin.weighing(change.weight)
        return restored
