"""What a manifest's text says, and where: the answer of the YAML and JSON readers."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.artifact.value import JsonValue
from gateway.errors import InvalidManifest

Position = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Document:
    """A mapping, and where it and the value of its `type` begin: line and column, from 1."""

    fields: Mapping[str, JsonValue]
    start: Position
    type_at: Position | None


def position(text: str, index: int) -> Position:
    """The line and column, from 1, of the character at `index`."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def refusal(message: str, at: Position, **details: str) -> InvalidManifest:
    """The error that names a place in the manifest, in words and as `line` and `column`."""
    line, column = at
    text = f"Invalid manifest at line {line}, column {column}: {message}"
    return InvalidManifest(text, line=line, column=column, **details)
