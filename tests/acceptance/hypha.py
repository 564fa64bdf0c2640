"""Clients of the Hypha door: the real package's, and bare websockets that say what they like."""

import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import aiohttp
import msgpack

from gateway.identity import parse_grants
from gateway.services.keys.tokens import Token, Tokens
from tests.acceptance.harness import Document, Gateway

# hypha-rpc would have the root logger write to standard output, unless somebody has it already.
logging.getLogger().addHandler(logging.NullHandler())
from hypha_rpc import connect_to_server  # noqa: E402 - see above

Server: TypeAlias = Any  # both are made of what the gateway says at run time
Service: TypeAlias = Any

MANAGER = "public/artifact-manager"


@asynccontextmanager
async def connected(gateway: Gateway, **config: Document) -> AsyncIterator[Server]:
    """A connection of the real package's, as `config` says."""
    server = await connect_to_server({"server_url": gateway.url, "logger": None} | config)
    try:
        yield server
    finally:
        await server.disconnect()


@asynccontextmanager
async def manager(gateway: Gateway, **config: Document) -> AsyncIterator[Service]:
    """The artifact manager, as `config` connects to it."""
    async with connected(gateway, **config) as server:
        yield await server.get_service(MANAGER)


def token(gateway: Gateway, issuer: str, grants: Mapping[str, str], *, seconds: float = 600) -> str:
    """A token that a key has issued: what `artifact-gateway token` prints."""
    now = datetime.now(UTC)
    issued = Token(issuer, parse_grants(grants), now + timedelta(seconds=seconds))
    return Tokens(str(gateway.configuration()["secret"]).encode()).write(issued, now)


class Raw:
    """A websocket that says what it is told to, byte for byte."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.info: Document = None
        self._calls = 0

    async def hello(self, client_id: str = "raw", **said: Document) -> Document:
        """What the gateway answers to a first message."""
        await self.socket.send_str(json.dumps({"client_id": client_id, **said}))
        self.info = await self.said()
        return self.info

    async def said(self) -> Document:
        """The next message in text, binary ones passed over; its close code where it ends."""
        while True:
            message = await self.socket.receive(timeout=20)
            if message.type is aiohttp.WSMsgType.TEXT:
                return json.loads(message.data)
            if message.type is not aiohttp.WSMsgType.BINARY:
                return self.socket.close_code

    async def call(
        self, method: str, *args: Document, head: Document = None, extra: Document = None
    ) -> Document:
        """What a call is answered: ("resolve" or "reject", the value). More may be claimed."""
        self._calls += 1
        session = f"s{self._calls}"
        await self.socket.send_bytes(self.frame(method, args, session, head, extra))
        while True:
            message = await self.socket.receive(timeout=20)
            assert message.type is aiohttp.WSMsgType.BINARY, message
            unpacker = msgpack.Unpacker()
            unpacker.feed(message.data)
            answer, brought = unpacker.unpack(), unpacker.unpack()
            name = answer["method"].rpartition(".")[2]
            if answer["method"] in (f"{session}.resolve", f"{session}.reject"):
                (value,) = brought["args"]
                return name, value["_rvalue"] if name == "reject" else value

    def frame(
        self,
        method: str,
        args: tuple[Document, ...],
        session: str | None = None,
        head: Document = None,
        extra: Document = None,
    ) -> bytes:
        """The bytes of a call."""
        info = self.info or {}
        said = {
            "type": "method",
            "from": f"{info.get('workspace')}/{info.get('client_id')}",
            "to": f"*/{info.get('manager_id')}",
            "method": method,
        } | (head or {})
        if session is not None:
            said["session"] = session
        brought = {"args": list(args), "promise": "*", "t": 15} | (extra or {})
        packed: bytes = msgpack.packb(said) + msgpack.packb(brought)
        return packed

    async def manage(self, method: str, **arguments: Document) -> Document:
        """What a method of the artifact manager is answered."""
        return await self.call(
            f"services.artifact-manager.{method}", arguments, extra={"with_kwargs": True}
        )


@asynccontextmanager
async def raw(gateway: Gateway, **headers: str) -> AsyncIterator[Raw]:
    """A bare websocket, opened with these headers; nothing has been said on it yet."""
    async with aiohttp.ClientSession() as session:
        url = f"{gateway.url}/ws"
        socket = await session.ws_connect(url, headers=headers, max_msg_size=0, autoclose=True)
        try:
            yield Raw(socket)
        finally:
            with suppress(ConnectionError):
                await socket.close()
