"""What is wrong with the gateway, or with what it needs, and not with the request."""

from gateway.errors.error import GatewayError


class InternalError(GatewayError):
    """The gateway failed; the log has the reason under the request's id."""


class SlowDown(GatewayError):
    """Too much at once; try again."""

    code = "SlowDown"
    status = 503


class ServiceUnavailable(GatewayError):
    """The backend or the database does not answer; try again."""

    code = "ServiceUnavailable"
    status = 503
