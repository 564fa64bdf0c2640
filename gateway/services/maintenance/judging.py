"""Decide which versions of one key nobody needs any more: pure, out of what was looked up.

A version is *superseded* when a newer one, or a delete marker, stands above it, from the time
that this one was written; what a commit pinned is so at the earliest when a tombstone has
ended its claim.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.artifact.layout import Role, place
from gateway.artifact.lifecycle import Artifact
from gateway.storage.claims import Claims, Hold, Tombstone
from gateway.storage.upstream import ObjectVersion

OWNED = frozenset((Role.FILE, Role.MANIFEST, Role.STAGED_MANIFEST))


class PinnedVersionMissing(Exception):
    """The backend's list of a key's versions lacks one that a commit pins."""


@dataclass(frozen=True, slots=True)
class Tenure:
    """Which artifact a key is, or was, a key of.

    `whole`: every version of the key is the artifact's. Else only those are that lay there when
    it was deleted: what came since, or before a first commit, is an ordinary object's.
    """

    artifact: Artifact
    whole: bool


def is_live(artifact: Artifact) -> bool:
    """Whether an artifact is there now: readable, staged, or on its way out."""
    return bool(artifact.version or artifact.stage is not None or artifact.unfinished)


def tenure(key: str, claims: Claims) -> Tenure | None:
    """Whose key it is; None for an ordinary object's, and for one below no artifact's."""
    live = [artifact for artifact in claims.artifacts if is_live(artifact)]
    where = place(key, [artifact.node for artifact in live])
    if where.role is Role.MARKER:
        return None
    if where.role in OWNED:
        owner = next((each for each in claims.artifacts if each.prefix == where.prefix), None)
        if owner is not None and where.role is Role.STAGED_MANIFEST:
            return Tenure(owner, whole=True)
        if owner is not None and is_live(owner):
            return Tenure(owner, whole=bool(owner.version))
    pinning = {hold.artifact_id for hold in claims.holds}
    for artifact in claims.artifacts:
        # A collection's own keys lie directly below it; deeper ones, if it was none before.
        path = key[len(artifact.prefix) :].removeprefix("/")
        mine = not artifact.collection or "/" not in path
        if artifact.buried and not is_live(artifact) and (mine or artifact.id in pinning):
            return Tenure(artifact, whole=False)
    return None


def garbage(
    versions: Sequence[ObjectVersion], holder: Tenure, claims: Claims, *, before: datetime
) -> list[ObjectVersion]:
    """The versions to remove, the oldest first: nobody needs them, and they were superseded then.

    `versions` are all of one key, newest first. Never the newest, unless it is a delete marker
    above nothing. PinnedVersionMissing where the list and the index can't both be right.
    """
    buried = {artifact.id: artifact.buried for artifact in claims.artifacts}
    pinned: set[str | None] = set()
    ended: dict[str | None, datetime | None] = {}
    for hold in claims.holds:
        if hold.first > buried.get(hold.artifact_id, 0):
            pinned.add(hold.version_id)
        else:
            ended[hold.version_id] = _end(hold, claims.tombstones)
    if None in pinned or not versions or not versions[0].latest:
        return []  # a manifest is about to be written, or nobody can say what is the newest
    if not pinned <= {version.version_id for version in versions}:
        raise PinnedVersionMissing
    if not holder.whole and not holder.artifact.buried:
        return []
    going: list[ObjectVersion] = []
    emptied = True  # nothing is left below the version that is looked at
    for index in reversed(range(len(versions))):
        version = versions[index]
        since = _superseded(versions, index)
        if version.version_id in ended:
            since = _later(since, ended[version.version_id])
        elif not holder.whole and not version.marker:
            since = _later(since, _burial(versions, index, holder.artifact, claims.tombstones))
        kept = version.version_id in pinned or version.version_id in claims.staged
        if kept or since is None or since > before or (version.marker and not emptied):
            emptied = False
        else:
            going.append(version)
    return going


def _superseded(versions: Sequence[ObjectVersion], index: int) -> datetime | None:
    """Since when something newer stands above a version; None for the newest."""
    if index:
        return versions[index - 1].last_modified
    # A delete marker is there for what it hides: above nothing it is as old as it is.
    return versions[0].last_modified if versions[0].marker else None


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return None if one is None or other is None else max(one, other)


def _end(hold: Hold, tombstones: Iterable[Tombstone]) -> datetime | None:
    """When the claim of a pin ended; None where no tombstone says."""
    return next(
        (
            stone.time
            for stone in tombstones
            if stone.artifact_id == hold.artifact_id and stone.number > hold.first
        ),
        None,
    )


def _burial(
    versions: Sequence[ObjectVersion],
    index: int,
    artifact: Artifact,
    tombstones: Iterable[Tombstone],
) -> datetime | None:
    """When the artifact was deleted in which an unpinned version lay; None: it is no artifact's.

    A delete puts a marker above what it finds. Times are of whole seconds: of two versions of
    the second in which it did, the marker between them tells which came after it.
    """
    version = versions[index]
    if not any(above.marker for above in versions[:index]):
        return None
    for stone in tombstones:
        if stone.artifact_id != artifact.id or stone.time < version.last_modified:
            continue
        second = stone.time.replace(microsecond=0)
        came_after = version.last_modified >= second and any(
            below.marker and below.last_modified >= second for below in versions[index + 1 :]
        )
        if not came_after:
            return stone.time
    return None
