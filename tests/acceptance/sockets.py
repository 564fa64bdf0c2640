"""What a socket says when exactly these bytes are said to it: requests that no client sends."""

import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tests.acceptance.harness import Gateway
from tests.acceptance.signer import Signer

BODILESS = (204, 304)
PATIENCE = 30.0  # seconds: by then a gateway that is alive has answered


@dataclass(frozen=True, slots=True)
class Answer:
    """One response as it came; `whole` says that nothing of it was missing."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Said:
    """All that a connection said: its answers in order, and whether the gateway closed it."""

    answers: Sequence[Answer]
    closed: bool
    rest: bytes

    @property
    def one(self) -> Answer:
        """The only answer; AssertionError for none, more, or bytes that belong to none."""
        assert len(self.answers) == 1, self
        assert not self.rest, self
        return self.answers[0]

    @property
    def statuses(self) -> list[int]:
        """The statuses of the answers."""
        return [each.status for each in self.answers]


def head(
    signer: Signer,
    method: str,
    target: str,
    *lines: str,
    headers: dict[str, str] | None = None,
    payload: str = "UNSIGNED-PAYLOAD",
    version: str = "HTTP/1.1",
) -> bytes:
    """A signed request's head; `lines` are put at its end as they are, unsigned."""
    signed = signer.headers(method, target, headers, payload)
    first = f"{method} {target} {version}"
    fields = [f"{name}: {value}" for name, value in signed.items()]
    return "\r\n".join([first, *fields, *lines, "", ""]).encode("utf-8", "surrogateescape")


def say(
    gateway: Gateway,
    *parts: bytes,
    answers: int | None = None,
    methods: Sequence[str] = (),
    pause: float = 0.03,
    shut: bool = False,
    then: bytes = b"",
) -> Said:
    """What comes back for these parts, sent one after the other with a pause in between.

    It is read to the connection's end, or until there are so many `answers`. `methods` are
    those of the requests, where HEAD is among them. `shut` ends the client's side. `then` is
    said after the first answer.
    """
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(BrokenPipeError, ConnectionResetError):
            for number, part in enumerate(parts):
                if number and pause:
                    time.sleep(pause)
                connection.sendall(part)
            if shut:
                connection.shutdown(socket.SHUT_WR)
        heard, closed = bytearray(), False
        while not closed:
            parsed, rest = taken_apart(bytes(heard), methods)
            if answers is not None and len(parsed) >= answers and parsed[-1].whole:
                return Said(parsed, closed, rest)
            if then and parsed and parsed[0].whole:
                with suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(then)
                then = b""
            try:
                piece = connection.recv(1 << 16)
            except ConnectionResetError:
                piece = b""
            heard += piece
            closed = not piece
    parsed, rest = taken_apart(bytes(heard), methods)
    return Said(parsed, closed, rest)


def taken_apart(said: bytes, methods: Sequence[str] = ()) -> tuple[list[Answer], bytes]:
    """The answers in these bytes, and what is left over; 1xx answers are passed over."""
    answers: list[Answer] = []
    while b"\r\n\r\n" in said:
        start, _, rest = said.partition(b"\r\n\r\n")
        line, *lines = start.decode("utf-8", "surrogateescape").split("\r\n")
        status = int(line.split(" ")[1])
        headers = {
            name.lower(): value for name, _, value in (each.partition(": ") for each in lines)
        }
        if 100 <= status < 200:
            said = rest
            continue
        method = methods[len(answers)] if len(answers) < len(methods) else "GET"
        if method == "HEAD" or status in BODILESS:
            answers.append(Answer(status, headers, b""))
            said = rest
        elif headers.get("transfer-encoding") == "chunked":
            body, said, whole = _unchunked(rest)
            answers.append(Answer(status, headers, body, whole))
        else:
            length = int(headers.get("content-length", len(rest)))
            answers.append(Answer(status, headers, rest[:length], len(rest) >= length))
            said = rest[length:]
    return answers, said


def _unchunked(rest: bytes) -> tuple[bytes, bytes, bool]:
    body = b""
    while b"\r\n" in rest:
        line, _, after = rest.partition(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if not size:
            return body, after.partition(b"\r\n")[2], after.startswith(b"\r\n")
        body += after[:size]
        rest = after[size + 2 :]
    return body, b"", False


def bytewise(data: bytes) -> Iterable[bytes]:
    """Each byte by itself."""
    return (data[place : place + 1] for place in range(len(data)))
