"""One call of a method, checked as far as its row says."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from gateway.artifact.value import JsonValue
from gateway.identity import Caller, Workspace
from gateway.services.registry.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, in which workspace, with what, and when."""

    caller: Caller
    workspace: Workspace
    arguments: Arguments
    now: datetime


Handler: TypeAlias = Callable[[Call], Coroutine[Any, Any, JsonValue]]
