"""The Hypha door: a websocket at `/ws`, and the artifact manager's methods by plain HTTP."""

from functools import partial

from gateway.artifact.layout import is_public
from gateway.errors import (
    InvalidRequest,
    MethodNotAllowed,
    NoSuchMethod,
    NotImplementedByGateway,
    SlowDown,
)
from gateway.identity import Caller
from gateway.s3.message import Reply, Request
from gateway.services.registry.calling import Calling
from gateway.services.registry.connecting import Connecting
from gateway.services.registry.method import METHODS
from gateway.services.registry.opening import json_reply
from gateway.services.workspaces import Workspaces
from gateway.web.authentication import Authentication
from gateway.web.exchange import Exchange
from gateway.web.hypha import query
from gateway.web.hypha.conversation import Conversations
from gateway.web.hypha.frames import AVAILABLE
from gateway.web.hypha.origins import Origins
from gateway.web.json_body import call_bytes, decoded, is_json, received
from gateway.web.websocket import Socket, Upgrade

WEBSOCKET = "/ws"
SERVICE = ("services", "artifact-manager")
PARTS = 5  # "", workspace, *SERVICE, method
METHODS_TAKEN = ("GET", "POST")
CREDENTIALS = ("token", "reconnection_token")
MOST_CONNECTIONS = 1_000
"""Websockets of a process: each may hold what waits for its client."""


class HyphaDoor:
    """`/ws`, and `GET` and `POST /{workspace}/services/artifact-manager/{method}`."""

    name = "hypha"
    methods = METHODS_TAKEN
    varies = ("Authorization",)

    def __init__(
        self,
        authentication: Authentication,
        workspaces: Workspaces,
        connecting: Connecting,
        calling: Calling,
        conversations: Conversations,
        origins: Origins,
        manifest_bytes: int,
    ) -> None:
        self._authentication = authentication
        self._workspaces = workspaces
        self._connecting = connecting
        self._calling = calling
        self._conversations = conversations
        self._origins = origins
        self._manifest_bytes = manifest_bytes
        self._connections = 0

    async def connections(self) -> float:
        """How many websockets are open."""
        return self._connections

    @staticmethod
    def serves(request: Request) -> bool:
        """Whether a request is this door's: its path, and no signature."""
        if request.path == WEBSOCKET:
            return True
        if _parts(request.path) is None or request.method not in METHODS_TAKEN:
            return False
        authorization = request.headers.get("Authorization", "")
        return not authorization.startswith("AWS") and "X-Amz-Algorithm=" not in request.query

    def is_public(self, request: Request) -> bool:
        """Whether a method that reads is asked about what is public, and committed."""
        parts = _parts(request.path)
        if parts is None:
            return False
        workspace, name = parts
        method, asked = METHODS.get(name), dict(query.pairs(request.query))
        if method is None or not method.reads or "stage" in asked:
            return False
        presumed = self._workspaces.presumed(workspace)
        return presumed.public != "none" and is_public(asked.get("prefix", ""))

    async def answer(self, exchange: Exchange) -> Reply | Upgrade:
        """A conversation, or what the method returns."""
        if exchange.request.path == WEBSOCKET:
            return self._upgrade(exchange)
        return await self._call(exchange)

    def _upgrade(self, exchange: Exchange) -> Upgrade:
        request = exchange.request
        exchange.notes.operation = "connect"
        if request.method != "GET":
            raise MethodNotAllowed("a websocket begins with GET")
        if not AVAILABLE:
            raise NotImplementedByGateway(
                "this gateway was installed without the Hypha door: its operator installs "
                "artifact-gateway[hypha]"
            )
        in_url = any(name in CREDENTIALS for name, _ in query.pairs(request.query))
        if in_url or "Authorization" in request.headers:
            raise InvalidRequest("this door takes a token in its first message, and nowhere else")
        self._origins.check(request)
        if self._connections >= MOST_CONNECTIONS:
            raise SlowDown(f"this gateway has {MOST_CONNECTIONS} clients connected: try again")
        return Upgrade(partial(self._converse, exchange))

    async def _converse(self, exchange: Exchange, socket: Socket) -> None:
        self._connections += 1
        try:
            await self._conversations.converse(exchange, socket)
        finally:
            self._connections -= 1

    async def _call(self, exchange: Exchange) -> Reply:
        request = exchange.request
        parts = _parts(request.path)
        if parts is None:
            raise NoSuchMethod("call /{workspace}/services/artifact-manager/{method}")
        workspace, name = parts
        method = METHODS.get(name)
        if request.method == "GET" and method is not None and not method.reads:
            raise MethodNotAllowed(f"{name} changes something: call it by POST")
        caller = await self._authentication.bearer(request, exchange.now)
        if caller.anonymous:
            caller = await self._connecting.anonymous(workspace)
        exchange.notes.of(caller, workspace, name)
        if request.method == "GET":
            arguments = {} if method is None else query.arguments(method, request.query)
        else:
            arguments = await decoded(await self._body(request, caller))
        result = await self._calling.call(caller, workspace, name, arguments, exchange.now)
        return await json_reply(result)

    async def _body(self, request: Request, caller: Caller) -> bytes:
        if not is_json(request):
            raise InvalidRequest("send the arguments as Content-Type: application/json")
        return await received(request, call_bytes(caller, self._manifest_bytes))


def _parts(path: str) -> tuple[str, str] | None:
    """The workspace and the method of a path that calls one; None for other paths."""
    parts = path.split("/")
    if len(parts) != PARTS or tuple(parts[2:4]) != SERVICE:
        return None
    return parts[1], parts[4]
