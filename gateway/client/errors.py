"""The gateway's refusals as exceptions: each is a `GatewayError`, and the built-in that fits.

A code without a class of its own is raised as its family: by its status `Invalid`, `Denied`,
`NotThere`, `Conflict` or `Failed`.
"""

import html
import json
import re
from collections.abc import Mapping

_CODE = re.compile(r"<Code>([^<]*)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>", re.DOTALL)
_SHOWN = 200


class GatewayError(Exception):
    """A refusal, or no answer at all.

    `code` and `status` are the wire's, `details` what the answer says besides; `status` is 0
    where the client itself found what is wrong.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int = 0,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = type(self).__name__ if code is None else code
        self.status = status
        self.details: Mapping[str, object] = details or {}

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


# --- families: what a status says ------------------------------------------------------


class Invalid(GatewayError, ValueError):
    """400: what was sent can't be meant so."""


class Denied(GatewayError, PermissionError):
    """403: the caller lacks the right, or its credentials don't hold."""


class NotThere(GatewayError, FileNotFoundError):
    """404: there is nothing of that name, for this caller."""


class Conflict(GatewayError, RuntimeError):
    """409: the artifact's state is another one."""


class Failed(GatewayError, ConnectionError):
    """429 and 5xx: the gateway, or what is behind it, can't do it now."""


# --- 400 -------------------------------------------------------------------------------


class InvalidRequest(Invalid):
    """The request contradicts itself or misses something mandatory."""


class InvalidArgument(Invalid):
    """An argument has a value that it can't have."""


class InvalidManifest(Invalid):
    """A manifest is a mapping with a string `type`."""


class SchemaViolation(Invalid):
    """The manifest does not fit its collection's schema; `details` has every violation."""


class InvalidPath(Invalid):
    """A path leaves its artifact or its target, or is one that can't be stored."""


class InvalidWeight(Invalid):
    """A download weight is a decimal from 0 to 1,000,000 with at most 6 places."""


class InvalidPart(Invalid):
    """A part of an upload did not arrive, or is another."""


class EntityTooSmall(Invalid):
    """A part is smaller than the backend takes."""


class EntityTooLarge(Invalid):
    """What was sent is larger than the gateway takes."""


class BadDigest(Invalid):
    """Bytes arrived that were not the ones declared."""


# --- 403 -------------------------------------------------------------------------------


class AccessDenied(Denied):
    """The caller lacks the right, or a token or URL has expired."""


class InvalidAccessKeyId(Denied):
    """No key has this id."""


class SignatureDoesNotMatch(Denied):
    """The secret is not the key's."""


class RequestTimeTooSkewed(Denied):
    """This machine's clock is more than 15 minutes from the gateway's."""


# --- 404 -------------------------------------------------------------------------------


class NoSuchBucket(NotThere):
    """No workspace has this name."""


class NoSuchArtifact(NotThere):
    """No artifact is committed under this prefix."""


class NoSuchKey(NotThere):
    """The artifact has no such file, or there is no such key."""


class NoSuchVersion(NotThere):
    """No commit has this version."""


class NoSuchUpload(NotThere):
    """No upload in parts of this file has this id, or its edit is over."""


class NoSuchMethod(NotThere):
    """The gateway has no method of this name: it is older than the client."""


# --- 409, 412 --------------------------------------------------------------------------


class ArtifactExists(GatewayError, FileExistsError):
    """An artifact is already there."""


class NotStaged(Conflict):
    """No edit of this artifact is open, or it is not the one meant."""


class EditOpen(Conflict):
    """An edit of this artifact is open."""


class MissingFiles(Conflict):
    """Files that were announced or listed are not there."""


class CommitConflict(Conflict):
    """Another commit came first."""


class CollectionNotEmpty(Conflict):
    """The collection has members."""


class NestedArtifact(Conflict):
    """Artifacts nest below collections, or below nothing."""


class BucketNotVersioned(Conflict):
    """A committed file can't change: its bucket keeps no versions."""


class PreconditionFailed(Conflict):
    """The file is not the one any more that was asked for."""


# --- 5xx, and no answer ----------------------------------------------------------------


class InternalError(Failed):
    """The gateway failed; its log has the reason."""


class SlowDown(Failed):
    """Too much at once; try again."""


class ServiceUnavailable(Failed):
    """The backend or the database does not answer; try again."""


class NotReached(Failed):
    """No answer came: what was asked for may have been done, unless `unsent`."""

    def __init__(self, message: str, *, unsent: bool = False) -> None:
        super().__init__(message)
        self.unsent = unsent


_FAMILIES: Mapping[int, type[GatewayError]] = {
    400: Invalid,
    401: Denied,
    403: Denied,
    404: NotThere,
    409: Conflict,
    412: Conflict,
    429: Failed,
}
_SERVER_ERROR = 500
_CLASSES: Mapping[str, type[GatewayError]] = {
    each.__name__: each
    for family in (GatewayError, Invalid, Denied, NotThere, Conflict, Failed)
    for each in family.__subclasses__()
    if each not in {Invalid, Denied, NotThere, Conflict, Failed, NotReached}
}


def refusal(status: int, body: bytes) -> GatewayError:
    """The exception that an answer's status and body stand for: JSON, XML, or a proxy's own."""
    code, message, details = _read(body.decode("utf-8", "replace"))
    family = Failed if status >= _SERVER_ERROR else _FAMILIES.get(status, GatewayError)
    cls = _CLASSES.get(code, family)
    return cls(message, code=code or f"HTTP {status}", status=status, details=details)


def _read(text: str) -> tuple[str, str, Mapping[str, object]]:
    try:
        error = json.loads(text)["error"]
        return str(error["code"]), str(error["message"]), error.get("details") or {}
    except (ValueError, TypeError, LookupError):
        code, message = _CODE.search(text), _MESSAGE.search(text)
    if code is None:
        return "", text[:_SHOWN].strip() or "the answer says no more", {}
    return html.unescape(code[1]), html.unescape(message[1]) if message else "", {}
