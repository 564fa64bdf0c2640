"""The RPC door: keyword arguments in JSON in, JSON out."""

from dataclasses import replace
from functools import partial

from gateway.errors import InvalidRequest, MethodNotAllowed, NoSuchMethod
from gateway.identity import Caller
from gateway.s3.message import Reply, Request
from gateway.services.registry.calling import Calling
from gateway.services.registry.opening import json_reply
from gateway.web.authentication import Authentication
from gateway.web.exchange import Exchange
from gateway.web.json_body import call_bytes, decoded, is_json, received
from gateway.web.openapi import document

PREFIX = "/_rpc/"
DOCUMENT = "/_rpc/openapi.json"
PARTS = 2


class RpcDoor:
    """`POST /_rpc/{workspace}/{method}`."""

    name = "rpc"
    methods = ("POST",)  # the document is read without a preflight
    varies = ("Authorization",)

    def __init__(
        self, authentication: Authentication, calling: Calling, manifest_bytes: int, base_url: str
    ) -> None:
        """`manifest_bytes` bounds a call's body."""
        self._document = document(base_url)
        self._authentication = authentication
        self._calling = calling
        self._manifest_bytes = manifest_bytes

    @staticmethod
    def serves(path: str) -> bool:
        """Whether a path is one of this door's."""
        return path.startswith(PREFIX)

    @staticmethod
    def is_public(request: Request) -> bool:
        """The OpenAPI document is. No call is made by GET, so none is public."""
        return request.path == DOCUMENT

    async def answer(self, exchange: Exchange) -> Reply:
        """What the method returns, as JSON."""
        request = exchange.request
        if request.path == DOCUMENT:
            return await self._describe(request)
        parts = request.path.removeprefix(PREFIX).split("/")
        if len(parts) != PARTS:
            raise NoSuchMethod("call POST /_rpc/{workspace}/{method}")
        workspace, method = parts
        if request.method != "POST":
            raise MethodNotAllowed("a method is called by POST, with its arguments as JSON")
        if not is_json(request):
            raise InvalidRequest("send the arguments as Content-Type: application/json")
        caller, body = await self._authentication.rpc(
            request, partial(self._read, request), exchange.now
        )
        exchange.notes.of(caller, workspace, method)
        arguments = await decoded(body)
        result = await self._calling.call(caller, workspace, method, arguments, exchange.now)
        return await json_reply(result)

    async def _describe(self, request: Request) -> Reply:
        """The OpenAPI document: it says nothing of what the gateway holds."""
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("the document is read by GET")
        return replace(await json_reply(self._document), public=True)

    async def _read(self, request: Request, caller: Caller) -> bytes:
        return await received(request, call_bytes(caller, self._manifest_bytes))
