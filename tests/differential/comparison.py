"""Two answers to one request, made comparable, and what then still differs.

Only what no two runs can have in common is levelled: the time at which something was stored, ids
that a server draws at random, and the server's own address. Ids keep
the order in which they came up, so that a second one for the same thing still differs.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from tests.differential.client import Answer

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
_IDS = "VersionId|UploadId|DeleteMarkerVersionId|NextVersionIdMarker|VersionIdMarker"
_IDS += "|UploadIdMarker|NextUploadIdMarker"
_ID_ELEMENT = re.compile(rf"<({_IDS})>([^<]+)</\1>".encode())
_TOKEN_ELEMENT = re.compile(rb"<((?:Next)?ContinuationToken)>([^<]+)</\1>")
_ID_HEADERS = frozenset(("x-amz-version-id", "x-amz-copy-source-version-id"))
_DATES = frozenset(("date", "last-modified"))
# A length is looked at apart; the others are between the two ends of a connection.
_LEFT_OUT = frozenset(("content-length", "connection", "keep-alive"))
_AROUND_NOW = timedelta(days=2)
_SHORT = 8


@dataclass(slots=True)
class Level:
    """One server's answers made comparable, in the order in which they came."""

    host: str
    _ids: dict[str, str] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """Begin another case: tokens are none of its business, ids may be."""
        self._tokens.clear()

    def level(self, answer: Answer) -> Answer:
        """The answer without what no two runs have in common."""
        for value in _ids(answer):
            if len(value) >= _SHORT:
                self._ids.setdefault(value, f"(id {len(self._ids) + 1})")
        for found in _TOKEN_ELEMENT.finditer(answer.body):
            self._tokens.setdefault(_decoded(found[2]), f"(token {len(self._tokens) + 1})")
        headers = tuple(
            (name, self._header(name, value))
            for name, value in answer.headers
            if name not in _LEFT_OUT
        )
        if b"<?xml" not in answer.body[:80] and not answer.header("content-type").endswith("/xml"):
            return replace(answer, headers=(*headers, *_lengths(answer)))
        named = _TOKEN_ELEMENT.sub(self._named, _ID_ELEMENT.sub(self._named, answer.body))
        body = self._text(_decoded(named))
        leveled = body.encode("utf-8", "surrogateescape")
        # What was levelled has another length on each side: that it is right is seen before.
        lengths = tuple(
            (name, "(its own)" if right else value) for name, value, right in _fits(answer)
        )
        return Answer(answer.status, (*headers, *lengths), leveled)

    def _header(self, name: str, value: str) -> str:
        if name in _DATES and _is_recent(value):
            return "(date)"
        return self._ids.get(value, value) if name in _ID_HEADERS else self._text(value)

    def _named(self, found: re.Match[bytes]) -> bytes:
        # Only there: SeaweedFS's tokens are keys, which must be compared wherever else they are.
        value = _decoded(found[2])
        known = {**self._ids, **self._tokens}.get(value, value)
        return b"<%s>%s</%s>" % (found[1], known.encode("utf-8", "surrogateescape"), found[1])

    def _text(self, text: str) -> str:
        return _TIMESTAMP.sub(_recent, text).replace(self.host, "(host)")


def differences(direct: Answer, gateway: Answer) -> Iterator[str]:
    """A line for everything that differs between two levelled answers."""
    if direct.status != gateway.status:
        yield f"status: {direct.status} directly, {gateway.status} through the gateway"
    names = sorted({name for name, _ in (*direct.headers, *gateway.headers)})
    for name in names:
        left, right = direct.values(name), gateway.values(name)
        if left != right:
            yield f"{name}: {_shown(left)} directly, {_shown(right)} through the gateway"
    if direct.body != gateway.body:
        yield f"body: {_around(direct.body, gateway.body)}"


def _ids(answer: Answer) -> Iterator[str]:
    for name, value in answer.headers:
        if name in _ID_HEADERS:
            yield value
    for found in _ID_ELEMENT.finditer(answer.body):
        yield _decoded(found[2])


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _fits(answer: Answer) -> Iterator[tuple[str, str, bool]]:
    for value in answer.values("content-length"):
        yield "content-length", value, value == str(len(answer.body))


def _lengths(answer: Answer) -> Iterator[tuple[str, str]]:
    for value in answer.values("content-length"):
        yield "content-length", value


def _recent(found: re.Match[str]) -> str:
    moment = datetime.fromisoformat(found[0]).astimezone(UTC)
    if abs(moment - datetime.now(UTC)) > _AROUND_NOW:
        return found[0]
    return "(time)"


def _is_recent(value: str) -> bool:
    try:
        return abs(parsedate_to_datetime(value) - datetime.now(UTC)) < _AROUND_NOW
    except (ValueError, TypeError):
        return False


def _shown(values: tuple[str, ...]) -> str:
    return " and ".join(map(repr, values)) or "absent"


def _around(left: bytes, right: bytes) -> str:
    """The surroundings of the first byte that differs."""
    pairs = zip(left, right, strict=False)
    start = next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))
    from_here = slice(max(0, start - 60), start + 140)
    return (
        f"from byte {start}: {left[from_here]!r} directly, {right[from_here]!r} through the gateway"
    )
