"""What is said to who could not be understood: nothing of what was sent is repeated."""

from aiohttp.http_exceptions import BadHttpMessage, LineTooLong

from gateway.errors import GatewayError, InvalidRequest, RequestHeaderSectionTooLarge

LONGEST_LINE = 65_536
"""The longest request line or header, in bytes: presigned URLs and metadata pass 8,190."""


def refusal(failure: BaseException | None) -> GatewayError:
    """The refusal of what aiohttp's parser has failed on."""
    if isinstance(failure, LineTooLong):
        return RequestHeaderSectionTooLarge(
            f"A request line or header has more than {LONGEST_LINE} bytes."
        )
    if type(failure) is BadHttpMessage:
        # The reason comes before the line's end, what was sent after it.
        reason = failure.message.partition("\n")[0].rstrip(":.")
        return InvalidRequest(f"This is no HTTP/1.1 request: {reason}.")
    return InvalidRequest("This is no HTTP/1.1 request.")
