"""One client of hypha-rpc, from its first message to its last."""

import asyncio
import json
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from aiohttp import WSCloseCode

from gateway.errors import AccessDenied, GatewayError, InvalidRequest
from gateway.identity import Caller
from gateway.services.registry.calling import Calling
from gateway.services.registry.connecting import RECONNECTION_SECONDS, Connecting, Session
from gateway.web.access_log import Entry, Observer
from gateway.web.exchange import Exchange
from gateway.web.hypha.bounds import Pace, Shared
from gateway.web.hypha.calls import Answered, Calls
from gateway.web.hypha.failures import told
from gateway.web.hypha.frames import Broken, Writer
from gateway.web.hypha.hello import hello
from gateway.web.hypha.message_cache import MessageCache
from gateway.web.hypha.methods import Methods
from gateway.web.json_body import ARGUMENT_BYTES
from gateway.web.websocket import Socket

LONGEST_TEXT = 1_000
IDLE_SECONDS = 600.0
"""Clients say something every half a minute, if only that they are there."""

END_SECONDS = 8.0
"""How long calls have to end in when the gateway stops."""

OK = 200


class Conversations:
    """What every conversation needs: who may, what there is, where it is, and who is told.

    `longest` bounds a call's arguments, in bytes; `base_url` is the gateway's.
    """

    def __init__(
        self,
        connecting: Connecting,
        calling: Calling,
        cache: MessageCache,
        longest: int,
        base_url: str,
        observers: Sequence[Observer],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.connecting = connecting
        self.calling = calling
        self.cache = cache
        self.longest = longest
        self.base_url = base_url
        self.observers = observers
        self.clock = clock
        self.shared = Shared()

    async def converse(self, exchange: Exchange, socket: Socket) -> None:
        """Nothing, once the client has left, or had to; ConnectionError where it just went."""
        try:
            said = await hello(socket)
            session, caller = await self.connecting.open(said, self.clock())
        except GatewayError as error:
            exchange.notes.error = error.code
            await socket.send(json.dumps({"type": "error", "message": told(error)}))
            await socket.close(WSCloseCode.POLICY_VIOLATION, error.code)
            return
        exchange.notes.of(caller, session.workspace, "connect")
        await Conversation(self, exchange, socket, session, caller).last()


class Conversation:
    """One client's, from when it is known who it is."""

    def __init__(
        self,
        common: Conversations,
        exchange: Exchange,
        socket: Socket,
        session: Session,
        caller: Caller,
    ) -> None:
        self._common = common
        self._exchange = exchange
        self._socket = socket
        self._session = session
        self._caller = caller
        # Another one for each connection: a client that has lost one gives up what it asked there.
        self._name = f"gateway-{secrets.token_hex(4)}"
        recipient = f"{session.workspace}/{session.client_id}"
        writer = Writer(session.workspace, recipient, self._name)
        long = session.issuer is not None
        longest = common.longest if long else ARGUMENT_BYTES
        self._calls = Calls(socket, writer, common.shared, longest, self._tell)
        self._shelf = common.cache.shelf(longest if long else 0)
        self._methods = Methods(
            session, common.connecting, common.calling, self._shelf, self._deliver
        )

    async def last(self) -> None:
        """Nothing, once it is over: the client left, was cut off, or the gateway stops."""
        beating = asyncio.create_task(self._calls.beat())
        listening = asyncio.create_task(self._listen())
        leaving = asyncio.create_task(self._socket.leaving.wait())
        try:
            await self._socket.send(self._introduction())
            await asyncio.wait((listening, leaving), return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                await listening
            else:
                listening.cancel()
                await self._calls.ended(END_SECONDS)
                await self._socket.close(WSCloseCode.GOING_AWAY, "the gateway stops")
        finally:
            for task in (beating, listening, leaving):
                task.cancel()
            self._calls.drop()
            self._shelf.clear()

    async def _listen(self) -> None:
        pace = Pace()
        while True:
            try:
                message = await self._socket.receive(IDLE_SECONDS)
            except TimeoutError:
                await self._socket.close(WSCloseCode.GOING_AWAY, "nothing was said for long")
                return
            if message is None:
                return
            await pace.keep()
            if isinstance(message, str):
                await self._answer(message)
                continue
            try:
                await self._calls.take(message, self._methods)
            except Broken as broken:
                self._exchange.notes.error = InvalidRequest.code
                await self._socket.close(WSCloseCode.INVALID_TEXT, str(broken))
                return

    async def _answer(self, text: str) -> None:
        """Answer what is said in text; what is none of it is nothing."""
        kind = None
        if len(text) <= LONGEST_TEXT:
            with suppress(ValueError, RecursionError):
                said = json.loads(text)
                kind = said.get("type") if isinstance(said, dict) else None
        if kind == "ping":
            await self._socket.send('{"type": "pong"}')
        elif kind == "refresh_token":
            await self._refresh()

    async def _refresh(self) -> None:
        now = self._common.clock()
        try:
            await self._common.connecting.caller(self._session, now)
        except AccessDenied as denied:
            self._exchange.notes.error = denied.code
            await self._socket.close(WSCloseCode.POLICY_VIOLATION, denied.message)
            return
        except GatewayError:
            return  # the database is away: the client asks again
        token = self._common.connecting.reconnection_token(self._session, now)
        message = {"type": "reconnection_token", "reconnection_token": token}
        await self._socket.send(json.dumps(message))

    async def _deliver(self, message: bytes) -> None:
        await self._calls.take(message, self._methods)

    def _introduction(self) -> str:
        session, caller = self._session, self._caller
        connecting = self._common.connecting
        return json.dumps(
            {
                "type": "connection_info",
                "manager_id": self._name,
                "workspace": session.workspace,
                "client_id": session.client_id,
                "public_base_url": self._common.base_url,
                "user": {
                    "id": caller.access_key_id or caller.name,
                    "name": caller.name,
                    "is_anonymous": caller.anonymous,
                    "scope": {
                        "current_workspace": session.workspace,
                        "workspaces": caller.grants.as_text(),
                    },
                },
                "reconnection_token": connecting.reconnection_token(session, self._common.clock()),
                "reconnection_token_life_time": RECONNECTION_SECONDS,
            }
        )

    def _tell(self, answered: Answered) -> None:
        """Have the access log, and the metrics, know of a call as of a request."""
        error, request = answered.error, self._exchange.request
        entry = Entry(
            time=answered.began,
            request_id=answered.request_id,
            remote=request.remote,
            door="hypha",
            operation=answered.operation,
            method="CALL",
            path=request.path,
            status=OK if error is None else error.status,
            received=answered.received,
            sent=answered.sent,
            seconds=answered.seconds,
            complete=True,
            access_key_id=self._caller.access_key_id,
            workspace=self._session.workspace,
            error=None if error is None else error.code,
        )
        for observer in self._common.observers:
            observer(entry)
