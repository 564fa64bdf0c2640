"""Uploads in every form that S3 has, written once more so that a test can spoil any byte of one."""

import hashlib
import hmac
import socket
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse

from awscrt import checksums as crt

from tests.acceptance.signer import UNSIGNED, Signer

SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
HASH = "hash"  # in place of x-amz-content-sha256: the body's own
EMPTY = hashlib.sha256(b"").hexdigest()
CHUNKS = 3


def _xxhash(state: crt.XXHash, data: bytes) -> bytes:
    state.update(data)
    return bytes(state.finalize())


DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "crc32c": lambda data: int(crt.crc32c(data)).to_bytes(4, "big"),
    "crc64nvme": lambda data: int(crt.crc64nvme(data)).to_bytes(8, "big"),
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "sha512": lambda data: hashlib.sha512(data).digest(),
    "xxhash128": lambda data: _xxhash(crt.XXHash.new_xxhash3_128(), data),
    "xxhash3": lambda data: _xxhash(crt.XXHash.new_xxhash3_64(), data),
    "xxhash64": lambda data: _xxhash(crt.XXHash.new_xxhash64(), data),
}
"""S3's checksum algorithms, as its headers spell them."""

FIVE = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")
"""The algorithms that every S3 of today has."""


def digest(algorithm: str, data: bytes) -> str:
    """The base64 that declares `data` in a checksum header."""
    return b64encode(DIGESTS[algorithm](data)).decode()


@dataclass(frozen=True, slots=True)
class Shape:
    """How a body travels, and what is declared of it: algorithms are names of DIGESTS."""

    name: str
    payload: str = UNSIGNED
    md5: bool = False
    header: str = ""
    trailer: str = ""
    presigned: bool = False

    @property
    def chunked(self) -> bool:
        """Whether the body is in aws-chunked framing."""
        return self.payload.startswith("STREAMING-")

    @property
    def signed_chunks(self) -> bool:
        """Whether each chunk is signed."""
        return self.payload in (SIGNED_CHUNKS, SIGNED_TRAILER)

    @property
    def trailing(self) -> bool:
        """Whether the form has trailers."""
        return self.payload in (SIGNED_TRAILER, UNSIGNED_TRAILER)


@dataclass(slots=True)
class Draft:
    """One upload before it is sent; it is right until somebody spoils a part of it.

    What is declared is declared of `data`; `sent` travels. `signed` is what chunk signatures are
    made of. Chunks are counted from 0, the zero chunk is CHUNKS; `wrong` ones get a signature
    of something else, `lies` are added to their sizes. Of the raw body the last `missing` bytes
    don't come, and the connection is shut.
    """

    shape: Shape
    data: bytes
    sent: bytes = b""
    signed: bytes = b""
    declared: dict[str, str] = field(default_factory=dict)
    decoded: int = 0
    announced: tuple[str, ...] = ()
    trailers: list[tuple[str, str]] = field(default_factory=list)
    wrong: set[int] = field(default_factory=set)
    wrong_trailer: bool = False
    lies: dict[int, int] = field(default_factory=dict)
    zero: bool = True
    tail: bytes = b""
    missing: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape, data = self.shape, self.data
        self.sent = self.signed = data
        self.decoded = len(data)
        self.declared["sha256"] = hashlib.sha256(data).hexdigest()
        if shape.md5:
            self.declared["content-md5"] = digest("md5", data)
        if shape.header:
            self.declared[f"x-amz-checksum-{shape.header}"] = digest(shape.header, data)
        if shape.trailer:
            self.announced = (f"x-amz-checksum-{shape.trailer}",)
            self.trailers = [(self.announced[0], digest(shape.trailer, data))]

    def request(self, signer: Signer, method: str, target: str) -> "Raw":
        """The upload on the wire: its head, and its body with all that is wrong with it."""
        shape, headers = self.shape, dict(self.headers)
        payload = self.declared["sha256"] if shape.payload == HASH else shape.payload
        headers |= {name: value for name, value in self.declared.items() if name != "sha256"}
        if shape.chunked:
            headers["x-amz-decoded-content-length"] = str(self.decoded)
            encoding = headers.get("content-encoding")
            headers["content-encoding"] = f"aws-chunked,{encoding}" if encoding else "aws-chunked"
        if self.announced:
            headers["x-amz-trailer"] = ",".join(self.announced)
        if shape.presigned:
            target = signer.presigned(method, target, headers=headers)
            signed = {"host": signer.host, **headers}
        else:
            signed = signer.headers(method, target, headers, payload)
        body = self._framed(signer, signed) if shape.chunked else self.sent
        signed["content-length"] = str(len(body))
        return Raw(method, target, signed, body[: len(body) - self.missing], bool(self.missing))

    def _framed(self, signer: Signer, headers: Mapping[str, str]) -> bytes:
        chain = _Chain(signer, headers.get("authorization", "")[-64:])
        size = -(-len(self.sent) // CHUNKS) or 1
        pieces = [self.sent[start : start + size] for start in range(0, len(self.sent), size)]
        of = [self.signed[start : start + size] for start in range(0, len(self.sent), size)]
        out = []
        for number, (piece, said) in enumerate(zip(pieces, of, strict=True)):
            out += [self._head(number, len(piece), said, chain), piece, b"\r\n"]
        if self.zero:
            out.append(self._head(CHUNKS, 0, b"", chain))
            out += [f"{name}:{value}\r\n".encode() for name, value in self.trailers]
            if self.shape.payload == SIGNED_TRAILER:
                signature = chain.trailer(self.trailers)
                if self.wrong_trailer:
                    signature = _other(signature)
                out.append(f"x-amz-trailer-signature:{signature}\r\n".encode())
            out.append(b"\r\n")
        return b"".join([*out, self.tail])

    def _head(self, number: int, size: int, said: bytes, chain: "_Chain") -> bytes:
        line = f"{size + self.lies.get(number, 0):x}"
        if self.shape.signed_chunks:
            signature = chain.chunk(said)
            line += f";chunk-signature={_other(signature) if number in self.wrong else signature}"
        return f"{line}\r\n".encode()


class _Chain:
    """The signatures of one request's chunks, each of the one before."""

    def __init__(self, signer: Signer, seed: str) -> None:
        self._prefix = f"{signer.time}\n{signer.scope}"
        self._key = f"AWS4{signer.key.secret_access_key}".encode()
        for part in signer.scope.split("/"):
            self._key = hmac.digest(self._key, part.encode(), "sha256")
        self._previous = seed

    def chunk(self, data: bytes) -> str:
        """The signature of the next chunk."""
        of = f"{EMPTY}\n{hashlib.sha256(data).hexdigest()}"
        self._previous = self._sign("PAYLOAD", of)
        return self._previous

    def trailer(self, trailers: list[tuple[str, str]]) -> str:
        """The signature of the trailers."""
        text = "".join(f"{name}:{value}\n" for name, value in trailers)
        return self._sign("TRAILER", hashlib.sha256(text.encode()).hexdigest())

    def _sign(self, kind: str, rest: str) -> str:
        text = f"AWS4-HMAC-SHA256-{kind}\n{self._prefix}\n{self._previous}\n{rest}"
        return hmac.digest(self._key, text.encode(), "sha256").hex()


def _other(signature: str) -> str:
    return ("0" if signature[0] != "0" else "1") + signature[1:]


@dataclass(frozen=True, slots=True)
class Raw:
    """A request as bytes; `cut` says that the connection is shut after them."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    cut: bool = False

    def send(self, port: int, *, wait: bool = False) -> tuple[int, bytes]:
        """Status and body of the answer; 0 where the connection ended without one.

        `wait` sends the body only after `100 Continue`; 100 in place of the answer's status
        says that it came and is no part of what is returned.
        """
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if wait:
            lines.append("expect: 100-continue")
        head = "\r\n".join([*lines, "connection: close", "", ""]).encode()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            try:
                connection.sendall(head if wait else head + self.body)
                if wait:
                    said = connection.recv(25, socket.MSG_WAITALL)
                    if said != b"HTTP/1.1 100 Continue\r\n\r\n":
                        return int(said.split()[1]), b""
                    connection.sendall(self.body)
                if self.cut:
                    connection.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused while it was sent: the answer may be there
            answer = HTTPResponse(connection, method=self.method)
            try:
                answer.begin()
                return answer.status, answer.read()
            except (HTTPException, OSError):
                return 0, b""
            finally:
                answer.close()
