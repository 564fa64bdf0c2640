"""Clients that leave: a signed request is sent, and its connection closed before the answer."""

import hashlib
import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.acceptance.harness import Document, Gateway
from tests.acceptance.signer import Signer


@dataclass(frozen=True, slots=True)
class Request:
    """A request of the writer; its body is signed for."""

    method: str
    target: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def call(gateway: Gateway, method: str, **arguments: Document) -> Request:
    """A call of the RPC method."""
    target = f"/_rpc/{gateway.workspace}/{method}"
    body = json.dumps(arguments).encode()
    return Request("POST", target, body, {"content-type": "application/json"})


def leave(gateway: Gateway, request: Request, *, after: float, sent: int | None = None) -> None:
    """Send the request, or just `sent` bytes of its body, and be gone `after` so many seconds."""
    signer = Signer(f"127.0.0.1:{gateway.port}")
    payload = hashlib.sha256(request.body).hexdigest()
    headers = signer.headers(request.method, request.target, request.headers, payload)
    headers["content-length"] = str(len(request.body))
    lines = [f"{request.method} {request.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, "", ""]).encode()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(head + request.body[:sent])
        time.sleep(after)
        connection.shutdown(socket.SHUT_RDWR)
