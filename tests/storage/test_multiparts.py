from gateway.artifact.lifecycle import Artifact
from gateway.storage.intents import Intent
from gateway.storage.multiparts import Multipart
from tests.storage.index import COLLECTION, LATER, NOW, WORKSPACE, Index, pin, put


async def begin(index: Index, artifact: Artifact, path: str, upload_id: str) -> None:
    """An upload of the edit that is open now."""
    intent = await index.multiparts.begin(artifact, path, NOW)
    assert artifact.stage is not None
    await index.multiparts.begun(intent, upload_id, artifact.stage.id, NOW)


def upload(artifact: Artifact, path: str, upload_id: str) -> Multipart:
    return Multipart(artifact.id, WORKSPACE, artifact.prefix, path, upload_id, completed=False)


async def test_an_upload_is_found_in_its_edit_alone(index: Index) -> None:
    artifact = await index.new("a")
    await begin(index, artifact, "x", "u1")
    assert await index.intents() == 0
    assert await index.multiparts.find(artifact, "x", "u1") == upload(artifact, "x", "u1")
    assert await index.multiparts.find(artifact, "y", "u1") is None
    assert await index.multiparts.find(artifact, "x", "u2") is None
    assert await index.multiparts.stale() == []

    await index.write(artifact, put("x"))
    committed = await index.commit(artifact, pin("x"))

    assert await index.multiparts.find(committed, "x", "u1") is None
    marked, _ = await index.stages.begin(committed, "y", author="bob", now=LATER)
    assert await index.multiparts.find(marked, "x", "u1") is None
    assert await index.multiparts.stale() == [upload(artifact, "x", "u1")]


async def test_uploads_are_stale_once_their_edit_is_over(index: Index) -> None:
    discarded, deleted = await index.new("a"), await index.committed("b", pin("x"))
    other = await index.new("c", COLLECTION)
    deleted, _ = await index.stages.begin(deleted, "y", author="bob", now=NOW)
    for artifact, name in ((discarded, "u1"), (deleted, "u2"), (other, "u3")):
        await begin(index, artifact, "x", name)

    await index.discard(discarded)
    await index.deleted(deleted)

    expected = [upload(discarded, "x", "u1"), upload(deleted, "x", "u2")]
    assert sorted(await index.multiparts.stale(), key=lambda each: each.upload_id) == expected
    assert await index.multiparts.stale(deleted.id) == expected[1:]
    assert await index.multiparts.stale(other.id) == []
    for each in expected:
        await index.multiparts.forget(each)
    assert await index.multiparts.stale() == []


async def test_an_upload_that_is_being_completed_is_nobodys_to_abort(index: Index) -> None:
    artifact = await index.new("a")
    await begin(index, artifact, "x", "u1")
    completing = await index.begin(artifact, "x")
    await index.multiparts.forgo(artifact, "x")
    assert await index.multiparts.stale() == []
    await index.settle(completing, put("x"))
    assert await index.multiparts.stale() == [upload(artifact, "x", "u1")]


async def test_an_upload_is_stale_whatever_else_somebody_is_at(index: Index) -> None:
    artifact, other = await index.new("a"), await index.new("b")
    await begin(index, artifact, "x", "u1")
    await index.multiparts.forgo(artifact, "x")
    beginning = await index.multiparts.begin(artifact, "x", NOW)
    writing = [await index.begin(other, "x"), await index.begin(artifact, "y")]
    assert await index.multiparts.stale() == [upload(artifact, "x", "u1")]
    for intent in (beginning, *writing):
        await index.stages.drop(intent)


async def test_a_part_that_came_late_makes_its_upload_stale_again(index: Index) -> None:
    artifact = await index.new("a")
    await begin(index, artifact, "x", "u1")
    await index.multiparts.forgo(artifact)
    for _ in range(2):
        await index.multiparts.forget(upload(artifact, "x", "u1"))
        await index.multiparts.remember(artifact, "x", "u1", LATER)
        await index.multiparts.remember(artifact, "x", "u1", LATER)
        assert await index.multiparts.stale() == [upload(artifact, "x", "u1")]


async def test_uploads_can_end_before_their_edit(index: Index) -> None:
    artifact = await index.new("a")
    for path, name in (("x", "u1"), ("y", "u2"), ("z", "u3")):
        await begin(index, artifact, path, name)

    assert await index.multiparts.forgo(artifact, "x")
    assert not await index.multiparts.forgo(artifact, "absent")
    assert await index.multiparts.find(artifact, "x", "u1") is None
    assert await index.multiparts.stale() == [upload(artifact, "x", "u1")]

    assert await index.multiparts.forgo(artifact)
    assert len(await index.multiparts.stale(artifact.id)) == 3


async def test_a_completed_upload_is_known_to_be(index: Index) -> None:
    artifact = await index.new("a")
    await begin(index, artifact, "x", "u1")
    await index.multiparts.completed(upload(artifact, "x", "u1"))
    found = await index.multiparts.find(artifact, "x", "u1")
    assert found is not None
    assert found.completed


async def test_an_interrupted_beginning_tells_what_is_known_of_its_path(index: Index) -> None:
    artifact = await index.new("a")
    await begin(index, artifact, "x", "u1")
    await begin(index, artifact, "y", "u2")
    intent = await index.multiparts.begin(artifact, "x", LATER)
    await index.multiparts.begin(artifact, "y", NOW)
    assert intent == Intent(intent.id, artifact.id, "upload", "x")
    assert await index.multiparts.known(intent) == frozenset({"u1"})
    assert await index.multiparts.since(intent) == LATER

    rival = await index.multiparts.begin(artifact, "x", NOW)
    assert await index.multiparts.known(intent) is None
    await index.endings.finish(intent)
    assert await index.multiparts.since(intent) is None
    assert await index.multiparts.known(rival) == frozenset({"u1"})
