"""The RPC door: keyword arguments in JSON in, JSON out."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from functools import partial

from gateway.artifact.value import JsonValue, brief
from gateway.errors import EntityTooLarge, InvalidRequest, MethodNotAllowed, NoSuchMethod
from gateway.identity import Caller
from gateway.s3.message import Reply, Request
from gateway.services.registry.calling import Calling
from gateway.services.registry.opening import json_reply
from gateway.web.authentication import Authentication
from gateway.web.exchange import Exchange
from gateway.web.openapi import document

PREFIX = "/_rpc/"
DOCUMENT = "/_rpc/openapi.json"
PARTS = 2
ARGUMENT_BYTES = 65_536


class RpcDoor:
    """`POST /_rpc/{workspace}/{method}`."""

    name = "rpc"
    methods = ("POST",)  # the document is read without a preflight
    varies = ("Authorization",)

    def __init__(
        self, authentication: Authentication, calling: Calling, manifest_bytes: int, base_url: str
    ) -> None:
        """`manifest_bytes` bounds a call's body: JSON may spell a manifest six times as long."""
        self._document = document(base_url)
        self._authentication = authentication
        self._calling = calling
        self._limit = 6 * manifest_bytes + ARGUMENT_BYTES

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
        if not _is_json(request):
            raise InvalidRequest("send the arguments as Content-Type: application/json")
        caller, body = await self._authentication.rpc(
            request, partial(self._read, request), exchange.now
        )
        exchange.notes.of(caller, workspace, method)
        # A large body is decoded beside the event loop: others go on meanwhile.
        large = len(body) > ARGUMENT_BYTES
        arguments = await asyncio.to_thread(_arguments, body) if large else _arguments(body)
        result = await self._calling.call(caller, workspace, method, arguments, exchange.now)
        return await json_reply(result)

    async def _describe(self, request: Request) -> Reply:
        """The OpenAPI document: it says nothing of what the gateway holds."""
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("the document is read by GET")
        return replace(await json_reply(self._document), public=True)

    async def _read(self, request: Request, caller: Caller) -> bytes:
        # Anonymous callers stage no manifests.
        limit = ARGUMENT_BYTES if caller.anonymous else self._limit
        body = bytearray()
        async for chunk in request.body:
            body += chunk
            if len(body) > limit:
                raise EntityTooLarge(f"this call has at most {limit} bytes")
        return bytes(body)


def _is_json(request: Request) -> bool:
    content_type = request.headers.get("Content-Type", "").split(";", 1)[0]
    return content_type.strip().lower() == "application/json"


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    """A JSON object; ValueError when a name occurs twice: either could be meant."""
    document = dict(pairs)
    if len(document) < len(pairs):
        (name, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{brief(name)} occurs twice in one object")
    return document


def _arguments(body: bytes) -> dict[str, JsonValue]:
    try:
        document = json.loads(body or b"{}", object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidRequest("the body is a JSON object of keyword arguments")
    return document
