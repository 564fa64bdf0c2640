"""What a client may call, and what that does: nothing has a name here but what stands below."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from gateway.artifact.value import JsonValue, fault
from gateway.errors import GatewayError, InvalidArgument, NoSuchMethod, NotImplementedByGateway
from gateway.services.registry.calling import Calling
from gateway.services.registry.connecting import Connecting, Session
from gateway.services.registry.documents import written
from gateway.services.registry.method import METHODS
from gateway.web.hypha import frames, service
from gateway.web.hypha.frames import Extra, Frame, HyphaValue, plain
from gateway.web.hypha.message_cache import Shelf

SERVICES = "services."
GATEWAY = "*/"
LARGE = 65_536

Own = Callable[[Frame, Mapping[str, object]], object]


@dataclass(frozen=True, slots=True)
class Value:
    """What a method returns, as it may go to a client; writing what is `large` takes its time."""

    plain: object
    large: bool = False


class Methods:
    """The methods of the gateway's services, for one session.

    `deliver` takes a message in that came in pieces.
    """

    def __init__(
        self,
        session: Session,
        connecting: Connecting,
        calling: Calling,
        shelf: Shelf,
        deliver: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self._session = session
        self._connecting = connecting
        self._calling = calling
        self._shelf = shelf
        self._deliver = deliver
        self._own: Mapping[str, Own] = {
            "built-in.ping": lambda *_: "pong",
            "built-in.get_service": self._local_service,
            "built-in.message_cache.create": self._create,
            "built-in.message_cache.append": self._append,
            "built-in.message_cache.set": self._set,
            "built-in.message_cache.remove": self._remove,
            "default.get_service": self._find_service,
            "default.list_services": self._list_services,
            "default.register_service": self._register,
            "default.unregister_service": self._unregister,
        }

    async def carry_out(self, frame: Frame, extra: Extra, now: datetime) -> Value:
        """What the method returns; GatewayError."""
        if not frame.target.startswith(GATEWAY):
            raise NotImplementedByGateway("this gateway carries no calls from client to client")
        name = operation(frame)
        if name is not None:
            return await self._artifact_manager(name, extra, now)
        name = frame.method.removeprefix(SERVICES)
        own, arguments = self._own.get(name), _by_name(name, extra)
        if own is not None:
            return Value(own(frame, arguments))
        if name == "built-in.message_cache.process":
            await self._deliver(self._shelf.take(_text(arguments, "key")))
            return Value(None)
        raise NoSuchMethod("this gateway has no such method", method=frame.method)

    async def _artifact_manager(self, name: str, extra: Extra, now: datetime) -> Value:
        caller = await self._connecting.caller(self._session, now)
        given: Mapping[str, object] = extra.names
        if name in METHODS:
            given = service.named(METHODS[name], extra.places, extra.names)
        value = await self._calling.call(caller, self._session.workspace, name, _json(given), now)
        text = await written(value)
        large = len(text) > LARGE
        return Value(await asyncio.to_thread(plain, text) if large else plain(text), large)

    def _local_service(self, frame: Frame, arguments: Mapping[str, object]) -> object:
        return self._described(frame, _text(arguments, "service_id"))

    def _find_service(self, frame: Frame, arguments: Mapping[str, object]) -> object:
        query = arguments.get("query")
        if service.sought(query, self._session.workspace) != service.ARTIFACT_MANAGER:
            raise _no_service(query)
        return self._described(frame, service.ARTIFACT_MANAGER)

    def _described(self, frame: Frame, name: str) -> object:
        found = service.described(name, frame.target, self._session.workspace)
        if found is None:
            raise _no_service(name)
        return found

    def _list_services(self, frame: Frame, arguments: Mapping[str, object]) -> object:
        del frame, arguments
        return [service.summary(service.ARTIFACT_MANAGER, self._session.workspace)]

    @staticmethod
    def _register(frame: Frame, arguments: Mapping[str, object]) -> object:
        """Every client reports its own built-in service when it connects; nobody calls it."""
        del frame
        said = arguments.get("service")
        name = said.get("id") if isinstance(said, Mapping) else None
        if not isinstance(name, str) or not name.endswith(f":{service.BUILT_IN}"):
            raise NotImplementedByGateway(
                "this gateway is no Hypha server: it serves the artifact manager, and takes no "
                "services in"
            )
        return said

    @staticmethod
    def _unregister(frame: Frame, arguments: Mapping[str, object]) -> object:
        del frame, arguments
        return None

    def _create(self, frame: Frame, arguments: Mapping[str, object]) -> object:
        del frame
        overwrite = arguments.get("overwrite") is True
        self._shelf.create(_text(arguments, "key"), overwrite=overwrite)
        return None

    def _append(self, frame: Frame, arguments: Mapping[str, object]) -> object:
        del frame
        self._shelf.append(_text(arguments, "key"), _bytes(arguments))
        return None

    def _set(self, frame: Frame, arguments: Mapping[str, object]) -> object:
        del frame
        number = arguments.get("index")
        if not isinstance(number, int):
            raise InvalidArgument("'index' is a whole number")
        self._shelf.put(_text(arguments, "key"), number, _bytes(arguments))
        return None

    def _remove(self, frame: Frame, arguments: Mapping[str, object]) -> object:
        del frame
        self._shelf.remove(_text(arguments, "key"))
        return None


def operation(frame: Frame) -> str | None:
    """The method of the artifact manager that a call is for; None for the gateway's others."""
    prefix = f"{SERVICES}{service.ARTIFACT_MANAGER}."
    return frame.method.removeprefix(prefix) if frame.method.startswith(prefix) else None


def _by_name(name: str, extra: Extra) -> Mapping[str, object]:
    kind, _, method = name.partition(".")
    own = service.BUILT_IN_METHODS if kind == service.BUILT_IN else service.DEFAULT_METHODS
    return dict(zip(own.get(method, ()), extra.places, strict=False)) | dict(extra.names)


def _json(given: Mapping[str, object]) -> Mapping[str, JsonValue]:
    for name, value in given.items():
        wrong = fault(value)
        if wrong is not None:
            raise InvalidArgument(f"{name!r} {wrong}", argument=name)
    return cast("Mapping[str, JsonValue]", given)


def _text(arguments: Mapping[str, object], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or len(value) > frames.LONGEST_NAME:
        raise InvalidArgument(f"{name!r} is a string of at most {frames.LONGEST_NAME} characters")
    return value


def _bytes(arguments: Mapping[str, object]) -> bytes:
    value = arguments.get("data")
    value = value.data if isinstance(value, HyphaValue) else value
    if not isinstance(value, bytes):
        raise InvalidArgument("'data' is bytes")
    return value


def _no_service(name: object) -> GatewayError:
    return NoSuchMethod(
        f"Service not found: {frames.shown(name)}: there is public/{service.ARTIFACT_MANAGER}"
    )
