"""Exchanges of every kind, each with its caller's name in it, and what has to come of them."""

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.acceptance.harness import WORKSPACE
from tests.acceptance.signer import UNSIGNED, Signer
from tests.acceptance.sockets import Answer

SMALL, LARGE = 2_000, 400_000
TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
PIECE = 30_000  # bytes of an aws-chunk


def content(caller: str, name: str, size: int) -> bytes:
    """Bytes that tell at any place whose they are."""
    mark = f"<{caller}/{name}>".encode()
    return (mark * (size // len(mark) + 1))[:size]


def etag(data: bytes) -> str:
    """The ETag of an object of these bytes."""
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request as it is sent, and its answer: a status, a body, and headers.

    `body` None: it is not known beforehand, but `holds` is in it and no other caller is.
    """

    kind: str
    head: bytes
    payload: bytes
    status: int
    body: bytes | None = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    holds: bytes = b""
    method: str = "GET"

    def check(self, answer: Answer, caller: str, callers: int) -> None:
        """AssertionError unless this is the answer, or the beginning of it."""
        told = f"{caller} asked for {self.kind}, got {answer.status} {answer.headers}"
        assert answer.status == self.status, f"{told} {answer.body[:500]!r}"
        if self.body is not None:
            begun = self.body if answer.whole else self.body[: len(answer.body)]
            assert answer.body == begun, f"{told} {answer.body[:200]!r}"
        elif answer.whole:
            assert self.holds in answer.body, f"{told} {answer.body!r}"
        for other in range(callers):
            mark = f"caller-{other}/"
            assert mark == f"{caller}/" or mark.encode() not in answer.body, told
        for name, value in self.headers.items():
            assert answer.headers.get(name) == value, told


class Caller:
    """One caller: its objects, and exchanges about them."""

    def __init__(self, number: int, signer: Signer, chance: random.Random) -> None:
        self.name = f"caller-{number}"
        self._signer = signer
        self._chance = chance
        self._put = 0
        self.sent: dict[str, bytes] = {}
        self._makers: tuple[Callable[[], Exchange], ...] = (
            self._get,
            self._get_large,
            self._range,
            self._head,
            self._list,
            self._absent,
            self._unchanged,
            self._refused,
            self._forbidden,
            self._put_small,
            self._put_large,
            self._put_chunked,
            self._put_expecting,
        )

    @property
    def objects(self) -> dict[str, bytes]:
        """What has to be there beforehand, by key."""
        return {
            self._key("small"): content(self.name, "small", SMALL),
            self._key("large"): content(self.name, "large", LARGE),
        }

    def exchange(self) -> Exchange:
        """The next one, of a kind that chance chooses."""
        return self._chance.choice(self._makers)()

    def _key(self, name: str) -> str:
        return f"aborts/{self.name}/{name}"

    def _target(self, name: str) -> str:
        return f"/{WORKSPACE}/{self._key(name)}"

    def _signed(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        payload: str = UNSIGNED,
        more: str = "",
    ) -> bytes:
        fields = self._signer.headers(method, target, headers, payload)
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{method} {target} HTTP/1.1\r\n{lines}{more}\r\n".encode()

    def _get(self) -> Exchange:
        body = content(self.name, "small", SMALL)
        head = self._signed("GET", self._target("small"))
        return Exchange("a small object", head, b"", 200, body, {"etag": etag(body)})

    def _get_large(self) -> Exchange:
        body = content(self.name, "large", LARGE)
        head = self._signed("GET", self._target("large"))
        return Exchange("a large object", head, b"", 200, body, {"etag": etag(body)})

    def _range(self) -> Exchange:
        first = self._chance.randrange(LARGE)
        last = self._chance.randrange(first, LARGE)
        head = self._signed("GET", self._target("large"), {"range": f"bytes={first}-{last}"})
        body = content(self.name, "large", LARGE)[first : last + 1]
        wanted = {"content-range": f"bytes {first}-{last}/{LARGE}"}
        return Exchange("a range", head, b"", 206, body, wanted)

    def _head(self) -> Exchange:
        head = self._signed("HEAD", self._target("large"))
        wanted = {"etag": etag(content(self.name, "large", LARGE)), "content-length": str(LARGE)}
        return Exchange("headers", head, b"", 200, b"", wanted, method="HEAD")

    def _list(self) -> Exchange:
        target = f"/{WORKSPACE}?list-type=2&max-keys=100&prefix=aborts%2F{self.name}%2F"
        head = self._signed("GET", target)
        holds = f"<Key>{self._key('large')}</Key>".encode()
        return Exchange("a listing", head, b"", 200, None, holds=holds)

    def _absent(self) -> Exchange:
        key = f"absent-{self._chance.randrange(1 << 32)}"
        head = self._signed("GET", self._target(key))
        return Exchange("nothing", head, b"", 404, None, holds=self._key(key).encode())

    def _unchanged(self) -> Exchange:
        tag = etag(content(self.name, "small", SMALL))
        head = self._signed("GET", self._target("small"), {"if-none-match": tag})
        return Exchange("what it has", head, b"", 304, b"", {"etag": tag})

    def _refused(self) -> Exchange:
        """A body of which nobody reads a byte: the answer comes before it has gone."""
        payload = content(self.name, "refused", self._chance.choice((SMALL, LARGE)))
        head = (
            f"PUT {self._target('refused')} HTTP/1.1\r\nHost: {self._signer.host}\r\n"
            f"Content-Length: {len(payload)}\r\n\r\n"
        ).encode()
        holds = self._target("refused").encode()
        return Exchange("an upload without a signature", head, payload, 403, None, holds=holds)

    def _forbidden(self) -> Exchange:
        target = f"/other-workspace/{self._key('forbidden')}"
        head = self._signed("GET", target)
        return Exchange("another workspace", head, b"", 403, None, holds=target.encode())

    def _new(self, size: int) -> tuple[str, bytes]:
        self._put += 1
        name = f"put-{self._put}"
        data = content(self.name, name, size)
        self.sent[self._key(name)] = data
        return self._target(name), data

    def _stored(self, kind: str, head: bytes, payload: bytes, data: bytes) -> Exchange:
        return Exchange(kind, head, payload, 200, b"", {"etag": etag(data)}, method="PUT")

    def _put_small(self) -> Exchange:
        target, data = self._new(SMALL)
        payload = hashlib.sha256(data).hexdigest()
        head = self._signed("PUT", target, payload=payload, more=f"Content-Length: {SMALL}\r\n")
        return self._stored("a small upload", head, data, data)

    def _put_large(self) -> Exchange:
        target, data = self._new(LARGE)
        head = self._signed("PUT", target, more=f"Content-Length: {LARGE}\r\n")
        return self._stored("a large upload", head, data, data)

    def _put_expecting(self) -> Exchange:
        target, data = self._new(SMALL)
        more = f"Content-Length: {SMALL}\r\nExpect: 100-continue\r\n"
        head = self._signed("PUT", target, more=more)
        return self._stored("an upload that waits", head, data, data)

    def _put_chunked(self) -> Exchange:
        target, data = self._new(LARGE // 4)
        pieces = [data[start : start + PIECE] for start in range(0, len(data), PIECE)]
        framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        framed += b"0\r\n\r\n"
        fields = {"x-amz-decoded-content-length": str(len(data)), "content-encoding": "aws-chunked"}
        more = f"Content-Length: {len(framed)}\r\n"
        if self._chance.random() < 0.5:
            more = "Transfer-Encoding: chunked\r\n"
            framed = b"%x\r\n%s\r\n0\r\n\r\n" % (len(framed), framed)
        head = self._signed("PUT", target, fields, TRAILER, more)
        return self._stored("a chunked upload", head, framed, data)
