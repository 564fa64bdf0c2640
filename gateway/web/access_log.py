"""The access log: one line of JSON for each request, without secrets."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from json.encoder import encode_basestring as _text
from select import PIPE_BUF
from typing import TextIO
from urllib.parse import unquote

from gateway.light import light
from gateway.s3.message import Note, Request

logger = logging.getLogger("gateway.access")

SECRETS = ("signature", "token", "secret", "credential", "password", "customer-key")
HIDDEN = "…"

KEPT = 1_024
"""Of how many lines the parts are kept that come again."""

LONGEST_KEPT = 1_024
"""The longest of these, about, in characters."""

SECOND = timedelta(seconds=1)
NO_TIME = timedelta()

PAUSE_SECONDS = 0.01
"""How long lines wait after others were written: a write takes as long as many lines."""


@light
@dataclass(frozen=True, slots=True)
class Entry:
    """What is told of one request after it was answered.

    `time` is in UTC, `received` and `sent` count bytes of bodies, `seconds` is how long it took.
    `complete` is False where the answer was cut off.
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
    handlers = logger.handlers
    # Nothing else hears of it where the stream's own lines are all that listens.
    if len(handlers) == 1 and not logger.propagate and isinstance(handlers[0], Lines):
        handlers[0].take(entry)
    else:
        logger.handle(_Record(_line(entry), entry.time.timestamp()))


class Lines(logging.StreamHandler[TextIO]):
    """Writes lines to a stream, many at a time: a turn of the event loop's, after its answers.

    Where others were written just before, it is those of PAUSE_SECONDS.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: list[str | Entry] = []
        self._written = -PAUSE_SECONDS

    def emit(self, record: logging.LogRecord) -> None:
        """Nothing; the record's text is a line, or soon will be."""
        self.take(record.getMessage())

    def take(self, line: str | Entry) -> None:
        """Nothing; the line is written, or soon will be."""
        self._waiting.append(line)
        if len(self._waiting) == 1:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self.flush()
            else:
                pause = self._written + PAUSE_SECONDS - time.monotonic()
                if pause > 0:
                    loop.call_later(pause, self.flush)
                else:
                    loop.call_soon(self.flush)

    def flush(self) -> None:
        """Nothing; all lines are written."""
        with self.lock or nullcontext():
            waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        self._written = time.monotonic()
        try:
            lines = [each if isinstance(each, str) else _line(each) for each in waiting]
            for piece in _pieces(lines):
                self.stream.write(piece)
                self.stream.flush()
        except Exception:  # noqa: BLE001 - as other handlers, it tells of it once and goes on
            self.handleError(_Record(str(waiting[-1]), 0.0))


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    """The lines, in pieces that a pipe takes whole: other workers may be writing to it, too."""
    piece, size = "", 0
    for line in lines:
        more = 1 + len(line if line.isascii() else line.encode(errors="backslashreplace"))
        if piece and size + more > PIPE_BUF:
            yield piece
            piece, size = "", 0
        piece += f"{line}\n"
        size += more
    yield piece


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
    said = len(entry.path) + len(entry.method) + len(entry.workspace or "")
    before, after = (_parts if said <= LONGEST_KEPT else _parts.__wrapped__)(
        entry.remote,
        entry.door,
        entry.operation,
        entry.method,
        entry.path,
        entry.access_key_id,
        entry.workspace,
        entry.error,
    )
    return (
        f'{{"time": "{_stamp(entry.time)}", "request_id": "{entry.request_id}", {before}, '
        f'"status": {entry.status}, "received": {entry.received}, "sent": {entry.sent}, '
        f'"seconds": {entry.seconds:.6f}, "complete": {"true" if entry.complete else "false"}, '
        f"{after}}}"
    )


_second = datetime(1, 1, 1, tzinfo=UTC), ""


def _stamp(time: datetime) -> str:
    """The time in ISO 8601, to the microsecond; all but these is made once a second."""
    global _second
    began, written = _second
    since = time - began
    if since >= SECOND or since < NO_TIME:
        began = time.replace(microsecond=0)
        written = began.isoformat()[: len("2000-01-01T00:00:00")]
        _second, since = (began, written), time - began
    return f"{written}.{since.microseconds:06d}+00:00"


@lru_cache(KEPT)
def _parts(
    remote: str,
    door: str,
    operation: str | None,
    method: str,
    path: str,
    access_key_id: str | None,
    workspace: str | None,
    error: str | None,
) -> tuple[str, str]:
    """What a line says of who asked for what, before and after what it says of the answer."""
    before = (
        f'"remote": {_text(remote)}, "door": {_text(door)}, '
        f'"operation": {_text_or_null(operation)}, "method": {_text(method)}, '
        f'"path": {_text(path)}'
    )
    after = (
        f'"access_key_id": {_text_or_null(access_key_id)}, '
        f'"workspace": {_text_or_null(workspace)}, "error": {_text_or_null(error)}'
    )
    return before, after


def _text_or_null(text: str | None) -> str:
    return "null" if text is None else _text(text)


_SHOWN: Note[str] = Note()


def shown(request: Request) -> str:
    """Path and query for a log, the values of what may be secret taken out."""
    if not request.query:
        return request.path
    known = request.notes.get(_SHOWN)
    if known is None:
        known = f"{request.path}?{'&'.join(map(_shown, request.query.split('&')))}"
        request.notes[_SHOWN] = known
    return known


def _shown(part: str) -> str:
    name, equals, _ = part.partition("=")
    lowered = unquote(name).lower()
    # Tokens that page through listings are no secrets, and help to follow a client.
    if equals and "continuation" not in lowered and any(word in lowered for word in SECRETS):
        return f"{name}={HIDDEN}"
    return part
