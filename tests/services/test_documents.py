"""JSON documents written in turns are those that are written at once."""

import asyncio
import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.artifact.value import JsonValue
from gateway.services.registry.documents import written
from gateway.turns import TURN

scalars: st.SearchStrategy[JsonValue] = st.none() | st.booleans() | st.integers() | st.text()
long = scalars.map(lambda value: [value, {"in": [value]}] * TURN)
values: st.SearchStrategy[JsonValue] = st.recursive(
    scalars | long,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(value=values)
def test_a_document_is_the_json_of_its_value(value: JsonValue) -> None:
    whole = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
    assert asyncio.run(written(value)) == whole


async def test_others_have_their_turn_while_a_long_document_is_written() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    document = await written({"files": [{"n": n} for n in range(10 * TURN)]})
    counting.cancel()
    assert len(json.loads(document)["files"]) == 10 * TURN
    assert turns >= 10
