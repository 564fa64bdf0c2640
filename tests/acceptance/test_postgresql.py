"""Gateways on PostgreSQL: a walk through one, and two that share a database and a backend."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.acceptance.harness import WORKSPACE, Backend, Gateway
from tests.acceptance.sights import (
    COMMITTED,
    NOTHING,
    ONE,
    TWO,
    UNCHANGED,
    Sight,
    bring,
    check,
    committed,
    editing,
)
from tests.acceptance.steps import (
    content,
    downloads_of,
    keys_below,
    make_gallery,
    manifest,
    refused,
    version_of,
)
from tests.acceptance.views import DATA, EXTRA, MANIFEST, STAGED, Artifact, refusal
from tests.postgresql import postgresql
from tests.waiting import wait_until

DATASET = {"type": "dataset", "name": "Dätaset"}
SCHEMA = {"type": "object", "required": ["name"]}
RACES = 8


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with postgresql() as url:
        yield url


def gateway_on(database_url: str, backend: Backend, folder: Path) -> Gateway:
    system = {"bucket": "artifact-gateway-system", "prefix": "postgresql/"}
    return Gateway(backend, folder, {"system": system, "database_url": database_url})


@pytest.fixture(scope="module")
def gateway(
    database_url: str, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway on PostgreSQL."""
    running = gateway_on(database_url, backend, tmp_path_factory.mktemp("first"))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def other(
    gateway: Gateway, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """Another, on the same database and backend."""
    running = gateway_on(database_url, gateway.backend, tmp_path_factory.mktemp("second"))
    try:
        yield running.start()
    finally:
        running.stop()


def test_the_walk_through(gateway: Gateway, public_prefix: str) -> None:
    gallery, example = public_prefix, f"{public_prefix}/example"
    writer, reader = gateway.s3(), gateway.s3("read")
    make_gallery(gateway, gallery, collection_schema=SCHEMA)

    gateway.rpc("create", prefix=example, manifest=DATASET, stage=True)
    options = {"download_weight": 0.5}
    url = gateway.rpc("put_file", prefix=example, file_path="ä.csv", options=options)
    with refused("MissingFiles", 409):
        gateway.rpc("commit", prefix=example)
    assert requests.put(url, data=b"one", timeout=30).ok
    assert keys_below(reader, example) == {}
    made = gateway.rpc("commit", prefix=example, message="first")
    assert (made["version"], [each["path"] for each in made["files"]]) == (1, ["ä.csv"])
    assert requests.put(url, data=b"late", timeout=30).status_code == 409
    assert gateway.rpc("list", prefix=gallery, key="read") == ["example"]

    url = gateway.rpc("get_file", key="read", prefix=example, path="ä.csv")
    assert requests.get(url, timeout=30).content == b"one"
    assert downloads_of(gateway, example) == 0.5

    writer.put_object(Bucket=WORKSPACE, Key=f"{example}/ä.csv", Body=b"second")
    writer.put_object(Bucket=WORKSPACE, Key=f"{example}/b.csv", Body=b"new")
    size = len(content(reader, f"{example}/{MANIFEST}") or b"")
    assert keys_below(writer, example) == {"b.csv": 3, "manifest.yaml": size, "ä.csv": 6}
    assert keys_below(reader, example) == {"manifest.yaml": size, "ä.csv": 3}
    assert content(reader, f"{example}/ä.csv") == b"one"
    writer.put_object(Bucket=WORKSPACE, Key=f"{example}/{STAGED}", Body=manifest())
    with refused("SchemaViolation", 400):
        gateway.rpc("commit", prefix=example)
    writer.put_object(Bucket=WORKSPACE, Key=f"{example}/{STAGED}", Body=manifest(name="N"))
    assert gateway.rpc("commit", prefix=example)["version"] == 2
    assert content(reader, f"{example}/ä.csv") == b"second"
    assert content(reader, f"{example}/b.csv") == b"new"

    gateway.rpc("edit", prefix=example)
    gateway.rpc("remove_file", prefix=example, file_path="ä.csv")
    gateway.rpc("discard", prefix=example)
    assert content(writer, f"{example}/ä.csv") == b"second"
    gateway.rpc("rollback", prefix=example, version=1)
    assert content(reader, f"{example}/ä.csv") == b"one"
    assert content(reader, f"{example}/b.csv") is None
    history = gateway.rpc("versions", prefix=example)
    assert [(each["version"], each["message"]) for each in history][-1] == (1, "first")
    assert version_of(gateway, example) == 3

    with refused("CollectionNotEmpty", 409):
        gateway.rpc("delete", prefix=gallery)
    gateway.rpc("delete", prefix=gallery, recursive=True)
    assert keys_below(writer, gallery) == {}
    with refused("NoSuchArtifact", 404):
        gateway.rpc("read", prefix=example)


def test_two_gateways_see_what_either_does_at_once(
    gateway: Gateway, other: Gateway, public_prefix: str
) -> None:
    mine, yours = Artifact(gateway, public_prefix), Artifact(other, public_prefix)
    assert_seen(yours, NOTHING)
    bring(gateway, public_prefix, "new")
    assert_seen(yours, UNCHANGED["new"])
    yours.rename()
    assert_seen(mine, committed(COMMITTED, 1))
    mine.put(DATA, b"three")
    assert_seen(yours, editing({MANIFEST: ONE, DATA: b"three"}))
    yours.put(EXTRA, b"extra")
    mine.rpc("commit")
    files = {MANIFEST: ONE, DATA: b"three", EXTRA: b"extra"}
    assert_seen(yours, committed(files, 2))
    yours.delete(EXTRA)
    assert_seen(mine, Sight({MANIFEST: ONE, DATA: b"three"}, files, 2, edit=True))
    mine.rpc("discard")
    check(yours, committed(files, 2))
    yours.rpc("delete")
    check(mine, NOTHING)


def assert_seen(artifact: Artifact, sight: Sight) -> None:
    """The part of `check` that leaves no trace in the stage."""
    assert artifact.seen_by("write") == sight.writer
    assert artifact.seen_by("read") == sight.reader
    assert artifact.version == sight.version


def test_of_two_commits_through_two_gateways_one_wins(
    gateway: Gateway, other: Gateway, public_prefix: str
) -> None:
    mine = bring(gateway, public_prefix, "committed")
    both = (mine, Artifact(other, public_prefix))
    files: dict[str, bytes] = {}
    with ThreadPoolExecutor(2) as pool:
        for number in range(RACES):
            files = {MANIFEST: ONE, DATA: b"mine %d" % number, EXTRA: b"yours %d" % number}
            for artifact, path in zip(both, (DATA, EXTRA), strict=True):
                artifact.put(path, files[path])
            commits = [pool.submit(refusal, partial(each.rpc, "commit")) for each in both]
            answers = sorted(commit.result(30) for commit in commits)
            assert answers[0] == (200, "")
            assert answers[1] in ((409, "CommitConflict"), (409, "NotStaged"))
            for artifact in both:
                assert artifact.seen_by("read") == files
                assert artifact.version == number + 2
    for artifact in both:
        check(artifact, committed(files, RACES + 1))


def test_a_restart_finds_what_was_staged_and_counted(
    gateway: Gateway, other: Gateway, public_prefix: str
) -> None:
    artifact = bring(gateway, public_prefix, "editing")
    for each in (gateway, other, other):
        each.rpc("read", key="read", prefix=public_prefix)
    other.stop()
    other.start()

    def views(each: Gateway) -> int:
        read = each.rpc("read", key="read", prefix=public_prefix, silent=True)
        return int(read["_stats"]["view_count"])

    assert views(gateway) == 3
    # What another host has counted comes within a second.
    assert wait_until(lambda: views(other) == 3)
    assert_seen(Artifact(other, public_prefix), UNCHANGED["editing"])
    Artifact(other, public_prefix).rpc("commit")
    check(artifact, committed({MANIFEST: TWO, DATA: b"two"}, 2))


def test_text_that_postgresql_refuses_is_no_failure(gateway: Gateway, public_prefix: str) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    for text in ("a\0b", "\ud800", "\U0010ffff"):
        artifact.put(DATA, secrets.token_bytes(8))
        if refusal(partial(artifact.rpc, "commit", message=text))[0] == 400:
            artifact.rpc("commit")
        files = artifact.seen_by("write")
        assert_seen(artifact, committed(files, artifact.version or 0))
    with refused("InvalidManifest", 400):
        artifact.put(STAGED, b'{"type": "a\\u0000b"}')
    bucket = f"/{WORKSPACE}"
    key = f"{bucket}/{public_prefix}/{DATA}"
    credential = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%00{'/a' * 4}"
    for target, status in {
        f"{bucket}?list-type=2&prefix={public_prefix}/%00": (200, 400),
        f"{bucket}?list-type=2&prefix={public_prefix}/&start-after=%00": (200, 400),
        f"{bucket}?prefix={public_prefix}/&marker=%00": (200, 400),
        f"{key}?versionId=%00": (400, 404),
    }.items():
        for caller in ("read", "write"):
            assert gateway.signed("GET", target, caller).status in status, (target, caller)
        assert gateway.request("GET", target).status in (*status, 403), target
    for target in (f"{key}?{credential}", f"{bucket}/artifact/{public_prefix}/%00"):
        assert gateway.request("GET", target).status in (400, 403, 404), target
    for method in ("read", "list_files", "list", "versions"):
        answer = refusal(partial(gateway.rpc, method, prefix=f"{public_prefix}\0"))
        assert answer == (200, "") or answer[0] in (400, 404), (method, answer)
