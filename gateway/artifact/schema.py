"""JSON Schema, as collections enforce it: Draft 4 to 2020-12, nothing fetched, no backtracking.

Documents are what JSON decoders make: dicts, lists and scalars.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from jsonschema.exceptions import ValidationError, best_match
from referencing.exceptions import Unresolvable
from referencing.jsonschema import EMPTY_REGISTRY, UnknownDialect

from gateway.artifact.drafts import DRAFTS, Draft, draft_of, is_schema
from gateway.artifact.keywords import Dynamic, InvalidPattern, check_pattern
from gateway.artifact.value import JsonValue, brief
from gateway.artifact.violation import Violation

__all__ = ["Violation", "check_schema", "violations"]

MOST_VIOLATIONS = 1000
LONGEST_MESSAGE = 400
_ENDLESS = "the schema nests too deeply, or refers to itself without end"
# What the library raises where it meets what no metaschema saw, as through a reference into an
# example, or numbers too far apart to divide.
_MISFITS = (
    *(Unresolvable, UnknownDialect, InvalidPattern),
    *(LookupError, TypeError, ValueError, AttributeError, ArithmeticError),
)

# Where schemas are within a schema, in one draft or another.
_VALUES = (
    *("additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if"),
    *("items", "not", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"),
)
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_MAPPINGS = (
    *("$defs", "definitions", "dependencies", "dependentSchemas"),
    *("patternProperties", "properties"),
)
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def check_schema(schema: JsonValue) -> list[Violation]:
    """What is wrong with `schema` itself, sorted by pointer; empty when it can be used.

    It must fit its draft's metaschema (by `$schema`, else Draft 7); its references must lead to
    schemas within it, and its patterns be RE2's. At most 1,000 are told.
    """
    if not isinstance(schema, (dict, bool)):
        return [Violation("", "a schema is a mapping")]
    draft = draft_of(schema)
    if draft is None:
        named = brief(schema["$schema"]) if isinstance(schema, dict) else ""
        return [Violation("/$schema", f"{named} is no known draft; use one of {', '.join(DRAFTS)}")]
    try:
        return _sorted(islice(_Inspection(draft).wrong(schema), MOST_VIOLATIONS))
    except RecursionError:
        return [Violation("", _ENDLESS)]


def violations(schema: JsonValue, document: JsonValue) -> list[Violation]:
    """Everything in `document` that breaks `schema`, sorted by pointer; empty when it fits.

    At most 1,000 are told. A schema that can't be used yields violations that say so, at the
    pointer "".
    """
    wrong = check_schema(schema)
    draft = draft_of(schema)
    if wrong or draft is None:
        return [
            Violation("", f"the schema is invalid at {_named(found.pointer)}: {found.message}")
            for found in wrong
        ]
    errors = draft.validator(schema).iter_errors(document)
    try:
        return _sorted(_violation(error) for error in islice(errors, MOST_VIOLATIONS))
    except RecursionError:
        return [Violation("", _ENDLESS)]
    except _MISFITS as error:
        return [Violation("", f"the schema can't be applied: {_shortened(str(error))}")]


@dataclass(slots=True)
class _Inspection:
    """A walk through a schema: its subschemas first, then where its references lead."""

    draft: Draft
    seen: set[int] = field(default_factory=set)
    references: list[tuple[str, str, Dynamic]] = field(default_factory=list)

    def wrong(self, schema: dict[str, JsonValue] | bool) -> Iterator[Violation]:  # noqa: FBT001
        """What metaschema and RE2 refuse, and references that lead to no schema within."""
        misfits = list(self._misfits("", schema))
        if misfits:
            yield from misfits
            return  # what follows leans on the shape of things
        resource = self.draft.specification.create_resource(schema)
        identity = resource.id() or ""
        try:
            # The registry holds this schema alone: a reference to anything else leads nowhere.
            registry = EMPTY_REGISTRY.with_resource(identity, resource).crawl()
            yield from self._walk("", schema, registry.resolver(identity))
        except _MISFITS as error:
            yield Violation("", f"an identifier within is no URI: {_shortened(str(error))}")
            return
        for pointer, reference, base in self.references:  # grows on the way
            yield from self._follow(pointer, reference, base)

    def _misfits(self, pointer: str, contents: object) -> Iterator[Violation]:
        """Where `contents` breaks the draft's metaschema."""
        for error in self.draft.metaschema.iter_errors(contents):
            found = _violation(error)
            yield Violation(pointer + found.pointer, found.message)

    def _walk(self, pointer: str, schema: object, resolver: Dynamic) -> Iterator[Violation]:
        """What is wrong in a schema and its subschemas; their references are noted."""
        unseen = [(pointer, schema, resolver)]
        while unseen:
            at, contents, base = unseen.pop()
            if not isinstance(contents, dict) or id(contents) in self.seen:
                continue
            self.seen.add(id(contents))
            yield from _refused(at, contents)
            if "$schema" in contents and draft_of(contents) is not self.draft:
                yield Violation(f"{at}/$schema", "only the root of a schema chooses the draft")
            for keyword in _REFERENCES:
                if isinstance(contents.get(keyword), str):
                    self.references.append((f"{at}/{keyword}", contents[keyword], base))
            for path, subschema in self._subschemas(contents):
                resource = self.draft.specification.create_resource(subschema)
                unseen.append((at + path, subschema, base.in_subresource(resource)))

    def _subschemas(self, schema: Mapping[str, Dynamic]) -> Iterator[tuple[str, Dynamic]]:
        """The schemas directly within `schema`, each with its pointer from there."""
        for keyword, value in schema.items():
            if keyword not in self.draft.keywords:
                continue
            if keyword in _LISTS and isinstance(value, list):
                yield from ((_pointer([keyword, index]), item) for index, item in enumerate(value))
            elif keyword in _MAPPINGS and isinstance(value, dict):
                named = ((_pointer([keyword, name]), item) for name, item in value.items())
                # `dependencies` may name properties, in a list, instead of a schema.
                yield from (each for each in named if is_schema(each[1]))
            elif keyword in _VALUES:
                yield f"/{keyword}", value

    def _follow(self, pointer: str, reference: str, base: Dynamic) -> Iterator[Violation]:
        """What is wrong with a reference, or where it leads."""
        try:
            resolved = base.lookup(reference)
        except _MISFITS:
            message = f"{brief(reference)} leads nowhere within this schema; nothing is fetched"
            yield Violation(pointer, message)
            return
        if id(resolved.contents) not in self.seen:
            misfits = list(self._misfits(pointer, resolved.contents))
            yield from misfits or self._walk(pointer, resolved.contents, resolved.resolver)


def _refused(pointer: str, schema: Mapping[str, Dynamic]) -> Iterator[Violation]:
    """The schema's own patterns that RE2 does not take."""
    own = schema.get("pattern")
    named = schema.get("patternProperties", {})
    patterns = [("/pattern", own)] if isinstance(own, str) else []
    patterns += [(_pointer(["patternProperties", pattern]), pattern) for pattern in named]
    for path, pattern in patterns:
        try:
            check_pattern(pattern)
        except InvalidPattern as error:
            message = f"the pattern {brief(pattern)} is not one of RE2's: {_shortened(str(error))}"
            yield Violation(pointer + path, message)


def _violation(error: ValidationError) -> Violation:
    """What the library found, and, where it tried several schemas, the nearest miss."""
    message = _shortened(error.message)
    nearest = best_match([error])
    if nearest is not None and nearest is not error:
        at = _named(_pointer(nearest.absolute_path))
        message = f"{message}; the nearest miss is at {at}: {_shortened(nearest.message)}"
    return Violation(_pointer(error.absolute_path), message)


def _shortened(message: str) -> str:
    """The message without the middle of whatever long value it shows."""
    if len(message) <= LONGEST_MESSAGE:
        return message
    half = LONGEST_MESSAGE // 2
    return f"{message[:half]} … {message[-half:]}"


def _pointer(path: Iterable[str | int]) -> str:
    """The JSON pointer (RFC 6901) of a path."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def _named(pointer: str) -> str:
    return pointer or "its root"


def _sorted(found: Iterable[Violation]) -> list[Violation]:
    """By pointer, each once."""
    return sorted(set(found), key=lambda one: (_order(one.pointer), one.message))


def _order(pointer: str) -> list[str]:
    """The parts of a pointer, zeros before numbers: 10 comes after 9."""
    return [part.zfill(10) if part.isdecimal() else part for part in pointer.split("/")]
