"""Schemas as collections enforce them: which can be used, and what they say of a manifest."""

import time
from collections.abc import Iterator

import pytest

from gateway.artifact.schema import Violation, check_schema, violations
from gateway.artifact.value import JsonValue

SECONDS = 10.0
MODERN = "https://json-schema.org/draft/2020-12/schema"
OLD_MODERN = "https://json-schema.org/draft/2019-09/schema"
DRAFTS = [
    "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/draft-04/schema",
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema#",
    OLD_MODERN,
    MODERN,
]
GALLERY: JsonValue = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "name": {"type": "string"},
        "type": {"type": "string", "enum": ["dataset", "model", "application"]},
        "files": {
            "type": "array",
            "items": {"type": "object", "properties": {"path": {"type": "string"}}},
        },
    },
    "required": ["id", "name", "description", "type"],
}


@pytest.fixture(autouse=True)
def _promptly() -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < SECONDS


def pointers(schema: JsonValue) -> list[str]:
    return [found.pointer for found in check_schema(schema)]


def where(schema: JsonValue, document: JsonValue) -> list[str]:
    return [found.pointer for found in violations(schema, document)]


def test_every_violation_is_told_with_its_place() -> None:
    document: JsonValue = {"id": 5, "name": "n", "type": "table", "files": [{}, "a", {"path": 1}]}
    assert violations(GALLERY, document) == [
        Violation("", "'description' is a required property"),
        Violation("/files/1", "'a' is not of type 'object'"),
        Violation("/files/2/path", "1 is not of type 'string'"),
        Violation("/id", "5 is not of type 'string'"),
        Violation("/type", "'table' is not one of ['dataset', 'model', 'application']"),
    ]


def test_a_fitting_document_has_no_violations() -> None:
    document: JsonValue = {"id": "a", "name": "n", "description": "d", "type": "dataset"}
    assert violations(GALLERY, document) == []


def test_indexes_are_sorted_by_their_value() -> None:
    schema: JsonValue = {"items": {"type": "string"}}
    assert where(schema, list(range(12))) == [f"/{index}" for index in range(12)]


def test_pointers_escape_tilde_and_slash() -> None:
    schema: JsonValue = {"additionalProperties": {"type": "string"}}
    assert where(schema, {"a/b~c": 1}) == ["/a~1b~0c"]


def test_markup_and_sql_are_only_text() -> None:
    name = "<b>'; DROP TABLE artifact; --"
    assert violations({"required": [name]}, {}) == [
        Violation("", f'"{name}" is a required property')
    ]


def test_the_nearest_miss_is_told_where_several_schemas_were_tried() -> None:
    schema: JsonValue = {
        "oneOf": [
            {"properties": {"type": {"const": "a"}, "x": {"type": "string"}}},
            {"type": "string"},
        ]
    }
    (found,) = violations(schema, {"type": "a", "x": 1})
    assert found.pointer == ""
    assert "the nearest miss is at /x: 1 is not of type 'string'" in found.message


def test_long_values_are_shortened() -> None:
    (found,) = violations({"maxLength": 5}, "y" * 500_000)
    assert len(found.message) < 500
    assert found.message.endswith("is too long")


def test_violations_are_bounded_in_number() -> None:
    schema: JsonValue = {"items": {"type": "string"}}
    assert len(violations(schema, [1] * 5000)) == 1000


@pytest.mark.parametrize("draft", DRAFTS)
def test_every_draft_from_4_on_is_known(draft: str) -> None:
    schema: JsonValue = {"$schema": draft, "required": ["a"], "patternProperties": {"^x": {}}}
    assert check_schema(schema) == []
    assert where(schema, {}) == [""]


@pytest.mark.parametrize(
    "draft",
    [
        "http://json-schema.org/draft-03/schema#",
        "http://json-schema.org/schema#",
        "https://example.com/own",
        "draft-07",
        "",
        7,
        None,
        ["http://json-schema.org/draft-07/schema#"],
    ],
)
def test_other_drafts_are_refused(draft: JsonValue) -> None:
    (found,) = check_schema({"$schema": draft})
    assert found.pointer == "/$schema"
    assert "no known draft" in found.message
    assert len(violations({"$schema": draft}, {})) == 1


def test_the_draft_decides_what_keywords_mean() -> None:
    limits: dict[str, JsonValue] = {"minimum": 5, "exclusiveMinimum": True}
    assert pointers(limits) == ["/exclusiveMinimum"]
    old: JsonValue = {"$schema": DRAFTS[0], **limits}
    assert check_schema(old) == []
    assert where(old, 5) == [""]
    const: dict[str, JsonValue] = {"const": 1}
    assert where(const, 2) == [""]
    assert where({"$schema": DRAFTS[0], **const}, 2) == []


@pytest.mark.parametrize("schema", [5, "x", None, [], ["a"]])
def test_a_schema_is_a_mapping(schema: JsonValue) -> None:
    assert check_schema(schema) == [Violation("", "a schema is a mapping")]


def test_boolean_schemas_are_schemas() -> None:
    everything, nothing = True, False
    assert check_schema(everything) == check_schema(nothing) == []
    assert violations(everything, {"a": 1}) == []
    assert where(nothing, {"a": 1}) == [""]
    within: JsonValue = {"properties": {"a": False}, "items": False}
    assert violations(within, {"a": 1}) == [Violation("/a", "no value is allowed here")]
    assert where(within, [1, 2]) == ["/0", "/1"]


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"type": "objct"}, "/type"),
        ({"properties": 5}, "/properties"),
        ({"properties": {"a": {"required": "b"}}}, "/properties/a/required"),
        ({"required": [1]}, "/required/0"),
        ({"minLength": -1}, "/minLength"),
        ({"$id": 5}, "/$id"),
        ({"$ref": 5}, "/$ref"),
        ({"pattern": 5}, "/pattern"),
        ({"multipleOf": 0}, "/multipleOf"),
    ],
)
def test_a_broken_schema_is_told_where(schema: JsonValue, pointer: str) -> None:
    assert pointers(schema) == [pointer]
    (found,) = violations(schema, {})
    assert found.pointer == ""
    assert f"the schema is invalid at {pointer}" in found.message


@pytest.mark.parametrize(
    "reference",
    [
        "http://127.0.0.1:9/schema.json",
        "https://example.com/schema.json#/definitions/a",
        "file:///etc/passwd",
        "other.json",
        "//example.com/x",
        "http://json-schema.org/draft-07/schema#",
        "#/definitions/missing",
        "#missing",
        "#/properties/0",
        "http://[",
    ],
)
@pytest.mark.parametrize("draft", [None, MODERN])
def test_references_lead_nowhere_but_into_the_schema(reference: str, draft: str | None) -> None:
    schema: dict[str, JsonValue] = {"properties": {"a": {"$ref": reference}}}
    if draft:
        schema["$schema"] = draft
    (found,) = check_schema(schema)
    assert found.pointer == "/properties/a/$ref"
    assert "nothing is fetched" in found.message
    assert len(violations(schema, {"a": 1})) == 1


@pytest.mark.parametrize("keyword", ["$dynamicRef", "$recursiveRef"])
def test_dynamic_references_are_not_fetched_either(keyword: str) -> None:
    draft = MODERN if keyword == "$dynamicRef" else OLD_MODERN
    schema: JsonValue = {"$schema": draft, "items": {keyword: "http://127.0.0.1:9/x"}}
    assert "/items/" + keyword in pointers(schema)


def test_references_within_work() -> None:
    schema: JsonValue = {
        "$id": "http://example.com/root.json",
        "definitions": {
            "node": {
                "properties": {"name": {"type": "string"}, "next": {"$ref": "#/definitions/node"}}
            },
            "named": {"$id": "named.json", "type": "integer"},
            "anchored": {"$id": "#here", "type": "boolean"},
        },
        "properties": {
            "list": {"$ref": "#/definitions/node"},
            "number": {"$ref": "named.json"},
            "flag": {"$ref": "#here"},
        },
    }
    assert check_schema(schema) == []
    document: JsonValue = {"list": {"next": {"next": {"name": 5}}}, "number": "x", "flag": 1}
    assert where(schema, document) == ["/flag", "/list/next/next/name", "/number"]


def test_a_reference_to_something_that_is_no_schema_is_refused() -> None:
    schema: JsonValue = {"properties": {"a": {"$ref": "#/x"}}, "x": {"properties": 5}}
    assert pointers(schema) == ["/properties/a/$ref/properties"]
    assert pointers({"$ref": "#/$defs/a", "$defs": {"a": {"type": 5}}}) == ["/$ref/type"]
    assert pointers({"$ref": "#/title", "title": "x"}) == ["/$ref"]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#/definitions/a"}}},
        {"allOf": [{"$ref": "#"}]},
        {"not": {"$ref": "#"}},
        {"$schema": MODERN, "$dynamicRef": "#"},
        {"$schema": MODERN, "unevaluatedProperties": False, "$ref": "#"},
    ],
)
def test_a_schema_that_goes_round_in_circles_ends(schema: JsonValue) -> None:
    assert check_schema(schema) == []
    (found,) = violations(schema, {"a": 1})
    assert "without end" in found.message


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(a+)+$", "a" * 50_000 + "b"),
        ("^(a|a)*$", "a" * 50_000 + "b"),
        ("^(.*a){20}$", "a" * 50_000 + "b"),
        ("(x+x+)+y", "x" * 50_000),
    ],
)
def test_patterns_do_not_backtrack(pattern: str, text: str) -> None:
    assert where({"pattern": pattern}, text) == [""]
    assert where({"patternProperties": {pattern: False}}, {text: 1}) == []
    assert where(
        {"patternProperties": {pattern: {}}, "additionalProperties": False}, {text: 1}
    ) == [""]
    assert where({"propertyNames": {"pattern": pattern}}, {text: 1}) == [""]
    unevaluated: JsonValue = {
        "$schema": MODERN,
        "allOf": [{"patternProperties": {pattern: {}}}],
        "unevaluatedProperties": False,
    }
    assert where(unevaluated, {text: 1}) == [""]


def test_a_draft_named_within_does_not_bring_backtracking_back() -> None:
    evil: JsonValue = {"$schema": DRAFTS[3], "pattern": "(a+)+$"}
    text = "a" * 50_000 + "b"
    assert where({"$schema": DRAFTS[3], "properties": {"a": evil}}, {"a": text}) == ["/a"]
    hidden: JsonValue = {"$schema": DRAFTS[3], "$ref": "#/x", "x": evil}
    assert where(hidden, text) == [""]
    for other in (DRAFTS[0], MODERN, "https://example.com/own"):
        schema: JsonValue = {"properties": {"a": {"$schema": other, "pattern": "(a+)+$"}}}
        assert pointers(schema) == ["/properties/a/$schema"]


@pytest.mark.parametrize(
    "pattern", ["(?=a)", "(?!a)b", "(?<=a)b", r"(a)\1", "(", "[", "*", r"\Z", "a{2000}", "\ud800"]
)
def test_patterns_that_need_backtracking_are_refused(pattern: str) -> None:
    assert pointers({"items": {"pattern": pattern}}) == ["/items/pattern"]
    assert len(pointers({"patternProperties": {pattern: {}}})) == 1
    assert len(pointers({"$ref": "#/x", "x": {"pattern": pattern}})) == 1


def test_patterns_of_the_field_work() -> None:
    assert where({"pattern": r"^\d{4}-\d\d$"}, "2024-05") == []
    assert where({"pattern": r"^\d{4}-\d\d$"}, "2024-05\n") == [""]
    assert where({"pattern": r"^10\.\d{4,9}/[-._;()/:A-Za-z0-9]+$"}, "10.5281/zenodo.1") == []
    assert where({"pattern": r"^\u00e9+$"}, "éé") == []
    assert where({"pattern": r"\\u00e9"}, r"\u00e9") == []
    assert where({"pattern": "b"}, "abc") == []
    assert where({"pattern": "b"}, 5) == []


def test_additional_properties() -> None:
    schema: JsonValue = {
        "properties": {"a": {}},
        "patternProperties": {"^x-": {"type": "string"}},
        "additionalProperties": False,
    }
    document: JsonValue = {"a": 1, "x-b": 2, "c": 3, "d": 4}
    assert violations(schema, document) == [
        Violation("", "Additional properties are not allowed ('c', 'd' were unexpected)"),
        Violation("/x-b", "2 is not of type 'string'"),
    ]
    typed: JsonValue = {"additionalProperties": {"type": "string"}}
    assert where(typed, {"a": "x", "b": 1}) == ["/b"]
    assert where({"additionalProperties": True}, {"a": 1}) == []
    assert where(schema, ["a"]) == []


@pytest.mark.parametrize(
    ("schema", "unexpected"),
    [
        ({"properties": {"a": {}}}, "b"),
        ({"patternProperties": {"^a": {}}}, "b"),
        ({"allOf": [{"properties": {"a": {}}}]}, "b"),
        ({"anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {"type": "string"}}}]}, "b"),
        ({"oneOf": [{"properties": {"a": {}}}, {"required": ["z"]}]}, "b"),
        ({"$ref": "#/$defs/d", "$defs": {"d": {"properties": {"a": {}}}}}, "b"),
        ({"if": {"properties": {"a": {}}}}, "b"),
        ({"if": {"required": ["a"]}, "then": {"properties": {"a": {}}}}, "b"),
        ({"if": {"required": ["z"]}, "else": {"properties": {"a": {}}}}, "b"),
        (
            {"dependentSchemas": {"a": {"properties": {"a": {}}}, "z": {"properties": {"b": {}}}}},
            "b",
        ),
        ({"allOf": [{"properties": {"a": {}}, "additionalProperties": {}}]}, None),
        ({"allOf": [{"unevaluatedProperties": True}]}, None),
        ({"not": {"properties": {"c": False}, "required": ["c"]}, "properties": {"a": {}}}, "b"),
    ],
)
@pytest.mark.parametrize("draft", [MODERN, OLD_MODERN])
def test_unevaluated_properties(
    schema: dict[str, JsonValue], unexpected: str | None, draft: str
) -> None:
    closed: JsonValue = {"$schema": draft, "unevaluatedProperties": False, **schema}
    found = [one.message for one in violations(closed, {"a": 1, "b": 2})]
    message = f"Unevaluated properties are not allowed ('{unexpected}' was unexpected)"
    assert found == ([message] if unexpected else [])
    typed: JsonValue = {"$schema": draft, "unevaluatedProperties": {"type": "string"}, **schema}
    assert where(typed, {"a": 1, "b": 2}) == (["/b"] if unexpected else [])


def test_unevaluated_properties_follow_recursive_references() -> None:
    schema: JsonValue = {
        "$schema": OLD_MODERN,
        "$recursiveAnchor": True,
        "properties": {"a": {"$recursiveRef": "#"}},
        "unevaluatedProperties": False,
    }
    assert where(schema, {"a": {"a": {"b": 1}}}) == ["/a/a"]


def test_a_hundred_levels_are_validated() -> None:
    document: JsonValue = 1
    schema: JsonValue = {"type": "string"}
    for _ in range(98):
        document, schema = {"a": document}, {"properties": {"a": schema}}
    assert where(schema, document) == ["/a" * 98]
    recursive: JsonValue = {"properties": {"a": {"$ref": "#"}}, "additionalProperties": False}
    assert where(recursive, document) == []


def test_numbers_far_apart_do_no_harm() -> None:
    for divisor in (0.1, 1e-300, 1e300, 5e-324, 10**299):
        for number in (10**299, 1e308, 5e-324, 0):
            violations({"multipleOf": divisor}, number)


@pytest.mark.parametrize(
    "schema",
    [
        {"$defs": {"a": {"patternProperties": 5}}},
        {"$defs": {"a": {"$id": "http://["}}},
        {"definitions": {"a": {"$id": "http://["}, "b": {"$ref": "#x"}}},
        {"$id": "http://[", "properties": {"a": {"$ref": "#/definitions/b"}}},
        {"$id": "#", "$ref": "#"},
        {"$schema": MODERN, "$anchor": "a", "$defs": {"b": {"$anchor": "a"}}, "$ref": "#a"},
        {"properties": {"$ref": {"type": "string"}, "$schema": {"type": "string"}}},
        {"const": {"$schema": "x", "$ref": "y", "pattern": "("}},
        {"dependencies": {"a": ["b"], "c": {"required": ["d"]}}},
        {"format": "regex", "contentEncoding": "base64"},
        {"type": ["string", "null"], "unknown": [{}]},
    ],
)
def test_odd_schemas_raise_nothing(schema: JsonValue) -> None:
    documents: list[JsonValue] = [{}, {"a": 1, "$schema": "x", "$ref": 5, "c": {}}, [], "x", None]
    for document in documents:
        assert isinstance(violations(schema, document), list)


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize("named", [{"$id": "urn:x", "required": ["x"]}, {"required": ["x"]}])
def test_dependencies_are_schemas_or_lists_of_names(draft: str, named: JsonValue) -> None:
    reference: JsonValue = {"$ref": "#/definitions/n"}
    for both in ({"c": ["d"], "a": named}, {"a": named, "c": ["d"]}):
        schema: JsonValue = {
            "$schema": draft,
            "dependencies": both,
            "properties": {"n": reference},
            "definitions": {"n": {"type": "integer"}},
        }
        assert check_schema(schema) == []
        assert where(schema, {"a": 1, "x": 1, "c": 1, "d": 1, "n": 1}) == []
        assert "/n" in where(schema, {"n": "x"})
        # From 2019-09 on, other keywords say this.
        assert where(schema, {"a": 1, "c": 1}) == ([""] * 2 if "/draft-0" in draft else [])


def test_names_of_keywords_are_names_of_properties_too() -> None:
    schema: JsonValue = {"properties": {"$ref": {"type": "string"}, "$schema": {"type": "string"}}}
    assert check_schema(schema) == []
    assert where(schema, {"$ref": 5, "$schema": "x"}) == ["/$ref"]
    const: JsonValue = {"const": {"$schema": "x", "pattern": "("}}
    assert where(const, {"$schema": "x", "pattern": "("}) == []
