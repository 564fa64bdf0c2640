"""JSON documents written in turns are those that are written at once."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.artifact.value import JsonValue
from gateway.services.registry.documents import CHARACTERS, written
from gateway.turns import MANY

scalars: st.SearchStrategy[JsonValue] = st.none() | st.booleans() | st.integers() | st.text()
many = scalars.map(lambda value: [value, {"in": [value]}] * MANY)
named = scalars.map(lambda value: {f"{n}": [value] for n in range(MANY + 1)})
values: st.SearchStrategy[JsonValue] = st.recursive(
    scalars | many | named,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(value=values)
def test_a_document_is_the_json_of_its_value(value: JsonValue) -> None:
    whole = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
    assert asyncio.run(written(value)) == whole


@pytest.mark.parametrize(
    "files",
    [
        [{"path": f"data/part-{n:05}", "size": n} for n in range(10 * MANY)],
        {f"data/part-{n:05}": [{"downloads": n}] for n in range(10 * MANY)},
    ],
    ids=["listed", "named"],
)
async def test_others_have_their_turn_while_a_long_document_is_written(files: JsonValue) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    document = await written({"files": files})
    counting.cancel()
    assert json.loads(document)["files"] == files
    assert turns >= len(document) // CHARACTERS - 1 > 1
