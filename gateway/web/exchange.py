"""One request at a door, and what is noted about it on its way."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.identity import Caller
from gateway.light import light
from gateway.s3.message import Reply, Request
from gateway.web.websocket import Upgrade


@dataclass(slots=True)
class Notes:
    """What the access log says of a request beyond its line and its answer."""

    access_key_id: str | None = None
    workspace: str | None = None
    operation: str | None = None
    error: str | None = None

    def of(
        self, caller: Caller, workspace: str | None = None, operation: str | None = None
    ) -> None:
        """Notes who asks, where, and for what."""
        self.access_key_id = caller.access_key_id
        self.workspace = workspace
        self.operation = operation


@light
@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, the id that it goes by, and the time at which it is judged (UTC).

    Reading the request's body sends `100 Continue` first where the client waits for it: so
    nothing of an upload arrives before somebody has verified the request.
    """

    request: Request
    request_id: str
    now: datetime
    notes: Notes = field(default_factory=Notes)


class Door(Protocol):
    """One protocol on the gateway's port. Errors on the door called "s3" are XML."""

    @property
    def name(self) -> str:
        """The door's name, as logs and metrics have it."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that pages of other origins may use here; none: they see nothing."""

    @property
    def varies(self) -> tuple[str, ...]:
        """The request headers that its answers depend on, Origin apart."""

    def is_public(self, request: Request) -> bool:
        """Whether callers without credentials may read the path, if something is there.

        It looks at the path alone; GatewayError where that can't be read.
        """

    def answer(self, exchange: Exchange) -> Awaitable[Reply | Upgrade]:
        """The answer to a request, or what makes a websocket of it; GatewayError for a refusal."""
