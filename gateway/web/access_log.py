"""The access log: one line of JSON for each request, without secrets."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

logger = logging.getLogger("gateway.access")

SECRETS = ("signature", "token", "secret", "credential", "password", "customer-key")
HIDDEN = "…"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is told of one request after it was answered.

    `received` and `sent` count bytes of bodies, `seconds` is how long it took. `complete` is
    False where the answer was cut off.
    """

    time: datetime
    request_id: str
    remote: str
    door: str
    operation: str | None
    method: str
    path: str
    status: int
    received: int
    sent: int
    seconds: float
    complete: bool
    access_key_id: str | None
    workspace: str | None
    error: str | None


Observer = Callable[[Entry], None]


def write(entry: Entry) -> None:
    """Nothing; the entry is logged by "gateway.access" as a line of JSON."""
    if not logger.isEnabledFor(logging.INFO):
        return
    # What anybody may have written goes through the encoder; names and numbers need none.
    logger.info(
        '{"time": "%s", "request_id": "%s", "remote": %s, "door": "%s", "operation": %s, '
        '"method": %s, "path": %s, "status": %d, "received": %d, "sent": %d, "seconds": %s, '
        '"complete": %s, "access_key_id": %s, "workspace": %s, "error": %s}',
        entry.time.isoformat(),
        entry.request_id,
        _encoded(entry.remote),
        entry.door,
        _encoded(entry.operation),
        _encoded(entry.method),
        _encoded(entry.path),
        entry.status,
        entry.received,
        entry.sent,
        round(entry.seconds, 6),
        "true" if entry.complete else "false",
        _encoded(entry.access_key_id),
        _encoded(entry.workspace),
        _encoded(entry.error),
    )


def _encoded(text: str | None) -> str:
    return "null" if text is None else json.encoder.encode_basestring(text)


def shown(path: str, query: str) -> str:
    """Path and query for a log, the values of what may be secret taken out."""
    parts = [_shown(part) for part in query.split("&")] if query else []
    return path + ("?" + "&".join(parts) if parts else "")


def _shown(part: str) -> str:
    name, equals, _ = part.partition("=")
    lowered = unquote(name).lower()
    # Tokens that page through listings are no secrets, and help to follow a client.
    if equals and "continuation" not in lowered and any(word in lowered for word in SECRETS):
        return f"{name}={HIDDEN}"
    return part
