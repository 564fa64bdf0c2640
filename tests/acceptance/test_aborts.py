"""Clients that leave at every point of an exchange: nobody ever gets another caller's bytes.

Each caller's bodies carry its name, on requests and answers. Whatever is answered is compared
with what that caller alone has asked for; whatever the backend holds in the end has to be whole.
`SOAK_REQUESTS` asks for more of them than the suite has time for: `make soak`.
"""

import os
import random
import re
import secrets
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.acceptance.exchanges import Caller
from tests.acceptance.harness import WORKSPACE, Backend, Gateway
from tests.acceptance.signer import Signer
from tests.acceptance.sockets import Answer, taken_apart
from tests.acceptance.wire import WireTap

REQUESTS = int(os.environ.get("SOAK_REQUESTS", "2000"))
CALLERS = 8
LEAVING = ("in the head", "after the head", "in the body", "after the request", "in the answer")
STAYING = 0.5  # of all exchanges
RESET = struct.pack("ii", 1, 0)
PATIENCE = 30.0
HEARD = re.compile(rf"/{WORKSPACE}(/aborts/caller-\d/[a-z]+(-\d+)?)?")


class Line:
    """One caller's connection, opened again whenever it has ended."""

    def __init__(self, gateway: Gateway, chance: random.Random) -> None:
        self._gateway = gateway
        self._chance = chance
        self._socket: socket.socket | None = None

    def send(self, data: bytes) -> bool:
        """Whether the data could be sent."""
        if self._socket is None:
            address = ("127.0.0.1", self._gateway.port)
            self._socket = socket.create_connection(address, timeout=PATIENCE)
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def leave(self) -> None:
        """Be gone: politely, or with a reset; or stop speaking first."""
        if self._socket is None:
            return
        way = self._chance.choice(("end", "reset", "shut"))
        with suppress(OSError):
            if way == "reset":
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            elif way == "shut":
                self._socket.shutdown(socket.SHUT_WR)
                self._socket.settimeout(0.01)
                self._socket.recv(1_000)
        self._socket.close()
        self._socket = None

    def answer(self, method: str, most: int | None = None) -> Answer | None:
        """The next answer, or of its bytes so many at `most`; None where nothing came."""
        heard = b""
        while most is None or len(heard) < most:
            answers, rest = taken_apart(heard, (method,))
            if answers and answers[0].whole:
                assert len(answers) == 1, "more answers than requests"
                assert not rest
                return answers[0]
            assert self._socket is not None
            try:
                piece = self._socket.recv(1 << 16 if most is None else most - len(heard))
            except ConnectionResetError:
                piece = b""
            if not piece:
                break
            heard += piece
        answers, _ = taken_apart(heard, (method,))
        return answers[0] if answers else None


@pytest.fixture(scope="module")
def tap(backend: Backend) -> Iterator[WireTap]:
    with WireTap(backend.endpoint_url) as listening:
        yield listening


@pytest.fixture(scope="module")
def own(
    backend: Backend, tap: WireTap, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway that nobody else uses, and whose backend is listened to."""
    running = Gateway(
        backend,
        tmp_path_factory.mktemp("aborts"),
        settings={"system": {"bucket": "system-of-the-aborts", "prefix": ""}},
        endpoint_url=tap.url,
    )
    try:
        yield running.start()
    finally:
        running.stop()


def take_part(line: Line, caller: Caller, chance: random.Random, counts: Counter[str]) -> None:
    """One exchange, to its end or not."""
    exchange = caller.exchange()
    point = "" if chance.random() < STAYING else chance.choice(LEAVING)
    whole = exchange.head + exchange.payload
    cut = {
        "in the head": chance.randrange(1, len(exchange.head)),
        "after the head": len(exchange.head),
        "in the body": len(exchange.head) + chance.randrange(len(exchange.payload) + 1),
    }.get(point, len(whole))
    sent = line.send(whole[:cut])
    if point and point != "in the answer":
        if chance.random() < 0.3:
            time.sleep(chance.random() / 200)
        line.leave()
        counts[f"left {point}"] += 1
        return
    answer = line.answer(exchange.method, chance.randrange(1, 20_000) if point else None)
    if answer is not None:
        exchange.check(answer, caller.name, CALLERS)
    if point or answer is None or not answer.whole or answer.headers.get("connection") == "close":
        counts["left in the answer" if point else "ended"] += 1
        # What was refused before its body had gone may be cut off; nothing else may.
        assert point or answer is not None or exchange.status == 403, (exchange.kind, sent)
        line.leave()
        return
    counts["stayed"] += 1


def run(gateway: Gateway, caller: Caller, chance: random.Random, requests: int) -> Counter[str]:
    """How many exchanges of one caller ended in which way."""
    line, counts = Line(gateway, chance), Counter[str]()
    for _ in range(requests):
        take_part(line, caller, chance, counts)
    line.leave()
    return counts


def test_nobody_gets_another_caller_s_bytes(own: Gateway, backend: Backend, tap: WireTap) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it with a failure
    signer = Signer(f"127.0.0.1:{own.port}")
    chances = [random.Random(seed + number) for number in range(CALLERS)]  # noqa: S311 - a seed
    callers = [Caller(number, signer, chances[number]) for number in range(CALLERS)]
    client = backend.client()
    for caller in callers:
        for key, data in caller.objects.items():
            client.put_object(Bucket=WORKSPACE, Key=key, Body=data)
    tap.forget()
    with ThreadPoolExecutor(CALLERS) as pool:
        rounds = [
            pool.submit(run, own, caller, chance, REQUESTS // CALLERS)
            for caller, chance in zip(callers, chances, strict=True)
        ]
        counts = sum((each.result() for each in rounds), Counter[str]())
    assert counts["stayed"] > REQUESTS // 3, counts
    assert all(counts[f"left {point}"] > REQUESTS // 50 for point in LEAVING), counts
    # A connection that was out of step would say something else than a request.
    for each in tap.requests:
        assert each.method in ("GET", "HEAD", "PUT"), each
        assert HEARD.fullmatch(each.path), each
    check_objects(backend, callers)
    assert own.request("GET", "/_health/ready").status == 200


def check_objects(backend: Backend, callers: list[Caller]) -> None:
    """Every object that is there is whole, and its caller's."""
    client = backend.client()
    sent = {key: data for caller in callers for key, data in (caller.objects | caller.sent).items()}
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=WORKSPACE, Prefix="aborts/")
    keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    assert len(keys) > 2 * CALLERS

    def check(key: str) -> None:
        assert client.get_object(Bucket=WORKSPACE, Key=key)["Body"].read() == sent[key], key

    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(check, keys))
