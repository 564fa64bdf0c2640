"""Kept-open connections for tests that ask much: signed by hand, many questions at once.

A client of boto3 costs ten times what the gateway needs for its answer.
"""

import hashlib
import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from gateway.s3.xml import parse
from tests.acceptance.harness import KEYS, WORKSPACE, Document, Key, Response
from tests.acceptance.signer import Signer

FAILURE = 400
IDEMPOTENT = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Question:
    """A request: `key` signs it, None sends it unsigned."""

    method: str
    target: str
    key: Key | None = KEYS["write"]
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Lines:
    """Connections to one server of loopback, one for each question that is asked at once."""

    port: int
    _open: list[http.client.HTTPConnection] = field(default_factory=list)

    def ask(self, *questions: Question) -> Sequence[Response]:
        """The answers to questions that go out together, in their order."""
        while len(self._open) < len(questions):
            self._open.append(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60))
        asked = list(zip(self._open, questions, strict=False))
        for line, question in asked:
            self._send(line, question)
        return [self._receive(line, question) for line, question in asked]

    def close(self) -> None:
        """Hang up; a question after that opens the lines again."""
        for line in self._open:
            line.close()

    def _send(self, line: http.client.HTTPConnection, question: Question) -> None:
        headers = dict(question.headers)
        if question.key is not None:
            payload = hashlib.sha256(question.body).hexdigest()
            signer = Signer(f"127.0.0.1:{self.port}", question.key)
            headers = signer.headers(question.method, question.target, headers, payload)
        body = question.body or (None if question.method in IDEMPOTENT else b"")
        line.request(question.method, question.target, body, headers)

    def _receive(self, line: http.client.HTTPConnection, question: Question) -> Response:
        try:
            answer = line.getresponse()
        except ConnectionError:
            # The server had closed the line while nobody spoke: what changes nothing goes again.
            if question.method not in IDEMPOTENT:
                raise
            line.close()
            self._send(line, question)
            answer = line.getresponse()
        return Response(answer.status, answer.headers, answer.read())


def object_target(key: str, query: str = "") -> str:
    """The target of a key of the workspace."""
    path = f"/{WORKSPACE}/{quote(key)}"
    return f"{path}?{query}" if query else path


def get(key: str, caller: Key | None = KEYS["write"], query: str = "") -> Question:
    """GetObject."""
    return Question("GET", object_target(key, query), caller)


def head(key: str, caller: Key | None = KEYS["write"]) -> Question:
    """HeadObject."""
    return Question("HEAD", object_target(key), caller)


def put(key: str, body: bytes, caller: Key = KEYS["write"]) -> Question:
    """PutObject."""
    return Question("PUT", object_target(key), caller, body)


def copy(source: str, key: str, caller: Key = KEYS["write"]) -> Question:
    """CopyObject within the workspace."""
    headers = {"x-amz-copy-source": object_target(source)}
    return Question("PUT", object_target(key), caller, headers=headers)


def delete(key: str, caller: Key = KEYS["write"], query: str = "") -> Question:
    """DeleteObject, or with a `query` one of its versions."""
    return Question("DELETE", object_target(key, query), caller)


def listing(prefix: str, caller: Key | None = KEYS["write"]) -> Question:
    """ListObjectsV2 of everything below a folder: its first page."""
    query = f"list-type=2&prefix={quote(prefix, safe='')}%2F"
    return Question("GET", f"/{WORKSPACE}?{query}", caller)


def rpc(method: str, caller: Key = KEYS["write"], **arguments: Document) -> Question:
    """An RPC method of the workspace."""
    headers = {"content-type": "application/json"}
    body = json.dumps(arguments).encode()
    return Question("POST", f"/_rpc/{WORKSPACE}/{method}", caller, body, headers)


def outcome(answer: Response) -> tuple[int, str]:
    """Status and code: `(200, "")`, `(404, "NoSuchKey")`; "" where a HEAD was refused, too."""
    if answer.body[:1] == b"<" and b"<Error>" in answer.body:
        return answer.status, parse(answer.body).findtext("Code") or "?"
    if answer.status < FAILURE or not answer.body:
        return answer.status, ""
    return answer.status, json.loads(answer.body)["error"]["code"]


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a listing shows it."""

    size: int
    etag: str


def listed(answer: Response, folder: str) -> dict[str, Listed]:
    """The objects of a listing by their paths below the folder, each once and none left out."""
    assert answer.status == http.client.OK, (answer.status, answer.body)
    root = parse(answer.body)
    assert root.findtext("IsTruncated") == "false"
    found: dict[str, Listed] = {}
    for each in root.iter("Contents"):
        key = each.findtext("Key") or ""
        assert key.startswith(f"{folder}/"), key
        path = key[len(folder) + 1 :]
        assert path not in found, f"{path} is listed twice"
        etag = (each.findtext("ETag") or "").strip('"')
        found[path] = Listed(int(each.findtext("Size") or -1), etag)
    return found
