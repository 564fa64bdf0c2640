"""The OpenAPI document of the RPC door (OpenAPI 3.1), made from the methods' rows."""

from collections.abc import Mapping

from gateway import __version__
from gateway.artifact.value import JsonValue
from gateway.identity import Right
from gateway.services.registry.argument import LARGEST, Argument, Kind
from gateway.services.registry.method import METHODS, Method
from gateway.web.returns import SCHEMAS, shape_schema

Schema = dict[str, JsonValue]

KINDS: Mapping[Kind, Schema] = {
    Kind.TEXT: {"type": "string"},
    Kind.FLAG: {"type": "boolean"},
    Kind.NUMBER: {"type": ["number", "string"]},
    Kind.INTEGER: {"type": "integer", "minimum": 0, "maximum": LARGEST},
    Kind.MAPPING: {"type": "object"},
    Kind.TEXTS: {"type": ["array", "string"], "items": {"type": "string"}},
    Kind.MAPPINGS: {"type": "array", "items": {"type": "object"}},
    Kind.OPTIONS: {"type": "object"},
}
REFUSALS = {
    "400": "The arguments can't be meant so.",
    "403": "The caller lacks the right, or its credentials don't hold.",
    "404": "There is nothing of that name.",
    "409": "The artifact's state is another one.",
    "503": "The gateway can't do it now; try again.",
}


def document(public_url: str) -> Schema:
    """The document, with `public_url` as the server; `/_rpc/openapi.json` answers it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Artifact Gateway",
            "version": __version__,
            "description": "The registry's methods: keyword arguments in JSON in, JSON out.",
        },
        "servers": [{"url": public_url}],
        "paths": {f"/_rpc/{{workspace}}/{name}": _path(row) for name, row in METHODS.items()},
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _path(method: Method) -> Schema:
    required = any(argument.required for argument in method.arguments)
    # What is public is read without credentials.
    security: list[JsonValue] = [{"token": []}]
    if method.right is Right.READ:
        security.append({})
    operation: Schema = {
        "operationId": method.name,
        "summary": method.about,
        "tags": [method.right.name.lower()],
        "security": security,
        "parameters": [
            {
                "name": "workspace",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"},
            }
        ],
        "requestBody": {
            "required": required,
            "content": {"application/json": {"schema": arguments_schema(method.arguments)}},
        },
        "responses": {
            "200": {
                "description": "What the method returns.",
                "content": {"application/json": {"schema": shape_schema(method.returns)}},
            },
            **{status: _refusal(about) for status, about in REFUSALS.items()},
        },
    }
    return {"post": operation}


def arguments_schema(arguments: tuple[Argument, ...]) -> Schema:
    """The JSON Schema of an object of arguments."""
    schema: Schema = {
        "type": "object",
        "properties": {argument.name: _argument_schema(argument) for argument in arguments},
        "additionalProperties": False,
    }
    required: list[JsonValue] = [argument.name for argument in arguments if argument.required]
    if required:
        schema["required"] = required
    return schema


def _argument_schema(argument: Argument) -> Schema:
    schema = dict(KINDS[argument.kind])
    if argument.kind is Kind.OPTIONS:
        schema = arguments_schema(argument.options)
    schema["description"] = argument.about
    if argument.required:
        return schema
    kinds = schema["type"]
    schema["type"] = [*(kinds if isinstance(kinds, list) else [kinds]), "null"]
    if argument.default is not None:
        schema["default"] = argument.default
    return schema


def _refusal(about: str) -> Schema:
    content: Schema = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {"description": about, "content": content}
