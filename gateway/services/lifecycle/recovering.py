"""Finish what dead workers began: roll commits and deletes forward, examine written keys."""

import logging
from datetime import datetime

from gateway.identity import Workspace
from gateway.services.lifecycle.committing import Committing
from gateway.services.lifecycle.deleting import Deleting
from gateway.services.lifecycle.discarding import Discarding
from gateway.services.lifecycle.examining import Examining
from gateway.services.lifecycle.gathering import Gathering
from gateway.services.lifecycle.weighing import Weighing
from gateway.services.statistics.counting import Counting
from gateway.services.workspaces import Workspaces
from gateway.storage.catalogue import Catalogue
from gateway.storage.endings import Endings
from gateway.storage.intents import Intent, Intents

logger = logging.getLogger(__name__)

# Discards wait for commits to end. What either settles, a look at single keys would take for
# an edit.
_TURNS = {"commit": 0, "write": 2}


class Recovering:
    """Looks for dead workers' intents, at start and again and again."""

    def __init__(  # noqa: PLR0913, PLR0917 (what dead workers left is everybody's)
        self,
        workspaces: Workspaces,
        catalogue: Catalogue,
        intents: Intents,
        endings: Endings,
        committing: Committing,
        deleting: Deleting,
        discarding: Discarding,
        examining: Examining,
        gathering: Gathering,
        weighing: Weighing,
        counting: Counting,
    ) -> None:
        self._workspaces = workspaces
        self._catalogue = catalogue
        self._intents = intents
        self._endings = endings
        self._committing = committing
        self._deleting = deleting
        self._discarding = discarding
        self._examining = examining
        self._gathering = gathering
        self._weighing = weighing
        self._counting = counting
        self._left: list[Intent] = []

    async def recover(self, now: datetime, *, artifact_id: int | None = None) -> int:
        """How many interrupted pieces of work were finished; of one artifact, where it is named."""
        dead = await self._counting.dead_workers(now)
        found = await self._intents.abandoned(dead, artifact_id)
        intents = sorted([*self._left, *found], key=lambda intent: _TURNS.get(intent.action, 1))
        self._left = []
        for intent in intents:
            await self._attempt(intent, now)
        await self._gathering.end()
        return len(intents) - len(self._left)

    async def _attempt(self, intent: Intent, now: datetime) -> None:
        artifact = await self._catalogue.by_id(intent.artifact_id)
        if artifact is None:
            return
        workspace = await self._workspaces.with_id(artifact.workspace_id)
        if workspace is None:
            return
        try:
            await self._finish(workspace, intent, now)
        except Exception:
            # One that can't be finished must never keep the others, or the start, from going on.
            logger.exception("finishing a %s of %r failed", intent.action, artifact.prefix)
            self._left.append(intent)

    async def _finish(self, workspace: Workspace, intent: Intent, now: datetime) -> None:
        artifact = await self._catalogue.by_id(intent.artifact_id)
        if artifact is None:
            return
        if intent.action == "write":
            await self._examining.examine(workspace, intent, now)
        elif intent.action == "upload":
            await self._gathering.finish(workspace, artifact, intent)
        elif intent.action == "weigh":
            await self._weighing.finish(workspace, artifact, intent)
        elif intent.action == "erase":
            await self._endings.finish(intent)  # what became of the key, its write's intent tells
        elif intent.action == "discard":
            await self._discarding.carry_out(workspace, artifact, intent)
        elif intent.action == "commit":
            await self._committing.complete(workspace, artifact.id, intent.number)
            await self._endings.finish(intent)
        elif intent.action == "delete":
            if await self._committing.complete(workspace, artifact.id, intent.number):
                await self._deleting.remove_files(workspace, artifact)
            else:
                await self._endings.finish(intent)
