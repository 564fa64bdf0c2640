"""Sockets that know whether they stay on this machine."""

import socket
from contextlib import suppress
from ipaddress import IPv6Address, ip_address

UNPACED = b"reno"
"""A congestion control that sends what it may at once. Every Linux has it, and lets anybody use it.

Systems that talk across continents are often given BBR instead, which paces what it sends by
timers. Within a machine they spare nobody anything, and of what the gateway takes for a body of
1 MiB they were 30 %.
"""

Info = tuple[int, int, int, str, tuple[object, ...]]
"""What getaddrinfo has to say of an address."""


def socket_for(info: Info) -> socket.socket:
    """A socket to listen at an address, or to connect to it: unpaced, where it is loopback's.

    It is told so before it is used: the timers of a connection that has begun with them stay. A
    connection that is accepted is as its listener is.
    """
    family, kind, protocol, _, address = info
    made = socket.socket(family, kind, protocol)
    if hasattr(socket, "TCP_CONGESTION") and _is_here(str(address[0])):
        with suppress(OSError):  # the system has none of that name: its own will do
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, UNPACED)
    return made


def _is_here(host: str) -> bool:
    """Whether an address is loopback's; what is none, where Python has no IPv6, is not."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
