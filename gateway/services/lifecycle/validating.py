"""Reading manifests and enforcing schemas without holding the event loop.

Small manifests are read in place. Everything else runs in child processes, which are killed when
they take too long: neither Python's threads nor its C extensions can be stopped otherwise.
"""

import asyncio
import base64
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path

from gateway.artifact.manifest import Manifest, listing, parse, render
from gateway.artifact.value import Fields, JsonValue
from gateway.artifact.version import Pin
from gateway.artifact.violation import Violation
from gateway.errors import (
    GatewayError,
    InternalError,
    InvalidManifest,
    SchemaViolation,
    ServiceUnavailable,
    SlowDown,
)
from gateway.services.lifecycle.alternating import Turns

SMALL_BYTES = 8192
START_SECONDS = 30.0
PINS_AT_ONCE = 500
# A child that held this much is replaced: it would not give its memory back.
LARGE_BYTES = 16 << 20
# What a child needs of the environment; the gateway's holds secrets.
ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "LANG", "TZ")

Refusal = Callable[[str], GatewayError]


class Validating:
    """Judges manifests and schemas in child processes that are killed when they take too long."""

    def __init__(self, *, manifest_bytes: int, validation_seconds: float) -> None:
        """Start nothing yet: children start with the first task.

        `manifest_bytes` is the largest manifest; no task runs longer than `validation_seconds`.
        """
        self.manifest_bytes = manifest_bytes
        # Manifests go their own way: whoever holds up schemas doesn't hold up reading.
        self._manifests = _Lane(2, manifest_bytes, validation_seconds)
        self._schemas = _Lane(3, manifest_bytes, validation_seconds)

    async def parse(self, data: bytes, who: str = "") -> Manifest:
        """The manifest in `data`; InvalidManifest, also when reading takes too long.

        `who` asks: callers take turns, here and below. SlowDown when none comes in time.
        """
        if len(data) <= SMALL_BYTES or len(data) > self.manifest_bytes:
            return parse(data, self.manifest_bytes)
        request = _task("parse", data=base64.b64encode(data).decode())
        return Manifest(data, _fields(await self._manifests.ask([request], InvalidManifest, who)))

    async def render(self, fields: Fields, who: str = "") -> Manifest:
        """`fields` as a manifest in YAML; InvalidManifest as `parse`."""
        try:
            request = _task("render", fields=fields)
        except (TypeError, ValueError, RecursionError):
            raise InvalidManifest("The manifest holds what JSON lacks, or nests too deep") from None
        if len(request) <= SMALL_BYTES:
            return parse(render(fields), self.manifest_bytes)
        made = _fields(await self._manifests.ask([request], InvalidManifest, who))
        return Manifest(base64.b64decode(str(made["data"])), _fields(made["fields"]))

    async def check_schema(self, schema: JsonValue, who: str = "") -> list[Violation]:
        """What is wrong with a collection's schema; InvalidManifest when it takes too long."""
        request = _task("check_schema", schema=schema)
        return _violations(await self._schemas.ask([request], InvalidManifest, who))

    async def violations(
        self, schema: JsonValue, fields: Fields, pins: Iterable[Pin] = (), who: str = ""
    ) -> list[Violation]:
        """What in `fields`, merged with the list of `pins`, breaks `schema`.

        SchemaViolation when it takes too long.
        """
        request = [piece async for piece in _pieces(schema, fields, pins)]
        return _violations(await self._schemas.ask(request, SchemaViolation, who))

    async def close(self) -> None:
        """Nothing; the children are gone."""
        await self._manifests.close()
        await self._schemas.close()


class _Lane:
    """Children that take tasks, each child one at a time; who asks takes turns with others."""

    def __init__(self, children: int, manifest_bytes: int, seconds: float) -> None:
        self._turns = Turns(children)
        self._seconds = seconds
        self._arguments = (repr(seconds), str(manifest_bytes))
        self._idle: list[_Child] = []
        self._living: set[_Child] = set()

    async def ask(self, request: list[bytes], refusal: Refusal, who: str) -> JsonValue:
        """The value of the answer; `refusal` when it takes too long, or too much."""
        try:
            async with self._turns.turn(who, self._seconds):
                child = await self._child()
                reply = await self._exchange(child, request, refusal)
        except TimeoutError:
            raise SlowDown("Other manifests are being validated; try again") from None
        return _value(reply, refusal)

    async def close(self) -> None:
        """Nothing; the children are gone."""
        for child in list(self._living):
            await self._end(child)

    async def _child(self) -> "_Child":
        while self._idle:
            child = self._idle.pop()
            if child.alive:
                return child
            self._living.discard(child)
        child = await _Child.start(self._arguments)
        self._living.add(child)
        return child

    async def _exchange(self, child: "_Child", request: list[bytes], refusal: Refusal) -> bytes:
        reply = b""
        try:
            async with asyncio.timeout(self._seconds):
                reply = await child.exchange(request)
        except TimeoutError:
            limit = f"limits.validation_seconds, {self._seconds:g} s"
            raise refusal(f"Validating this takes longer than {limit}") from None
        except (OSError, asyncio.IncompleteReadError):
            raise refusal("Validating this takes more than a validating process has") from None
        finally:
            # Without a whole reply, nobody knows what the child would answer to next.
            if not reply or sum(map(len, request)) + len(reply) > LARGE_BYTES:
                await self._end(child)
            else:
                self._idle.append(child)
        return reply

    async def _end(self, child: "_Child") -> None:
        self._living.discard(child)
        if child in self._idle:
            self._idle.remove(child)
        await child.end()


class _Child:
    """A process that answers one request after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, arguments: tuple[str, ...]) -> "_Child":
        """A process that is ready; ServiceUnavailable when there can't be one."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway.artifact", *arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=_environment(),
                start_new_session=True,  # a Ctrl-C is for the gateway, which ends its children
            )
        except OSError as error:
            raise ServiceUnavailable(f"No validating process starts: {error.strerror}") from None
        child = cls(process)
        ready = False
        try:
            async with asyncio.timeout(START_SECONDS):
                await child._receive()
            ready = True
        except (TimeoutError, asyncio.IncompleteReadError):
            raise ServiceUnavailable("No validating process starts; try again") from None
        finally:
            if not ready:
                await child.end()
        return child

    @property
    def alive(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.returncode is None

    async def exchange(self, request: list[bytes]) -> bytes:
        """The answer to a request; OSError or IncompleteReadError when the process ends."""
        sink = self._process.stdin
        if sink is None:
            raise BrokenPipeError
        sink.write(sum(map(len, request)).to_bytes(4, "big"))
        for piece in request:
            sink.write(piece)
            await sink.drain()
        return await self._receive()

    async def _receive(self) -> bytes:
        source = self._process.stdout
        if source is None:
            raise BrokenPipeError
        size = int.from_bytes(await source.readexactly(4), "big")
        return await source.readexactly(size)

    async def end(self) -> None:
        """Nothing; the process is killed. It has nothing to lose."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()


def _environment() -> dict[str, str]:
    """What a child needs to find this program, and nothing secret."""
    kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    paths = [str(Path(path).absolute()) for path in sys.path]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}


async def _pieces(schema: JsonValue, fields: Fields, pins: Iterable[Pin]) -> AsyncIterator[bytes]:
    """The request, as `with_files` merges the document, in pieces that each take little time."""
    if fields.get("files"):
        yield _task("violations", schema=schema, document=fields)
        return
    others = {name: value for name, value in fields.items() if name != "files"}
    head = _task("violations", schema=schema, document=others)
    # The list goes in where both objects end.
    yield head[:-2] + (b', "files": [' if others else b'"files": [')
    rest, comma = iter(pins), b""
    while chunk := [listing(pin) for pin in islice(rest, PINS_AT_ONCE)]:
        yield comma + json.dumps(chunk)[1:-1].encode()
        comma = b","
        await asyncio.sleep(0)
    yield b"]}}"


def _task(name: str, **arguments: JsonValue) -> bytes:
    return json.dumps({"task": name, **arguments}, default=dict).encode()


def _value(reply: bytes, refusal: Refusal) -> JsonValue:
    """What the child answered; InvalidManifest for what it refused."""
    answer = json.loads(reply)
    if "refused" in answer:
        refused = answer["refused"]
        raise InvalidManifest(refused["message"], **refused["details"])
    if answer.get("failed") == "MemoryError":
        raise refusal("Validating this takes more memory than a validating process has")
    if "failed" in answer:
        raise InternalError(f"Validating failed with {answer['failed']}")
    value: JsonValue = answer["value"]
    return value


def _fields(value: JsonValue) -> Fields:
    if not isinstance(value, Mapping):
        raise InternalError("A validating process answered something else")
    return value


def _violations(value: JsonValue) -> list[Violation]:
    found = value if isinstance(value, list) else []
    return [Violation(str(pointer), str(message)) for pointer, message in found]
