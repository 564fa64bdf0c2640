"""Requests as they arrive: aiohttp's turned into the gateway's own, nothing believed yet."""

import re
from collections.abc import AsyncGenerator, Awaitable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Self

from aiohttp import EMPTY_PAYLOAD, ClientError, HttpVersion10, HttpVersion11, hdrs, web
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.conduit import Dry, Outlet, Silent
from gateway.errors import (
    IncompleteBody,
    InvalidRequest,
    InvalidURI,
    NotImplementedByGateway,
    RequestTimeout,
)
from gateway.passage import conduct
from gateway.s3.message import NOTHING, Body, Request
from gateway.sieve import sift
from gateway.web.asked import Asked

IDLE_SECONDS = 60
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNKED = "chunked"
ABSOLUTE = re.compile(r"https?://([^/?]+)", re.IGNORECASE)
BELIEVED = ("X-Forwarded-Host", "X-Forwarded-Proto")

Network = IPv4Network | IPv6Network


class Arrival:
    """One request, and how much of its body has come.

    `waiting` says that the client still waits for `100 Continue`: it is sent when the body is
    first read, and never otherwise. X-Forwarded-Host and -Proto of peers that are no trusted
    proxies are taken off: where they are left they can be believed. `stalled` says that the
    body stopped coming.
    """

    def __init__(self, asked: Asked, trusted: Sequence[Network] = ()) -> None:
        self._asked = asked
        head = asked.head
        # After a request to upgrade, aiohttp loses what follows in the same piece.
        self._upgrading = hdrs.UPGRADE in head.headers
        self._doubtful = False
        self.received = 0
        self.stalled = False
        expected = head.headers.get(hdrs.EXPECT)
        self.waiting = (
            expected is not None
            and expected.lower() == "100-continue"
            and head.version >= HttpVersion11
        )
        headers, remote = head.headers, asked.remote
        if trusted or any(name in headers for name in BELIEVED):
            headers, remote = _believed(headers, remote, trusted)
        path, _, query = _origin_form(head.path).partition("?")
        length = headers.get(hdrs.CONTENT_LENGTH)
        body: Body = NOTHING
        if asked.content is not EMPTY_PAYLOAD or self.waiting:
            body = self._pieces() if length is None else _Body(self, self._pieces())
        self.message = Request(
            method=head.method,
            path=path,
            query=query,
            headers=headers,
            body=body,
            length=None if length is None else int(length),
            remote=remote,
            notes=None if asked.known is None else {},
        )

    @property
    def last(self) -> bool:
        """Whether nothing may follow on the connection: it is in doubt where that would begin."""
        doubtful = self._doubtful or self._upgrading
        return doubtful or self.waiting or not self._asked.content.is_eof()

    def check(self) -> None:
        """Nothing, for a request of HTTP/1.1 that is meant for this server.

        InvalidURI where its target is no path, or names another host than its Host header does.
        InvalidRequest for other versions of HTTP, NotImplementedByGateway for a body that is
        encoded for its transfer.
        """
        self._doubtful = True
        head = self._asked.head
        if head.version not in (HttpVersion10, HttpVersion11):
            raise InvalidRequest("this gateway speaks HTTP/1.1 and HTTP/1.0")
        if not self.message.path.startswith("/"):
            raise InvalidURI("the request's target is no path")
        authority = _authority(head.path)
        if authority and authority.lower() != head.headers.get(hdrs.HOST, "").lower():
            raise InvalidURI("the request's target names another host than its Host header")
        coding = head.headers.get(hdrs.TRANSFER_ENCODING, CHUNKED)
        if coding.strip().lower() != CHUNKED:
            raise NotImplementedByGateway("of transfer codings this gateway knows chunked alone")
        self._doubtful = False

    async def pour(self, outlet: Outlet) -> None:
        """Nothing, once what of a long body has not been read has gone; the rest is to be read.

        RequestTimeout, IncompleteBody, Blocked.
        """
        length, content = self.message.length or 0, self._asked.content
        tap = None if self._upgrading else self._asked.tap(length, IDLE_SECONDS)
        if tap is None:
            return
        began = tap.left
        try:
            with tap:
                piece = content.read_nowait()
                self.received += len(piece)
                if outlet.sieve is None:
                    outlet.write(piece)
                    await conduct(tap, outlet)
                else:
                    await sift(piece, tap, outlet, outlet.sieve)
        except Silent:
            raise self._timed_out() from None
        except Dry as error:
            raise _broken_off() from error
        finally:
            self.received += began - tap.left
            self._asked.tapped(tap)

    def at_hand(self) -> bytes | None:
        """All of a body that has come by now, of which nothing is left then; None before."""
        content = self._asked.content
        if self.received or not content.is_eof() or content.exception() is not None:
            return None
        # Leave to send what is here, or nothing, is given all the same: botocore, once answered
        # without it, takes the next answer's status for a header, and waits for its body.
        self._go_on()
        whole = content.read_nowait()
        self.received = len(whole)
        return whole

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        content = self._asked.content
        due = self._asked.body_due
        try:
            self._go_on()
            while True:
                due.set(IDLE_SECONDS)
                if content.total_bytes == self.received:
                    self._asked.ask()
                piece = await content.readany()
                due.clear()
                if not piece:
                    return
                self.received += len(piece)
                yield piece
        except TimeoutError:
            raise self._timed_out() from None
        except (
            ClientError,
            ConnectionError,
            HttpProcessingError,
            web.RequestPayloadError,
        ) as error:
            raise _broken_off() from error
        finally:
            due.clear()

    def _timed_out(self) -> RequestTimeout:
        self.stalled = True
        return RequestTimeout(f"nothing came for {IDLE_SECONDS} seconds")

    def _go_on(self) -> None:
        if not self.waiting:
            return
        self.waiting = False
        self._asked.write(CONTINUE)


class Bodiless:
    """A request that has come before, and was found to be meant for this server; without a body."""

    __slots__ = ("message",)

    last = waiting = stalled = False
    received = 0

    def __init__(self, message: Request) -> None:
        self.message = message

    def check(self) -> None:
        """Nothing: it was checked."""


class _Body:
    """A body whose length is known, in pieces or not."""

    def __init__(self, arrival: Arrival, pieces: AsyncGenerator[bytes, None]) -> None:
        self._pieces = pieces
        self.pour = arrival.pour
        self.at_hand = arrival.at_hand
        self.aclose = pieces.aclose

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Awaitable[bytes]:
        return self._pieces.__anext__()


def _broken_off() -> IncompleteBody:
    return IncompleteBody("the body ended before its declared length")


def _believed(
    headers: CIMultiDictProxy[str], peer: str, trusted: Sequence[Network]
) -> tuple[CIMultiDictProxy[str], str]:
    """Headers without what only a trusted proxy may say, and the address of the client."""
    kept, remote = CIMultiDict(headers), peer
    proxied = _is_in(peer, trusted)
    if proxied:
        # Some proxies add a line of their own below the one that the client made up.
        hops = ",".join(headers.getall("X-Forwarded-For", ()))
        remote = _client(hops, trusted) or peer
    for name in BELIEVED:
        said = ",".join(kept.popall(name, ())).partition(",")[0].strip()
        if said and proxied:
            kept[name] = said
    return CIMultiDictProxy(kept), remote


def _origin_form(target: str) -> str:
    absolute = ABSOLUTE.match(target)
    if absolute is not None:
        path = target[absolute.end() :]
        return path if path.startswith("/") else f"/{path}"
    return "/" if target == "*" else target


def _authority(target: str) -> str:
    absolute = ABSOLUTE.match(target)
    return absolute[1] if absolute is not None else ""


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
