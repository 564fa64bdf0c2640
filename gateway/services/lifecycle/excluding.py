"""Keep commits apart from what takes backend versions away.

A commit pins versions that it has seen. Discarding an edit, and deleting a version by its id,
take away those that no commit pins. Side by side, a commit would pin what goes a moment later:
so whoever takes away says so, waits for the commits that began before, and those that come
after wait for him. So does a rollback, half of which nobody is to commit.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from gateway.artifact.lifecycle import Artifact
from gateway.errors import CommitConflict, OperationAborted, ServiceUnavailable
from gateway.storage.endings import Endings
from gateway.storage.intents import ERASE, Intent, Intents

COMMIT_SECONDS = 10.0
TAKING_SECONDS = 60.0
PAUSE_SECONDS = 0.02


class Excluding:
    """Turns of those who commit an artifact, and of those who take versions away."""

    def __init__(self, intents: Intents, endings: Endings) -> None:
        self._intents = intents
        self._endings = endings

    async def begin_commit(
        self, artifact: Artifact, *, number: int, now: datetime, after: Intent | None = None
    ) -> Intent:
        """The intent to commit, when nobody takes versions away; OperationAborted.

        It is not kept waiting by `after`, the turn that it is a part of.
        """
        deadline = time.monotonic() + COMMIT_SECONDS
        while True:
            intent = await self._intents.intend_to_commit(
                artifact, number=number, now=now, after=after
            )
            if intent is not None:
                return intent
            if time.monotonic() > deadline:
                raise OperationAborted(
                    f"{artifact.prefix!r} is being discarded or rolled back: try again in a moment",
                    prefix=artifact.prefix,
                )
            await asyncio.sleep(PAUSE_SECONDS)

    async def end_of_commits(self, artifact: Artifact) -> None:
        """Return when no commit is under way; whoever asks holds an intent that stops others.

        ServiceUnavailable where one does not end: then the intent is carried out later.
        """
        deadline = time.monotonic() + TAKING_SECONDS
        while await self._intents.committing(artifact):
            if time.monotonic() > deadline:
                raise ServiceUnavailable(
                    f"a commit of {artifact.prefix!r} goes on: it has to end first"
                )
            await asyncio.sleep(PAUSE_SECONDS)

    @asynccontextmanager
    async def erasing(self, artifact: Artifact, path: str, now: datetime) -> AsyncIterator[None]:
        """While this is entered, no commit is under way: versions of `path` may be deleted."""
        intent = await self._intents.intend(artifact, ERASE, path, now=now)
        try:
            await self.end_of_commits(artifact)
            yield
        finally:
            await asyncio.shield(self._endings.finish(intent))

    @asynccontextmanager
    async def reverting(self, artifact: Artifact, now: datetime) -> AsyncIterator[Intent]:
        """While this is entered, no commit is under way but what begins `after` what is yielded.

        CommitConflict while another such turn goes on.
        """
        intent = await self._intents.intend_to_revert(artifact, now)
        if intent is None:
            raise CommitConflict(
                f"{artifact.prefix!r} is being rolled back by somebody else: look what came of it",
                prefix=artifact.prefix,
            )
        try:
            await self.end_of_commits(artifact)
            yield intent
        finally:
            await asyncio.shield(self._endings.finish(intent))
