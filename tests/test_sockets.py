"""Which of a gateway's connections are paced by the system: the ends of real ones are looked at."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.sockets import UNPACED, Info, socket_for
from gateway.storage.wire import pool
from gateway.storage.wire.pool import Pool
from gateway.web import server

SYSTEMS = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_bytes().strip()

FAMILIES = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def control(one: socket.socket) -> bytes:
    return one.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")


def is_there(host: str) -> bool:
    """Whether this machine has the address: there are some without IPv6."""
    try:
        socket.create_server((host, 0), family=FAMILIES[host]).close()
    except OSError:
        return False
    return True


HERE = [host for host in FAMILIES if is_there(host)]


@pytest.fixture(params=[*HERE, *(host for host in EVERYWHERE if EVERYWHERE[host] in HERE)])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with server.bind(request.param, 0) as bound:
        yield bound


def test_what_a_listener_accepts_is_unpaced_where_it_can_come_from_this_machine_alone(
    listener: socket.socket,
) -> None:
    host, port = listener.getsockname()[:2]
    here = EVERYWHERE.get(host, host)
    with socket.create_connection((here, port)), listener.accept()[0] as accepted:
        assert control(accepted) == (UNPACED if host == here else SYSTEMS)


@pytest.mark.parametrize("host", HERE)
async def test_a_connection_to_a_backend_on_this_machine_is_unpaced(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[socket.socket] = []

    def seen(info: Info) -> socket.socket:
        made.append(socket_for(info))
        return made[-1]

    monkeypatch.setattr(pool, "socket_for", seen)
    with socket.create_server((host, 0), family=FAMILIES[host]) as backend:
        place = f"[{host}]" if ":" in host else host
        connection = await Pool("http").connect(f"{place}:{backend.getsockname()[1]}")
        assert [control(ours) for ours in made] == [UNPACED]
        connection.close()


def test_an_address_of_this_machine_in_the_words_of_ipv6_is_known() -> None:
    info = socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("::ffff:127.0.0.1", 443, 0, 0)
    with socket_for(info) as made:
        assert control(made) == UNPACED


def test_what_is_no_address_is_as_the_system_has_it() -> None:
    """A Python without IPv6 has a number and bytes for one."""
    with socket_for((socket.AF_INET, socket.SOCK_STREAM, 0, "", (10, b""))) as made:
        assert control(made) == SYSTEMS


def test_a_socket_to_another_machine_is_as_the_system_has_it() -> None:
    info = socket.AF_INET, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 443)
    with socket_for(info) as made:
        assert control(made) == SYSTEMS
    scoped = socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("fe80::1%lo", 443, 0, 1)
    with socket_for(scoped) as made:
        assert control(made) == SYSTEMS


def test_a_system_without_that_control_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sockets.UNPACED", b"of no system")
    info = socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 443)
    with socket_for(info) as made:
        assert control(made) == SYSTEMS
