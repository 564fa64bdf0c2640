"""Connections to the backend, kept for the next request."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from types import MappingProxyType

from aiohappyeyeballs import start_connection

from gateway.sockets import socket_for
from gateway.storage.wire.connection import KEEPALIVE_SECONDS, Connection

CONNECT_SECONDS = 5.0

ATTEMPT_SECONDS = 0.25
"""How long one of a name's addresses has before the next is tried beside it."""

PORTS: Mapping[str, int] = MappingProxyType({"http": 80, "https": 443})


class NotConnected(Exception):
    """There is no connection to be had."""


class Pool:
    """The connections of one process to one service, by host: bucket names may be a part of it."""

    def __init__(self, scheme: str) -> None:
        self._port = PORTS[scheme]
        self._context = ssl.create_default_context() if scheme == "https" else None
        self._kept: dict[str, list[Connection]] = {}

    def kept(self, host: str) -> Connection | None:
        """A connection to `host` that is free; None where there is none."""
        kept = self._kept.get(host)
        while kept:
            connection = kept.pop()
            if connection.open:
                if connection.loop.time() - connection.moved < KEEPALIVE_SECONDS:
                    return connection
                connection.close()
        return None

    async def connect(self, host: str) -> Connection:
        """A new connection to `host` (with its port, if it is another than the scheme's).

        NotConnected when there is none within CONNECT_SECONDS.
        """
        return await self._connect(host, self._kept.setdefault(host, []))

    def close(self) -> None:
        """Close the connections that nobody uses."""
        for kept in self._kept.values():
            for connection in kept:
                connection.close()
        self._kept.clear()

    async def _connect(self, host: str, kept: list[Connection]) -> Connection:
        name, _, port = host.rpartition(":") if _has_port(host) else (host, "", str(self._port))
        name = name.strip("[]")
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._connect_to(name, int(port), kept)
        except (OSError, TimeoutError) as error:
            raise NotConnected(str(error)) from error

    async def _connect_to(self, name: str, port: int, kept: list[Connection]) -> Connection:
        """A connection to whichever of a name's addresses answers first: RFC 8305."""
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        connected = await start_connection(
            addresses, happy_eyeballs_delay=ATTEMPT_SECONDS, socket_factory=socket_for
        )
        server = None if self._context is None else name
        _, connection = await loop.create_connection(
            lambda: Connection(kept.append),
            sock=connected,
            ssl=self._context,
            server_hostname=server,
        )
        return connection


def _has_port(host: str) -> bool:
    return ":" in host and not host.endswith("]")
