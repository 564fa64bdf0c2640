"""Refusals of who asks, and of what that one may do."""

from gateway.errors.error import GatewayError


class AuthorizationHeaderMalformed(GatewayError):
    """The Authorization header is not a Signature V4."""

    code = "AuthorizationHeaderMalformed"
    status = 400


class AuthorizationQueryParametersError(GatewayError):
    """The query's signing parameters are not a presigned Signature V4."""

    code = "AuthorizationQueryParametersError"
    status = 400


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
