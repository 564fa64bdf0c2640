"""Errors as Hypha's users know them: named as Python's exceptions, and never a traceback."""

import json
from collections.abc import Mapping

from gateway.errors import Detail, GatewayError

NAMES: Mapping[str, str] = {
    "AccessDenied": "PermissionError",
    "AccessForbidden": "PermissionError",
    "ArtifactExists": "FileExistsError",
    "InternalError": "RuntimeError",
    "InvalidAccessKeyId": "PermissionError",
    "MissingFiles": "FileNotFoundError",
    "NoSuchArtifact": "KeyError",
    "NoSuchBucket": "KeyError",
    "NoSuchKey": "FileNotFoundError",
    "NoSuchMethod": "KeyError",
    "NoSuchUpload": "FileNotFoundError",
    "NoSuchVersion": "KeyError",
    "NotImplemented": "NotImplementedError",
    "ServiceUnavailable": "ConnectionError",
    "SlowDown": "ConnectionError",
}
"""What raises what in Hypha; the rest are ValueErrors."""

COMMIT = "commit"


def told(error: GatewayError, method: str | None = None) -> str:
    """The error as a line: `FileExistsError: Artifact under prefix 'x' already exists…`.

    Hypha's `commit` says of what is not there that it is no file, all else that it is no key.
    """
    name = NAMES.get(error.code, "ValueError")
    if error.code == "NoSuchArtifact" and method == COMMIT:
        name = "FileNotFoundError"
    return f"{name}: {_message(error)}"


def document(error: GatewayError) -> bytes:
    """The error as Hypha's HTTP services tell it, and with it as the RPC door does."""
    body = {
        "success": False,
        "detail": told(error),
        "error": {"code": error.code, "message": error.message, "details": error.details},
    }
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _message(error: GatewayError) -> str:
    prefix = error.details.get("prefix")
    if error.code == "NoSuchArtifact" and isinstance(prefix, str):
        return f"Artifact under prefix '{prefix}' does not exist: {error.message}"
    violations = error.details.get("violations")
    if error.code == "SchemaViolation" and isinstance(violations, list) and violations:
        return f"ValidationError: {'; '.join(map(_violation, violations))}"
    return error.message


def _violation(violation: Detail) -> str:
    """One violation as jsonschema says it, with where it is if that is not the whole."""
    if not isinstance(violation, Mapping):
        return str(violation)
    pointer, message = violation.get("pointer"), violation.get("message")
    return f"{message} (at {pointer})" if pointer else str(message)
