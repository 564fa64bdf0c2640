"""The S3 door: verify, then hand down."""

from gateway.s3.message import Reply
from gateway.services.objects.serving import Serving
from gateway.web.authentication import Authentication
from gateway.web.exchange import Exchange


class S3Door:
    """Any request that fits no other door, signed or not."""

    name = "s3"

    def __init__(self, authentication: Authentication, serving: Serving) -> None:
        self._authentication = authentication
        self._serving = serving

    async def answer(self, exchange: Exchange) -> Reply:
        """The answer to an S3 request."""
        caller, verified = await self._authentication.s3(exchange.request, exchange.now)
        operation = verified.operation.name
        exchange.notes.of(caller, verified.address.bucket or None, operation)
        return await self._serving.answer(caller, verified, exchange.now)
