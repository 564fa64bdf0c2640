"""Whether anybody listens at a gateway's address: a person is told at once, where programs wait."""

import socket
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from gateway.client import NotReached

CONNECT_SECONDS = 10
PORTS = {"http": 80, "https": 443}


def reach(url: str) -> None:
    """Return where a connection can be had, or a proxy is between; NotReached."""
    parts = urlsplit(url)
    host = str(parts.hostname)
    if parts.scheme in getproxies() and not proxy_bypass(host):
        return
    try:
        address = host, parts.port or PORTS[parts.scheme]
        socket.create_connection(address, CONNECT_SECONDS).close()
    except OSError as error:
        message = f"nobody answers at {url}: {error.strerror or error}"
        raise NotReached(message, unsent=True) from None
