"""What passes between the gateway and its backend: seen, and stopped at an exact request.

A small HTTP/1.1 proxy in a thread. Requests and responses pass byte for byte, so a signature
that names the proxy's host holds on the other side too.
"""

import asyncio
import contextlib
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

import uvloop

from tests.acceptance.framing import Head, pump, read_head

HEAD_LIMIT = 262_144
NO_CONTENT = 204
NOT_MODIFIED = 304

When = Literal["before", "after", "within"]


@dataclass(slots=True)
class WireRequest:
    """One request that reached the tap: raw path and query, and headers in lower case.

    `status` is the backend's answer, None as long as there is none; `body` is filled as it
    passes, in the transfer coding that it had.
    """

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    status: int | None = None
    body: bytearray = field(default_factory=bytearray, repr=False)

    @property
    def target(self) -> str:
        """Path and query, decoded: `/bucket/key?list-type=2&prefix=a/b/`."""
        return unquote(self.path) + (f"?{unquote(self.query)}" if self.query else "")

    def header(self, name: str) -> str | None:
        """The first header called `name`, lower case; None when it is absent."""
        return next((value for key, value in self.headers if key == name), None)


class Pause:
    """One request to be stopped, and what the test learns and says about it."""

    def __init__(self, method: str, target: str, nth: int, when: When) -> None:
        self.when = when
        self._method = method
        self._target = re.compile(target)
        self._left = nth
        self._reached = threading.Event()
        self._request: WireRequest | None = None
        self._go: asyncio.Future[bool] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def takes(self, request: WireRequest) -> bool:
        """Whether this is the request meant; counts the ones that match."""
        if self._left == 0 or not re.fullmatch(self._method, request.method):
            return False
        if not self._target.search(request.target):
            return False
        self._left -= 1
        return self._left == 0

    async def hold(self, request: WireRequest) -> bool:
        """Whether the stopped request may go on, once somebody has said so."""
        self._loop = asyncio.get_running_loop()
        self._go = self._loop.create_future()
        self._request = request
        self._reached.set()
        return await self._go

    @property
    def reached(self) -> bool:
        """Whether the request has been stopped."""
        return self._reached.is_set()

    def wait(self, timeout: float = 10.0) -> WireRequest:
        """The stopped request; TimeoutError when none came within `timeout` seconds."""
        if not self._reached.wait(timeout) or self._request is None:
            message = f"no {self._method} {self._target.pattern} within {timeout} s"
            raise TimeoutError(message)
        return self._request

    def resume(self) -> None:
        """Let it pass on."""
        self._answer(go=True)

    def drop(self) -> None:
        """Cut its connection: it goes no further."""
        self._answer(go=False)

    def _answer(self, *, go: bool) -> None:
        loop, future = self._loop, self._go
        if loop is None or future is None:
            return

        def decide() -> None:
            if not future.done():
                future.set_result(go)

        loop.call_soon_threadsafe(decide)


@dataclass(slots=True)
class Halves:
    """A body that is gathered, and passed in two halves: the second when the pause is over."""

    writer: asyncio.StreamWriter
    pause: Pause
    request: WireRequest
    data: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes, /) -> None:
        """Take the bytes."""
        self.data += data

    async def drain(self) -> None:
        """Return at once."""

    async def pass_on(self) -> None:
        """Return when all has gone; EOFError where the pause ends in a cut."""
        middle = len(self.data) // 2 if self.pause.when == "within" else 0
        self.writer.write(self.data[:middle])
        await self.writer.drain()
        if middle and not await self.pause.hold(self.request):
            raise EOFError
        self.writer.write(self.data[middle:])


class WireTap:
    """A proxy in front of `backend_url`: use it as a context manager, or start and stop it.

    `url` is what the gateway is given as its backend; `requests` is everything that came.
    """

    def __init__(self, backend_url: str) -> None:
        parts = urlsplit(backend_url)
        self._backend = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._log: list[WireRequest] = []
        self._pauses: list[Pause] = []
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="wire-tap", daemon=True)
        self._ready = threading.Event()
        self._stopping = asyncio.Event()
        self._serving: set[asyncio.Task[None]] = set()
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen on a free loopback port; `url` is set when this returns."""
        self._thread.start()
        if not self._ready.wait(10):
            message = "the wire tap did not start"
            raise TimeoutError(message)

    def stop(self) -> None:
        """Cut every connection and end the thread; once more does nothing."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    @property
    def requests(self) -> Sequence[WireRequest]:
        """Every request so far, in the order of arrival; a copy."""
        with self._lock:
            return tuple(self._log)

    def forget(self) -> None:
        """Empty the log."""
        with self._lock:
            self._log.clear()

    def pause_on(self, method: str, target: str, *, nth: int = 1, when: When = "before") -> Pause:
        """A pause at the `nth` request from now whose method and decoded target match.

        `method` is a regular expression for the whole method, `target` one to be found in
        `path?query`. `before`: nothing of it has gone to the backend. `after`: the backend has
        answered, the gateway has not heard of it. `within`: of its answer's body half has gone.
        """
        pause = Pause(method, target, nth, when)
        with self._lock:
            self._pauses.append(pause)
        return pause

    def cut(self) -> None:
        """Drop every paused request and forget the pauses that nothing reached."""
        with self._lock:
            pauses, self._pauses = self._pauses, []
        for pause in pauses:
            pause.drop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=HEAD_LIMIT)
        port = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._ready.set()
        await self._stopping.wait()
        server.close()
        for task in tuple(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        upstream: asyncio.StreamWriter | None = None
        try:
            answers, upstream = await asyncio.open_connection(*self._backend, limit=HEAD_LIMIT)
            while await self._exchange(reader, writer, answers, upstream):
                pass
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            for each in (writer, upstream):
                if each is not None:
                    each.close()
                    with contextlib.suppress(OSError, asyncio.CancelledError):
                        await each.wait_closed()

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answers: asyncio.StreamReader,
        upstream: asyncio.StreamWriter,
    ) -> bool:
        """Pass one request and its response; whether the connection may carry another."""
        head = await read_head(reader)
        if head is None:
            return False
        request, pause = self._record(head)
        if pause is not None and pause.when == "before" and not await pause.hold(request):
            return False
        upstream.write(head.raw)
        sending = asyncio.create_task(pump(reader, upstream, head, request.body.extend))
        try:
            answer = await read_head(answers)
            while answer is not None and answer.line.split()[1].startswith("1"):
                writer.write(answer.raw)
                answer = await read_head(answers)
            if answer is None:
                return False
            request.status = int(answer.line.split()[1])
            if pause is not None and pause.when == "after" and not await pause.hold(request):
                return False
            writer.write(answer.raw)
            if request.method != "HEAD" and request.status not in (NO_CONTENT, NOT_MODIFIED):
                body = writer if pause is None else Halves(writer, pause, request)
                await pump(answers, body, answer)
                if isinstance(body, Halves):
                    await body.pass_on()
            await writer.drain()
            if not sending.done() or answer.header("connection") == "close":
                return False
            await sending
        finally:
            sending.cancel()
        return True

    def _record(self, head: Head) -> tuple[WireRequest, Pause | None]:
        method, target, _ = head.line.split(" ", 2)
        path, _, query = target.partition("?")
        request = WireRequest(method, path, query, head.headers)
        with self._lock:
            self._log.append(request)
            pauses = tuple(self._pauses)
        taken = [pause for pause in pauses if pause.takes(request)]
        return request, taken[0] if taken else None
