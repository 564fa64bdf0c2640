"""JSON Schema's keywords that hold regular expressions, evaluated in linear time by RE2.

The library's own use Python's `re`, which backtracks for ever on some patterns. Besides `pattern`
and `patternProperties` these are the keywords whose meaning depends on the latter.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, TypeAlias

import re2
from jsonschema.exceptions import ValidationError
from referencing.jsonschema import lookup_recursive_ref

# Validators are of classes that the library makes at run time: they have no static type. Values
# are whatever JSON is.
Dynamic: TypeAlias = Any
Keyword: TypeAlias = Callable[[Dynamic, Dynamic, Dynamic, Dynamic], Iterator[ValidationError]]
_Object: TypeAlias = Mapping[str, Dynamic]

# \uXXXX is how JSON Schema's dialect writes what RE2 writes as \x{XXXX}.
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|.)", re.DOTALL)
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


class InvalidPattern(ValueError):
    """A pattern that RE2 does not take: look-around, back references, or no pattern at all."""


def matches(pattern: str, text: str) -> bool:
    """Whether `pattern` occurs in `text`; InvalidPattern."""
    return _compiled(pattern).search(text) is not None


def check_pattern(pattern: str) -> None:
    """Nothing; InvalidPattern, saying why, when RE2 does not take `pattern`."""
    _compiled(pattern)


def _compiled(pattern: str) -> Dynamic:
    written = _ESCAPE.sub(lambda m: f"\\x{{{m[1]}}}" if m[1] else m[0], pattern)
    try:
        return re2.compile(written, _OPTIONS)
    except re2.error as error:
        reason = error.args[0] if error.args else b"it can't be compiled"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise InvalidPattern(text) from None
    except UnicodeError:
        raise InvalidPattern("it is not UTF-8") from None


def _pattern(
    validator: Dynamic,
    pattern: str,
    instance: Dynamic,
    schema: Dynamic,
) -> Iterator[ValidationError]:
    del schema
    if validator.is_type(instance, "string") and not matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Dynamic,
    patterns: _Object,
    instance: Dynamic,
    schema: Dynamic,
) -> Iterator[ValidationError]:
    del schema
    if not validator.is_type(instance, "object"):
        return
    for pattern, subschema in patterns.items():
        for name, value in instance.items():
            if matches(pattern, name):
                yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Dynamic,
    additional: Dynamic,
    instance: Dynamic,
    schema: _Object,
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    extras = [name for name in instance if not _is_named(name, schema)]
    if additional is False and extras:
        yield ValidationError(_unexpected("Additional", extras))
    elif validator.is_type(additional, "object"):
        for name in extras:
            yield from validator.descend(instance[name], additional, path=name)


def _unevaluated_properties(
    validator: Dynamic,
    unevaluated: Dynamic,
    instance: Dynamic,
    schema: _Object,
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    # Without the keyword itself: it evaluates whatever the others left.
    others = {name: value for name, value in schema.items() if name != "unevaluatedProperties"}
    evaluated = set(_evaluated(validator, instance, others))
    extras = [name for name in instance if name not in evaluated]
    if unevaluated is False and extras:
        yield ValidationError(_unexpected("Unevaluated", extras))
    elif validator.is_type(unevaluated, "object"):
        for name in extras:
            yield from validator.descend(instance[name], unevaluated, path=name)


KEYWORDS: Mapping[str, Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
}
UNEVALUATED: Mapping[str, Keyword] = {"unevaluatedProperties": _unevaluated_properties}


def _unexpected(kind: str, names: list[str]) -> str:
    listed = ", ".join(map(repr, sorted(names)))
    verb = "was" if len(names) == 1 else "were"
    return f"{kind} properties are not allowed ({listed} {verb} unexpected)"


def _is_named(name: str, schema: _Object) -> bool:
    """Whether `properties` or `patternProperties` speak of the property."""
    return name in schema.get("properties", {}) or any(
        matches(pattern, name) for pattern in schema.get("patternProperties", {})
    )


def _evaluated(validator: Dynamic, instance: _Object, schema: Dynamic) -> Iterator[str]:
    """The properties that `schema` evaluates, with those that its subschemas in place do."""
    if isinstance(schema, bool):
        return
    if "additionalProperties" in schema or "unevaluatedProperties" in schema:
        yield from instance
        return
    yield from (name for name in instance if _is_named(name, schema))
    for resolved in _referred(validator, schema):
        inner = validator.evolve(schema=resolved.contents, _resolver=resolved.resolver)
        yield from _evaluated(inner, instance, resolved.contents)
    for subschema in _in_place(validator, instance, schema):
        yield from _evaluated(validator, instance, subschema)


def _referred(validator: Dynamic, schema: _Object) -> Iterator[Dynamic]:
    for keyword in ("$ref", "$dynamicRef"):
        if keyword in schema:
            yield validator._resolver.lookup(schema[keyword])  # noqa: SLF001
    if "$recursiveRef" in schema:
        yield lookup_recursive_ref(validator._resolver)  # noqa: SLF001


def _in_place(validator: Dynamic, instance: _Object, schema: _Object) -> Iterator[Dynamic]:
    """The subschemas for the instance itself that it fits."""
    branches = chain.from_iterable(schema.get(name, ()) for name in ("allOf", "oneOf", "anyOf"))
    dependent = schema.get("dependentSchemas", {})
    candidates = [*branches, *(dependent[name] for name in dependent if name in instance)]
    if "if" in schema:
        fits = validator.evolve(schema=schema["if"]).is_valid(instance)
        candidates.append(schema["if"])
        candidates.append(schema.get("then" if fits else "else", True))
    for candidate in candidates:
        if validator.evolve(schema=candidate).is_valid(instance):
            yield candidate
