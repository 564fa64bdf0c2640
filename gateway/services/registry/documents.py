"""JSON documents of any length, written in turns: an artifact may list thousands of files."""

import json
from collections.abc import Iterator, Mapping

from gateway.artifact.value import JsonValue
from gateway.turns import TURN, turns


async def written(value: JsonValue) -> bytes:
    """The JSON of a value, in UTF-8."""
    return "".join([text async for (text,) in turns(_pieces(value), 1)]).encode()


def _pieces(value: JsonValue) -> Iterator[str]:
    """The text in pieces, none of them long, cut within long lists alone."""
    if not _is_long(value):
        yield _text(value)
    elif isinstance(value, Mapping):
        before = "{"
        for name, inner in value.items():
            yield f"{before}{_text(name)}: "
            yield from _pieces(inner)
            before = ", "
        yield "}"
    elif isinstance(value, list | tuple):
        before = "["
        for start in range(0, len(value), TURN):
            yield before + _text(value[start : start + TURN])[1:-1]
            before = ", "
        yield "]"


def _is_long(value: JsonValue) -> bool:
    if isinstance(value, Mapping):
        return any(_is_long(inner) for inner in value.values())
    return isinstance(value, list | tuple) and len(value) > TURN


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
