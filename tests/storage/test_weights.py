import pytest

from gateway.errors import NoSuchKey
from gateway.storage.intents import Intent
from tests.storage.index import NOW, Index, pin


async def weight(index: Index, artifact_id: int, path: str) -> int:
    found = await index.catalogue.pin(artifact_id, path)
    assert found is not None
    return found.weight


async def test_a_weight_is_that_of_the_current_pin_alone(index: Index) -> None:
    artifact = await index.committed("a", pin("x"), pin("y"))
    intent = await index.weights.begin(artifact, "x", NOW)
    assert intent == Intent(intent.id, artifact.id, "weigh", "x", number=1)
    assert await index.intents() == 1

    await index.weights.settle(intent, 500_000)

    assert await index.intents() == 0
    assert await index.weights.holds(intent)
    assert await weight(index, artifact.id, "x") == 500_000
    assert await weight(index, artifact.id, "y") == pin("y").weight
    assert (await index.again(artifact)).stage is None


@pytest.mark.parametrize("path", ["staged", "absent"])
async def test_what_is_not_committed_has_no_weight(index: Index, path: str) -> None:
    artifact = await index.committed("a", pin("x"))
    await index.begin(artifact, "staged")
    with pytest.raises(NoSuchKey):
        await index.weights.begin(artifact, path, NOW)


async def test_a_weight_of_a_version_that_is_replaced_changes_nothing(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    intent = await index.weights.begin(artifact, "x", NOW)
    await index.stages.begin(artifact, "x", author="bob", now=NOW)
    await index.commit(artifact, pin("x", version="2"))
    before = await weight(index, artifact.id, "x")

    await index.weights.settle(intent, before + 1)

    assert await weight(index, artifact.id, "x") == before
    assert not await index.weights.holds(intent)


async def test_a_weight_does_not_hold_while_a_commit_may_have_looked_before(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    intent = await index.weights.begin(artifact, "x", NOW)
    committing = await index.worker_intents.intend(artifact, "commit", number=2, now=NOW)
    await index.weights.settle(intent, 1)
    assert await weight(index, artifact.id, "x") == 1
    assert not await index.weights.holds(intent)
    await index.endings.finish(committing)
    assert await index.weights.holds(intent)
