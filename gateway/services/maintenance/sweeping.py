"""Remove from one key what nobody needs, beside a gateway that serves.

1. The versions of exactly this key are listed.
2. *Then* the index is asked, in one snapshot: what commits pin, what open edits wrote, and who
   is about to do something there. Whatever became of the key between 1 and 2 is in the
   snapshot, or under way: then the key is left alone.
3. What nobody claims is removed, each version by its id, the oldest first.

What begins after 2 needs no version that is removed in 3. Each of them has had something newer
above itself for 24 hours at least.

- A commit pins what is the newest when it lists, what an edit wrote, or what the version before
  it pinned: all of that is kept. One whose record stands, but not in the index yet, has an intent.
- Whoever writes, copies, or completes an upload puts something on top, under an id of its own.
- A rollback copies, and readers ask for, what commits since the newest tombstone pin. What a
  tombstone sets free goes when that is 24 hours old: who looked before it has long finished.
- A discard goes down to the pinned version or, where none is, removes what the edit wrote and
  hides what is left: the pinned one and what the edit wrote are there, and no other matters.
- A delete puts a marker on top. A marker goes only when nothing is left below it, so nothing
  that was deleted comes back: where it was the newest, the key is as absent as before.
- Only a DELETE that names the version above by its id makes an old one the newest again. One
  that has begun is in the snapshot. One that begins later would have to remove a version that is
  a day old and that no commit pins, and its outcome to be committed, before the requests have
  left that follow the snapshot within `TRUSTED_SECONDS`. That is the one window there is.
- Another gc removes the same versions, and one that is gone is gone.

Killed anywhere, it has removed some of what the next one will, below before above: nothing
becomes the newest that was not.
"""

import time
from dataclasses import dataclass
from datetime import datetime

from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import NULL_VERSION
from gateway.identity import Workspace
from gateway.s3.address import KeyRules
from gateway.services.maintenance.judging import PinnedVersionMissing, garbage, tenure
from gateway.storage.bucket import BackendError, Bucket, ObjectVersion
from gateway.storage.claims import Claimants

TRUSTED_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Garbage:
    """Versions of one key that nobody needs, removed or to be removed; the oldest first."""

    artifact: str
    key: str
    versions: tuple[ObjectVersion, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """A key that was left as it is, and why."""

    artifact: str
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Task:
    """What to remove in a workspace: what was superseded `before`; or, without `delete`, name."""

    workspace: Workspace
    before: datetime
    delete: bool


class Sweeping:
    """Looks at single keys, and removes from them what nobody needs."""

    def __init__(self, bucket: Bucket, claimants: Claimants, rules: KeyRules) -> None:
        self._bucket = bucket
        self._claimants = claimants
        self._rules = rules

    async def sweep(self, task: Task, artifact: Artifact, key: str) -> list[Garbage | Left]:
        """What of a key nobody needs, removed if so said; nothing where it is no artifact's."""
        if self._rules.fold(key) != key or self._rules.is_private(key):
            return []  # no gateway has written it
        found: list[ObjectVersion] = []
        try:
            while True:
                reason, going = await self._look(task, artifact, key)
                if not task.delete:
                    found = going
                    break
                gone = await self._remove(task, key, going)
                found += gone
                if len(gone) == len(going):
                    break
        except BackendError as error:
            # A lock on the object, say: what went before it has gone.
            reason = f"{error}"
        swept: list[Garbage | Left] = [Garbage(artifact.prefix, key, tuple(found))] if found else []
        return [*swept, Left(artifact.prefix, key, reason)] if reason else swept

    async def _look(
        self, task: Task, artifact: Artifact, key: str
    ) -> tuple[str, list[ObjectVersion]]:
        """What to remove of a key, the oldest first; or else why nobody may."""
        workspace = task.workspace
        versions = await self._bucket.whole_history(
            workspace.bucket, workspace.backend_key(key), bytewise=self._rules.bytewise_listing
        )
        claims = await self._claimants.claims(workspace.id, key)
        holder = tenure(key, claims)
        if holder is None or holder.artifact.id != artifact.id:
            return "", []
        if claims.busy:
            return "something is under way there: the next gc looks again", []
        if versions is None:
            return "the backend's list of its versions may lack some, so many keys begin so", []
        try:
            going = garbage(versions, holder, claims, before=task.before)
        except PinnedVersionMissing:
            return "a version that a commit pins is not there: run artifact-gateway fsck", []
        named = any(version.version_id == NULL_VERSION for version in going)
        if named and not await self._bucket.versioning(workspace.bucket):
            return "its bucket keeps no versions any more: a write may have replaced it", []
        return "", going

    async def _remove(
        self, task: Task, key: str, going: list[ObjectVersion]
    ) -> list[ObjectVersion]:
        """Those that were removed before somebody has to look again."""
        workspace, until = task.workspace, time.monotonic() + TRUSTED_SECONDS
        gone: list[ObjectVersion] = []
        for version in going:
            if time.monotonic() > until:
                break
            await self._bucket.delete(
                workspace.bucket, workspace.backend_key(key), version.version_id
            )
            gone.append(version)
        return gone
