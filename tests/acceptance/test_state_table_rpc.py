"""SPEC 6, the RPC door's state table: every method in every state."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
import yaml

from tests.acceptance.harness import Document, Gateway
from tests.acceptance.sights import (
    BEFORE,
    COMMITTED,
    NOTHING,
    ONE,
    STATES,
    TWO,
    UNCHANGED,
    Sight,
    State,
    bring,
    check,
    committed,
    editing,
    new,
)
from tests.acceptance.views import DATA, EXTRA, MANIFEST, STAGED, Artifact, Files, refusal

NEXT = b"three!"
FIELDS = {"type": "dataset", "name": "By RPC", "files": []}

DONE = (200, "")
NO_ARTIFACT = (404, "NoSuchArtifact")
NOT_STAGED = (409, "NotStaged")
EXISTS = (409, "ArtifactExists")
EDIT_OPEN = (409, "EditOpen")

Call = Callable[[Artifact], Document]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: the answer to the method in the state, and what everybody sees after it.

    Where the gateway writes the manifest, `WRITTEN` stands for bytes that say FIELDS.
    """

    name: str
    call: Call
    state: State
    answer: tuple[int, str]
    after: Sight


WRITTEN = b"(whatever the gateway writes)"


def method(name: str, **arguments: Document) -> Call:
    """A call of the RPC method with these arguments."""
    return lambda artifact: artifact.rpc(name, **arguments)


def create_cells() -> list[Cell]:
    """The row of `create`, staged and not, with and without `overwrite`."""
    plain = method("create", manifest=FIELDS)
    stage = method("create", manifest=FIELDS, stage=True)
    over = method("create", manifest=FIELDS, overwrite=True)
    over_stage = method("create", manifest=FIELDS, stage=True, overwrite=True)
    staged, done = {STAGED: WRITTEN}, {MANIFEST: WRITTEN}
    cells = [
        Cell("create", plain, "nothing", DONE, committed(done, 1)),
        Cell("create-stage", stage, "nothing", DONE, new(staged)),
        Cell("overwrite", over, "nothing", DONE, committed(done, 1)),
        Cell("overwrite-stage", over_stage, "nothing", DONE, new(staged)),
        Cell("overwrite", over, "new", DONE, committed(done, 1)),
        Cell("overwrite-stage", over_stage, "new", DONE, new(staged)),
    ]
    for state in STATES[1:]:
        cells += [
            Cell("create", plain, state, EXISTS, UNCHANGED[state]),
            Cell("create-stage", stage, state, EXISTS, UNCHANGED[state]),
        ]
    for state in STATES[2:]:
        cells += [
            Cell("overwrite", over, state, DONE, committed(done, 2)),
            Cell("overwrite-stage", over_stage, state, DONE, editing(staged)),
        ]
    return cells


def edit_cells() -> list[Cell]:
    """The row of `edit`, with a manifest and with None."""
    none, given = method("edit"), method("edit", manifest=FIELDS)
    staged = {STAGED: WRITTEN}
    one, two = {DATA: b"one"}, {DATA: b"two"}
    return [
        Cell("edit", given, "nothing", NO_ARTIFACT, NOTHING),
        Cell("edit", given, "new", DONE, new(staged | one)),
        Cell("edit", given, "committed", DONE, editing(staged | one)),
        Cell("edit", given, "editing", DONE, editing(staged | two)),
        Cell("edit", given, "edited", DONE, editing(staged | two)),
        Cell("edit-None", none, "nothing", NO_ARTIFACT, NOTHING),
        Cell("edit-None", none, "new", DONE, UNCHANGED["new"]),
        Cell("edit-None", none, "committed", DONE, editing({STAGED: ONE} | one)),
        Cell("edit-None", none, "editing", DONE, UNCHANGED["editing"]),
        Cell("edit-None", none, "edited", DONE, editing({STAGED: ONE} | two)),
    ]


def commit_cells() -> list[Cell]:
    """The row of `commit`."""
    commit = method("commit", message="said so")
    return [
        Cell("commit", commit, "nothing", NO_ARTIFACT, NOTHING),
        Cell("commit", commit, "new", DONE, committed(COMMITTED, 1)),
        Cell("commit", commit, "committed", NOT_STAGED, UNCHANGED["committed"]),
        Cell("commit", commit, "editing", DONE, committed({MANIFEST: TWO, DATA: b"two"}, 2)),
        Cell("commit", commit, "edited", DONE, committed({MANIFEST: ONE, DATA: b"two"}, 2)),
    ]


def upload(artifact: Artifact, path: str = DATA) -> None:
    """put_file, and the PUT of the file to its URL."""
    assert artifact.upload(path, NEXT) == 200


def file_cells() -> list[Cell]:
    """The row of `put_file` and `remove_file`."""
    remove = method("remove_file", file_path=DATA)
    cells = [
        Cell("remove_file", remove, "nothing", NO_ARTIFACT, NOTHING),
        Cell("remove_file", remove, "new", DONE, new({STAGED: ONE})),
        Cell("remove_file", remove, "committed", NOT_STAGED, UNCHANGED["committed"]),
        Cell("remove_file", remove, "editing", DONE, editing({STAGED: TWO})),
        Cell("remove_file", remove, "edited", DONE, editing({MANIFEST: ONE})),
    ]
    for path in (DATA, EXTRA):
        put, name = partial(upload, path=path), f"put_file-{path}"
        cells += [
            Cell(name, put, "nothing", NO_ARTIFACT, NOTHING),
            Cell(name, put, "committed", NOT_STAGED, UNCHANGED["committed"]),
            Cell(name, put, "new", DONE, new({**BEFORE["new"], path: NEXT})),
            Cell(name, put, "editing", DONE, editing({**BEFORE["editing"], path: NEXT})),
            Cell(name, put, "edited", DONE, editing({**BEFORE["edited"], path: NEXT})),
        ]
    return cells


def ending_cells() -> list[Cell]:
    """The rows of `discard` and `delete`."""
    discard, delete = method("discard"), method("delete")
    return [
        Cell("discard", discard, "nothing", NO_ARTIFACT, NOTHING),
        Cell("discard", discard, "new", DONE, NOTHING),
        Cell("discard", discard, "committed", NOT_STAGED, UNCHANGED["committed"]),
        Cell("discard", discard, "editing", DONE, UNCHANGED["committed"]),
        Cell("discard", discard, "edited", DONE, UNCHANGED["committed"]),
        Cell("delete", delete, "nothing", NO_ARTIFACT, NOTHING),
        *(Cell("delete", delete, state, DONE, NOTHING) for state in STATES[1:]),
    ]


CELLS = [*create_cells(), *edit_cells(), *commit_cells(), *file_cells(), *ending_cells()]


def written(artifact: Artifact, expected: Sight) -> Sight:
    """The sight with the bytes that the gateway wrote, which must say FIELDS."""

    def fill(files: Files, seen: Files) -> dict[str, bytes]:
        filled = dict(files)
        for path in (path for path, body in files.items() if body == WRITTEN):
            filled[path] = seen[path]
            said = yaml.safe_load(seen[path])
            assert {name: said.get(name) for name in FIELDS} == FIELDS
        return filled

    writer = fill(expected.writer, artifact.seen_by("write"))
    reader = fill(expected.reader, artifact.seen_by("read"))
    return Sight(writer, reader, expected.version, edit=expected.edit)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.name}-{cell.state}")
def test_method_in_state(gateway: Gateway, public_prefix: str, cell: Cell) -> None:
    artifact = bring(gateway, public_prefix, cell.state)

    assert refusal(lambda: cell.call(artifact)) == cell.answer

    check(artifact, written(artifact, cell.after))


# --- the collection's rows: index, rollback, delete ------------------------------------

GALLERY = b"type: collection  # by hand\nname: Gallery\nsummary_fields: [name]\n"


def gallery(gateway: Gateway, prefix: str, state: State) -> Artifact:
    """A collection in the state, with one committed and one new member below it."""
    above = Artifact(gateway, prefix)
    if state == "nothing":
        return above
    above.put(STAGED, GALLERY)
    if state != "new":
        above.rename()
        bring(gateway, f"{prefix}/published", "committed")
        bring(gateway, f"{prefix}/unpublished", "new")
    if state == "editing":
        above.put(STAGED, GALLERY + b"stale: true\n")
    if state == "edited":
        above.put("cover.png", b"cover")
    return above


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        ("nothing", NO_ARTIFACT),
        ("new", NOT_STAGED),
        ("committed", DONE),
        ("editing", EDIT_OPEN),
        ("edited", EDIT_OPEN),
    ],
)
def test_index_in_state(
    gateway: Gateway, public_prefix: str, state: State, answer: tuple[int, str]
) -> None:
    above = gallery(gateway, public_prefix, state)
    before = above.seen_by("write")

    assert refusal(lambda: above.rpc("index")) == answer

    if answer != DONE:
        assert above.seen_by("write") == before
        assert above.version == (None if state in ("nothing", "new") else 1)
        assert above.is_open == (state in ("new", "editing", "edited"))
        return
    assert above.version == 2
    plain = yaml.safe_load(above.held()[MANIFEST])
    assert [member["_prefix"] for member in plain["collection"]] == [f"{public_prefix}/published"]
    assert plain["collection"][0]["name"] == "One"
    assert {name: plain[name] for name in ("type", "name", "summary_fields")} == {
        "type": "collection",
        "name": "Gallery",
        "summary_fields": ["name"],
    }
    assert above.seen_by("read")[MANIFEST] == above.held()[MANIFEST]
    assert not above.is_open


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        ("nothing", NO_ARTIFACT),
        ("new", NOT_STAGED),
        ("committed", DONE),
        ("editing", EDIT_OPEN),
        ("edited", EDIT_OPEN),
    ],
)
def test_rollback_in_state(
    gateway: Gateway, public_prefix: str, state: State, answer: tuple[int, str]
) -> None:
    artifact = bring(gateway, public_prefix, state)
    after = UNCHANGED[state]
    if state == "committed":
        artifact.put(DATA, b"two")
        artifact.put(EXTRA, b"extra")
        artifact.put(MANIFEST, TWO)
        after = committed(COMMITTED, 3)

    told = refusal(lambda: artifact.rpc("rollback", version=1))

    assert told == answer
    check(artifact, after)


@pytest.mark.parametrize("state", ["committed", "editing", "edited"])
def test_collection_with_members_is_deleted_recursively_alone(
    gateway: Gateway, public_prefix: str, state: State
) -> None:
    above = gallery(gateway, public_prefix, state)
    members = [
        Artifact(gateway, f"{public_prefix}/{name}") for name in ("published", "unpublished")
    ]
    before = above.seen_by("write")

    refused = refusal(lambda: above.rpc("delete"))

    assert refused == (409, "CollectionNotEmpty")
    assert above.seen_by("write") == before
    assert members[0].version == 1

    assert above.rpc("delete", recursive=True) is None

    assert above.held() == {}
    for each in (above, *members):
        assert each.read() is None
        assert each.read(stage=True) is None
        assert not each.is_named(stage=True)
    assert above.seen_by("read") == {}


@pytest.mark.parametrize("state", ["new", "committed", "editing", "edited"])
def test_collection_without_members_is_deleted(
    gateway: Gateway, public_prefix: str, state: State
) -> None:
    above = gallery(gateway, public_prefix, state)
    for name in ("published", "unpublished"):
        if state != "new":
            Artifact(gateway, f"{public_prefix}/{name}").rpc("delete")

    assert above.rpc("delete") is None

    check(above, NOTHING)
    assert above.held() == {}
