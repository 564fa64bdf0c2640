"""The states that the state tables start from, and what everybody sees in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import yaml

from tests.acceptance.harness import Document, Gateway
from tests.acceptance.views import DATA, MANIFEST, STAGED, Artifact, Files, outcome, refusal

ONE = b"# kept as it was written\r\ntype: dataset\nname:   'One'   # spaces stay\n"
TWO = b"{type: dataset,\n name: Two}\n"
THREE = b"name: Three\ntype: dataset\n\n\n"

State = Literal["nothing", "new", "committed", "editing", "edited"]

BEFORE: Mapping[State, Files] = {
    "nothing": {},
    "new": {STAGED: ONE, DATA: b"one"},
    "committed": {MANIFEST: ONE, DATA: b"one"},
    "editing": {STAGED: TWO, DATA: b"two"},
    "edited": {MANIFEST: ONE, DATA: b"two"},
}
COMMITTED = BEFORE["committed"]
STATES: Sequence[State] = ("nothing", "new", "committed", "editing", "edited")


def bring(gateway: Gateway, prefix: str, state: State) -> Artifact:
    """An artifact at `prefix` in the state; "edited" is an edit that a file alone opened."""
    artifact = Artifact(gateway, prefix)
    if state == "nothing":
        return artifact
    artifact.put(STAGED, ONE)
    artifact.put(DATA, b"one")
    if state == "new":
        return artifact
    artifact.rename()
    if state == "editing":
        artifact.put(STAGED, TWO)
    if state in ("editing", "edited"):
        artifact.put(DATA, b"two")
    return artifact


@dataclass(frozen=True, slots=True)
class Sight:
    """What everybody should see: `writer` and `reader` through the S3 door, and the version.

    `stranger` is what an unsigned caller sees; None says that it is what readers see.
    `edit` says whether an edit is open.
    """

    writer: Files
    reader: Files
    version: int | None
    edit: bool
    stranger: Files | None = None


NOTHING = Sight({}, {}, None, edit=False)


def new(writer: Files) -> Sight:
    """Never committed: writers alone see it."""
    return Sight(writer, {}, None, edit=True)


def editing(writer: Files) -> Sight:
    """Committed once, and being edited."""
    return Sight(writer, COMMITTED, 1, edit=True)


def committed(files: Files, version: int) -> Sight:
    """Everybody sees the commit."""
    return Sight(files, files, version, edit=False)


def ordinary(files: Files) -> Sight:
    """Ordinary objects, which `public: artifacts` does not open."""
    return Sight(files, files, None, edit=False, stranger={})


UNCHANGED: Mapping[State, Sight] = {
    "nothing": NOTHING,
    "new": new(BEFORE["new"]),
    "committed": committed(COMMITTED, 1),
    "editing": editing(BEFORE["editing"]),
    "edited": editing(BEFORE["edited"]),
}


def check(artifact: Artifact, expected: Sight) -> None:
    """Assert that every kind of caller, and the backend, has what it should."""
    assert artifact.seen_by("write") == expected.writer
    assert artifact.seen_by("read") == expected.reader
    unsigned = expected.reader if expected.stranger is None else expected.stranger
    assert artifact.seen_unsigned() == unsigned
    check_keys(artifact, expected)
    check_backend(artifact, expected.writer)
    check_commit(artifact, expected)
    check_stage(artifact, expected)


def check_keys(artifact: Artifact, expected: Sight) -> None:
    """Assert that a key which a listing leaves out can't be had by name either."""
    for path in (MANIFEST, STAGED, DATA):
        address = {"Bucket": artifact.bucket, "Key": artifact.key(path)}
        if path not in expected.writer:
            client = artifact.gateway.s3()
            for each in (client.get_object, client.head_object):
                assert outcome(partial(each, **address))[0] == 404, path
        if path not in expected.reader:
            client = artifact.gateway.s3("read")
            for each in (client.get_object, client.head_object):
                assert outcome(partial(each, **address))[0] in (403, 404), path
            door = artifact.gateway.anonymous("GET", f"/{artifact.bucket}/{artifact.key(path)}")
            assert door.status_code in (403, 404), path


def check_backend(artifact: Artifact, writer: Files) -> None:
    """Assert that the plain keys hold what writers see, and no `_manifest.yaml` lies below."""
    held = artifact.held()
    kept = held.pop(MANIFEST, None)
    assert held == {path: body for path, body in writer.items() if path != MANIFEST}
    if MANIFEST in writer:
        assert kept == writer[MANIFEST]


def check_commit(artifact: Artifact, expected: Sight) -> None:
    """Assert that RPC and the artifact door show the commit that readers see, or none."""
    door = f"/{artifact.bucket}/artifact/{artifact.prefix}"
    shown = artifact.gateway.anonymous("GET", door, headers={"Accept": "application/json"})
    manifest = artifact.read()
    assert artifact.is_named(stage=False) == (expected.version is not None)
    if expected.version is None:
        assert manifest is None
        assert shown.status_code in (403, 404)
        return
    assert manifest["_version"] == expected.version
    check_fields(manifest, expected.reader[MANIFEST])
    assert manifest["_prefix"] == artifact.prefix
    assert "_stage" not in manifest
    assert artifact.files() == sizes(expected.reader)
    if artifact.prefix.startswith("public/"):
        assert shown.status_code == 200
        assert shown.json()["_version"] == expected.version
        for path, body in expected.reader.items():
            if path != MANIFEST:
                assert artifact.gateway.anonymous("GET", f"{door}/{path}").content == body


def check_stage(artifact: Artifact, expected: Sight) -> None:
    """Assert that RPC shows the stage that writers see, or that no edit is open."""
    if expected.edit:
        assert artifact.is_named(stage=True)
        assert artifact.files(stage=True) == sizes(expected.writer)
        staged = artifact.read(stage=True)
        assert "_stage" in staged
        source = expected.writer.get(STAGED, expected.writer.get(MANIFEST))
        if source is not None:
            check_fields(staged, source)
    elif expected.version is None:
        assert not artifact.is_named(stage=True)
        assert artifact.read(stage=True) is None
    readers = refusal(lambda: artifact.rpc("read", key="read", stage=True))
    assert readers == (403, "AccessDenied")
    assert artifact.is_open == expected.edit


def check_fields(merged: Document, source: bytes) -> None:
    """Assert that what was read has what the author wrote; an empty `files` lists the pins."""
    author = yaml.safe_load(source)
    said = {name: value for name, value in author.items() if name != "files" or value}
    assert {name: merged[name] for name in said} == said


def sizes(files: Files) -> dict[str, int]:
    """Paths and sizes of the files that are no manifests."""
    return {path: len(body) for path, body in files.items() if path not in (MANIFEST, STAGED)}
