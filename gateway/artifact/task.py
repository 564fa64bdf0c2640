"""What a validating process is asked, as JSON, and what it answers.

A request names its task beside the arguments. An answer holds the `value`; or what was `refused`,
as an error's message and details; or the name of the exception with which the task `failed`.
"""

import base64
import json
from collections.abc import Callable, Iterable, Mapping

from gateway.artifact.manifest import parse, render
from gateway.artifact.schema import Violation, check_schema, violations
from gateway.artifact.value import Fields, JsonValue
from gateway.errors import InvalidManifest


def answer(request: bytes, limit: int) -> bytes:
    """The answer to a request; `limit` is the size of the largest manifest, in bytes."""
    try:
        arguments = json.loads(request)
        value = _TASKS[arguments["task"]](arguments, limit)
        return json.dumps({"value": value}).encode()
    except InvalidManifest as error:
        refused = {"message": error.message, "details": error.details}
        return json.dumps({"refused": refused}).encode()
    except Exception as error:  # noqa: BLE001 (whatever it was, the next task is another's)
        return json.dumps({"failed": type(error).__name__}).encode()


def _parse(arguments: Fields, limit: int) -> JsonValue:
    return parse(base64.b64decode(str(arguments["data"])), limit).fields


def _render(arguments: Fields, limit: int) -> JsonValue:
    fields = arguments["fields"]
    if not isinstance(fields, Mapping):
        raise InvalidManifest("The manifest is not a mapping of names to values")
    manifest = parse(render(fields), limit)
    return {"data": base64.b64encode(manifest.data).decode(), "fields": manifest.fields}


def _check_schema(arguments: Fields, limit: int) -> JsonValue:
    del limit
    return _as_json(check_schema(arguments["schema"]))


def _violations(arguments: Fields, limit: int) -> JsonValue:
    del limit
    return _as_json(violations(arguments["schema"], arguments["document"]))


def _as_json(found: Iterable[Violation]) -> JsonValue:
    return [[one.pointer, one.message] for one in found]


_TASKS: Mapping[str, Callable[[Fields, int], JsonValue]] = {
    "parse": _parse,
    "render": _render,
    "check_schema": _check_schema,
    "violations": _violations,
}
