"""The arguments of a reading method in a URL's query, as web applications for Hypha write them."""

import json
from collections.abc import Mapping
from urllib.parse import parse_qsl

from gateway.artifact.value import JsonValue
from gateway.errors import InvalidArgument
from gateway.services.registry.argument import Argument, Kind
from gateway.services.registry.method import Method

SPELLED = {"true": True, "false": False, "none": None, "null": None}
"""As Python's and JavaScript's clients write them."""


MOST_PAIRS = 100


def pairs(text: str) -> list[tuple[str, str]]:
    """Names and values as browsers write them, a space as `+`; InvalidArgument for no UTF-8."""
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_PAIRS)
    except ValueError:
        raise InvalidArgument(f"the query is UTF-8, of at most {MOST_PAIRS} names") from None


def arguments(method: Method, text: str) -> dict[str, JsonValue]:
    """The arguments by name; InvalidArgument for one that is there twice, or is no JSON.

    A text stands as it is, everything else as JSON. What the method does not take is left in.
    """
    known = {argument.name: argument for argument in method.arguments}
    given: dict[str, JsonValue] = {}
    for name, value in pairs(text):
        if name in given:
            raise InvalidArgument(f"{name} is given more than once", argument=name)
        given[name] = _value(known.get(name), name, value)
    return given


def _value(argument: Argument | None, name: str, text: str) -> JsonValue:
    kind = Kind.TEXT if argument is None else argument.kind
    if kind is Kind.TEXT or (kind is Kind.TEXTS and not text.startswith("[")):
        return text
    if text.lower() in SPELLED:
        return SPELLED[text.lower()]
    try:
        value: JsonValue = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise InvalidArgument(f"{name} is JSON in the query", argument=name) from None
    return value


def _once(pairs: list[tuple[str, JsonValue]]) -> Mapping[str, JsonValue]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name occurs twice")
    return made
