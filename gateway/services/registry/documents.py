"""JSON documents of any length, written in turns: an artifact may list thousands of files."""

import asyncio
import json
from collections.abc import Iterator, Mapping

from gateway.artifact.value import JsonValue
from gateway.turns import MANY, TURN

CHARACTERS = 65_536
"""So many are written in about a millisecond."""


async def written(value: JsonValue) -> bytes:
    """The JSON of a value, in UTF-8."""
    pieces: list[str] = []
    since = 0
    for piece in _pieces(value):
        pieces.append(piece)
        since += len(piece)
        if since >= CHARACTERS:
            since = 0
            await asyncio.sleep(0)  # others have their turn
    return "".join(pieces).encode()


def _pieces(value: JsonValue) -> Iterator[str]:
    """The text in pieces, none of them long, cut within what has many entries alone."""
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
        return len(value) > MANY or any(_is_long(inner) for inner in value.values())
    return isinstance(value, list | tuple) and len(value) > MANY


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
