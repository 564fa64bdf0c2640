"""What lies between the two sockets: verify, authorise, resolve, forward and count, in memory.

`python -m bench.middle [--rounds 7] [--requests 2000] [--artifacts 10 100000] [--json FILE]
[--profile WAY]`

The S3 door's own rooms over a real SQLite, and a backend that answers from memory; no socket is
in it. CPU of this process for each request, body included; ways alternate.
"""

import argparse
import cProfile
import itertools
import pstats
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop
from multidict import CIMultiDict, CIMultiDictProxy

from bench.figures import Report
from bench.memory import ETAG, FILE_BYTES, Memory, Pieces
from gateway.assembly.cellar import Cellar, access
from gateway.assembly.lifecycle import Lifecycle
from gateway.assembly.objects import Objects
from gateway.config import Area, Config, Limits, WorkspaceSettings
from gateway.identity import AccessKey, parse_grants
from gateway.s3.address import SEAWEEDFS_RULES, Query
from gateway.s3.checks import BackendChecks
from gateway.s3.message import Request
from gateway.s3.signer import Signer
from gateway.services.statistics.counting import Counting
from gateway.storage import tables
from gateway.storage.counters import Counters
from gateway.storage.database import Database
from gateway.storage.probe import Capabilities
from gateway.storage.records import Records
from gateway.storage.registry import Entry, Registry
from gateway.storage.workers import WorkersFolder
from gateway.web.authentication import Authentication
from gateway.web.exchange import Exchange
from gateway.web.forms import Forms
from gateway.web.hosts import Hosts
from gateway.web.s3 import S3Door

SPACE, REGION, HOST = "bench", "us-east-1", "127.0.0.1:9000"
FILES = 64
KEY = AccessKey("READER", "a secret of the bench", "reader", parse_grants({SPACE: "read"}))
WRITER = AccessKey("WRITER", "a secret of the bench", "writer", parse_grants({SPACE: "write"}))
AT_ONCE = 5_000
# What a committed file may cost more than a plain object, in per cent.
RESOLVING = 112.0


@dataclass(frozen=True, slots=True)
class Way:
    """One kind of request: its method, the keys that it asks for in turn, its body."""

    name: str
    method: str
    folder: str
    body: bytes = b""
    query: str = ""
    key: AccessKey = KEY
    cached: bool = False

    def target(self, number: int) -> str:
        """The path of the request of this number."""
        name = f"/{self.folder}/file-{number % FILES}.bin" if self.folder else ""
        return f"/{SPACE}{name}"


WAYS = (
    Way("GET of a committed file", "GET", "artifact-7"),
    Way("GET of a plain object", "GET", "plain"),
    Way("GET of a committed file in memory", "GET", "artifact-7", cached=True),
    Way("HEAD of a committed file", "HEAD", "artifact-7"),
    Way("PUT of a plain object", "PUT", "plain", bytes(FILE_BYTES), key=WRITER),
    Way("ListObjectsV2", "GET", "", query="list-type=2&prefix=plain%2F"),
)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--artifacts", type=int, nargs="+", default=[10, 100_000])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--profile", help="show where the time of one way goes")
    options = parser.parse_args()
    report = Report("The S3 door without its sockets, CPU of a request")
    for artifacts in options.artifacts:
        uvloop.run(measure(report, artifacts, options))
    report.show(options.json)


async def measure(report: Report, artifacts: int, options: argparse.Namespace) -> None:
    """Add the figures with so many artifacts in the workspace."""
    async with doors(artifacts) as places:
        spent: dict[str, list[float]] = {way.name: [] for way in WAYS}
        for turn in range(options.rounds + 1):
            for way in WAYS if turn % 2 else reversed(WAYS):
                cost = await _cost(places[way.cached], way, options.requests)
                if turn:  # the first warms up
                    spent[way.name].append(cost)
        for name, samples in spent.items():
            report.add(f"{name}, {artifacts:,} artifacts", samples, "µs")
        committed, plain = (spent[way.name] for way in WAYS[:2])
        ratio = [100 * one / other for one, other in zip(committed, plain, strict=True)]
        report.add(f"committed to plain, {artifacts:,} artifacts", ratio, "%", most=RESOLVING)
        if options.profile:
            way = next(way for way in WAYS if way.name.startswith(options.profile))
            profile = cProfile.Profile()
            await _cost(places[way.cached], way, options.requests, profile)
            pstats.Stats(profile).sort_stats("tottime").print_stats(45)


@asynccontextmanager
async def doors(artifacts: int) -> AsyncIterator[dict[bool, S3Door]]:
    """The S3 door over a backend in memory and an index of so many artifacts.

    By whether it may keep files in memory itself.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        config = Config(
            secret=bytes(32),
            system=Area("system"),
            database_url=f"sqlite:///{folder / 'bench.db'}",
            data_dir=folder,
            workspaces=(WorkspaceSettings(SPACE, Area(SPACE)),),
            keys=(KEY, WRITER),
        )
        database = await stack.enter_async_context(Database(config.database_url))
        await _fill(database, artifacts)
        bucket = Memory()
        counting = await stack.enter_async_context(
            Counting(
                Counters(database, config.stats.double_click),
                WorkersFolder(config.journal_dir),
                lambda: datetime.now(UTC),
                config.stats,
                config.secret,
            )
        )
        capabilities = Capabilities(
            keys=SEAWEEDFS_RULES,
            checks=BackendChecks(payload_hash=False),
            takes_trailers=True,
            conditional_put=True,
            versioning=True,
            delete_by_version=True,
        )
        records = Records(bucket, "system", "")
        made = {}
        for cached in (False, True):
            limits = config.limits if cached else Limits(cache_bytes=0)
            cellar = Cellar(
                replace(config, limits=limits),
                bucket,
                capabilities,
                records,
                database,
                counting,
                access(config, database),
            )
            lifecycle = Lifecycle(cellar, stack)
            await lifecycle.workspaces.open(config.workspaces, datetime.now(UTC))
            authentication = Authentication(cellar.access, capabilities.keys, Hosts())
            forms = Forms(cellar.access, authentication)
            serving = Objects(lifecycle).serving
            made[cached] = S3Door(authentication, forms, lifecycle.workspaces, serving)
        yield made


async def _fill(database: Database, artifacts: int) -> None:
    """Put a workspace of so many committed artifacts into the index; one has files."""
    made = datetime(2026, 1, 1, tzinfo=UTC)
    identity = "f" * 32
    await Registry(database).remember(Entry(identity, SPACE, SPACE, "", made))
    rows = (
        {
            "workspace_id": identity,
            "prefix": f"artifact-{number}",
            "number": 1,
            "version": 1,
            "type": "dataset",
            "fields": {"type": "dataset", "name": f"No. {number}"},
            "created_at": made,
            "modified_at": made,
        }
        for number in range(artifacts)
    )
    while some := list(itertools.islice(rows, AT_ONCE)):
        async with database.writing() as connection:
            ids = await connection.execute(
                tables.artifact.insert().returning(
                    tables.artifact.c.id, sort_by_parameter_order=True
                ),
                some,
            )
            pins = [
                {
                    "artifact_id": row_id,
                    "workspace_id": identity,
                    "key": f"{row['prefix']}/file-{number}.bin",
                    "path": f"file-{number}.bin",
                    "size": FILE_BYTES,
                    "etag": ETAG,
                    "version_id": "v1",
                    "last_modified": made,
                    "content_type": "application/octet-stream",
                    "weight": 500_000,
                    "first": 1,
                    "until": None,
                    "published": True,
                }
                for (row_id,), row in zip(ids, some, strict=True)
                for number in range(FILES if row["prefix"] == "artifact-7" else 1)
            ]
            await connection.execute(tables.pin.insert(), pins)


def _requests(way: Way, count: int) -> Sequence[Callable[[], Request]]:
    """As many requests, each signed for itself, a second apart."""
    key_id, secret = way.key.access_key_id, way.key.secret_access_key
    now = datetime.now(UTC)
    query = Query.parse(way.query).encode()
    made = []
    for number in range(count):
        path = way.target(number)
        at = now - timedelta(seconds=number % 600)
        signer = Signer(key_id, secret, REGION, at)
        signed = signer.sign(way.method, HOST, path, query, {}, "UNSIGNED-PAYLOAD")
        headers = CIMultiDict(
            {
                "Host": HOST,
                "Accept-Encoding": "identity",
                "User-Agent": "Boto3/1.43 md/Botocore#1.43 ua/2.1 os/linux lang/python#3.11",
                **signed,
                "amz-sdk-invocation-id": f"6e0fbf40-2b1d-4f63-9a29-{number:012d}",
                "amz-sdk-request": "attempt=1",
            }
        )
        if way.body:
            headers["Content-Length"] = str(len(way.body))
        length = len(way.body) if way.body else None

        def arrive(
            path: str = path, headers: CIMultiDict[str] = headers, length: int | None = length
        ) -> Request:
            held = CIMultiDictProxy(headers)
            return Request(way.method, path, query, held, Pieces(way.body), length, "127.0.0.1")

        made.append(arrive)
    return made


async def _cost(
    place: S3Door, way: Way, count: int, profile: cProfile.Profile | None = None
) -> float:
    """The CPU that a request takes, in microseconds."""
    arrivals = _requests(way, count)
    exchanges = [Exchange(arrive(), "0000000000000000", datetime.now(UTC)) for arrive in arrivals]
    began = time.process_time()
    with profile or nullcontext():
        for exchange in exchanges:
            await _answer(place, exchange)
    return (time.process_time() - began) * 1e6 / count


async def _answer(place: S3Door, exchange: Exchange) -> None:
    reply = await place.answer(exchange)
    if reply.status != 200:  # noqa: PLR2004 - OK
        raise RuntimeError(f"{reply.status}: {reply.body!r}")
    if not isinstance(reply.body, bytes):
        async for _ in reply.body:
            pass
        close = getattr(reply.body, "aclose", None)
        if close is not None:
            await close()


if __name__ == "__main__":
    main()
