"""The access log: one line of JSON for each request, without secrets."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from json.encoder import encode_basestring as _text
from typing import TextIO
from urllib.parse import unquote

from gateway.light import light

logger = logging.getLogger("gateway.access")

SECRETS = ("signature", "token", "secret", "credential", "password", "customer-key")
HIDDEN = "…"


@light
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
    if logger.isEnabledFor(logging.INFO):
        logger.handle(_Record(_line(entry), entry.time.timestamp()))


class Lines(logging.StreamHandler[TextIO]):
    """Writes lines to a stream: those of one turn of the event loop at once, after its answers."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Nothing; the record's text is a line, or soon will be."""
        self._waiting.append(record.getMessage())
        if len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        """Nothing; all lines are written."""
        with self.lock or nullcontext():
            lines, self._waiting = self._waiting, []
        if not lines:
            return
        try:
            self.stream.write("".join([f"{line}\n" for line in lines]))
            self.stream.flush()
        except Exception:  # noqa: BLE001 - as other handlers, it tells of it once and goes on
            self.handleError(_Record(lines[-1], 0.0))


class _Record(logging.LogRecord):
    """A line, without what a record looks up each time anew: the caller, the thread, the task."""

    def __init__(self, line: str, created: float) -> None:
        self.__dict__.update(_COMMON)
        self.msg = line
        self.created = created
        self.msecs = created % 1 * 1_000


_COMMON = vars(logging.LogRecord(logger.name, logging.INFO, __file__, 0, "", (), None, "write"))


def _line(entry: Entry) -> str:
    """The entry as JSON, its fields in their order."""
    return (
        f'{{"time": "{entry.time.isoformat()}", "request_id": {_text(entry.request_id)}, '
        f'"remote": {_text(entry.remote)}, "door": {_text(entry.door)}, '
        f'"operation": {_text_or_null(entry.operation)}, "method": {_text(entry.method)}, '
        f'"path": {_text(entry.path)}, "status": {entry.status}, '
        f'"received": {entry.received}, "sent": {entry.sent}, '
        f'"seconds": {round(entry.seconds, 6)!r}, '
        f'"complete": {"true" if entry.complete else "false"}, '
        f'"access_key_id": {_text_or_null(entry.access_key_id)}, '
        f'"workspace": {_text_or_null(entry.workspace)}, "error": {_text_or_null(entry.error)}}}'
    )


def _text_or_null(text: str | None) -> str:
    return "null" if text is None else _text(text)


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
