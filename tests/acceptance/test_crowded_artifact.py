"""Twenty writers and twenty readers of one artifact: whole versions, without a gap.

`CROWD_SECONDS` in the environment makes it longer, and brings two gateways on one PostgreSQL:
`make crowd`.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gateway.artifact.version import Record
from tests.acceptance.harness import KEYS, Backend, Document, Gateway
from tests.acceptance.lines import Lines, listed, listing, outcome, put, rpc
from tests.acceptance.model import STAGED
from tests.acceptance.processes import free_port
from tests.acceptance.throng import PATHS, Account, Place, Somebody, body_of, manifest_of
from tests.acceptance.throng_readers import Reader
from tests.acceptance.throng_records import check_records, check_sights, check_whole, records_of
from tests.acceptance.throng_writers import Careful, Writer
from tests.postgresql import postgresql

SECONDS = float(os.environ.get("CROWD_SECONDS", "3"))
LONG = "CROWD_SECONDS" in os.environ
MANY = 20
REPLICAS_LAG = 1.0


@contextmanager
def running(backend: Backend, folder: Path, system: str, **settings: object) -> Iterator[Gateway]:
    """A gateway of one's own, with its part of the system area."""
    area = {"bucket": "artifact-gateway-system", "prefix": system}
    port = free_port()
    listen = {"host": "127.0.0.1", "port": port, "workers": settings.pop("workers", 1)}
    own = Gateway(backend, folder, {"system": area, "listen": listen, **settings}, port=port)
    try:
        yield own.start()
    finally:
        own.stop()


@pytest.fixture(scope="module")
def one_worker(gateway: Gateway) -> Sequence[Gateway]:
    """The shared gateway."""
    return [gateway]


@pytest.fixture(scope="module")
def two_workers(
    backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sequence[Gateway]]:
    """A gateway of two workers."""
    folder = tmp_path_factory.mktemp("crowded")
    with running(backend, folder, "crowded/", workers=2) as own:
        yield [own]


@pytest.fixture(scope="module")
def two_gateways(
    backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sequence[Gateway]]:
    """Two gateways on one PostgreSQL and one backend."""
    first, second = (tmp_path_factory.mktemp(name) for name in ("first", "second"))
    with (
        postgresql() as url,
        running(backend, first, "crowded-postgresql/", database_url=url) as one,
        running(backend, second, "crowded-postgresql/", database_url=url) as two,
    ):
        yield [one, two]


def published(gateway: Gateway, prefix: str) -> Place:
    """An artifact with a first version, for a crowd to come to."""
    lines, token = Lines(gateway.port), "first-1"
    files = {path: body_of(token, path) for path in PATHS}
    files[STAGED] = manifest_of(token, PATHS)
    answers = lines.ask(*(put(f"{prefix}/{path}", body) for path, body in files.items()))
    assert {outcome(answer) for answer in answers} == {(200, "")}
    (answer,) = lines.ask(rpc("commit", prefix=prefix))
    assert answer.json()["version"] == 1
    lines.close()
    return Place(prefix, Account())


def throng(place: Place, gateways: Sequence[Gateway], kind: type[Writer]) -> Sequence[Record]:
    """The artifact's records after everybody has come, acted, and gone."""
    place.account.idle = kind is not Careful
    if len(gateways) > 1:
        place.account.lag = REPLICAS_LAG
    everybody: list[Somebody] = []
    for number in range(MANY):
        gateway = gateways[number % len(gateways)]
        everybody.append(kind(f"writer{number}", place, gateway))
        everybody.append(Reader(f"reader{number}", place, gateway))
    until = time.monotonic() + SECONDS
    threads = [threading.Thread(target=each.stay, args=(until,)) for each in everybody]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if LONG:
        told = "".join(f"\n    {name}: {n}" for name, n in sorted(place.account.tally.items()))
        sys.stdout.write(f"\n{kind.__name__}, {len(gateways)} gateways, {SECONDS} s:{told}\n")
    assert not place.account.failures, place.account.failures[:5]
    return records_of(gateways[0], place.prefix)


def versions_of(gateway: Gateway, prefix: str) -> Document:
    """What RPC `versions` says."""
    lines = Lines(gateway.port)
    with closing(lines):
        return lines.ask(rpc("versions", prefix=prefix))[0].json()


def check_end(gateway: Gateway, prefix: str) -> None:
    """Assert that the artifact lives on: what is left staged ends, and then all see the same."""
    lines, backend = Lines(gateway.port), Lines(gateway.backend.port)
    with closing(lines), closing(backend):
        (last,) = lines.ask(rpc("commit", prefix=prefix))
        if outcome(last) == (409, "MissingFiles"):
            (last,) = lines.ask(rpc("discard", prefix=prefix))
        assert outcome(last) in {(200, ""), (409, "NotStaged")}
        views = lines.ask(listing(prefix), listing(prefix, KEYS["read"]))
        held = backend.ask(listing(prefix, gateway.backend.key))
        writer, reader, plain = (listed(each, prefix) for each in (*views, *held))
        assert writer == reader == plain


FORMS: Sequence[tuple[str, type[Writer]]] = [
    ("one_worker", Careful),
    ("two_workers", Writer),
    *([("two_workers", Careful), ("one_worker", Writer)] if LONG else []),
    *([("two_gateways", Careful), ("two_gateways", Writer)] if LONG else []),
]


@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize(("where", "kind"), FORMS)
def test_commits_that_race_make_whole_versions_and_show_one_to_each_request(
    request: pytest.FixtureRequest, public_prefix: str, where: str, kind: type[Writer]
) -> None:
    gateways: Sequence[Gateway] = request.getfixturevalue(where)
    place = published(gateways[0], public_prefix)

    records = throng(place, gateways, kind)

    check_records(place.account, records, versions_of(gateways[0], place.prefix))
    check_sights(place.account, records)
    if kind is Careful:
        check_whole(records)
    assert len(records) > 1
    for gateway in gateways:
        check_end(gateway, place.prefix)
