"""Refusals of bodies: what is sent whole, in chunks, in parts, by a form."""

from gateway.errors.error import GatewayError


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


class NoSuchUpload(GatewayError):
    """No upload in parts of this file has this id, or its edit is over."""

    code = "NoSuchUpload"
    status = 404


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


class MissingContentLength(GatewayError):
    """A body needs its length declared."""

    code = "MissingContentLength"
    status = 411
