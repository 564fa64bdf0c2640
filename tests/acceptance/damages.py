"""Damage to a gateway's bucket, records and index, done for real, and what fsck is to say."""

import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from gateway.artifact.record import Announcement, encode_announcement
from gateway.artifact.record_key import announcement_key, record_folder, record_key
from tests.acceptance.harness import Document, Gateway
from tests.acceptance.sights import (
    NOTHING,
    ONE,
    THREE,
    TWO,
    UNCHANGED,
    Sight,
    State,
    committed,
    editing,
    ordinary,
)
from tests.acceptance.stopping import Stop
from tests.acceptance.views import DATA, EXTRA, MANIFEST, STAGED, Artifact

SYSTEM = "artifact-gateway-system"
AREA = "fsck/"
PAST = b"past the gateway"


@dataclass(frozen=True, slots=True)
class House:
    """A gateway whose rows, records and keys are damaged behind its back."""

    gateway: Gateway
    client: Document = field(repr=False)

    def sql(self, statement: str, *values: object) -> None:
        """Change the index; something has to change."""
        with closing(sqlite3.connect(self.gateway.data_dir / "artifact-gateway.db")) as database:
            changed = database.execute(statement, values)
            assert changed.rowcount, statement
            database.commit()

    def ask(self, question: str, *values: object) -> Sequence[Document]:
        """Rows of the index."""
        with closing(sqlite3.connect(self.gateway.data_dir / "artifact-gateway.db")) as database:
            return database.execute(question, values).fetchall()

    def workspace_id(self, name: str) -> str:
        """The id of a workspace."""
        [[identity]] = self.ask("SELECT id FROM workspace WHERE name = ?", name)
        return str(identity)

    def artifact_id(self, prefix: str) -> int:
        """The row of an artifact."""
        [[identity]] = self.ask("SELECT id FROM artifact WHERE prefix = ?", prefix)
        return int(identity)

    def put(self, key: str, body: bytes) -> None:
        """Put past the gateway."""
        self.client.put_object(Bucket=self.gateway.backend.bucket, Key=key, Body=body)

    def delete(self, key: str) -> None:
        """Delete past the gateway."""
        self.client.delete_object(Bucket=self.gateway.backend.bucket, Key=key)

    def record_of(self, artifact: Artifact, number: int = 1) -> str:
        """The key of a record in the system area."""
        identity = self.workspace_id(artifact.bucket)
        return AREA + record_key(identity, artifact.prefix, number)

    def record(self, artifact: Artifact, number: int = 1) -> bytes:
        """A record's bytes."""
        key = self.record_of(artifact, number)
        body: bytes = self.client.get_object(Bucket=SYSTEM, Key=key)["Body"].read()
        return body


Harm = Callable[[House, Artifact], None]
Seen = tuple[str, str]
"""A finding's kind and path."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Harm to an artifact in a state; what fsck says of it, and what is right when it is mended.

    `call` and `stop` are an operation, and where the gateway is killed in it: then `harm` is
    nothing more.
    """

    name: str
    state: State
    says: Sequence[Seen]
    after: Sight
    harm: Harm | None = None
    call: Callable[[Artifact], Document] | None = None
    stop: Stop | None = None


def rpc(method: str) -> Callable[[Artifact], Document]:
    """A call of an RPC method of the artifact's."""
    return lambda artifact: artifact.rpc(method)


def of_backend(path: str, body: bytes | None) -> Harm:
    """Put a key past the gateway, or delete it."""

    def harm(house: House, artifact: Artifact) -> None:
        if body is None:
            house.delete(artifact.key(path))
        else:
            house.put(artifact.key(path), body)

    return harm


def of_rows(statement: str) -> Harm:
    """Change rows of the artifact, whose id is the statement's one value."""
    return lambda house, artifact: house.sql(statement, house.artifact_id(artifact.prefix))


def without_row(house: House, artifact: Artifact) -> None:
    """The index forgets the artifact."""
    identity = house.artifact_id(artifact.prefix)
    for table in ("pin", "version"):
        house.sql(f"DELETE FROM {table} WHERE artifact_id = ?", identity)  # noqa: S608 - ours
    house.sql("DELETE FROM artifact WHERE id = ?", identity)


def without_record(house: House, artifact: Artifact) -> None:
    """The record goes."""
    house.client.delete_object(Bucket=SYSTEM, Key=house.record_of(artifact))


def unmark(house: House, artifact: Artifact) -> None:
    """The index forgets that an edit is open: readers' listings would show what is staged."""
    identity = house.artifact_id(artifact.prefix)
    house.sql("DELETE FROM staged_file WHERE artifact_id = ?", identity)
    house.sql("UPDATE artifact SET stage_id = NULL, staged_at = NULL WHERE id = ?", identity)


RECORD = f"^/{SYSTEM}/.*records/"
DONE = committed({MANIFEST: TWO, DATA: b"two"}, 2)
ONCE = UNCHANGED["committed"]
MARKED = "stage_id = 'nobodys', staged_at = 0, staged_by = 'nobody'"


def _killed() -> Sequence[Damage]:
    key = "{key}/"
    commit, delete, discard = rpc("commit"), rpc("delete"), rpc("discard")
    put = partial(Artifact.put, path=DATA, body=THREE)
    stops: Sequence[tuple[str, State, Callable[[Artifact], Document], Stop, Seen, Sight]] = (
        ("commit-recorded", "editing", commit, Stop("PUT", RECORD, "after"),
         ("unindexed-record", ""), DONE),
        ("commit-unpublished", "editing", commit, Stop("PUT", f"{key}manifest.yaml$", "before"),
         ("unpublished-manifest", MANIFEST), DONE),
        ("commit-unfinished", "editing", commit, Stop("DELETE", f"{key}_manifest.yaml", "before"),
         ("leftover-stage", STAGED), DONE),
        ("commit-unrecorded", "editing", commit, Stop("PUT", RECORD, "before"),
         ("leftover-intent", ""), UNCHANGED["editing"]),
        ("delete-recorded", "committed", delete, Stop("PUT", RECORD, "after"),
         ("unindexed-record", ""), NOTHING),
        ("delete-unfinished", "committed", delete, Stop("DELETE", key, "before"),
         ("unfinished-delete", ""), NOTHING),
        ("discard-unfinished", "editing", discard, Stop("DELETE", key, "after"),
         ("unfinished-discard", ""), ONCE),
        ("put-unsettled", "committed", put, Stop("PUT", f"{key}{DATA}$", "after"),
         ("leftover-intent", DATA), editing({MANIFEST: ONE, DATA: THREE})),
    )  # fmt: skip
    return [
        Damage(name, state, [seen], after, call=call, stop=stop)
        for name, state, call, stop, seen, after in stops
    ]


def _outside() -> Sequence[Damage]:
    files: Mapping[str, bytes] = {MANIFEST: ONE, DATA: b"one"}
    return [
        Damage("changed", "committed", [("changed-outside", DATA)],
               editing({**files, DATA: PAST}), of_backend(DATA, PAST)),
        Damage("added", "committed", [("added-outside", EXTRA)],
               editing({**files, EXTRA: PAST}), of_backend(EXTRA, PAST)),
        Damage("removed", "committed", [("removed-outside", DATA)],
               editing({MANIFEST: ONE}), of_backend(DATA, None)),
        Damage("manifest-changed", "committed", [("changed-outside", MANIFEST)],
               editing({STAGED: TWO, DATA: b"one"}), of_backend(MANIFEST, TWO)),
        Damage("manifest-broken", "committed", [("changed-outside", MANIFEST)],
               ONCE, of_backend(MANIFEST, b"{: no manifest")),
        Damage("manifest-removed", "committed", [("removed-outside", MANIFEST)],
               editing({DATA: b"one"}), of_backend(MANIFEST, None)),
        Damage("stage-added", "committed", [("added-outside", STAGED)],
               editing({STAGED: TWO, DATA: b"one"}), of_backend(STAGED, TWO)),
        Damage("stage-changed", "editing", [("changed-outside", STAGED)],
               editing({STAGED: THREE, DATA: b"two"}), of_backend(STAGED, THREE)),
        Damage("stage-removed", "editing", [("missing-stage", STAGED)],
               editing({MANIFEST: ONE, DATA: b"two"}), of_backend(STAGED, None)),
        Damage("staged-removed", "editing", [("missing-stage", DATA)],
               editing({STAGED: TWO}), of_backend(DATA, None)),
        Damage("new-removed", "new", [("missing-stage", STAGED)],
               ordinary({DATA: b"one"}), of_backend(STAGED, None)),
    ]  # fmt: skip


def _index() -> Sequence[Damage]:
    differing = [("differing-record", "")]
    return [
        Damage("forgotten", "committed", [("unindexed-record", "")], ONCE, without_row),
        Damage("unrecorded", "committed", [("missing-record", "")], ONCE, without_record),
        Damage("pin-changed", "committed", differing, ONCE, of_rows(
            "UPDATE pin SET size = 99 WHERE artifact_id = ? AND path = 'data.csv'")),
        Damage("pins-gone", "committed", differing, ONCE, of_rows(
            "DELETE FROM pin WHERE artifact_id = ?")),
        Damage("version-gone", "committed", differing, ONCE, of_rows(
            "DELETE FROM version WHERE artifact_id = ?")),
        Damage("manifest-differs", "committed", differing, ONCE, of_rows(
            "UPDATE version SET manifest = x'7b7d' WHERE artifact_id = ?")),
        Damage("marked", "committed", [("empty-mark", "")], ONCE, of_rows(
            f"UPDATE artifact SET {MARKED} WHERE id = ?")),  # noqa: S608 - our own words
        Damage("unmarked", "edited", [("changed-outside", DATA)], UNCHANGED["edited"],
               unmark),
    ]  # fmt: skip


DAMAGES: Sequence[Damage] = [*_killed(), *_outside(), *_index()]


def note_of_nobody(house: House, workspace: str) -> str:
    """An announcement for a prefix that nothing else knows; its prefix."""
    prefix = f"nobody-{secrets.token_hex(4)}"
    note = Announcement(prefix, DATA, None, "stage", datetime.now(UTC))
    key = announcement_key(house.workspace_id(workspace), prefix, DATA)
    house.client.put_object(Bucket=SYSTEM, Key=AREA + key, Body=encode_announcement(note))
    return prefix


def record_of_nobody(house: House) -> str:
    """A record under an id that no workspace has; the id."""
    identity = secrets.token_hex(16)
    key = f"{AREA}{record_folder(identity, 'prefix')}0000000001"
    house.client.put_object(Bucket=SYSTEM, Key=key, Body=b"{}")
    return identity
