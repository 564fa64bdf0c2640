"""The RPC door: keyword arguments in JSON in, JSON out."""

import json

from gateway.artifact.value import JsonValue
from gateway.errors import EntityTooLarge, InvalidRequest, MethodNotAllowed, NoSuchMethod
from gateway.s3.message import Reply, Request
from gateway.services.registry.calling import Calling
from gateway.services.registry.opening import json_reply
from gateway.web.authentication import Authentication
from gateway.web.exchange import Exchange

PREFIX = "/_rpc/"
PARTS = 2


class RpcDoor:
    """`POST /_rpc/{workspace}/{method}`."""

    name = "rpc"

    def __init__(
        self, authentication: Authentication, calling: Calling, manifest_bytes: int
    ) -> None:
        """`manifest_bytes` bounds a call's body: JSON may spell a manifest six times as long."""
        self._authentication = authentication
        self._calling = calling
        self._limit = 6 * manifest_bytes + 65_536

    @staticmethod
    def serves(path: str) -> bool:
        """Whether a path is one of this door's."""
        return path.startswith(PREFIX)

    async def answer(self, exchange: Exchange) -> Reply:
        """What the method returns, as JSON."""
        request = exchange.request
        parts = request.path.removeprefix(PREFIX).split("/")
        if len(parts) != PARTS:
            raise NoSuchMethod("call POST /_rpc/{workspace}/{method}")
        workspace, method = parts
        if request.method != "POST":
            raise MethodNotAllowed("a method is called by POST, with its arguments as JSON")
        if not _is_json(request):
            raise InvalidRequest("send the arguments as Content-Type: application/json")
        body = await self._read(request)
        caller = await self._authentication.rpc(request, body, exchange.now)
        exchange.notes.of(caller, workspace, method)
        arguments = _arguments(body)
        result = await self._calling.call(caller, workspace, method, arguments, exchange.now)
        reply = json_reply(result)
        reply.headers["Cache-Control"] = "private, no-store"
        return reply

    async def _read(self, request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.body:
            body += chunk
            if len(body) > self._limit:
                raise EntityTooLarge(f"a call has at most {self._limit} bytes")
        return bytes(body)


def _is_json(request: Request) -> bool:
    content_type = request.headers.get("Content-Type", "").split(";", 1)[0]
    return content_type.strip().lower() == "application/json"


def _arguments(body: bytes) -> dict[str, JsonValue]:
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidRequest("the body is a JSON object of keyword arguments")
    return document
