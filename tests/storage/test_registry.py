import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.identity import Workspace
from gateway.storage.registry import Registry
from tests.storage.index import Index

NOW = datetime(2025, 6, 7, 8, 9, 10, 123_456, tzinfo=UTC)
LATER = NOW.replace(year=2026)
LAB = Workspace("1", "lab", "bucket", "ä/", "objects", backend_settings=True, versioning=False)


@pytest.fixture
def registry(index: Index) -> Registry:
    return Registry(index.database)


async def test_a_workspace_is_remembered_with_its_id_and_age(registry: Registry) -> None:
    assert await registry.workspaces() == {}
    plain = Workspace("2", "plain", "bucket")
    assert await registry.remember(LAB, NOW) == (LAB, NOW)
    assert await registry.remember(plain, LATER) == (plain, LATER)
    assert await registry.workspaces() == {"lab": (LAB, NOW), "plain": (plain, LATER)}


async def test_settings_follow_the_configuration_and_the_id_stays(registry: Registry) -> None:
    await registry.remember(LAB, NOW)
    changed = replace(LAB, public="none", backend_settings=False, versioning=True)
    assert await registry.remember(changed, LATER) == (changed, NOW)
    assert await registry.workspaces() == {"lab": (changed, NOW)}


async def test_a_workspace_that_lies_elsewhere_is_another(registry: Registry) -> None:
    await registry.remember(LAB, NOW)
    for other in (replace(LAB, id="3", bucket="other"), replace(LAB, id="4", prefix="")):
        assert await registry.remember(other, LATER) == (other, LATER)
        assert await registry.workspaces() == {"lab": (other, LATER)}


async def test_of_ids_made_at_once_for_one_workspace_one_stands(
    registry: Registry, other: Index
) -> None:
    both = [registry, Registry(other.database)]
    standing = await asyncio.gather(
        *(both[n % 2].remember(replace(LAB, id=f"{n}"), NOW) for n in range(6))
    )
    assert len({workspace.id for workspace, _ in standing}) == 1
    assert await registry.workspaces() == {"lab": standing[0]}
