"""A crowd of artifacts in a gateway's index, as commits would have left them there."""

from sqlalchemy import BigInteger, insert, literal, select

from bench.members import NOW
from gateway.storage import tables
from gateway.storage.database import Database
from tests.acceptance.harness import Gateway

PREFIX = "crowd"
PATH = "data.bin"


async def crowd(gateway: Gateway, artifacts: int) -> None:
    """Put so many artifacts into the index, each with one version of one file.

    Their files are not in the bucket: nobody asks for them.
    """
    url = str(gateway.configuration()["database_url"])
    async with Database(url) as database, database.writing() as connection:
        found = await connection.execute(
            select(tables.workspace.c.id).where(tables.workspace.c.name == gateway.workspace)
        )
        workspace_id = str(found.scalar_one())
        await connection.execute(
            insert(tables.artifact),
            [
                {
                    "workspace_id": workspace_id,
                    "prefix": f"{PREFIX}/member-{number:06d}",
                    "number": 1,
                    "version": 1,
                    "type": "dataset",
                    "fields": {"type": "dataset", "name": f"Member {number}"},
                    "created_at": NOW,
                    "modified_at": NOW,
                }
                for number in range(artifacts)
            ],
        )
        artifact = tables.artifact.c
        version = {
            "artifact_id": artifact.id,
            "number": literal(1),
            "parent": literal(0),
            "author": literal("bench"),
            "created_at": artifact.created_at,
            "manifest": literal(b"type: dataset\n"),
        }
        pin = {
            "artifact_id": artifact.id,
            "workspace_id": artifact.workspace_id,
            "key": artifact.prefix + f"/{PATH}",
            "path": literal(PATH),
            "size": literal(4096, BigInteger),
            "etag": literal('"d41d8cd98f00b204e9800998ecf8427e"'),
            "version_id": literal("1"),
            "last_modified": artifact.created_at,
            "content_type": literal("application/octet-stream"),
            "weight": literal(0, BigInteger),
            "first": literal(1),
        }
        of_crowd = artifact.prefix.startswith(f"{PREFIX}/")
        for table, columns in ((tables.version, version), (tables.pin, pin)):
            rows = select(*columns.values()).where(of_crowd)
            await connection.execute(insert(table).from_select(list(columns), rows))
