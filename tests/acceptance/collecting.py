"""gc beside a gateway that runs, at a time that the test chooses; and what the backend holds."""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from gateway import startup
from gateway.assembly.administration import maintenance
from gateway.services.maintenance.sweeping import Garbage, Left
from gateway.settings import Overrides
from tests.acceptance.harness import OTHER_WORKSPACE, WORKSPACE, Backend, Gateway
from tests.acceptance.views import backend_client

MONTH = timedelta(days=30)
LATER = timedelta(days=31)
"""So far ahead, all that is superseded by now is old enough."""

Versions = dict[tuple[str, str], int | None]
"""The size of each version, by key and version id; None for a delete marker."""


@dataclass(slots=True)
class Swept:
    """What gc found in a workspace."""

    garbage: Versions = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """The bytes of all that was found."""
        return sum(size or 0 for size in self.garbage.values())

    def below(self, prefix: str) -> Versions:
        """What was found below a prefix."""
        return {named: size for named, size in self.garbage.items() if named[0].startswith(prefix)}


@pytest.fixture(scope="package")
def tended(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with versioned buckets of its own: one is a workspace, one holds one."""
    name = f"tended-{secrets.token_hex(5)}"
    for bucket in (name, f"{name}-folder"):
        backend.client().create_bucket(Bucket=bucket)
        backend.client().put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
        )
    places = {
        WORKSPACE: {"bucket": name, "public": "objects"},
        OTHER_WORKSPACE: {"bucket": f"{name}-folder", "prefix": "a/part/"},
    }
    settings = {"workspaces": places, "system": {"bucket": f"{name}-system", "prefix": ""}}
    running = Gateway(backend, tmp_path_factory.mktemp("tended"), settings)
    try:
        yield running.start()
    finally:
        running.stop()


def bucket_of(gateway: Gateway, workspace: str = WORKSPACE) -> str:
    """The backend's bucket behind a workspace: of its own name where it was made at run time."""
    place = gateway.configuration()["workspaces"].get(workspace, {})
    return str(place.get("bucket", workspace))


def collect(
    gateway: Gateway,
    *,
    delete: bool,
    ahead: timedelta = LATER,
    older_than: timedelta = MONTH,
    workspace: str = WORKSPACE,
) -> Swept:
    """What gc finds in a workspace when it is later by `ahead`; removed with `delete`."""
    config = startup.assignment(gateway.folder / "gateway.yaml", Overrides()).config()

    async def work() -> Swept:
        swept = Swept()
        async with maintenance(config) as rooms:
            await rooms.lifecycle.workspaces.open(config.workspaces, datetime.now(UTC))
            chosen, now = await rooms.lifecycle.workspaces.named(workspace), datetime.now(UTC)
            findings = rooms.collecting.collect(
                chosen, older_than=older_than, delete=delete, now=now + ahead
            )
            async for found in findings:
                if isinstance(found, Left):
                    swept.left.append(found)
                elif isinstance(found, Garbage):
                    for version in found.versions:
                        named = found.key, version.version_id
                        assert named not in swept.garbage, f"{named} is found twice"
                        swept.garbage[named] = None if version.marker else version.size
        return swept

    return asyncio.run(work())


def held(gateway: Gateway, prefix: str, workspace: str = WORKSPACE) -> Versions:
    """Every version that the backend holds below a prefix of a workspace."""
    folder = gateway.configuration()["workspaces"].get(workspace, {}).get("prefix", "")
    client = backend_client(gateway)
    found: Versions = {}
    bucket = bucket_of(gateway, workspace)
    answer = client.list_object_versions(Bucket=bucket, Prefix=folder + prefix)
    assert not answer["IsTruncated"], "several pages may lack some"
    for each in [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]:
        found[each["Key"].removeprefix(folder), each["VersionId"]] = each.get("Size")
    return found
