"""What methods return, as JSON Schemas for the OpenAPI document."""

from collections.abc import Mapping

from gateway.artifact.value import JsonValue
from gateway.services.registry.method import Shape

Schema = dict[str, JsonValue]

TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
WHOLE: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}
DAY: Schema = {"type": "string", "format": "date"}
GRANTS: Schema = {
    "type": "object",
    "additionalProperties": {"enum": ["read", "write", "admin"]},
}


def _object(properties: Schema, optional: Schema | None = None, *, closed: bool = True) -> Schema:
    known = {**properties, **(optional or {})}
    required: list[JsonValue] = [*properties]
    schema: Schema = {"type": "object", "properties": known, "required": required}
    return schema | ({"additionalProperties": False} if closed else {})


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _named(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


PINNED: Schema = {
    "path": TEXT,
    "size": WHOLE,
    "etag": TEXT,
    "last_modified": TIME,
    "content_type": TEXT,
    "download_weight": NUMBER,
}
PERIOD = _object(
    {
        "period": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$"},
        "downloads": WHOLE,
        "download_count": NUMBER,
        "bytes": WHOLE,
    }
)
KEY: Schema = {"access_key_id": TEXT, "name": TEXT, "grants": GRANTS}

SCHEMAS: Schema = {
    "Error": _object(
        {"error": _object({"code": TEXT, "message": TEXT, "details": {"type": "object"}})}
    ),
    "Stats": _object({"download_count": NUMBER, "view_count": WHOLE}),
    "Manifest": _object(
        {"_prefix": TEXT, "_stats": _named("Stats"), "type": TEXT},
        {
            "_version": {"type": ["integer", "null"], "minimum": 1},
            "_created_at": {"type": ["string", "null"], "format": "date-time"},
            "_modified_at": {"type": ["string", "null"], "format": "date-time"},
            "_child_count": WHOLE,
            "_stage": {"type": "object"},
        },
        closed=False,
    ),
    "Member": _object({"_prefix": TEXT, "_stats": _named("Stats")}, closed=False),
    "Pin": _object(PINNED),
    "File": _object({"name": TEXT, "type": {"const": "file"}, **PINNED}),
    "Folder": _object(
        {"name": TEXT, "path": TEXT, "type": {"const": "directory"}, "size": {"const": 0}}
    ),
    "Commit": _object(
        {
            "version": {"type": "integer", "minimum": 1},
            "manifest": _named("Manifest"),
            "files": _list(_named("Pin")),
        }
    ),
    "Version": _object(
        {
            "version": {"type": "integer", "minimum": 1},
            "parent": {"type": ["integer", "null"], "minimum": 1},
            "author": TEXT,
            "time": TIME,
            "message": TEXT_OR_NULL,
        }
    ),
    "Period": PERIOD,
}

_SHAPES: Mapping[Shape, Schema] = {
    Shape.NOTHING: {"type": "null"},
    Shape.TEXT: TEXT,
    Shape.TEXTS: _list(TEXT),
    Shape.URL: {"type": "string", "format": "uri"},
    Shape.UPLOAD: {
        "oneOf": [
            {"type": "string", "format": "uri"},
            _object(
                {
                    "upload_id": TEXT,
                    "parts": _list(
                        _object(
                            {
                                "part_number": {"type": "integer", "minimum": 1},
                                "url": {"type": "string", "format": "uri"},
                            }
                        )
                    ),
                }
            ),
        ]
    },
    Shape.MANIFEST: _named("Manifest"),
    Shape.COMMIT: _named("Commit"),
    Shape.FILE: _named("File"),
    Shape.FILES: _list({"oneOf": [_named("File"), _named("Folder")]}),
    Shape.PAGE: _object(
        {"items": _list(_named("Member")), "total": WHOLE, "offset": WHOLE, "limit": WHOLE}
    ),
    Shape.MEMBERS: _list(_named("Member")),
    Shape.VERSIONS: _list(_named("Version")),
    Shape.INDEXED: _object(
        {"version": {"type": "integer", "minimum": 1}, "members": WHOLE, "truncated": FLAG}
    ),
    Shape.STATS: _object(
        {
            "prefix": TEXT,
            "download_count": NUMBER,
            "view_count": WHOLE,
            "since": DAY,
            "until": DAY,
            "series": _list(_named("Period")),
            "files": {"type": "object", "additionalProperties": _list(_named("Period"))},
        }
    ),
    Shape.NEW_KEY: _object({**KEY, "secret_access_key": TEXT}),
    Shape.KEYS: _list(_object({**KEY, "configured": FLAG})),
}


def shape_schema(shape: Shape) -> Schema:
    """The JSON Schema of a shape."""
    return _SHAPES[shape]
