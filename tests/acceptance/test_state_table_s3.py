"""SPEC 6, the S3 door's state table: every event in every state, and the notes below it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations

import pytest

from tests.acceptance.harness import Document, Gateway
from tests.acceptance.sights import (
    BEFORE,
    COMMITTED,
    NOTHING,
    ONE,
    THREE,
    TWO,
    UNCHANGED,
    Sight,
    State,
    bring,
    check,
    committed,
    editing,
    new,
    ordinary,
)
from tests.acceptance.views import (
    DATA,
    EXTRA,
    MANIFEST,
    STAGED,
    Artifact,
    Files,
    outcome,
)

Event = Callable[[Artifact], Document]

NEXT = b"three!"
SOURCE = "elsewhere.bin"


def put_staged(artifact: Artifact) -> Document:
    """PUT `_manifest.yaml`."""
    return artifact.put(STAGED, THREE)


def put_manifest(artifact: Artifact) -> Document:
    """PUT `manifest.yaml`, other than the one that is there."""
    return artifact.put(MANIFEST, THREE)


def put_same_manifest(artifact: Artifact) -> Document:
    """PUT `manifest.yaml` with the bytes of the first commit."""
    return artifact.put(MANIFEST, ONE)


def copy_staged(artifact: Artifact) -> Document:
    """COPY `_manifest.yaml` onto `manifest.yaml`."""
    return artifact.rename()


def copy_staged_by_another(artifact: Artifact) -> Document:
    """The same COPY, by a caller who has committed nothing."""
    return artifact.rename("admin")


def put_file(artifact: Artifact, path: str = DATA) -> Document:
    """PUT of a file."""
    return artifact.put(path, NEXT)


def copy_file(artifact: Artifact, path: str = DATA) -> Document:
    """COPY of an ordinary object onto a file."""
    source = Artifact(artifact.gateway, artifact.prefix + "-source")
    source.put(SOURCE, NEXT)
    return artifact.copy(source.key(SOURCE), path)


def complete_file(artifact: Artifact, path: str = DATA) -> Document:
    """CompleteMultipartUpload of a file."""
    return artifact.multipart(path, NEXT)


def delete_file(artifact: Artifact) -> Document:
    """DELETE of a file."""
    return artifact.delete(DATA)


def batch_delete_file(artifact: Artifact) -> Document:
    """DeleteObjects of a file."""
    return artifact.delete_batch(DATA)


def delete_staged(artifact: Artifact) -> Document:
    """DELETE `_manifest.yaml`."""
    return artifact.delete(STAGED)


def batch_delete_staged(artifact: Artifact) -> Document:
    """DeleteObjects of `_manifest.yaml`."""
    return artifact.delete_batch(STAGED)


def delete_manifest(artifact: Artifact) -> Document:
    """DELETE `manifest.yaml`."""
    return artifact.delete(MANIFEST)


def batch_delete_manifest(artifact: Artifact) -> Document:
    """DeleteObjects of `manifest.yaml`."""
    return artifact.delete_batch(MANIFEST)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: the answer to the event in the state, and what everybody sees after it."""

    event: Event
    state: State
    answer: tuple[int, str]
    after: Sight


OK = (200, "")
GONE = (204, "")
ABSENT = (404, "NoSuchKey")


def staging_cells() -> list[Cell]:
    """The row of PUT `_manifest.yaml`."""
    return [
        Cell(put_staged, "nothing", OK, new({STAGED: THREE})),
        Cell(put_staged, "new", OK, new({STAGED: THREE, DATA: b"one"})),
        Cell(put_staged, "committed", OK, editing({STAGED: THREE, DATA: b"one"})),
        Cell(put_staged, "editing", OK, editing({STAGED: THREE, DATA: b"two"})),
        Cell(put_staged, "edited", OK, editing({STAGED: THREE, DATA: b"two"})),
    ]


def committing_cells() -> list[Cell]:
    """The rows of PUT `manifest.yaml` and of the COPY that commits."""
    return [
        Cell(put_manifest, "nothing", OK, committed({MANIFEST: THREE}, 1)),
        Cell(put_manifest, "new", OK, committed({MANIFEST: THREE, DATA: b"one"}, 1)),
        Cell(put_manifest, "committed", OK, committed({MANIFEST: THREE, DATA: b"one"}, 2)),
        Cell(put_manifest, "editing", OK, committed({MANIFEST: THREE, DATA: b"two"}, 2)),
        Cell(put_manifest, "edited", OK, committed({MANIFEST: THREE, DATA: b"two"}, 2)),
        Cell(put_same_manifest, "committed", OK, committed(COMMITTED, 1)),
        Cell(put_same_manifest, "editing", OK, committed({MANIFEST: ONE, DATA: b"two"}, 2)),
        Cell(put_same_manifest, "edited", OK, committed({MANIFEST: ONE, DATA: b"two"}, 2)),
        Cell(copy_staged, "nothing", ABSENT, NOTHING),
        Cell(copy_staged, "new", OK, committed(COMMITTED, 1)),
        Cell(copy_staged, "committed", OK, committed(COMMITTED, 1)),
        Cell(copy_staged, "editing", OK, committed({MANIFEST: TWO, DATA: b"two"}, 2)),
        Cell(copy_staged, "edited", ABSENT, UNCHANGED["edited"]),
        Cell(copy_staged_by_another, "committed", ABSENT, UNCHANGED["committed"]),
        Cell(copy_staged_by_another, "editing", OK, committed({MANIFEST: TWO, DATA: b"two"}, 2)),
    ]


def file_cells() -> list[Cell]:
    """The row of PUT, COPY and CompleteMultipartUpload of a file, old and new."""
    cells = []
    for event in (put_file, copy_file, complete_file):
        for path in (DATA, EXTRA):
            put = partial(event, path=path)
            ways: Mapping[State, Callable[[Files], Sight]] = {
                "nothing": ordinary,
                "new": new,
                "committed": editing,
                "editing": editing,
                "edited": editing,
            }
            cells += [
                Cell(put, state, OK, after({**BEFORE[state], path: NEXT}))
                for state, after in ways.items()
            ]
    return cells


def deleting_cells() -> list[Cell]:
    """The rows of DELETE, each alone and in a batch."""
    cells = []
    for event, answer in ((delete_file, GONE), (batch_delete_file, OK)):
        cells += [
            Cell(event, "nothing", answer, NOTHING),
            Cell(event, "new", answer, new({STAGED: ONE})),
            Cell(event, "committed", answer, editing({MANIFEST: ONE})),
            Cell(event, "editing", answer, editing({STAGED: TWO})),
            Cell(event, "edited", answer, editing({MANIFEST: ONE})),
        ]
    for event, answer in ((delete_staged, GONE), (batch_delete_staged, OK)):
        cells += [
            Cell(event, "nothing", answer, NOTHING),
            Cell(event, "new", answer, ordinary({DATA: b"one"})),
            Cell(event, "committed", answer, UNCHANGED["committed"]),
            Cell(event, "editing", answer, editing({MANIFEST: ONE, DATA: b"two"})),
            Cell(event, "edited", answer, UNCHANGED["edited"]),
        ]
    for event, answer in ((delete_manifest, GONE), (batch_delete_manifest, OK)):
        cells += [
            Cell(event, "nothing", answer, NOTHING),
            Cell(event, "new", answer, UNCHANGED["new"]),
            Cell(event, "committed", answer, editing({DATA: b"one"})),
            Cell(event, "editing", answer, UNCHANGED["editing"]),
            Cell(event, "edited", answer, editing({DATA: b"two"})),
        ]
    return cells


def cell_name(cell: Cell) -> str:
    """What the parametrised test is called."""
    if isinstance(cell.event, partial):
        return f"{cell.event.func.__name__}-{cell.event.keywords['path']}-{cell.state}"
    return f"{cell.event.__name__}-{cell.state}"


CELLS = [*staging_cells(), *committing_cells(), *file_cells(), *deleting_cells()]


@pytest.mark.parametrize("cell", CELLS, ids=cell_name)
def test_event_in_state(gateway: Gateway, public_prefix: str, cell: Cell) -> None:
    artifact = bring(gateway, public_prefix, cell.state)

    assert outcome(lambda: cell.event(artifact)) == cell.answer

    check(artifact, cell.after)


LAST: Mapping[State, Sequence[str]] = {
    "new": (STAGED, DATA),
    "committed": (MANIFEST, DATA),
    "edited": (MANIFEST, DATA),
    "editing": (STAGED, MANIFEST, DATA),
}


@pytest.mark.parametrize(
    ("state", "order"),
    [(state, order) for state, paths in LAST.items() for order in permutations(paths)],
    ids=lambda value: value if isinstance(value, str) else ",".join(value),
)
def test_last_key_that_writers_see_goes(
    gateway: Gateway, public_prefix: str, state: State, order: Sequence[str]
) -> None:
    artifact = bring(gateway, public_prefix, state)

    for path in order:
        assert outcome(partial(artifact.delete, path)) == GONE

    check(artifact, NOTHING)
    assert artifact.held() == {}


@pytest.mark.parametrize("state", ["new", "committed", "editing", "edited"])
def test_last_keys_go_in_one_batch(gateway: Gateway, public_prefix: str, state: State) -> None:
    artifact = bring(gateway, public_prefix, state)

    answer = artifact.delete_batch(*LAST[state])

    assert len(answer["Deleted"]) == len(LAST[state])
    check(artifact, NOTHING)
    assert artifact.held() == {}


@pytest.mark.parametrize("state", ["committed", "editing"])
def test_deleted_by_its_last_key_goes_on_numbering(
    gateway: Gateway, public_prefix: str, state: State
) -> None:
    artifact = bring(gateway, public_prefix, state)
    artifact.delete_batch(*LAST[state])

    artifact.put(MANIFEST, THREE)

    check(artifact, committed({MANIFEST: THREE}, 3))  # 2 is the tombstone's number
