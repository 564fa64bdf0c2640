"""The access log: one line of JSON for each request, without secrets."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
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
    line = asdict(entry) | {"time": entry.time.isoformat(), "seconds": round(entry.seconds, 6)}
    logger.info("%s", json.dumps(line, ensure_ascii=False))


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
