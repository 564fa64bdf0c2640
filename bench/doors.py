"""What the server side of HTTP costs: a Boundary with a trivial door, answered over loopback.

`python -m bench.doors [--rounds 7] [--requests 2000] [--json FILE]`

From bytes received to a request at the door, and from a reply to bytes sent: request id, final
headers, access log and metrics included. The server is a process of its own, with uvloop; its CPU
for each request is what the kernel says. Ways alternate; medians.
"""

import argparse
import asyncio
import logging
import multiprocessing
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import uvloop
from multidict import CIMultiDict

from bench.figures import Report
from gateway.s3.message import Reply, Request
from gateway.web import access_log, server
from gateway.web.boundary import Boundary
from gateway.web.exchange import Exchange
from gateway.web.measures import Measures

SMALL, PIECE, LARGE = 4_096, 262_144, 64 << 20
RECEIVED = 1 << 20
SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=READER/20260101/us-east-1/s3/aws4_request, "
    "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" + "a" * 64
)
HEAD = (
    "{method} /ws/data/{key} HTTP/1.1\r\nHost: 127.0.0.1:9000\r\nAuthorization: "
    + SIGNATURE
    + "\r\n"
    "x-amz-content-sha256: UNSIGNED-PAYLOAD\r\nx-amz-date: 20260101T000000Z\r\n"
    "User-Agent: bench\r\nAccept: */*\r\nContent-Length: {length}\r\n\r\n"
)


class Trivial:
    """A door that answers out of memory, and drops what it is sent."""

    name = "s3"
    methods = ("GET", "HEAD", "PUT", "POST", "DELETE")
    varies = ("Authorization",)

    def __init__(self) -> None:
        self._small, self._piece = bytes(SMALL), bytes(PIECE)

    @staticmethod
    def is_public(request: Request) -> bool:
        """Nothing is."""
        del request
        return False

    async def answer(self, exchange: Exchange) -> Reply:
        """Small bytes, or a large stream; to a PUT, nothing."""
        request = exchange.request
        exchange.notes.workspace, exchange.notes.operation = "ws", "GetObject"
        if request.method == "PUT":
            async for _ in request.body:
                pass
            return Reply(200, _headers(0))
        if request.path.endswith("large"):
            return Reply(200, _headers(LARGE), self._stream(LARGE), authored=True)
        if request.path.endswith("stream"):
            return Reply(200, _headers(SMALL), self._stream(SMALL), authored=True)
        return Reply(200, _headers(SMALL), self._small, authored=True)

    async def _stream(self, left: int) -> AsyncIterator[bytes]:
        piece = self._piece if left >= PIECE else self._small
        while left > 0:
            yield piece
            left -= len(piece)


def _headers(length: int) -> CIMultiDict[str]:
    return CIMultiDict(
        {
            "Content-Length": str(length),
            "Content-Type": "application/octet-stream",
            "ETag": '"0123456789abcdef0123456789abcdef"',
            "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
            "Accept-Ranges": "bytes",
        }
    )


def _serve(listener: socket.socket) -> None:
    access = logging.getLogger("gateway.access")
    access.setLevel(logging.INFO)
    access.propagate = False
    access.handlers = [logging.FileHandler("/dev/null")]
    door, measures = Trivial(), Measures()
    edge = Boundary(lambda _: door, observers=(access_log.write, measures.observe))

    async def ready() -> None:
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve(nullcontext(edge), listener, asyncio.Event(), ready))


@dataclass(frozen=True, slots=True)
class Way:
    """One kind of request: how many of them, on how many connections in turn."""

    name: str
    say: Callable[["Client"], None]
    share: float = 1.0


class Client:
    """A client that waits for each answer."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._room = bytearray(RECEIVED)

    def get(self, key: str) -> None:
        """Nothing, once the whole answer is here."""
        self._ask(HEAD.format(method="GET", key=key, length=0).encode())

    def put(self, size: int) -> None:
        """Nothing, once so many bytes are there and answered."""
        self._socket.sendall(HEAD.format(method="PUT", key="put", length=size).encode())
        zeros = memoryview(bytes(min(size, RECEIVED)))
        while size:
            self._socket.sendall(zeros[:size])
            size -= min(size, RECEIVED)
        self._ask(b"")

    def _ask(self, said: bytes) -> None:
        if said:
            self._socket.sendall(said)
        heard = b""
        while b"\r\n\r\n" not in heard:
            heard += self._socket.recv(65_536)
        head, _, body = heard.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        left = int(length) - len(body)
        while left > 0:
            left -= self._socket.recv_into(self._room)


WAYS = (
    Way("GET 4 KiB", lambda client: client.get("small")),
    Way("GET 4 KiB, streamed", lambda client: client.get("stream")),
    Way("PUT 4 KiB", lambda client: client.put(SMALL)),
    Way("GET 64 MiB", lambda client: client.get("large"), 0.004),
    Way("PUT 64 MiB", lambda client: client.put(LARGE), 0.004),
)


def _spent(pid: int) -> int:
    """The nanoseconds of CPU that a process of one thread has had."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def main() -> None:
    """Measure, print, and write figures down where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    listener = server.bind("127.0.0.1", 0)
    serving = multiprocessing.get_context("fork").Process(target=_serve, args=(listener,))
    serving.start()
    pid = serving.pid or 0
    client = Client(listener.getsockname()[1])
    figures: dict[str, list[float]] = {way.name: [] for way in WAYS}
    try:
        for number in range(asked.rounds + 1):  # the first warms up
            for way in WAYS:
                count = max(1, int(asked.requests * way.share))
                before = _spent(pid)
                for _ in range(count):
                    way.say(client)
                if number:
                    figures[way.name].append((_spent(pid) - before) / count / 1_000)
    finally:
        serving.terminate()
        serving.join()
    report = Report("the server side of HTTP, CPU for each request")
    for name, samples in figures.items():
        report.add(name, samples, "µs")
    report.show(asked.json)


if __name__ == "__main__":
    main()
