"""JSON values: what a manifest holds, and what can't be in one."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

JsonValue: TypeAlias = (
    "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
)
Fields: TypeAlias = Mapping[str, JsonValue]

# Deep enough for any manifest; shallow enough for everything that recurses over one.
DEPTH = 100
# Whatever fits a float: comparing or dividing larger integers would overflow.
INTEGER_DIGITS = 300
BRIEF = 80
_INTEGER = int("9" * INTEGER_DIGITS)


def lookup(fields: Fields, name: str) -> JsonValue:
    """The value at the dotted path `name`, None when there is none (or it is null)."""
    value: JsonValue = fields
    for part in name.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def brief(value: object) -> str:
    """`value` as an error may show it: quoted as Python does, at most 80 characters."""
    text = repr(value[:BRIEF] if isinstance(value, str) else value)
    return text if len(text) <= BRIEF else text[: BRIEF - 1] + "…"


def is_text(text: str) -> bool:
    """Whether `text` can be kept: it has no NUL, and no half of a surrogate pair."""
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_number(value: float) -> bool:
    """Whether JSON has this number: no NaN, no infinity, and an integer within bounds."""
    if isinstance(value, int):
        return -_INTEGER <= value <= _INTEGER
    return math.isfinite(value)


def fault(value: object) -> str | None:
    """Why `value` can't be in a manifest, as the end of a sentence; None when it can."""
    levels: list[Iterator[object]] = [iter((value,))]
    while levels:
        for item in levels[-1]:
            if isinstance(item, Mapping):
                wrong = next((key for key in item if not isinstance(key, str)), None)
                if wrong is not None:
                    return f"has the key {brief(wrong)}, which is not a string"
                if not all(is_text(key) for key in item):
                    return "has a key with NUL, or without a form in UTF-8"
                levels.append(iter(item.values()))
                break
            if isinstance(item, (list, tuple)):
                levels.append(iter(item))
                break
            reason = _scalar_fault(item)
            if reason:
                return reason
        else:
            levels.pop()
        if len(levels) > DEPTH + 1:
            return f"nests deeper than {DEPTH} levels"
    return None


def _scalar_fault(item: object) -> str | None:
    if item is None or isinstance(item, bool):
        return None
    if isinstance(item, str):
        return None if is_text(item) else "holds text with NUL, or without a form in UTF-8"
    if isinstance(item, (int, float)):
        return None if is_number(item) else "holds a number that JSON lacks"
    return f"holds a {type(item).__name__}, which JSON lacks"
