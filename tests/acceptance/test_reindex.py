"""Without its database a gateway is what it was before, once `reindex` has run."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import pytest
import requests

from tests.acceptance.harness import Backend, Document, Gateway
from tests.acceptance.rebuilt import (
    Built,
    bucket_of,
    build,
    database_url,
    forget_database,
    look,
    own_gateway,
    reindex,
    run,
    start,
    tables_of,
)
from tests.acceptance.steps import manifest
from tests.postgresql import postgresql

NOTHING_TO_DO = "nothing had to be changed"
MANIFESTS = 12
SECONDS = 300


@dataclass(frozen=True, slots=True)
class Lived:
    """A gateway, stopped, in whose workspace everything has happened, and what was seen of it."""

    gateway: Gateway
    built: Built
    seen: dict[str, Document]


def live(gateway: Gateway) -> Lived:
    """The gateway after everything has happened."""
    gateway.start()
    try:
        built = build(gateway)
        told = reindex(gateway)  # beside the running gateway
        assert NOTHING_TO_DO in told, told
        files = gateway.rpc("list_files", prefix="public/gallery/weighed")
        weights = {each["name"]: each["download_weight"] for each in files}
        assert weights == {"listed.csv": 3, "meta.csv": 0.5, "set.csv": 4.5, "told.csv": 2}, told
        return Lived(gateway, built, look(gateway, built))
    finally:
        gateway.stop()


@pytest.fixture(scope="module")
def lived(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Everything has happened, on SQLite."""
    return live(own_gateway(backend, tmp_path_factory.mktemp("lived"), "reindex"))


@pytest.fixture
def lived_on_postgresql(backend: Backend, tmp_path: Path) -> Iterator[Lived]:
    """Everything has happened, on PostgreSQL."""
    with postgresql() as url:
        yield live(own_gateway(backend, tmp_path, "reindex-postgresql", database_url=url))


def test_a_workspace_is_as_before_when_its_database_is_lost(lived: Lived) -> None:
    check_rebuilt(lived)


def test_so_it_is_on_postgresql(lived_on_postgresql: Lived) -> None:
    check_rebuilt(lived_on_postgresql)


def check_rebuilt(lived: Lived) -> None:
    """Lose the database, and find everything as it was."""
    gateway, built = lived.gateway, lived.built
    rows = tables_of(gateway)
    forget_database(gateway)
    first = reindex(gateway)
    assert tables_of(gateway) == rows, first
    assert "keys made at run time" in first

    second = reindex(gateway)
    assert NOTHING_TO_DO in second, second
    assert tables_of(gateway) == rows
    run(gateway, "fsck")  # which finds nothing

    gateway.start()
    try:
        assert look(gateway, built) == lived.seen
        put = requests.put(built.upload_url, data=b"announced before", timeout=60)
        assert put.status_code == 200, put.text
    finally:
        gateway.stop()


@pytest.mark.parametrize(
    ("moment", "question"),
    [
        ("records", "SELECT count(*) >= 5 FROM version"),
        ("adoption", "SELECT count(*) >= 5 FROM version WHERE author = 'reindex'"),
        ("an intent", "SELECT count(*) >= 1 FROM intent WHERE action = 'commit'"),
        ("edits", "SELECT count(*) >= 1 FROM staged_file"),
    ],
)
def test_killed_it_goes_on_where_it_was(lived: Lived, moment: str, question: str) -> None:
    gateway, folder = lived.gateway, f"adopted-{moment.replace(' ', '-')}"
    fill(gateway, folder)
    forget_database(gateway)

    kill_when(gateway, question)
    resumed = reindex(gateway)
    rows = tables_of(gateway)

    adopted = [row for row in rows["version"] if row["artifact_id"].startswith(f"{folder}/")]
    assert [row["number"] for row in adopted] == [1] * MANIFESTS, resumed
    forget_database(gateway)
    undisturbed = reindex(gateway)
    assert tables_of(gateway) == rows, (resumed, undisturbed)


def test_two_at_once_come_to_the_same(lived: Lived) -> None:
    gateway, folder = lived.gateway, "adopted-by-two"
    fill(gateway, folder)
    forget_database(gateway)
    with ExitStack() as stack:
        outputs = [stack.enter_context(TemporaryFile("w+")) for _ in range(2)]
        running = [start(gateway, "reindex", output, output) for output in outputs]
        codes = [process.wait(SECONDS) for process in running]
        for output in outputs:
            output.seek(0)
        told = [output.read() for output in outputs]
    assert codes == [0, 0], told
    rows = tables_of(gateway)

    adopted = [row for row in rows["version"] if row["artifact_id"].startswith(f"{folder}/")]
    assert [row["number"] for row in adopted] == [1] * MANIFESTS, told
    forget_database(gateway)
    reindex(gateway)
    assert tables_of(gateway) == rows, told


def test_a_record_that_cant_be_read_is_named_and_passed_over(lived: Lived) -> None:
    gateway = lived.gateway
    client, system = gateway.backend.client(), gateway.configuration()["system"]
    rows = tables_of(gateway)
    key, whole = record_of(gateway, "public/gallery/data", 3)
    client.put_object(Bucket=system["bucket"], Key=key, Body=b"{half")
    try:
        forget_database(gateway)
        told = reindex(gateway, code=1)
    finally:
        client.put_object(Bucket=system["bucket"], Key=key, Body=whole)

    (line,) = [each for each in told.splitlines() if "not JSON" in each]
    assert key.removeprefix(system["prefix"]) in line
    found = tables_of(gateway)["version"]
    assert [row["number"] for row in found if row["artifact_id"] == "public/gallery/data"] == [
        *(1, 2, 4, 5)
    ]
    assert len(found) == len(rows["version"]) - 1
    forget_database(gateway)
    reindex(gateway)
    assert tables_of(gateway) == rows


def record_of(gateway: Gateway, prefix: str, number: int) -> tuple[str, bytes]:
    """The key of a record, and its bytes."""
    client, system = gateway.backend.client(), gateway.configuration()["system"]
    folder = f"{system['prefix']}records/"
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=system["bucket"], Prefix=folder)
    for key in [each["Key"] for page in pages for each in page["Contents"]]:
        data: bytes = client.get_object(Bucket=system["bucket"], Key=key)["Body"].read()
        document = json.loads(data)
        if (document["prefix"], document["number"]) == (prefix, number):
            return key, data
    message = f"{prefix} has no record {number}"
    raise AssertionError(message)


def fill(gateway: Gateway, folder: str) -> None:
    """Put folders with manifests behind the gateway's back."""
    client, bucket = gateway.backend.client(), bucket_of(gateway)
    for number in range(MANIFESTS):
        client.put_object(
            Bucket=bucket, Key=f"{folder}/{number}/manifest.yaml", Body=manifest(name="M")
        )
        client.put_object(Bucket=bucket, Key=f"{folder}/{number}/data.csv", Body=b"%d" % number)


def kill_when(gateway: Gateway, question: str) -> None:
    """Start the command, and kill it as soon as its database says yes."""
    path = Path(database_url(gateway).removeprefix("sqlite:///"))
    with TemporaryFile("w+") as output:
        process = start(gateway, "reindex", output, output)
        try:
            while not says_yes(path, question) and process.poll() is None:
                time.sleep(0.005)
        finally:
            process.kill()
        code = process.wait()
        output.seek(0)
        assert code == -9, f"it ended before it was killed: {output.read()}"


def says_yes(path: Path, question: str) -> bool:
    """Whether the database is there, and its answer to the question is true."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return bool(connection.execute(question).fetchone()[0])
    except sqlite3.OperationalError:
        return False  # not there yet, or busy
