"""hypha-rpc's binary messages: a head that says where to, then what is brought along.

A message is two values of MessagePack, one after the other. Of the head and of the rest only what
stands in `Frame` and `Extra` is looked at: whatever else a client says of itself, its workspace and
its name included, goes no further than this module.
"""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.artifact.value import JsonValue, brief
from gateway.errors import InvalidArgument

try:
    import msgpack
except ModuleNotFoundError:  # the extra "hypha" is not installed
    msgpack = None

AVAILABLE = msgpack is not None
"""Whether messages can be read at all."""

LONGEST_HEAD = 4_096
LONGEST_NAME = 512
CHUNK = 262_144
"""The bytes of a piece: clients take no much longer message at once."""

SLACK = 1_024
MOST_MAPS = 100_000
"""An empty map is one byte on the wire, and 64 in memory."""

ENCODED = "_rtype"
TIMESTAMPS = 0  # as objects, which no argument may hold
BUFFERS = ("typedarray", "memoryview")
CACHE = "services.built-in.message_cache"


class Broken(Exception):
    """What came is no message of this protocol."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A call as far as its head tells: `target` is whom it is for, `rest` what it brings along.

    `session` is where the answer goes; None where the client waits for none.
    """

    method: str
    target: str
    session: str | None
    rest: bytes


@dataclass(frozen=True, slots=True)
class HyphaValue:
    """A value that hypha-rpc encodes in a way of its own: a function, an array, a set."""

    kind: object
    fields: Mapping[str, object]

    @property
    def data(self) -> object:
        """Its bytes where that is what it is; otherwise the value itself."""
        return self.fields.get("_rvalue") if self.kind in BUFFERS else self


@dataclass(frozen=True, slots=True)
class Extra:
    """What a call brings along: its arguments by place and by name, as they came.

    `interval` is after how many seconds the client wants to hear that the call goes on; None
    where it wants no answer.
    """

    places: Sequence[object]
    names: Mapping[str, object]
    interval: float | None


def parse(data: bytes) -> Frame | None:
    """The call that a message is; None for a message of another kind. Broken."""
    unpacker = msgpack.Unpacker(
        max_buffer_size=LONGEST_HEAD,
        max_str_len=LONGEST_NAME,
        max_map_len=32,
        max_array_len=0,
        max_bin_len=0,
        max_ext_len=0,
    )
    unpacker.feed(data[:LONGEST_HEAD])
    try:
        head = unpacker.unpack()
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        raise Broken("the head is no MessagePack") from error
    if not isinstance(head, dict):
        raise Broken("the head is no map")
    if head.get("type") != "method":
        return None
    method, target, session = head.get("method"), head.get("to"), head.get("session")
    if not isinstance(method, str) or not isinstance(target, str):
        raise Broken("the head names no method, or nobody whose it is")
    if session is not None and not isinstance(session, str):
        raise Broken("the session is no text")
    return Frame(method, target, session, data[unpacker.tell() :])


def brought(rest: bytes) -> Extra:
    """What a call brings along; Broken, and InvalidArgument where its arguments can't be meant."""
    said = _unpacked(rest) if rest else {}
    if not isinstance(said, dict):
        raise Broken("what a call brings along is no map")
    places, promise = said.get("args") or [], said.get("promise")
    if not isinstance(places, list):
        raise Broken("the arguments are no list")
    names: object = {}
    if said.get("with_kwargs"):
        names = places.pop() if places else None
    if not isinstance(names, dict):
        raise Broken("the arguments by name are no map")
    interval = None
    if promise:
        wanted = promise.get("interval") if isinstance(promise, dict) else said.get("t")
        interval = float(wanted) if isinstance(wanted, int | float) else 0.0
    return Extra(places, names, interval)


def _unpacked(rest: bytes) -> object:
    maps = 0

    def mapping(pairs: list[tuple[str, object]]) -> object:
        nonlocal maps
        maps += 1
        if maps > MOST_MAPS:
            raise Broken(f"a message has at most {MOST_MAPS} maps")
        made = dict(pairs)
        if len(made) < len(pairs):
            raise InvalidArgument("a name occurs twice in one object")
        return HyphaValue(made[ENCODED], made) if ENCODED in made else made

    try:
        value: object = msgpack.unpackb(rest, object_pairs_hook=mapping, timestamp=TIMESTAMPS)
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise Broken("what a call brings along is no MessagePack") from error
    return value


class Writer:
    """Writes messages to one client: `recipient` is its workspace and name."""

    def __init__(self, workspace: str, recipient: str, sender: str) -> None:
        self._about = {"type": "method", "to": recipient, "ws": workspace, "user": {"id": sender}}

    def callback(self, sender: str, session: str, name: str, *arguments: object) -> list[bytes]:
        """The messages that call back into a session; several where one would be too long.

        Whoever was asked answers: a client takes it from nobody else. OverflowError for integers
        beyond 64 bits.
        """
        message = self._message(sender, f"{session}.{name}", arguments)
        if len(message) <= CHUNK + SLACK:
            return [message]
        return list(self._pieces(sender, message))

    def _pieces(self, sender: str, message: bytes) -> Iterator[bytes]:
        """The message by way of the client's cache. It takes messages in order: none is awaited."""
        key = secrets.token_hex(8)
        yield self._message(sender, f"{CACHE}.create", (key,))
        for number, start in enumerate(range(0, len(message), CHUNK)):
            piece = message[start : start + CHUNK]
            yield self._message(sender, f"{CACHE}.set", (key, number, piece))
        yield self._message(sender, f"{CACHE}.process", (key,))

    def _message(self, sender: str, method: str, arguments: Sequence[object]) -> bytes:
        head: bytes = msgpack.packb(self._about | {"from": sender, "method": method})
        rest: bytes = msgpack.packb({"args": list(arguments)})
        return head + rest


def plain(text: bytes) -> JsonValue:
    """The value that a JSON text is, as it may go to a client.

    A manifest's field called `_rtype` is left out: to a client it would say that the mapping
    is a function, an array, an error. Integers that MessagePack lacks become floats, as in
    JavaScript.
    """
    value: JsonValue = json.loads(text, object_hook=_inert, parse_int=_integer)
    return value


def _inert(fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
    fields.pop(ENCODED, None)
    return fields


def _integer(text: str) -> float:
    value = int(text)
    return value if -(2**63) <= value < 2**64 else float(value)


def shown(value: object) -> str:
    """A value that came where another was meant, as an error may show it."""
    return f"a {value.kind}" if isinstance(value, HyphaValue) else brief(value)
