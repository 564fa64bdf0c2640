"""The S3 door: verify, then hand down."""

from collections.abc import Awaitable

from gateway.identity import Caller
from gateway.s3.address import Query
from gateway.s3.exchange import Verified
from gateway.s3.message import Reply, Request
from gateway.s3.post import POST_OBJECT
from gateway.services.objects.seeing import may_list_publicly, may_read_publicly
from gateway.services.objects.serving import Serving
from gateway.services.workspaces import Workspaces
from gateway.web.authentication import Authentication
from gateway.web.exchange import Exchange
from gateway.web.forms import Forms


class S3Door:
    """Any request that fits no other door, signed or not."""

    name = "s3"
    methods = ("GET", "HEAD", "PUT", "POST", "DELETE")
    varies = ("Authorization",)

    def __init__(
        self,
        authentication: Authentication,
        forms: Forms,
        workspaces: Workspaces,
        serving: Serving,
    ) -> None:
        self._authentication = authentication
        self._forms = forms
        self._workspaces = workspaces
        self._serving = serving

    def answer(self, exchange: Exchange) -> Awaitable[Reply]:
        """The answer to an S3 request."""
        proof = self._authentication.again(exchange.request, exchange.now)
        if proof is None:
            return self._verify(exchange)
        return self._serve(exchange, proof.caller, proof.verified, proof.verified.operation.name)

    async def _verify(self, exchange: Exchange) -> Reply:
        request, now = exchange.request, exchange.now
        is_form = self._forms.takes(request)
        verify = self._forms.verify if is_form else self._authentication.s3
        caller, verified = await verify(request, now)
        operation = POST_OBJECT if is_form else verified.operation.name
        return await self._serve(exchange, caller, verified, operation)

    def _serve(
        self, exchange: Exchange, caller: Caller, verified: Verified, operation: str
    ) -> Awaitable[Reply]:
        exchange.notes.of(caller, verified.address.bucket or None, operation)
        answer = self._serving.answer(caller, verified, exchange.now)
        return _for_all(answer) if caller.anonymous else answer

    def is_public(self, request: Request) -> bool:
        """Whether the key is below `public/`, or a listing's prefix, in what a workspace opens."""
        address = self._authentication.address(request)
        workspace = self._workspaces.presumed(address.bucket)
        if address.key:
            return may_read_publicly(workspace, address.key)
        prefix = Query.parse(request.query).first("prefix") or ""
        return may_list_publicly(workspace, self._authentication.folded(prefix))


async def _for_all(answer: Awaitable[Reply]) -> Reply:
    """The reply, as what callers without credentials get."""
    reply = await answer
    reply.public = True
    return reply
