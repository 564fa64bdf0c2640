"""Every failure that a client can see: one class, one code, one status.

Raised where it is known, rendered once at the boundary: as XML on the S3 door, as JSON
elsewhere. An error of the backend is not one of these: it passes as it came.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeAlias

Detail: TypeAlias = "str | int | float | bool | Sequence[Detail] | Mapping[str, Detail] | None"


class GatewayError(Exception):
    """A refusal: what is wrong, where, and what to do.

    `code` and `status` are the wire's; `details` go into the body, as elements in XML and
    as an object in JSON. Neither message nor details ever hold a secret.
    """

    code: ClassVar[str] = "InternalError"
    status: ClassVar[int] = 500

    def __init__(self, message: str, **details: Detail) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Detail] = details


class InternalError(GatewayError):
    """The gateway failed; the log has the reason under the request's id."""


# --- 400: the request itself is wrong --------------------------------------------------


class InvalidRequest(GatewayError):
    """The request contradicts itself or misses something mandatory."""

    code = "InvalidRequest"
    status = 400


class InvalidArgument(GatewayError):
    """An argument has a value that it can't have."""

    code = "InvalidArgument"
    status = 400


class InvalidURI(GatewayError):
    """The path can't be read."""

    code = "InvalidURI"
    status = 400


class InvalidBucketName(GatewayError):
    """A workspace's name is a valid S3 bucket name."""

    code = "InvalidBucketName"
    status = 400


class KeyTooLong(GatewayError):
    """Keys have at most 1,024 bytes of UTF-8."""

    code = "KeyTooLongError"
    status = 400


class IllegalLocationConstraint(GatewayError):
    """A bucket is wanted in another region than the backend's."""

    code = "IllegalLocationConstraintException"
    status = 400


class MalformedXML(GatewayError):
    """An XML body is not what the operation takes."""

    code = "MalformedXML"
    status = 400


class AuthorizationHeaderMalformed(GatewayError):
    """The Authorization header is not a Signature V4."""

    code = "AuthorizationHeaderMalformed"
    status = 400


class AuthorizationQueryParametersError(GatewayError):
    """The query's signing parameters are not a presigned Signature V4."""

    code = "AuthorizationQueryParametersError"
    status = 400


class BadDigest(GatewayError):
    """The body's checksum is not the declared one."""

    code = "BadDigest"
    status = 400


class InvalidDigest(GatewayError):
    """A declared checksum is no checksum."""

    code = "InvalidDigest"
    status = 400


class MalformedTrailer(GatewayError):
    """What comes after a chunked body is not the trailer that was announced."""

    code = "MalformedTrailerError"
    status = 400


class XAmzContentSHA256Mismatch(GatewayError):
    """The body's SHA-256 is not the one in x-amz-content-sha256."""

    code = "XAmzContentSHA256Mismatch"
    status = 400


class IncompleteBody(GatewayError):
    """The body ended before its declared length."""

    code = "IncompleteBody"
    status = 400


class RequestTimeout(GatewayError):
    """The body's next bytes did not come in time."""

    code = "RequestTimeout"
    status = 400


class RequestHeaderSectionTooLarge(GatewayError):
    """The request line or a header is longer than the gateway reads."""

    code = "RequestHeaderSectionTooLarge"
    status = 400


class EntityTooLarge(GatewayError):
    """A body is larger than its form's policy allows, or than can be held whole."""

    code = "EntityTooLarge"
    status = 400


class EntityTooSmall(GatewayError):
    """A file is smaller than its form's policy allows, or a part than the backend does."""

    code = "EntityTooSmall"
    status = 400


class InvalidPart(GatewayError):
    """A part of an upload did not arrive, or its ETag is another."""

    code = "InvalidPart"
    status = 400


class InvalidPartOrder(GatewayError):
    """An upload's parts are listed by ascending number, each once."""

    code = "InvalidPartOrder"
    status = 400


class InvalidPolicyDocument(GatewayError):
    """A form's policy is no policy document."""

    code = "InvalidPolicyDocument"
    status = 400


class MalformedPOSTRequest(GatewayError):
    """The body of an upload by HTML form is not multipart/form-data."""

    code = "MalformedPOSTRequest"
    status = 400


class MaxPostPreDataLengthExceeded(GatewayError):
    """The fields before a form's file have at most 20 KiB."""

    code = "MaxPostPreDataLengthExceededError"
    status = 400


class InvalidManifest(GatewayError):
    """A manifest is a YAML or JSON mapping with a string `type`."""

    code = "InvalidManifest"
    status = 400


class SchemaViolation(GatewayError):
    """The manifest does not fit its collection's schema."""

    code = "SchemaViolation"
    status = 400


class InvalidPath(GatewayError):
    """A path leaves its artifact, or is one that the backend keeps for itself."""

    code = "InvalidPath"
    status = 400


class InvalidWeight(GatewayError):
    """A download weight is a decimal from 0 to 1,000,000 with at most 6 places."""

    code = "InvalidWeight"
    status = 400


# --- 403: not allowed ------------------------------------------------------------------


class AccessDenied(GatewayError):
    """The caller lacks the right."""

    code = "AccessDenied"
    status = 403


class AccessForbidden(GatewayError):
    """Pages of this origin may not ask so (CORS)."""

    code = "AccessForbidden"
    status = 403


class InvalidAccessKeyId(GatewayError):
    """No key has this id."""

    code = "InvalidAccessKeyId"
    status = 403


class SignatureDoesNotMatch(GatewayError):
    """The signature is not the one that the key's secret gives."""

    code = "SignatureDoesNotMatch"
    status = 403


class RequestTimeTooSkewed(GatewayError):
    """The request's time is more than 15 minutes from the gateway's."""

    code = "RequestTimeTooSkewed"
    status = 403


# --- 404: not there, or not for this caller --------------------------------------------


class NoSuchBucket(GatewayError):
    """No workspace has this name."""

    code = "NoSuchBucket"
    status = 404


class NoSuchKey(GatewayError):
    """Nothing is stored under this key."""

    code = "NoSuchKey"
    status = 404


class NoSuchArtifact(GatewayError):
    """No artifact is committed under this prefix."""

    code = "NoSuchArtifact"
    status = 404


class NoSuchUpload(GatewayError):
    """No upload in parts of this file has this id, or its edit is over."""

    code = "NoSuchUpload"
    status = 404


class NoSuchVersion(GatewayError):
    """No commit has this version."""

    code = "NoSuchVersion"
    status = 404


class NoSuchMethod(GatewayError):
    """The RPC endpoint has no method of this name."""

    code = "NoSuchMethod"
    status = 404


# --- 405, 411, 412, 421: not so --------------------------------------------------------


class MethodNotAllowed(GatewayError):
    """This path does not take this method."""

    code = "MethodNotAllowed"
    status = 405


class MissingContentLength(GatewayError):
    """A body needs its length declared."""

    code = "MissingContentLength"
    status = 411


class PreconditionFailed(GatewayError):
    """A condition of the request does not hold."""

    code = "PreconditionFailed"
    status = 412


class MisdirectedRequest(GatewayError):
    """The Host is not one that this gateway answers for."""

    code = "MisdirectedRequest"
    status = 421


# --- 409: not now ----------------------------------------------------------------------


class ArtifactExists(GatewayError):
    """An artifact is already there."""

    code = "ArtifactExists"
    status = 409


class NotStaged(GatewayError):
    """No edit of this artifact is open, or it is not the one meant."""

    code = "NotStaged"
    status = 409


class EditOpen(GatewayError):
    """An edit of this artifact is open."""

    code = "EditOpen"
    status = 409


class MissingFiles(GatewayError):
    """Files that were announced or listed are not there."""

    code = "MissingFiles"
    status = 409


class CommitConflict(GatewayError):
    """Another commit came first."""

    code = "CommitConflict"
    status = 409


class CollectionNotEmpty(GatewayError):
    """The collection has members."""

    code = "CollectionNotEmpty"
    status = 409


class NestedArtifact(GatewayError):
    """Artifacts nest below collections, or below nothing."""

    code = "NestedArtifact"
    status = 409


class BucketNotVersioned(GatewayError):
    """A committed file can't change: its bucket keeps no versions."""

    code = "BucketNotVersioned"
    status = 409


class BucketAlreadyOwnedByYou(GatewayError):
    """The workspace is there already, and the caller may use it."""

    code = "BucketAlreadyOwnedByYou"
    status = 409


class BucketAlreadyExists(GatewayError):
    """The workspace is there already, and it is others'."""

    code = "BucketAlreadyExists"
    status = 409


class BucketNotEmpty(GatewayError):
    """A workspace that is to go holds objects, old versions of some, or artifacts."""

    code = "BucketNotEmpty"
    status = 409


class InvalidBucketState(GatewayError):
    """The bucket's artifacts, or the configuration, forbid this."""

    code = "InvalidBucketState"
    status = 409


class OperationAborted(GatewayError):
    """The operation would destroy what a commit pins."""

    code = "OperationAborted"
    status = 409


# --- 5xx -------------------------------------------------------------------------------


class NotImplementedByGateway(GatewayError):
    """The S3 operation is not in the gateway's table."""

    code = "NotImplemented"
    status = 501


class SlowDown(GatewayError):
    """Too much at once; try again."""

    code = "SlowDown"
    status = 503


class ServiceUnavailable(GatewayError):
    """The backend or the database does not answer; try again."""

    code = "ServiceUnavailable"
    status = 503
