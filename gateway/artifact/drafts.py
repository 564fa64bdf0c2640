"""The drafts of JSON Schema that collections may use, with patterns by RE2."""

from collections.abc import Iterator, Mapping
from typing import cast

import attrs
import jsonschema
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Specification
from referencing.jsonschema import EMPTY_REGISTRY, Schema, specification_with

from gateway.artifact.keywords import KEYWORDS, UNEVALUATED, Dynamic
from gateway.artifact.value import JsonValue

# Keywords that assert nothing by themselves, but whose schemas the metaschema knows.
_BESIDE_IF = ("then", "else")
_LEGACY = frozenset({"definitions"})
_MODERN = frozenset({"$defs", "definitions", "dependencies", "contentSchema"})


class Draft:
    """One draft: its validators, its keywords, and how its identifiers work."""

    def __init__(self, library: Dynamic) -> None:
        """Extend the library's validator of the draft."""
        known = (
            {*library.VALIDATORS, *_BESIDE_IF} if "if" in library.VALIDATORS else library.VALIDATORS
        )
        modern = "unevaluatedProperties" in library.VALIDATORS
        self.keywords = frozenset(known) | (_MODERN if modern else _LEGACY)
        own = {**KEYWORDS, **UNEVALUATED} if modern else KEYWORDS
        self._class = extend(library, own)  # type: ignore[no-untyped-call]
        self._class.evolve = _evolve
        self._class.descend = _placing(self._class.descend)
        dialect = library.ID_OF(library.META_SCHEMA)
        self.specification = _careful(specification_with(dialect))
        # Made by the library itself, which knows the parts that metaschemas refer to.
        self._metaschema = self._class(library.META_SCHEMA, registry=EMPTY_REGISTRY)

    def validator(self, schema: Dynamic) -> Dynamic:
        """A validator of documents by `schema`, which fetches nothing."""
        resource = self.specification.create_resource(schema)
        resolver = EMPTY_REGISTRY.resolver_with_root(resource)
        return self._class(schema, registry=EMPTY_REGISTRY, _resolver=resolver)

    @property
    def metaschema(self) -> Dynamic:
        """The validator of schemas."""
        return self._metaschema


def _careful(library: Specification[Schema]) -> Specification[Schema]:
    """The library's specification, which takes lists in `dependencies` for schemas."""

    def subresources(contents: Schema) -> Iterator[Schema]:
        return (each for each in library.subresources_of(contents) if is_schema(each))

    changed: Specification[Schema] = attrs.evolve(
        cast("Dynamic", library), subresources_of=subresources
    )
    return changed


def is_schema(value: object) -> bool:
    """Whether a value can be a schema at all."""
    return isinstance(value, dict | bool)


def _evolve(validator: Dynamic, **changes: Dynamic) -> Dynamic:
    """A validator of the same class, for another schema.

    The library's own goes back to its own classes, whose patterns backtrack, wherever a schema
    within the schema says `$schema`.
    """
    kept = {
        "schema": validator.schema,
        "registry": validator._registry,  # noqa: SLF001 (as the method that this replaces)
        "_resolver": validator._resolver,  # noqa: SLF001
    }
    return type(validator)(**{**kept, **changes})


def _placing(descend: Dynamic) -> Dynamic:
    """The library's `descend`, which forgets where it was when a subschema is just `false`."""

    def placed(
        validator: Dynamic,
        instance: Dynamic,
        schema: Dynamic,
        path: Dynamic = None,
        **others: Dynamic,
    ) -> Iterator[ValidationError]:
        if schema is False and path is not None:
            return iter([ValidationError("no value is allowed here", path=[path])])
        errors: Iterator[ValidationError] = descend(validator, instance, schema, path, **others)
        return errors

    return placed


DEFAULT = Draft(jsonschema.Draft7Validator)
DRAFTS: Mapping[str, Draft] = {
    "http://json-schema.org/draft-04/schema": Draft(jsonschema.Draft4Validator),
    "http://json-schema.org/draft-06/schema": Draft(jsonschema.Draft6Validator),
    "http://json-schema.org/draft-07/schema": DEFAULT,
    "https://json-schema.org/draft/2019-09/schema": Draft(jsonschema.Draft201909Validator),
    "https://json-schema.org/draft/2020-12/schema": Draft(jsonschema.Draft202012Validator),
}


def draft_of(schema: JsonValue) -> Draft | None:
    """The draft that `$schema` names, Draft 7 without one; None when it is unknown."""
    if not isinstance(schema, dict) or "$schema" not in schema:
        return DEFAULT
    named = cast("object", schema["$schema"])
    return DRAFTS.get(named.removesuffix("#")) if isinstance(named, str) else None
