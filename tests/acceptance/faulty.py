"""A proxy in front of a gateway that fails as it is told: what a bad network does to clients."""

import http.client
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import unquote

TOO_BUSY = 503
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class Fault(Enum):
    """What goes wrong with an exchange."""

    BUSY = auto()  # 503, and the gateway hears nothing of it
    CUT = auto()  # the connection ends, and the gateway hears nothing of it
    LOST = auto()  # the gateway has answered, and the connection ends
    HALF = auto()  # half of the answer's body comes, and the connection ends
    SPOILT_REQUEST = auto()  # a byte of the request's body is another
    SPOILT_ANSWER = auto()  # a byte of the answer's body is another
    REPLACED = auto()  # the answer's body is another


@dataclass(slots=True)
class Order:
    """Whose requests a fault is for, how often it happens, and what an answer is replaced by."""

    fault: Fault
    method: str
    target: re.Pattern[str]
    left: int
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request that came: `target` is decoded; `range` is what it asked for of a file."""

    method: str
    target: str
    range: str | None
    fault: Fault | None


class FaultyProxy:
    """Listens on loopback at `url`, and passes everything to the gateway's port, but for faults."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._orders: list[Order] = []
        self._log: list[Exchange] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, port))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fail(
        self, fault: Fault, method: str, target: str, *, times: int = 1, body: bytes = b""
    ) -> None:
        """Do so with the next requests whose decoded target matches."""
        with self._lock:
            self._orders.append(Order(fault, method, re.compile(target), times, body))

    def forget(self) -> None:
        """No faults any more, and nothing heard."""
        with self._lock:
            self._orders.clear()
            self._log.clear()

    def heard(self, method: str, target: str) -> Sequence[Exchange]:
        """The exchanges so far that match."""
        with self._lock:
            return [e for e in self._log if e.method == method and re.search(target, e.target)]

    def take(self, method: str, target: str, wanted: str | None) -> Order | None:
        """Note a request, and say what goes wrong with it."""
        with self._lock:
            found = next(
                (
                    order
                    for order in self._orders
                    if order.left and order.method == method and order.target.search(target)
                ),
                None,
            )
            if found is not None:
                found.left -= 1
            self._log.append(Exchange(method, target, wanted, found.fault if found else None))
        return found


def _spoilt(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def _changed(data: bytes, order: Order | None) -> bytes:
    """An answer's body as it reaches the client."""
    if order is not None and order.fault is Fault.REPLACED:
        return order.body
    return _spoilt(data) if order is not None and order.fault is Fault.SPOILT_ANSWER else data


def _passed_on(
    request: BaseHTTPRequestHandler, port: int, body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    """What the gateway answers: status, headers and body."""
    upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = dict(request.headers.items())
        upstream.request(request.command, request.path, body, headers)
        response = upstream.getresponse()
        kept = [(n, v) for n, v in response.getheaders() if n.lower() not in _HOP]
        return response.status, kept, response.read()
    finally:
        upstream.close()


def _handler(proxy: FaultyProxy, port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            order = proxy.take(self.command, unquote(self.path), self.headers.get("Range"))
            fault = None if order is None else order.fault
            self.close_connection = fault in {Fault.CUT, Fault.LOST, Fault.HALF}
            if fault is Fault.CUT:
                return
            if fault is Fault.BUSY:
                self.reply(TOO_BUSY, [], b"busy")
                return
            spoilt = fault is Fault.SPOILT_REQUEST
            status, headers, data = _passed_on(self, port, _spoilt(body) if spoilt else body)
            if fault is not Fault.LOST:
                self.reply(status, headers, _changed(data, order), half=fault is Fault.HALF)

        def reply(
            self, status: int, headers: list[tuple[str, str]], data: bytes, *, half: bool = False
        ) -> None:
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if half else data)

        do_GET = do_HEAD = do_PUT = do_POST = answer  # noqa: N815 - as http.server has it

    return Handler
