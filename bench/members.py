"""Collections with many members: pages, searches, filters, orders, listings.

`python -m bench.members [--members 100000] [--rounds 15] [--database sqlite] [--json FILE]`
"""

import argparse
import asyncio
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select, text

from bench.figures import Report, timed
from bench.scene import Scene, database_settings, scene
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.manifest import is_collection
from gateway.artifact.value import Fields, JsonValue
from gateway.artifact.words import manifest_words
from gateway.storage import tables
from gateway.storage.database import Database
from gateway.storage.engine import parse_url
from gateway.storage.postgresql import postgresql_engine
from gateway.storage.words import index_words
from tests.acceptance.harness import Document

SHELF = "shelf"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
AT_ONCE = 5_000
# What is promised of a page, in milliseconds.
MEDIAN = 50.0
KINDS = ("dataset", "model", "application")
ANIMALS = ("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with database_settings(options.database) as settings, scene(settings) as here:
        asyncio.run(fill(here, options.members))
        report = measure(here, options.members, options.rounds, options.database)
    report.show(options.json)


async def fill(here: Scene, members: int) -> None:
    """Put a collection of so many members into the index, as commits would have."""
    url = str(here.gateway.configuration()["database_url"])
    async with Database(url) as database:
        async with database.reading() as connection:
            found = await connection.execute(
                select(tables.workspace.c.id).where(
                    tables.workspace.c.name == here.gateway.workspace
                )
            )
            workspace_id = str(found.scalar_one())
        everything = _shelf(members)
        while some := list(itertools.islice(everything, AT_ONCE)):
            async with database.writing() as connection:
                ids = await connection.execute(
                    tables.artifact.insert().returning(
                        tables.artifact.c.id, sort_by_parameter_order=True
                    ),
                    [member.row(workspace_id) for member in some],
                )
                for (identity,), member in zip(ids, some, strict=True):
                    artifact = Artifact(identity, workspace_id, member.prefix)
                    words = manifest_words(member.prefix, member.fields)
                    await index_words(connection, artifact, words)
        if database.dialect == "postgresql":
            await _gather_statistics(url)


async def _gather_statistics(url: str) -> None:
    """What PostgreSQL does by itself within a minute of such a change."""
    async with postgresql_engine(parse_url(url)).connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("VACUUM (ANALYZE)"))


@dataclass(frozen=True, slots=True)
class Member:
    """A committed artifact, as its row in the index has it."""

    prefix: str
    fields: Fields
    number: int

    def row(self, workspace_id: str) -> dict[str, object]:
        """The row."""
        made = NOW + timedelta(seconds=self.number)
        return {
            "workspace_id": workspace_id,
            "prefix": self.prefix,
            "number": 1,
            "version": 1,
            "type": self.fields["type"],
            "collection": is_collection(self.fields),
            "fields": self.fields,
            "created_at": made,
            "modified_at": made,
            "views": self.number * 31 % 1000,
            "download_micros": self.number * 17 % 1000 * 1_000_000,
        }


def _shelf(members: int) -> Iterator[Member]:
    yield Member(SHELF, {"type": "collection", "name": "All"}, 0)
    for number in range(members):
        fields: Fields = {
            "type": KINDS[number % len(KINDS)],
            "id": f"member-{number}",
            "name": f"The {ANIMALS[number % 10]} of {ANIMALS[number // 10 % 10]}, no. {number}",
            "description": "What an author writes of a dataset: a sentence, or maybe two of them.",
            "size": number * 7919 % members,
            "tags": [ANIMALS[number % 7], KINDS[number % 3]],
            "rare": number % 1000 == 0,
        }
        yield Member(f"{SHELF}/member-{number:06d}", fields, number)


@dataclass(frozen=True, slots=True)
class Question:
    """A call of a method, and how many milliseconds it may take."""

    method: str
    arguments: Mapping[str, JsonValue]
    most: float | None = None


def questions(members: int) -> dict[str, Question]:
    """What is asked of the collection, by name."""
    page: dict[str, JsonValue] = {"prefix": SHELF, "limit": 20}

    def children(most: float | None = None, **arguments: JsonValue) -> Question:
        return Question("children", page | arguments, most)

    return {
        "first page": children(MEDIAN),
        "last page": children(MEDIAN, offset=members - 20),
        "page in the middle": children(offset=members // 2),
        "keyword of one": children(MEDIAN, keywords=[f"member {members // 3}"]),
        "keyword of a tenth": children(MEDIAN, keywords=["ibis of"]),
        "keyword of all": children(MEDIAN, keywords=["sentence"]),
        "search of a tenth": Question("search", {"prefix": SHELF, "keywords": ["ibis"]}),
        "filter by type": children(filters={"type": "model"}),
        "filter by a rare field": children(filters={"rare": True}),
        "filter by a tag": children(filters={"tags": "fox"}),
        "filter by a range": children(filters={"size": {"gte": 100, "lt": 200}}),
        "order by a field": children(order_by="size"),
        "order by downloads": children(order_by="-_stats.download_count"),
        "order by change": children(order_by="-_modified_at"),
        "read": Question("read", {"prefix": SHELF, "silent": True}),
        "read a member": Question("read", {"prefix": f"{SHELF}/member-000007", "silent": True}),
        "list": Question("list", {"prefix": SHELF}),
        "list the root": Question("list", {"prefix": ""}),
    }


def measure(here: Scene, members: int, rounds: int, database: str) -> Report:
    """The report; each question is asked in turn, so that noise meets all alike.

    Before each an artifact is staged, so that no answer of before is good for it.
    """
    asked = questions(members)
    times: dict[str, list[float]] = {}
    s3 = here.gateway.s3("read")
    token = here.gateway.rpc("generate_token", key="admin", grants={here.gateway.workspace: "read"})
    for _ in range(rounds + 1):
        for name, question in asked.items():
            here.new_artifact(0)
            with timed(times.setdefault(name, [])):
                here.gateway.rpc(
                    question.method, token=token, **dict[str, Document](question.arguments)
                )
        with timed(times.setdefault("S3 listing of a reader", [])):
            s3.list_objects_v2(Bucket=here.gateway.workspace, Prefix=f"{SHELF}/", Delimiter="/")
    report = Report(f"A collection of {members:,} members, {database}")
    for name, samples in times.items():
        most = asked[name].most if name in asked else None
        report.add(name, samples[1:], "ms", most=most)
    return report


if __name__ == "__main__":
    main()
