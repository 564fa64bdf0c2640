"""What a client says first: who it is, where it wants to be, and what it holds."""

import json
from collections.abc import Mapping
from contextlib import suppress

from gateway.errors import InvalidRequest
from gateway.services.registry.connecting import Hello
from gateway.web.websocket import Socket

HELLO_SECONDS = 20.0
LONGEST_HELLO = 65_536
LONGEST_ID = 128


async def hello(socket: Socket) -> Hello:
    """What a client says first; InvalidRequest for anything else."""
    try:
        message = await socket.receive(HELLO_SECONDS)
    except TimeoutError:
        raise InvalidRequest("nothing was said in time: say who you are first") from None
    said: object = None
    if isinstance(message, str) and len(message) <= LONGEST_HELLO:
        with suppress(ValueError, RecursionError):
            said = json.loads(message)
    if not isinstance(said, dict):
        raise InvalidRequest("say who you are first: a JSON object with a client_id")
    client_id = said.get("client_id")
    if not isinstance(client_id, str) or not _names(client_id):
        raise InvalidRequest(
            f"client_id is a text of 1 to {LONGEST_ID} printable characters without / and :"
        )
    workspace, token, again = (
        _optional(said, name) for name in ("workspace", "token", "reconnection_token")
    )
    return Hello(client_id, workspace, token, again)


def _optional(said: Mapping[str, object], name: str) -> str | None:
    value = said.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(f"{name} is a text, or left out")
    return value or None


def _names(client_id: str) -> bool:
    printable = client_id.isprintable() and not {"/", ":"} & set(client_id)
    return printable and 0 < len(client_id) <= LONGEST_ID
