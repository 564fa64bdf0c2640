"""Validating in child processes: what they answer, and what becomes of those that don't."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from gateway.artifact.manifest import parse, render
from gateway.artifact.schema import Violation
from gateway.artifact.value import JsonValue
from gateway.artifact.version import Pin
from gateway.errors import InternalError, InvalidManifest, SchemaViolation, SlowDown
from gateway.services.lifecycle import validating as module
from gateway.services.lifecycle.validating import Validating

LIMIT = 1 << 20
TIME = datetime(2024, 5, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
# Ten references in each of twenty levels: a lifetime of validating.
ENDLESS: JsonValue = {
    "$ref": "#/definitions/a0",
    "definitions": {
        **{
            f"a{level}": {"allOf": [{"$ref": f"#/definitions/a{level + 1}"}] * 10}
            for level in range(20)
        },
        "a20": {},
    },
}
# Each failure's message shows the whole document, and `anyOf` keeps them all.
GREEDY: JsonValue = {"anyOf": [{"allOf": [{"type": "string"}] * 50_000}]}
LARGE: dict[str, JsonValue] = {
    "type": "dataset",
    "files": [{"path": f"data/{index}.csv", "download_weight": 0.5} for index in range(3000)],
}


@pytest_asyncio.fixture
async def validating() -> AsyncIterator[Validating]:
    """With time enough for whatever is meant to end."""
    service = Validating(manifest_bytes=LIMIT, validation_seconds=30)
    yield service
    await service.close()


@pytest_asyncio.fixture
async def hasty() -> AsyncIterator[Validating]:
    """With little time."""
    service = Validating(manifest_bytes=LIMIT, validation_seconds=1)
    yield service
    await service.close()


def children() -> list[psutil.Process]:
    """This process's own: gateways that other tests keep running have theirs."""
    return [child for child in psutil.Process().children() if "gateway.artifact" in child.cmdline()]


def pins(count: int) -> Iterable[Pin]:
    return (Pin(f"{index}", index, '"e"', "v", TIME, "text/csv") for index in range(count))


async def test_small_manifests_need_no_child(validating: Validating) -> None:
    assert (await validating.parse(b"type: x")).fields == {"type": "x"}
    assert (await validating.render({"type": "x"})).data == b"type: x\n"
    with pytest.raises(InvalidManifest) as refusal:
        await validating.parse(b"type: x\na: 1\na: 2")
    assert refusal.value.details["line"] == 3
    assert children() == []


async def test_large_manifests_are_read_by_a_child(validating: Validating) -> None:
    data = render(LARGE)
    assert len(data) > module.SMALL_BYTES
    manifest = await validating.parse(data)
    assert manifest == parse(data, LIMIT)
    assert manifest.data is data
    assert len(children()) == 1


async def test_a_child_refuses_with_line_and_column(validating: Validating) -> None:
    data = render(LARGE) + b"type: again\n"
    with pytest.raises(InvalidManifest, match="occurs twice") as refusal:
        await validating.parse(data)
    assert refusal.value.details == {"line": data.count(b"\n"), "column": 1}


async def test_the_limit_holds_without_a_child(validating: Validating) -> None:
    with pytest.raises(InvalidManifest, match="1048576 are allowed"):
        await validating.parse(b"type: x\n" + b"#" * LIMIT)
    assert children() == []


async def test_large_fields_are_rendered_by_a_child(validating: Validating) -> None:
    manifest = await validating.render(LARGE)
    assert manifest.fields == LARGE
    assert manifest.data == render(LARGE)


async def test_fields_that_are_no_manifest_are_refused(validating: Validating) -> None:
    nested: JsonValue = []
    for _ in range(100_000):
        nested = [nested]
    mistakes: list[dict[str, JsonValue]] = [
        {"type": "x", "a": nested},
        {"type": "x", "a": float("nan")},
        {},
        {"type": 5},
    ]
    for fields in mistakes:
        with pytest.raises(InvalidManifest):
            await validating.render(fields)
    with pytest.raises(InvalidManifest):
        await validating.render({**LARGE, "a": float("inf")})
    with pytest.raises(InvalidManifest):
        await validating.render({**LARGE, "a": "x" * LIMIT})


async def test_schemas_are_checked_by_a_child(validating: Validating) -> None:
    assert await validating.check_schema({"type": "object"}) == []
    (found,) = await validating.check_schema({"items": {"pattern": "(?=a)"}})
    assert found.pointer == "/items/pattern"
    assert len(children()) == 1


async def test_violations_are_told_by_a_child(validating: Validating) -> None:
    schema: JsonValue = {"required": ["description"], "properties": {"é": {"type": "string"}}}
    assert await validating.violations(schema, {"type": "x", "é": 1}) == [
        Violation("", "'description' is a required property"),
        Violation("/é", "1 is not of type 'string'"),
    ]
    assert await validating.violations({}, {}) == []


async def test_a_schema_sees_the_pins_where_the_author_lists_no_files(
    validating: Validating,
) -> None:
    schema: JsonValue = {
        "properties": {"files": {"maxItems": 1, "items": {"required": ["path", "size", "other"]}}}
    }
    listless: list[dict[str, JsonValue]] = [
        {},
        {"type": "x"},
        {"files": []},
        {"files": None, "type": "x"},
    ]
    for fields in listless:
        found = await validating.violations(schema, fields, pins(2))
        assert [one.pointer for one in found] == ["/files", "/files/0", "/files/1"]
    assert await validating.violations(schema, {"files": ["own.csv"]}, pins(2)) == []
    assert await validating.violations(schema, {"type": "x"}) == []


async def test_every_pin_reaches_the_schema(validating: Validating) -> None:
    count = 3 * module.PINS_AT_ONCE + 1
    exact: JsonValue = {"properties": {"files": {"minItems": count, "maxItems": count}}}
    assert await validating.violations(exact, {"type": "x"}, pins(count)) == []


async def test_a_schema_without_end_is_stopped_at_the_limit(hasty: Validating) -> None:
    begun = time.monotonic()
    with pytest.raises(SchemaViolation, match=r"limits\.validation_seconds, 1 s"):
        await hasty.violations(ENDLESS, {"type": "x"})
    assert time.monotonic() - begun < 10
    assert children() == []
    assert len(await hasty.violations({"required": ["a"]}, {})) == 1


async def test_the_loop_turns_while_a_schema_hangs(hasty: Validating) -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    turning = asyncio.create_task(turn())
    with pytest.raises(SchemaViolation):
        await hasty.violations(ENDLESS, {"type": "x"})
    turning.cancel()
    assert turns > 10, "of a hundred"


async def test_manifests_are_read_while_schemas_hang(hasty: Validating) -> None:
    hanging = [asyncio.create_task(hasty.violations(ENDLESS, {})) for _ in range(2)]
    await asyncio.sleep(0)
    assert (await hasty.parse(render(LARGE))).fields == LARGE
    assert [type(error) for error in await asyncio.gather(*hanging, return_exceptions=True)] == [
        SchemaViolation
    ] * 2


async def test_nobody_waits_longer_than_the_limit_for_a_turn(hasty: Validating) -> None:
    await hasty.violations({}, {})
    tasks = [asyncio.create_task(hasty.violations(ENDLESS, {})) for _ in range(8)]
    begun = time.monotonic()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert time.monotonic() - begun < 10
    assert {type(result) for result in results} == {SchemaViolation, SlowDown}
    assert await hasty.violations({}, {}) == []


async def test_a_schema_that_takes_all_memory_is_refused(validating: Validating) -> None:
    with pytest.raises(SchemaViolation, match="more"):
        await validating.violations(GREEDY, {"a": "x" * 5_000_000})
    assert len(await validating.violations({"required": ["a"]}, {})) == 1


async def test_a_cancelled_task_takes_its_child_with_it(validating: Validating) -> None:
    await validating.check_schema({})
    task = asyncio.create_task(validating.violations(ENDLESS, {}))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == []
    assert len(await validating.violations({"required": ["a"]}, {})) == 1


async def test_a_child_that_died_idle_is_replaced(validating: Validating) -> None:
    assert await validating.check_schema({}) == []
    (child,) = children()
    child.kill()
    await asyncio.to_thread(child.wait, 10)
    await asyncio.sleep(0.1)
    assert await validating.check_schema({}) == []
    (replacement,) = children()
    assert replacement.pid != child.pid


async def test_a_child_that_dies_at_work_refuses_its_task_only(validating: Validating) -> None:
    await validating.check_schema({})
    task = asyncio.create_task(validating.violations(ENDLESS, {}))
    await asyncio.sleep(0.2)
    (child,) = children()
    child.kill()
    with pytest.raises(SchemaViolation):
        await task
    assert await validating.check_schema({}) == []


async def test_a_child_that_held_much_is_replaced(
    validating: Validating, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGE_BYTES", 1000)
    assert await validating.violations({"type": "object"}, {"a": "x" * 2000}) == []
    assert children() == []


async def test_a_failure_of_the_program_is_no_fault_of_the_schema(
    validating: Validating, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, "_task", lambda *_args, **_more: b'{"task": "unheard of"}')
        with pytest.raises(InternalError, match="KeyError"):
            await validating.check_schema({})
    assert await validating.check_schema({}) == []


async def test_tasks_at_once_share_few_children(validating: Validating) -> None:
    schema: JsonValue = {"required": ["a"]}
    found = await asyncio.gather(*(validating.violations(schema, {}) for _ in range(20)))
    assert all(len(one) == 1 for one in found)
    assert len(children()) <= 2


async def test_closing_ends_the_children() -> None:
    service = Validating(manifest_bytes=LIMIT, validation_seconds=30)
    await service.check_schema({})
    assert len(children()) == 1
    await service.close()
    assert children() == []


async def test_children_see_no_secret(
    validating: Validating, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTIFACT_GATEWAY_SECRET", "s3cr3t")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    await validating.check_schema({})
    (child,) = children()
    assert "s3cr3t" not in str(child.environ())
    assert "s3cr3t" not in str(child.cmdline())


async def orphans(schema: str) -> psutil.Process:
    """A child whose parent was killed while it worked on `schema`."""
    program = (
        "import asyncio, json, sys\n"
        "from gateway.services.lifecycle.validating import Validating\n"
        "async def main():\n"
        "    service = Validating(manifest_bytes=9999, validation_seconds=1)\n"
        "    await service.check_schema({})\n"
        "    print('ready', flush=True)\n"
        "    await service.violations(json.loads(sys.argv[1]), {})\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, schema),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    (child,) = psutil.Process(process.pid).children()
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    return child


@pytest.mark.parametrize("schema", [ENDLESS, {}], ids=["busy", "idle"])
async def test_children_do_not_outlive_their_parent(schema: JsonValue) -> None:
    child = await orphans(json.dumps(schema))
    await asyncio.to_thread(psutil.wait_procs, [child], 10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
