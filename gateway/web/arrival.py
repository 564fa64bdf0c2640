"""Requests as they arrive: aiohttp's turned into the gateway's own, nothing believed yet."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from aiohttp import EMPTY_PAYLOAD, HttpVersion10, HttpVersion11, hdrs
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.errors import InvalidRequest, InvalidURI, NotImplementedByGateway
from gateway.s3.message import NOTHING, NOWHERE, Request, new_notes
from gateway.web.asked import Asked
from gateway.web.content import Content

CHUNKED = "chunked"
ABSOLUTE = re.compile(r"https?://([^/?]+)", re.IGNORECASE)
FORWARDED_HOST, FORWARDED_PROTO = "X-Forwarded-Host", "X-Forwarded-Proto"
BELIEVED = (FORWARDED_HOST, FORWARDED_PROTO)

Network = IPv4Network | IPv6Network


class Arrival:
    """One request, and what of its body has come: None where none is to come.

    X-Forwarded-Host and -Proto of peers that are no trusted proxies are taken off: where they
    are left they can be believed.
    """

    __slots__ = ("_asked", "_content", "_doubtful", "_upgrading", "message")

    def __init__(self, asked: Asked, trusted: Sequence[Network] = ()) -> None:
        self._asked = asked
        head = asked.head
        headers, remote = head.headers, asked.remote
        # After a request to upgrade, aiohttp loses what follows in the same piece.
        self._upgrading = hdrs.UPGRADE in headers
        self._doubtful = False
        expected = headers.get(hdrs.EXPECT)
        waiting = (
            expected is not None
            and expected.lower() == "100-continue"
            and head.version >= HttpVersion11
        )
        if trusted or FORWARDED_HOST in headers or FORWARDED_PROTO in headers:
            headers, remote = _believed(headers, remote, trusted)
        path, _, query = _origin_form(head.path).partition("?")
        declared = headers.get(hdrs.CONTENT_LENGTH)
        length = None if declared is None else int(declared)
        self._content = None
        if waiting or asked.content is not EMPTY_PAYLOAD:
            self._content = Content(asked, length, waiting=waiting, tappable=not self._upgrading)
        self.message = Request(
            method=head.method,
            path=path,
            query=query,
            headers=headers,
            body=self._content or NOTHING,
            length=length,
            remote=remote,
            notes=NOWHERE if asked.known is None else new_notes(),
        )

    @property
    def received(self) -> int:
        """How many bytes of the body have come."""
        return 0 if self._content is None else self._content.received

    @property
    def ended(self) -> bool:
        """Whether nobody may wait for more: the body stalled, or was never sent for.

        A client that still waits for 100 may send its body or not: nobody could tell where the
        next request begins.
        """
        content = self._content
        return content is not None and (content.waiting or content.stalled)

    @property
    def last(self) -> bool:
        """Whether nothing may follow on the connection: it is in doubt where that would begin."""
        content = self._content
        if self._doubtful or self._upgrading:
            return True
        return content is not None and (content.waiting or not self._asked.content.is_eof())

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
        coding = head.headers.get(hdrs.TRANSFER_ENCODING)
        if coding is not None and coding.strip().lower() != CHUNKED:
            raise NotImplementedByGateway("of transfer codings this gateway knows chunked alone")
        self._doubtful = False


class Bodiless:
    """A request that has come before, and was found to be meant for this server; without a body."""

    __slots__ = ("message",)

    last = ended = False
    received = 0

    def __init__(self, message: Request) -> None:
        self.message = message

    def check(self) -> None:
        """Nothing: it was checked."""


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
    if target.startswith("/"):
        return target
    absolute = ABSOLUTE.match(target)
    if absolute is not None:
        path = target[absolute.end() :]
        return path if path.startswith("/") else f"/{path}"
    return "/" if target == "*" else target


def _authority(target: str) -> str:
    absolute = None if target.startswith("/") else ABSOLUTE.match(target)
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
