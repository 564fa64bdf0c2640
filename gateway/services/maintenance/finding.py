"""What can be wrong between bucket, records and index, in an operator's words."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What is wrong. docs/operations.md has a row for each."""

    UNINDEXED_RECORD = "unindexed-record"
    UNFINISHED_DELETE = "unfinished-delete"
    UNFINISHED_DISCARD = "unfinished-discard"
    LEFTOVER_INTENT = "leftover-intent"
    MISSING_RECORD = "missing-record"
    UNREADABLE_RECORD = "unreadable-record"
    DIFFERING_RECORD = "differing-record"
    UNPUBLISHED_MANIFEST = "unpublished-manifest"
    LEFTOVER_STAGE = "leftover-stage"
    LOST_VERSION = "lost-version"
    CHANGED_OUTSIDE = "changed-outside"
    ADDED_OUTSIDE = "added-outside"
    REMOVED_OUTSIDE = "removed-outside"
    EMPTY_MARK = "empty-mark"
    MISSING_STAGE = "missing-stage"
    UNKNOWN_ANNOUNCEMENT = "unknown-announcement"
    UNKNOWN_WEIGHT = "unknown-weight"
    ORPHAN_NOTE = "orphan-note"
    EMPTY_ARRIVAL = "empty-arrival"
    MISSING_ARRIVAL = "missing-arrival"
    UNKNOWN_MANIFEST = "unknown-manifest"
    UNVERSIONED_BUCKET = "unversioned-bucket"
    UNKNOWN_WORKSPACE = "unknown-workspace"


@dataclass(frozen=True, slots=True)
class _Words:
    """What a kind means, and what is to be done: `--repair`, unless it can't."""

    meaning: str
    remedy: str
    repairable: bool = True


REPAIR = "run fsck --repair, which {}"

_WORDS: Mapping[Kind, _Words] = MappingProxyType(
    {
        Kind.UNINDEXED_RECORD: _Words(
            "a commit or delete stands in the records and not in the index",
            REPAIR.format("completes it"),
        ),
        Kind.UNFINISHED_DELETE: _Words(
            "it was deleted, and keys of it may be left", REPAIR.format("removes them")
        ),
        Kind.UNFINISHED_DISCARD: _Words(
            "a discard began and did not end", REPAIR.format("carries it out")
        ),
        Kind.LEFTOVER_INTENT: _Words(
            "a worker died at it, and nobody has looked what became of it",
            REPAIR.format("asks the bucket"),
        ),
        Kind.MISSING_RECORD: _Words(
            "the index has a version whose record is gone", REPAIR.format("writes it again")
        ),
        Kind.UNREADABLE_RECORD: _Words(
            "a record can't be read",
            "restore this object of the system area from a backup",
            repairable=False,
        ),
        Kind.DIFFERING_RECORD: _Words(
            "the index says of a version what its record does not",
            REPAIR.format("makes the index say what the record does"),
        ),
        Kind.UNPUBLISHED_MANIFEST: _Words(
            "the committed manifest is not at its plain key yet", REPAIR.format("puts it there")
        ),
        Kind.LEFTOVER_STAGE: _Words(
            "this staged manifest was committed, and is still there",
            REPAIR.format("takes it away"),
        ),
        Kind.LOST_VERSION: _Words(
            "a committed file is lost: the backend does not have the version that was pinned",
            "restore it in the backend; or remove the file, commit, put it again, and commit",
            repairable=False,
        ),
        Kind.CHANGED_OUTSIDE: _Words(
            "the key was written past the gateway, and differs from what is committed or staged",
            REPAIR.format("opens an edit with what is there: commit it, or discard it"),
        ),
        Kind.ADDED_OUTSIDE: _Words(
            "the key was put past the gateway: nothing has committed or staged it",
            REPAIR.format("opens an edit with it: commit it, or discard it"),
        ),
        Kind.REMOVED_OUTSIDE: _Words(
            "the key was removed past the gateway: it is committed, and no removal is staged",
            REPAIR.format("opens an edit with its removal: commit it, or discard it"),
        ),
        Kind.EMPTY_MARK: _Words(
            "an edit is open in which nothing is staged", REPAIR.format("ends it")
        ),
        Kind.MISSING_STAGE: _Words(
            "the bucket does not hold what the index says is staged",
            REPAIR.format("stages what is there"),
        ),
        Kind.UNKNOWN_ANNOUNCEMENT: _Words(
            "a file was announced in the open edit, and the index does not demand it",
            REPAIR.format("puts it into the index"),
        ),
        Kind.UNKNOWN_WEIGHT: _Words(
            "a download weight was set, and the index does not have it",
            REPAIR.format("puts it into the index"),
        ),
        Kind.ORPHAN_NOTE: _Words(
            "announcements or weights are kept for what was never an artifact",
            REPAIR.format("removes them from the system area"),
        ),
        Kind.EMPTY_ARRIVAL: _Words(
            "the directory is marked as waiting for its manifest, and no file waits or comes",
            REPAIR.format("takes the mark away"),
        ),
        Kind.MISSING_ARRIVAL: _Words(
            "files wait for their member's manifest, and readers' listings show them",
            REPAIR.format("marks the directory"),
        ),
        Kind.UNKNOWN_MANIFEST: _Words(
            "a manifest stands in the bucket that makes no artifact",
            "run reindex, which adopts it; or remove the key",
            repairable=False,
        ),
        Kind.UNVERSIONED_BUCKET: _Words(
            "the bucket keeps no versions now, and artifacts need them",
            REPAIR.format("turns its versioning on"),
        ),
        Kind.UNKNOWN_WORKSPACE: _Words(
            "records lie under an id that no workspace has",
            "put its workspace back, by a backup of the system area; or remove this folder of it",
            repairable=False,
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: what kind of thing, and where.

    `prefix` is the artifact's, `path` the file's in it, and what else tells where: a key of the
    system area, a directory. `versions` are the commits that it is about. `detail` is what is
    known beyond the kind.
    """

    kind: Kind
    workspace: str
    prefix: str = ""
    path: str = ""
    versions: tuple[int, ...] = ()
    detail: str = ""

    @property
    def meaning(self) -> str:
        """What is wrong, in a sentence without an end."""
        meaning = _WORDS[self.kind].meaning
        return f"{meaning} ({self.detail})" if self.detail else meaning

    @property
    def remedy(self) -> str:
        """What to do."""
        return _WORDS[self.kind].remedy

    @property
    def repairable(self) -> bool:
        """Whether `--repair` is worth trying."""
        return _WORDS[self.kind].repairable


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finding, and what came of it: repaired; or not, `failure` saying why where it was tried."""

    finding: Finding
    repaired: bool = False
    failure: str = ""
