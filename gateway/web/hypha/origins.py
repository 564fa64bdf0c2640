"""Whose pages may open a websocket: browsers ask nobody before they do, as they do by CORS."""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import hdrs

from gateway.errors import AccessForbidden
from gateway.s3.message import Request

DEFAULT_PORTS = {"http": 80, "https": 443}


class Origins:
    """The origins whose pages may connect: the gateway's own, and those that are listed.

    Its own is that of `public_url`; without one, what this machine calls itself by, since a name
    that somebody else gave to loopback is no name of the gateway's.
    """

    def __init__(self, public_url: str | None, listed: Collection[str]) -> None:
        self._own = None if public_url is None else _place(public_url)
        self._listed = frozenset(listed)

    def check(self, request: Request) -> None:
        """Return for what is no page, and for a page that may; AccessForbidden."""
        said = request.headers.getall(hdrs.ORIGIN, [])
        if not said:
            return
        if len(said) > 1 or not self._admits(said[0], request.headers.get(hdrs.HOST, "")):
            raise AccessForbidden(
                "Pages of this origin may not connect: the operator names those that may in "
                "cors.allow_origins."
            )

    def _admits(self, origin: str, host: str) -> bool:
        if origin in self._listed:
            return True
        place = _place(origin)
        if place is None:
            return False
        if self._own is not None:
            return place == self._own
        return _is_loopback(place[1]) and place == _place(f"{place[0]}://{host}")


def _place(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of a URL; None for what has none, such as `null`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or DEFAULT_PORTS[parts.scheme]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
