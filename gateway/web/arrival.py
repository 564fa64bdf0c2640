"""Requests as they arrive: aiohttp's turned into the gateway's own, nothing believed yet."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from aiohttp import ClientError, HttpVersion11, hdrs, web
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.errors import IncompleteBody, InvalidURI, RequestTimeout
from gateway.s3.message import Request

IDLE_SECONDS = 60
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
BELIEVED = ("X-Forwarded-Host", "X-Forwarded-Proto")

Network = IPv4Network | IPv6Network


class Arrival:
    """One request of aiohttp's, and how much of its body has come.

    `waiting` says that the client still waits for `100 Continue`: it is sent when the body is
    first read, and never otherwise. X-Forwarded-Host and -Proto of peers that are no trusted
    proxies are taken off: where they are left they can be believed. `stalled` says that the
    body stopped coming.
    """

    def __init__(self, request: web.BaseRequest, trusted: Sequence[Network] = ()) -> None:
        self._request = request
        self.received = 0
        self.stalled = False
        expected = request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
        self.waiting = expected and request.version >= HttpVersion11
        peer = request.remote or ""
        headers = CIMultiDict(request.headers)
        remote = peer
        if _is_in(peer, trusted):
            remote = _client(headers.get("X-Forwarded-For", ""), trusted) or peer
        else:
            for name in BELIEVED:
                headers.popall(name, None)
        path, _, query = _origin_form(request.raw_path).partition("?")
        self.message = Request(
            method=request.method,
            path=path,
            query=query,
            headers=CIMultiDictProxy(headers),
            body=self._pieces(),
            length=request.content_length,
            remote=remote,
        )

    @property
    def unread(self) -> bool:
        """Whether bytes of the body are still to come, or waited for."""
        return self.waiting or not self._request.content.is_eof()

    def check(self) -> None:
        """Nothing; InvalidURI where the request's target is no path."""
        if not self.message.path.startswith("/"):
            raise InvalidURI("the request's target is no path")

    async def _pieces(self) -> AsyncIterator[bytes]:
        content = self._request.content
        try:
            await self._go_on()
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    piece = await content.readany()
                if not piece:
                    return
                self.received += len(piece)
                yield piece
        except TimeoutError:
            self.stalled = True
            raise RequestTimeout(f"nothing came for {IDLE_SECONDS} seconds") from None
        except (
            ClientError,
            ConnectionError,
            HttpProcessingError,
            web.RequestPayloadError,
        ) as error:
            raise IncompleteBody("the body ended before its declared length") from error

    async def _go_on(self) -> None:
        if not self.waiting:
            return
        self.waiting = False
        await self._request.writer.write(CONTINUE)
        # It is no part of the answer, whose size is logged.
        self._request.writer.output_size = 0


def _origin_form(target: str) -> str:
    if target.startswith("/"):
        return target
    scheme, separator, rest = target.partition("://")
    if separator and scheme.lower() in ("http", "https"):
        authority, slash, path = rest.partition("/")
        return f"/{path}" if slash else f"/{'?' if '?' in authority else ''}"
    return "/" if target == "*" else target


def _client(forwarded: str, trusted: Sequence[Network]) -> str:
    # From the right: what an untrusted peer wrote on the left proves nothing.
    for hop in reversed([part.strip() for part in forwarded.split(",")]):
        if not _is_in(hop, trusted):
            return hop
    return ""


def _is_in(peer: str, networks: Sequence[Network]) -> bool:
    if not networks:
        return False
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in networks)
