"""Schemas: what each draft means, and what ill will puts into them."""

import json
from typing import TypeAlias

from tests.acceptance.harness import Document

DRAFTS = {
    "4": "http://json-schema.org/draft-04/schema#",
    "6": "http://json-schema.org/draft-06/schema#",
    "7": "http://json-schema.org/draft-07/schema#",
    "2019-09": "https://json-schema.org/draft/2019-09/schema",
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
}
# Ten references in each of twenty levels: a lifetime of validating.
ENDLESS: Document = {
    "$ref": "#/definitions/a0",
    "definitions": {
        **{
            f"a{level}": {"allOf": [{"$ref": f"#/definitions/a{level + 1}"}] * 10}
            for level in range(20)
        },
        "a20": {},
    },
}

WRONG: dict[str, tuple[Document, str]] = {
    "text": ("object", ""),
    "a list": ([{}], ""),
    "a number": (7, ""),
    "an unknown type": ({"properties": {"a/b~": {"type": "objct"}}}, "/properties/a~1b~0/type"),
    "look-around": ({"pattern": "(?=a)b"}, "/pattern"),
    "a back reference": ({"items": {"pattern": r"(a)\1"}}, "/items/pattern"),
    "repeats of repeats": ({"pattern": "((((a{1,99}){1,99}){1,99}){1,99})"}, "/pattern"),
    "no pattern": ({"patternProperties": {"(": {}}}, "/patternProperties/("),
    "a pattern beside a reference": (
        {"definitions": {"a": {"$schema": DRAFTS["4"], "pattern": "(a+)+$"}}},
        "/definitions/a/$schema",
    ),
    "an identifier that is none": ({"$id": "http://["}, ""),
    "two of one name": (
        {
            "$schema": DRAFTS["2020-12"],
            "$defs": {"a": {"$id": "urn:a"}, "b": {"$id": "urn:b", "$ref": "urn:c"}},
        },
        "/$defs/b/$ref",
    ),
    "draft 2020's items": ({"$schema": DRAFTS["2020-12"], "items": [{}]}, "/items"),
    "draft 4's bound": ({"exclusiveMinimum": True}, "/exclusiveMinimum"),
}


# A draft, a schema, a manifest that fits it, one that doesn't, and where.
Row: TypeAlias = tuple[str, Document, Document, Document, list[str]]
BEHAVIOUR: list[Row] = [
    (
        "4",
        {"properties": {"n": {"minimum": 5, "exclusiveMinimum": True}}},
        {"n": 6},
        {"n": 5},
        ["/n"],
    ),
    ("4", {"properties": {"n": {"type": "integer"}}}, {"n": 1}, {"n": 1.0}, ["/n"]),
    ("4", {"properties": {"n": {"const": 1}}, "required": ["n"]}, {"n": 2}, {}, [""]),
    (
        "4",
        {
            "properties": {"n": {"$ref": "#/definitions/s", "minLength": 5}},
            "definitions": {"s": {"type": "string"}},
        },
        {"n": "a"},
        {"n": 1},
        ["/n"],
    ),
    ("6", {"properties": {"n": {"exclusiveMinimum": 5}}}, {"n": 6}, {"n": 5}, ["/n"]),
    (
        "6",
        {"properties": {"n": {"const": {"a": [1]}}}},
        {"n": {"a": [1.0]}},
        {"n": {"a": [2]}},
        ["/n"],
    ),
    ("6", {"properties": {"l": {"contains": {"const": 1}}}}, {"l": [0, 1]}, {"l": []}, ["/l"]),
    ("6", {"propertyNames": {"maxLength": 5}}, {"abcde": 1}, {"abcdef": 1}, [""]),
    (
        "6",
        {"if": {"required": ["x"]}, "then": False, "properties": {"y": False}},
        {"x": 1},
        {"y": 1},
        ["/y"],
    ),
    (
        "7",
        {
            "if": {"properties": {"k": {"const": 1}}, "required": ["k"]},
            "then": {"required": ["v"]},
            "else": {"required": ["w"]},
        },
        {"k": 1, "v": 1},
        {"k": 1, "w": 1},
        [""],
    ),
    (
        "7",
        {"dependentRequired": {"a": ["b"]}, "dependencies": {"c": ["d"]}},
        {"a": 1},
        {"c": 1},
        [""],
    ),
    (
        "7",
        {"properties": {"l": {"items": [{"type": "string"}], "additionalItems": False}}},
        {"l": ["a"]},
        {"l": [1, 2]},
        ["/l", "/l/0"],
    ),
    (
        "7",
        {"properties": {"e": {"format": "email", "type": "string"}}},
        {"e": "no address"},
        {"e": 1},
        ["/e"],
    ),
    ("2019-09", {"dependentRequired": {"a": ["b"]}}, {"a": 1, "b": 1}, {"a": 1}, [""]),
    (
        "2019-09",
        {"properties": {"l": {"contains": {"const": 1}, "minContains": 2, "maxContains": 2}}},
        {"l": [1, 1]},
        {"l": [1, 1, 1]},
        ["/l"],
    ),
    (
        "2019-09",
        {
            "properties": {"n": {"$ref": "#/$defs/s", "minLength": 5}},
            "$defs": {"s": {"type": "string"}},
        },
        {"n": "abcde"},
        {"n": "a"},
        ["/n"],
    ),
    (
        "2019-09",
        {
            "properties": {"t": {"$ref": "#/$defs/t"}},
            "$defs": {
                "t": {
                    "$id": "urn:t",
                    "$recursiveAnchor": True,
                    "properties": {"t": {"$recursiveRef": "#"}},
                    "additionalProperties": False,
                }
            },
        },
        {"t": {"t": {"t": {}}}},
        {"t": {"t": {"u": 1}}},
        ["/t/t"],
    ),
    (
        "2019-09",
        {"properties": {"l": {"prefixItems": [False], "maxItems": 1}}},
        {"l": [1]},
        {"l": [1, 2]},
        ["/l"],
    ),
    (
        "2020-12",
        {"properties": {"l": {"prefixItems": [{"type": "string"}], "items": False}}},
        {"l": ["a"]},
        {"l": ["a", 1]},
        ["/l"],
    ),
    (
        "2020-12",
        {
            "properties": {
                "o": {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}
            }
        },
        {"o": {"a": 1}},
        {"o": {"b": 1}},
        ["/o"],
    ),
    (
        "2020-12",
        {
            "$dynamicAnchor": "n",
            "properties": {"kid": {"$dynamicRef": "#n"}, "v": {"type": "string"}},
        },
        {"kid": {"v": "a"}},
        {"kid": {"kid": {"v": 1}}},
        ["/kid/kid/v"],
    ),
    (
        "2020-12",
        {
            "properties": {
                "d": {
                    "contentEncoding": "base64",
                    "contentMediaType": "application/json",
                    "type": "string",
                }
            }
        },
        {"d": "%%%"},
        {"d": 1},
        ["/d"],
    ),
    (
        "2020-12",
        {"dependencies": {"a": ["b"]}, "dependentSchemas": {"c": {"required": ["d"]}}},
        {"a": 1},
        {"c": 1},
        [""],
    ),
]


# Schemas that a naive validator would never be done with, and manifests that make them so.
HEAVY: dict[str, tuple[Document, Document]] = {
    "endless references": (ENDLESS, {}),
    "unique items": (
        {"properties": {"l": {"uniqueItems": True}}},
        {"l": [{"a": [number]} for number in range(4_000)]},
    ),
    "many patterns": (
        {"patternProperties": {f"a{n}$": {} for n in range(1500)}, "additionalProperties": False},
        {f"k{number}": 1 for number in range(3000)},
    ),
}
# What would hold up others, and is harmless here.
QUICK: dict[str, tuple[Document, Document, list[str]]] = {
    "backtracking": (
        {"properties": {"a": {"pattern": "^(a+)+$"}}},
        {"a": "a" * 50_000 + "b"},
        ["/a"],
    ),
    "backtracking names": (
        {"propertyNames": {"pattern": "^((a|a)*|type|files)$"}},
        {"a" * 50_000 + "b": 1},
        [""],
    ),
    "itself": ({"allOf": [{"$ref": "#"}]}, {}, [""]),
    "itself, dynamically": ({"$schema": DRAFTS["2020-12"], "$dynamicRef": "#"}, {}, [""]),
    "itself, recursively": (
        {"$schema": DRAFTS["2019-09"], "anyOf": [{"$recursiveRef": "#"}]},
        {},
        [""],
    ),
    "two that refer to each other": (
        {
            "$ref": "#/definitions/a",
            "definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}},
        },
        {},
        [""],
    ),
    "ninety levels": (json.loads('{"not":' * 90 + "{}" + "}" * 90), {}, []),
    "an enum of 20,000": ({"properties": {"l": {"enum": list(range(20_000))}}}, {"l": -1}, ["/l"]),
    "formats": (
        {"properties": {"a": {"format": "regex"}, "b": {"format": "idn-email"}}},
        {"a": "(" * 5000, "b": "a@" * 5000},
        [],
    ),
    "numbers far apart": ({"properties": {"n": {"multipleOf": 1e-300}}}, {"n": 1e308}, ["/n"]),
}
