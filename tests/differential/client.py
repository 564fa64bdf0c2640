"""A client of one server, which notes every request it sends and every answer it gets.

Raw requests go over one connection that is kept. boto3's requests take the same connection:
so the notes hold the bytes that came, not what boto3 made of them.
"""

import hashlib
import http.client
import io
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from html import unescape
from typing import Any, TypeAlias
from urllib.parse import quote, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import BotoCoreError, ClientError

from tests.acceptance.backends import S3Client, s3_client
from tests.acceptance.bodies import Draft
from tests.acceptance.forms import BOUNDARY, Form, sign
from tests.acceptance.keys import Key
from tests.acceptance.signer import UNSIGNED, Signer

Result: TypeAlias = Any  # what a boto3 call returns

_PLACE = re.compile(r"\{(\w+)\}")
_PIECE = 1 << 16


class Auth(Enum):
    """How a raw request says who sends it."""

    HEADER = "Authorization"
    UNSIGNED_PAYLOAD = "Authorization, but for the payload"
    PRESIGNED = "the query"
    NONE = "not at all"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it came: names of headers in lower case, in the order of the wire."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

    def values(self, name: str) -> tuple[str, ...]:
        """The values of every header called `name`, lower case."""
        return tuple(value for known, value in self.headers if known == name)

    def header(self, name: str) -> str:
        """The first header called `name`, lower case; "" where there is none."""
        return next(iter(self.values(name)), "")

    def text(self, element: str) -> str:
        """The text of the document's first element of this name, "" where there is none."""
        found = re.search(rf"<{element}>([^<]*)</{element}>".encode(), self.body)
        return unescape(found[1].decode()) if found else ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, as far as it says what was asked, and its answer."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    answer: Answer


@dataclass(slots=True)
class Client:
    """Speaks with one server, as `key`, about one bucket, below one prefix of its keys.

    `saved` holds what answers told and later requests name: `{name}` in a key, query, header or
    body stands for it, and `{bucket}` and `{prefix}` for the client's own.
    """

    port: int
    key: Key
    bucket: str = ""
    prefix: str = ""
    saved: dict[str, str] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)
    _connection: http.client.HTTPConnection | None = None
    _boto: dict[str, S3Client] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """The server's own Host."""
        return f"127.0.0.1:{self.port}"

    def go(self, bucket: str, prefix: str, key: Key) -> None:
        """Speak about another bucket and prefix from now on, as `key`; nothing is saved yet."""
        self.bucket, self.prefix, self.key = bucket, prefix, key
        self.saved = {}
        self.exchanges = []

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def fill(self, text: str) -> str:
        """`text` with what was saved in the place of `{names}`; others stay as they are."""
        known = {"bucket": self.bucket, "prefix": self.prefix, **self.saved}
        return _PLACE.sub(lambda found: known.get(found[1], found[0]), text)

    def ask(
        self,
        method: str,
        key: str | None = None,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
        auth: Auth = Auth.HEADER,
    ) -> Answer:
        """The answer to a request about a key below the prefix; None asks for the bucket."""
        path = f"/{self.bucket}"
        if key is not None:
            path += "/" + quote(self.fill(self.prefix + key), safe="/~")
        return self.send(method, path, query, headers, body, auth)

    def send(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
        auth: Auth = Auth.HEADER,
        signer: Signer | None = None,
    ) -> Answer:
        """The answer to a request whose path is spelled as it goes on the wire."""
        data = self.fill(body).encode() if isinstance(body, str) else body
        target = path + (f"?{self.fill(query)}" if query else "")
        chosen = {name.lower(): self.fill(text) for name, text in (headers or {}).items()}
        signer = signer or Signer(self.host, self.key)
        if auth is Auth.PRESIGNED:
            # Only what S3 demands to be signed is: a browser adds other headers as it likes.
            signed = {name: text for name, text in chosen.items() if name.startswith("x-amz-")}
            target = signer.presigned(method, target, headers=signed)
            chosen["host"] = self.host
        elif auth is Auth.NONE:
            chosen["host"] = self.host
        else:
            declared = chosen.pop("x-amz-content-sha256", hashlib.sha256(data).hexdigest())
            payload = UNSIGNED if auth is Auth.UNSIGNED_PAYLOAD else declared
            chosen = signer.headers(method, target, chosen, payload)
        if (data or method in {"PUT", "POST"}) and "content-length" not in chosen:
            chosen["content-length"] = str(len(data))
        return self._exchange(method, target, chosen, data)

    def upload(self, key: str, draft: Draft, query: str = "") -> Answer:
        """The answer to a PUT of the draft."""
        path = f"/{self.bucket}/{quote(self.prefix + key, safe='/~')}"
        target = path + (f"?{self.fill(query)}" if query else "")
        raw = draft.request(Signer(self.host, self.key), "PUT", target)
        return self._exchange(raw.method, raw.target, raw.headers, raw.body)

    def call(self, operation: str, /, config: str = "", **arguments: object) -> Result:
        """What boto3's operation returns; {} where it is refused.

        Bucket is the client's own unless `arguments` say otherwise (None: there is none), and
        keys are below its prefix.
        `config` names one of CONFIGS.
        """
        chosen = {"Bucket": self.bucket, **arguments}
        if chosen["Bucket"] is None:
            del chosen["Bucket"]
        for name in ("Key", "Prefix", "KeyMarker", "Marker", "StartAfter"):
            if isinstance(chosen.get(name), str):
                chosen[name] = f"{self.prefix}{chosen[name]}"
        source = chosen.get("CopySource")
        if isinstance(source, str):
            chosen["CopySource"] = f"{self.bucket}/{self.prefix}{self.fill(source)}"
        client = self._client(config)
        try:
            result: Result = getattr(client, operation)(**chosen)
            if "Body" in result:
                result["Body"].read()
        except (ClientError, BotoCoreError):
            return {}
        return result

    def presign(self, operation: str, /, **arguments: object) -> str:
        """Path and query of the URL that boto3 makes for an operation on a key."""
        chosen = {"Bucket": self.bucket, **arguments, "Key": f"{self.prefix}{arguments['Key']}"}
        url = self._client("").generate_presigned_url(operation, Params=chosen)
        parts = urlsplit(url)
        return f"{parts.path}?{parts.query}"

    def form(self, key: str, fields: Mapping[str, str] | None = None) -> dict[str, str]:
        """The fields of an upload form for a key, signed by boto3; `fields` are among them."""
        return sign(self._client(""), self.prefix + key, fields, bucket=self.bucket)

    def post(self, form: Form) -> Answer:
        """The answer to a form that a browser sends."""
        body = form.before + form.data + form.end
        headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
        return self.follow("POST", f"/{self.bucket}", headers, body)

    def follow(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """The answer to a request that holds its signature already, or none."""
        chosen = {"host": self.host, **(headers or {})}
        if body or method == "PUT":
            chosen["content-length"] = str(len(body))
        return self._exchange(method, target, chosen, body)

    def _client(self, config: str) -> S3Client:
        name = f"{self.key.access_key_id} {config}"
        if name not in self._boto:
            client = s3_client(f"http://{self.host}", self.key, **CONFIGS[config])
            client.meta.events.register("before-send.s3", self._boto_sends)
            self._boto[name] = client
        return self._boto[name]

    def _boto_sends(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """The answer to a request of boto3's, over this client's own connection."""
        url = urlsplit(request.url)
        target = url.path + (f"?{url.query}" if url.query else "")
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        headers.setdefault("host", self.host)
        body = request.body
        if body is not None and not isinstance(body, bytes | str):
            body = body.read()
        data = body.encode() if isinstance(body, str) else body or b""
        if headers.get("transfer-encoding") == "chunked":
            # Its length is known here; that it came chunked is no part of the question.
            del headers["transfer-encoding"]
            headers["content-length"] = str(len(data))
        answer = self._exchange(request.method, target, headers, data)
        return AWSResponse(request.url, answer.status, dict(answer.headers), _Raw(answer.body))

    def _exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection = self._connection
        try:
            answer = _spoken(connection, method, target, headers, body)
        except (http.client.RemoteDisconnected, ConnectionError):
            # It had been closed while nobody spoke; a server that closes twice has said that.
            connection.close()
            answer = _spoken(connection, method, target, headers, body)
        if answer.header("connection").lower() == "close":
            connection.close()
        self.exchanges.append(Exchange(method, target, headers, answer))
        return answer


CONFIGS: Mapping[str, dict[str, object]] = {
    "": {},
    "when required": {
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    },
}
"""botocore's settings, by the names that `Client.call` takes."""


def md5(body: bytes) -> str:
    """The Content-MD5 of a body."""
    return b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


class _Raw(io.BytesIO):
    """A body that was read, as botocore reads one."""

    def stream(self, amount: int = _PIECE, **_: object) -> Iterator[bytes]:
        while piece := self.read(amount):
            yield piece


def _spoken(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
) -> Answer:
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value.encode())
    connection.endheaders(body or None)
    answer = connection.getresponse()
    pairs = tuple((name.lower(), value) for name, value in answer.getheaders())
    return Answer(answer.status, pairs, answer.read())


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
