"""Real processes for the acceptance tests: backends, and gateways in front of them.

A `Backend` is a SeaweedFS or a moto server that the test starts itself, so that a gateway can
be killed while its backend lives. A `Gateway` is one `serve --config` process, spoken to from
outside alone: over HTTP, through boto3, and with the clients that people have.
"""

import http.client
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import requests
import yaml
from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gateway.web.access_log import PAUSE_SECONDS
from tests.acceptance.backends import REGION, Backend, S3Client, s3_client
from tests.acceptance.keys import KEYS, OTHER_WORKSPACE, WORKSPACE, Key
from tests.acceptance.processes import clean_environment, free_port, spawn, wait_until
from tests.acceptance.programs import Outcome, Programs
from tests.acceptance.warm import Run, gateway

__all__ = [
    "KEYS",
    "OTHER_WORKSPACE",
    "REGION",
    "WORKSPACE",
    "Backend",
    "Document",
    "Gateway",
    "Key",
    "Outcome",
    "Response",
    "RpcError",
    "S3Client",
    "s3_client",
]

ROOT = Path(__file__).resolve().parents[2]

Document: TypeAlias = Any  # decoded JSON, asserted on by the tests


class RpcError(Exception):
    """A refusal of the RPC door: HTTP status and the fields of its JSON error."""

    def __init__(self, status: int, code: str, message: str, details: Document) -> None:
        super().__init__(f"{status} {code}: {message} {details}")
        self.status = status
        self.code = code
        self.message = message
        self.details = details


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response as it came: nothing decoded, nothing followed."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Document:
        """The body, decoded; AssertionError where the request was refused."""
        assert self.status == http.client.OK, (self.status, self.body)
        return json.loads(self.body)


@dataclass(slots=True)
class Gateway(Programs):
    """One `serve --config` process in front of a backend.

    `settings` are top-level keys of the configuration that replace the harness's own;
    `endpoint_url` stands in for the backend's where something listens in between; `under` is a
    command that runs the gateway's own, as valgrind does.
    """

    backend: Backend
    folder: Path
    settings: Mapping[str, Document] = field(default_factory=dict)
    endpoint_url: str | None = None
    workspace: str = WORKSPACE
    under: Sequence[str] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | Run | None = None
    _clients: dict[str, S3Client] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The base of the gateway's URLs, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the running gateway."""
        assert self.process is not None
        return self.process.pid

    @property
    def data_dir(self) -> Path:
        """Where the gateway keeps its database and journals: its working directory."""
        return self.folder / "data"

    def logged(self) -> str:
        """What it has logged: lines are written a moment after their answers."""
        said, before = self.log.read_text(), ""
        while said != before:
            time.sleep(5 * PAUSE_SECONDS)
            said, before = self.log.read_text(), said
        return said

    @property
    def log(self) -> Path:
        """The file that takes what the gateway prints."""
        return self.folder / "gateway.log"

    def configuration(self) -> dict[str, Document]:
        """The configuration that `start` writes, as a document."""
        return {
            "listen": {"host": "127.0.0.1", "port": self.port},
            "backend": {
                "endpoint_url": self.endpoint_url or self.backend.endpoint_url,
                "region": REGION,
                "access_key_id": self.backend.access_key_id,
                "secret_access_key": self.backend.secret_access_key,
                "addressing_style": "path",
            },
            "data_dir": str(self.data_dir),
            "system": {"bucket": "artifact-gateway-system", "prefix": ""},
            "database_url": f"sqlite:///{self.data_dir / 'artifact-gateway.db'}",
            "workspaces": {
                self.workspace: {"bucket": self.backend.bucket},
                OTHER_WORKSPACE: {"bucket": OTHER_WORKSPACE},
            },
            "keys": [
                {
                    "access_key_id": key.access_key_id,
                    "secret_access_key": key.secret_access_key,
                    "name": key.name,
                    "grants": dict(key.grants),
                }
                for key in KEYS.values()
            ],
            "secret": "0123456789abcdef0123456789abcdef",
        } | dict(self.settings)

    def start(self, env: Mapping[str, str] | None = None) -> "Gateway":
        """This gateway, running and ready; `env` is added to its environment."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        path = self.folder / "gateway.yaml"
        path.write_text(yaml.safe_dump(self.configuration(), sort_keys=False))
        environment = clean_environment() | {"PYTHONPATH": str(ROOT), **(env or {})}
        command = ["serve", "--config", str(path)]
        if env or self.under:  # Python itself may read it
            command = [*self.under, sys.executable, "-m", "gateway", *command]
            self.process = spawn(command, self.data_dir, self.log, environment)
        else:
            with self.log.open("ab") as log:
                self.process = gateway().start(command, environment, self.data_dir, log, log)
        self.wait_ready()
        return self

    def command(self, name: str, *options: str) -> Outcome:
        """The outcome of a command with the configuration that `start` wrote."""
        told = [name, "--config", str(self.folder / "gateway.yaml"), *options]
        environment = clean_environment() | {"PYTHONPATH": str(ROOT)}
        return gateway().run(told, environment, self.data_dir, seconds=110)

    def wait_ready(self, seconds: float = 60) -> None:
        """Return once `/_health/ready` answers; AssertionError with the log's end otherwise."""
        assert self.process is not None
        wait_until(f"{self.url}/_health/ready", self.process, self.log, seconds=seconds)

    def stop(self) -> int:
        """The exit code after SIGTERM; AssertionError where it takes longer than 15 s."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.terminate()
        try:
            return process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("the gateway did not stop within 15 s of SIGTERM") from None

    def kill(self) -> None:
        """SIGKILL: nothing of the gateway's own runs any more."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def s3(self, key: str = "write") -> S3Client:
        """A boto3 client with the key called `key` in KEYS, or an "anonymous" one."""
        if key == "anonymous":
            return s3_client(self.url, KEYS["other"], signature_version=UNSIGNED)
        if key not in self._clients:
            self._clients[key] = s3_client(self.url, KEYS[key])
        return self._clients[key]

    def anonymous(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        data: bytes | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """The response to an unsigned request; `path` starts with a slash. Redirects stay."""
        return requests.request(
            method,
            self.url + path,
            headers=headers,
            params=params,
            data=data,
            stream=stream,
            timeout=60,
            allow_redirects=False,
        )

    def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
    ) -> Response:
        """The response to exactly this request: `target` goes on the wire as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, target, body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def signed(
        self,
        method: str,
        target: str,
        key: str = "write",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        """The response to this request with a Signature V4 in its headers."""
        request = AWSRequest(method, self.url + target, headers=dict(headers or {}), data=body)
        chosen = KEYS[key]
        credentials = Credentials(chosen.access_key_id, chosen.secret_access_key)
        S3SigV4Auth(credentials, "s3", REGION).add_auth(request)
        return self.request(method, target, dict(request.headers.items()), body)

    def rpc(
        self, method: str, /, *, key: str = "write", token: str | None = None, **arguments: Document
    ) -> Document:
        """What the RPC method returns, decoded; RpcError where it refuses.

        Signed with the key called `key`, or with the bearer `token` where one is given.
        """
        target = f"/_rpc/{self.workspace}/{method}"
        headers = {"Content-Type": "application/json"}
        body = json.dumps(arguments).encode()
        if token is None:
            answer = self.signed("POST", target, key, headers, body)
        else:
            headers["Authorization"] = f"Bearer {token}"
            answer = self.request("POST", target, headers, body)
        try:
            document = json.loads(answer.body or b"null")
        except ValueError:
            raise AssertionError(f"{method}: {answer.status} {answer.body[:500]!r}") from None
        if answer.status >= http.client.BAD_REQUEST:
            error = document["error"]
            raise RpcError(answer.status, error["code"], error["message"], error.get("details"))
        return document

    def new_prefix(self, *, public: bool = False) -> str:
        """A prefix that nothing has used, below no collection."""
        name = f"acceptance-{secrets.token_hex(5)}"
        return f"public/{name}" if public else name
