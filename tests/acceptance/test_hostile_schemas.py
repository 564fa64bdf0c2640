"""Hostile schemas: nothing is fetched, nobody is held up, and each draft means what it says."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.acceptance.harness import WORKSPACE, Backend, Document, Gateway, RpcError
from tests.acceptance.schemas import BEHAVIOUR, DRAFTS, ENDLESS, HEAVY, QUICK, WRONG, Row
from tests.acceptance.steps import content, make_gallery, manifest, put, refused, version_of

SECONDS = 2  # limits.validation_seconds of the gateways here
SLACK = 30  # of a machine that does much else


def enforced(gateway: Gateway, schema: Document, key: str = "write") -> str:
    """The prefix of a collection that enforces a schema."""
    prefix = gateway.new_prefix()
    fields = {"type": "collection", "name": "G", "collection_schema": schema}
    gateway.rpc("create", key=key, prefix=prefix, manifest=fields)
    return prefix


def pointers(gateway: Gateway, prefix: str, fields: Document) -> list[str]:
    """Where a manifest breaks the schema above; [] when it got committed."""
    try:
        gateway.rpc("create", prefix=prefix, manifest={"type": "dataset", **fields})
    except RpcError as error:
        if error.code != "SchemaViolation":
            raise
        return [each["pointer"] for each in error.details["violations"]]
    return []


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    """What nobody may connect to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


def remote(port: int) -> dict[str, Document]:
    """Schemas that lead out of themselves."""
    url = f"http://127.0.0.1:{port}/schema.json"
    return {
        "a reference": {"properties": {"a": {"$ref": url}}},
        "a reference from elsewhere": {"$id": url, "properties": {"a": {"$ref": "other.json"}}},
        "a base that moves": {
            "definitions": {"a": {"$id": f"{url}/", "properties": {"b": {"$ref": "x#/y"}}}}
        },
        "a draft of one's own": {"$schema": url},
        "a draft within": {"properties": {"a": {"$schema": url}}},
        "a dynamic reference": {"$schema": DRAFTS["2020-12"], "$dynamicRef": url},
        "a recursive reference": {"$schema": DRAFTS["2019-09"], "$recursiveRef": url},
        "a reference into a reference": {"$ref": "#/x", "x": {"$ref": url}},
        "a file": {"$ref": "file:///etc/passwd"},
        "a draft's own schema": {"$ref": DRAFTS["7"]},
        "no scheme": {"$ref": f"//127.0.0.1:{port}/x"},
    }


@pytest.mark.parametrize("name", remote(0))
def test_nothing_is_fetched(
    gateway: Gateway, listener: socket.socket, prefix: str, name: str
) -> None:
    schema = remote(listener.getsockname()[1])[name]
    fields = {"type": "collection", "collection_schema": schema}
    with refused("InvalidManifest", 400) as refusal:
        gateway.rpc("create", prefix=prefix, manifest=fields)
    assert refusal.details["violations"]
    put(gateway.s3(), prefix, {"_manifest.yaml": manifest(**fields)})
    with refused("InvalidManifest", 400):
        gateway.rpc("commit", prefix=prefix)
    assert version_of(gateway, prefix) == 0
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize("name", WRONG)
def test_a_schema_that_is_none_is_refused_with_its_collection(
    gateway: Gateway, prefix: str, name: str
) -> None:
    schema, pointer = WRONG[name]
    fields = {"type": "collection", "collection_schema": schema}
    with refused("InvalidManifest", 400) as refusal:
        gateway.rpc("create", prefix=prefix, manifest=fields)
    assert pointer in [each["pointer"] for each in refusal.details["violations"]]
    assert "collection_schema is no valid JSON Schema" in refusal.message
    assert len(refusal.message) < 1000
    assert content(gateway.s3(), f"{prefix}/_manifest.yaml") is None


@pytest.mark.parametrize("row", BEHAVIOUR, ids=lambda row: "-".join((row[0], *row[1])))
def test_each_draft_behaves_as_it_says(gateway: Gateway, row: Row) -> None:
    draft, schema, fitting, misfit, where = row
    gallery = enforced(gateway, {"$schema": DRAFTS[draft], **schema})
    assert pointers(gateway, f"{gallery}/fits", fitting) == []
    assert pointers(gateway, f"{gallery}/not", misfit) == where
    assert version_of(gateway, f"{gallery}/fits") == 1
    assert version_of(gateway, f"{gallery}/not") == 0


def test_all_violations_are_told_with_their_places(gateway: Gateway) -> None:
    schema = {
        "required": ["id", "license"],
        "properties": {
            "a/b": {"type": "string"},
            "c~d": {"properties": {"é <b>": {"maxLength": 1}}},
            "list": {"items": {"type": "integer"}},
            "files": {
                "items": {"properties": {"path": {"pattern": "\\.csv$"}}},
                "contains": {"properties": {"path": {"const": "README.md"}}},
            },
        },
        "additionalProperties": True,
    }
    gallery = enforced(gateway, schema)
    prefix = f"{gallery}/member"
    fields = {"a/b": 1, "c~d": {"é <b>": "long"}, "list": [1, "x", 2, None]}
    put(gateway.s3(), prefix, {"a.csv": b"a", "b.txt": b"b", "_manifest.yaml": manifest(**fields)})
    with refused("SchemaViolation", 400) as refusal:
        gateway.rpc("commit", prefix=prefix)
    found = [each["pointer"] for each in refusal.details["violations"]]
    assert found == [
        *("", "", "/a~1b", "/c~0d/é <b>", "/files", "/files/1/path", "/list/1", "/list/3"),
    ]
    assert all(each["message"] for each in refusal.details["violations"])
    put(gateway.s3(), prefix, {"README.md": b"r"})
    gateway.s3().delete_object(Bucket=WORKSPACE, Key=f"{prefix}/b.txt")
    with refused("SchemaViolation", 400) as refusal:
        gateway.rpc("commit", prefix=prefix)
    left = [each["pointer"] for each in refusal.details["violations"]]
    # README.md is there now; that it is no .csv, the first rule says still.
    assert left == ["", "", "/a~1b", "/c~0d/é <b>", "/files/0/path", "/list/1", "/list/3"]


def test_a_schema_can_demand_a_file(gateway: Gateway) -> None:
    demand = {"contains": {"properties": {"path": {"const": "data.csv"}, "size": {"minimum": 3}}}}
    gallery = enforced(gateway, {"properties": {"files": demand}})
    prefix = f"{gallery}/member"
    put(gateway.s3(), prefix, {"_manifest.yaml": manifest(), "other.csv": b"other"})
    for content_ in (None, b"a"):
        if content_ is not None:
            put(gateway.s3(), prefix, {"data.csv": content_})
        with refused("SchemaViolation", 400) as refusal:
            gateway.rpc("commit", prefix=prefix)
        assert [each["pointer"] for each in refusal.details["violations"]] == ["/files"]
    put(gateway.s3(), prefix, {"data.csv": b"abc"})
    assert gateway.rpc("commit", prefix=prefix)["version"] == 1


@pytest.mark.parametrize("name", QUICK)
def test_what_would_hold_up_others_does_not(gateway: Gateway, name: str) -> None:
    schema, fields, where = QUICK[name]
    gallery = enforced(gateway, schema)
    assert pointers(gateway, f"{gallery}/member", fields) == where


@pytest.fixture(scope="module")
def hasty(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that validates for two seconds at most."""
    running = Gateway(
        backend,
        tmp_path_factory.mktemp("hasty"),
        settings={
            "system": {"bucket": "system-of-the-hasty", "prefix": ""},
            "limits": {"validation_seconds": SECONDS},
        },
    )
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.mark.parametrize("name", HEAVY)
def test_what_takes_too_long_is_stopped_and_leaves_the_stage(hasty: Gateway, name: str) -> None:
    schema, fields = HEAVY[name]
    prefix = f"{enforced(hasty, schema)}/member"
    put(hasty.s3(), prefix, {"_manifest.yaml": manifest()})
    hasty.rpc("edit", prefix=prefix, manifest={"type": "dataset", **fields})
    begun = time.monotonic()
    with refused("SchemaViolation", 400) as refusal:
        hasty.rpc("commit", prefix=prefix)
    assert f"limits.validation_seconds, {SECONDS} s" in refusal.message
    assert time.monotonic() - begun < SECONDS + SLACK
    assert hasty.rpc("read", prefix=prefix, stage=True)["_stage"]
    hasty.rpc("discard", prefix=prefix)


def test_a_manifest_that_takes_too_long_is_refused(hasty: Gateway, prefix: str) -> None:
    lines = b"type: dataset\na: [" + b"''," * 349_000 + b"]"
    begun = time.monotonic()
    answer = hasty.signed("PUT", f"/{WORKSPACE}/{prefix}/_manifest.yaml", body=lines)
    assert time.monotonic() - begun < SECONDS + SLACK
    if answer.status != 200:  # a fast machine reads it in time
        assert answer.status == 400
        assert b"limits.validation_seconds" in answer.body


@pytest.mark.parametrize("crowd", [10, 50])
def test_a_crowd_of_slow_validations_keeps_nobody_else_from_committing(
    hasty: Gateway, crowd: int
) -> None:
    slow, quick = enforced(hasty, ENDLESS), enforced(hasty, {"required": ["name"]}, "admin")
    prefixes = [f"{slow}/{number}" for number in range(crowd)]
    done = threading.Event()

    def attempt(prefix: str) -> str:
        try:
            hasty.rpc("create", prefix=prefix, manifest={"type": "dataset"})
        except RpcError as error:
            return error.code
        return ""

    with ThreadPoolExecutor(crowd) as threads:
        attempts = [threads.submit(attempt, prefix) for prefix in prefixes]
        threads.submit(lambda: [each.result() for each in attempts]).add_done_callback(
            lambda _: done.set()
        )
        served = 0
        while not done.is_set():
            prefix = f"{quick}/{uuid4().hex}"
            hasty.rpc("create", key="admin", prefix=prefix, manifest={"type": "x", "name": "n"})
            assert version_of(hasty, prefix) == 1
            assert pointers_of_nameless(hasty, f"{quick}/nameless") == [""]
            served += not done.is_set()
    assert served
    codes = {each.result() for each in attempts}
    assert "SchemaViolation" in codes
    assert codes <= {"SchemaViolation", "SlowDown"}
    assert all(version_of(hasty, prefix) == 0 for prefix in prefixes[:3])


def pointers_of_nameless(gateway: Gateway, prefix: str) -> list[str]:
    """What the schema says to somebody else's manifest without a name."""
    with refused("SchemaViolation", 400) as refusal:
        gateway.rpc("create", key="admin", prefix=prefix, manifest={"type": "x"})
    return [each["pointer"] for each in refusal.details["violations"]]


def test_members_are_not_judged_by_a_schema_that_comes_later(gateway: Gateway) -> None:
    gallery = gateway.new_prefix()
    make_gallery(gateway, gallery)
    gateway.rpc("create", prefix=f"{gallery}/old", manifest={"type": "dataset"})
    fields = {"type": "collection", "collection_schema": False}
    gateway.rpc("edit", prefix=gallery, manifest=fields)
    gateway.rpc("commit", prefix=gallery)
    assert version_of(gateway, f"{gallery}/old") == 1
    assert pointers(gateway, f"{gallery}/new", {}) == [""]
