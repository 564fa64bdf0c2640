"""Refusals of what a request asks, and of how it asks it."""

from gateway.errors.error import GatewayError


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


class KeyTooLong(GatewayError):
    """Keys have at most 1,024 bytes of UTF-8."""

    code = "KeyTooLongError"
    status = 400


class MalformedXML(GatewayError):
    """An XML body is not what the operation takes."""

    code = "MalformedXML"
    status = 400


class RequestHeaderSectionTooLarge(GatewayError):
    """The request line or a header is longer than the gateway reads."""

    code = "RequestHeaderSectionTooLarge"
    status = 400


class NoSuchMethod(GatewayError):
    """The RPC endpoint has no method of this name."""

    code = "NoSuchMethod"
    status = 404


class MethodNotAllowed(GatewayError):
    """This path does not take this method."""

    code = "MethodNotAllowed"
    status = 405


class PreconditionFailed(GatewayError):
    """A condition of the request does not hold."""

    code = "PreconditionFailed"
    status = 412


class MisdirectedRequest(GatewayError):
    """The Host is not one that this gateway answers for."""

    code = "MisdirectedRequest"
    status = 421


class NotImplementedByGateway(GatewayError):
    """The S3 operation is not in the gateway's table."""

    code = "NotImplemented"
    status = 501
