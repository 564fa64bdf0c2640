"""Requests of others, one after the other without a pause, while something big is under way."""

import http.client
import json
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

OK = 200
# What a client does between two answers: without it the clients alone would fill a small machine.
PAUSE = 0.005


@dataclass(frozen=True, slots=True)
class Request:
    """A request that can be repeated as it is: presigned, or with a token."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Sample:
    """When a request was sent, in seconds of the monotonic clock, and how long it took."""

    at: float
    milliseconds: float


class Bystanders:
    """A process that sends each of some requests again and again, each over its own connection."""

    def __init__(self, requests: Mapping[str, Request]) -> None:
        context = multiprocessing.get_context("spawn")
        self._near, far = context.Pipe()
        self._process = context.Process(target=_send, args=(dict(requests), far), daemon=True)
        self._process.start()
        self._near.recv()  # all of them have been answered once

    def begin(self) -> None:
        """Send the requests from now on, until the samples are asked for."""
        self._near.send("begin")

    def samples(self) -> Mapping[str, Sequence[Sample]]:
        """What was measured since the beginning, by the requests' names; it ends here."""
        self._near.send("samples")
        measured: Mapping[str, Sequence[Sample]] = self._near.recv()
        return measured

    def stop(self) -> None:
        """End the process."""
        self._near.send("stop")
        self._process.join()


@contextmanager
def watching(requests: Mapping[str, Request]) -> Iterator[Bystanders]:
    """Bystanders for as long as the block lasts."""
    bystanders = Bystanders(requests)
    try:
        yield bystanders
    finally:
        bystanders.stop()


@dataclass(frozen=True, slots=True)
class _Signals:
    """When to send, when to stop, and that all have been answered once."""

    sending: threading.Event
    stopping: threading.Event
    started: threading.Barrier


def _send(requests: dict[str, Request], commands: Connection) -> None:
    kept: dict[str, list[Sample]] = {name: [] for name in requests}
    barrier = threading.Barrier(len(requests) + 1)
    signals = _Signals(threading.Event(), threading.Event(), barrier)
    under_way = [threading.Lock() for _ in requests]
    threads = [
        threading.Thread(target=_repeat, args=(request, kept[name].append, signals, lock))
        for (name, request), lock in zip(requests.items(), under_way, strict=True)
    ]
    for thread in threads:
        thread.start()
    barrier.wait()
    commands.send("started")
    while (command := commands.recv()) != "stop":
        if command == "begin":
            for samples in kept.values():
                samples.clear()
            signals.sending.set()
            continue
        signals.sending.clear()
        for lock in under_way:
            with lock:  # the request that waits for its answer now may be the one that waited most
                pass
        commands.send({name: list(samples) for name, samples in kept.items()})
    signals.stopping.set()
    signals.sending.set()
    for thread in threads:
        thread.join()


def _repeat(
    request: Request, keep: Callable[[Sample], None], signals: _Signals, under_way: threading.Lock
) -> None:
    parts = urlsplit(request.url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)

    def send() -> Sample:
        began = time.monotonic()
        connection.request(request.method, target, request.body, dict(request.headers))
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != OK:
            raise RuntimeError(f"{request.method} {parts.path}: {answer.status} {said[:300]!r}")
        return Sample(began, (time.monotonic() - began) * 1000)

    send()
    signals.started.wait()
    while signals.sending.wait() and not signals.stopping.is_set():
        with under_way:
            keep(send())
        time.sleep(PAUSE)
    connection.close()


def rpc_request(url: str, workspace: str, method: str, token: str, **arguments: object) -> Request:
    """The call of a method, with a bearer token."""
    return Request(
        "POST",
        f"{url}/_rpc/{workspace}/{method}",
        {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        json.dumps(arguments).encode(),
    )
