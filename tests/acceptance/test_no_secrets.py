"""Secrets are in no log, error, traceback, metric or command line, whatever goes wrong."""

import base64
import hashlib
import hmac
import json
import re
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
import yaml

from gateway.settings import parse
from tests.acceptance.harness import (
    OTHER_WORKSPACE,
    REGION,
    ROOT,
    WORKSPACE,
    Backend,
    Document,
    Gateway,
    Key,
    Outcome,
    Response,
)
from tests.acceptance.posted import fields_of, post_form
from tests.acceptance.processes import clean_environment
from tests.acceptance.secrecy import call, configured
from tests.acceptance.signer import Signer
from tests.acceptance.warm import gateway as program
from tests.acceptance.wire import WireTap

MARK = "7f3ac0ffee"
"""In every secret that these tests make: nobody else says it."""

CUSTOMER_KEY = base64.b64encode(MARK.encode().ljust(32, b"k")).decode()
SSE_C = "x-amz-server-side-encryption-customer-key"
WRITER = Key("AKMARKEDWRITER", f"{MARK}-writers-secret", "writer", {WORKSPACE: "write"})
OWNER = Key("AKMARKEDOWNER", f"{MARK}-owners-secret", "owner", {"*": "admin"})
METRICS_TOKEN = f"{MARK}-metrics-token"
SECRET = f"{MARK}-secret-that-others-are-derived-from"
TARGET = f"/{WORKSPACE}/data.csv"


@dataclass(slots=True)
class Marked:
    """A gateway, what it answered, and what it must not say."""

    gateway: Gateway
    tap: WireTap
    answers: list[Response] = field(default_factory=list)
    secrets: set[str] = field(default_factory=lambda: {MARK, CUSTOMER_KEY})

    def signer(self, key: Key = WRITER) -> Signer:
        return Signer(f"127.0.0.1:{self.gateway.port}", key)

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        """The answer, which is kept; its signature, if it has one, is a secret of its own."""
        for text in (target, str(headers)):
            self.secrets.update(re.findall(r"Signature=([0-9a-f]{64})", text))
        answer = self.gateway.request(method, target, headers, body)
        self.answers.append(answer)
        return answer

    @property
    def log(self) -> str:
        """All that the gateway and its workers have printed."""
        return self.gateway.logged()


@pytest.fixture(scope="module")
def marked(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marked]:
    """Two workers in front of a backend that can be made to fail."""
    for bucket in ("marked", "marked-other"):
        backend.client().create_bucket(Bucket=bucket)
    settings: Mapping[str, Document] = {
        "workspaces": {
            WORKSPACE: {"bucket": "marked"},
            OTHER_WORKSPACE: {"bucket": "marked-other"},
        },
        "system": {"bucket": "marked-system", "prefix": ""},
        "keys": configured(WRITER, OWNER),
        "secret": "${MARKED_SECRET}",
        "metrics_token": METRICS_TOKEN,
    }
    with WireTap(backend.endpoint_url) as tap:
        folder = tmp_path_factory.mktemp("marked")
        running = Gateway(backend, folder, settings, endpoint_url=tap.url)
        listen = {"host": "127.0.0.1", "port": running.port, "workers": 2}
        running.settings = {**settings, "listen": listen}
        try:
            running.start({"MARKED_SECRET": SECRET})
            yield Marked(running, tap)
        finally:
            running.stop()


def test_a_mismatch_shows_what_was_signed(marked: Marked) -> None:
    wrong = marked.signer(replace(WRITER, secret_access_key="wrong"))
    sent = {
        "x-amz-security-token": f"{MARK}-session",
        SSE_C: CUSTOMER_KEY,
        "cookie": f"session={MARK}",
        "x-forwarded-for": "192.0.2.1",
        "x-forwarded-host": "inner.test",
        "x-proxy-authorization": f"added by a proxy: {MARK}",
        "x-amz-meta-colour": "blue",
        "range": "bytes=0-1",
    }
    headers = wrong.headers("GET", f"{TARGET}?tagging", sent)
    told = shown(marked.ask("GET", f"{TARGET}?tagging", headers))
    listed = "\n".join(
        f"{name}:{value}"
        for name, value in (
            ("cookie", "[left out]"),
            ("host", wrong.host),
            ("range", "bytes=0-1"),
            ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            ("x-amz-date", wrong.time),
            ("x-amz-meta-colour", "blue"),
            ("x-amz-security-token", "[left out]"),
            (SSE_C, "[left out]"),
            ("x-forwarded-for", "[left out]"),
            ("x-forwarded-host", "[left out]"),
            ("x-proxy-authorization", "[left out]"),
        )
    )
    names = ";".join(re.findall(r"^([^:]+):", listed, re.MULTILINE))
    expected = f"GET\n{TARGET}\ntagging=\n{listed}\n\n{names}\nUNSIGNED-PAYLOAD"
    assert told["CanonicalRequest"] == expected
    assert told["StringToSign"].startswith(f"AWS4-HMAC-SHA256\n{wrong.time}\n{wrong.scope}\n")


def test_a_mismatch_is_one_that_the_client_can_compute(marked: Marked) -> None:
    wrong = marked.signer(replace(WRITER, secret_access_key="wrong"))
    told = shown(marked.ask("GET", TARGET, wrong.headers("GET", TARGET)))
    digest = hashlib.sha256(told["CanonicalRequest"].encode()).hexdigest()
    assert told["StringToSign"].endswith(f"\n{digest}")
    secret = f"AWS4{wrong.key.secret_access_key}".encode()
    for part in (*wrong.scope.split("/"), told["StringToSign"]):
        secret = hmac.digest(secret, part.encode(), "sha256")
    assert told["SignatureProvided"] == secret.hex()


def test_a_mismatch_of_a_url_leaves_its_token_and_key_out(marked: Marked) -> None:
    wrong = marked.signer(replace(WRITER, secret_access_key="wrong"))
    for name in ("X-Amz-Security-Token", "X-Amz-Security%2DToken", SSE_C,
                 "x-amz-copy-source-server-side-encryption-customer-key"):  # fmt: skip
        value = quote(CUSTOMER_KEY if name.endswith("key") else f"{MARK}-session", safe="")
        told = shown(marked.ask("GET", wrong.presigned("GET", f"{TARGET}?{name}={value}")))
        assert f"{name}=[left out]" in told["CanonicalRequest"]
        assert f"X-Amz-Date={wrong.time}" in told["CanonicalRequest"]
        assert "X-Amz-Signature" not in told["CanonicalRequest"]


def shown(answer: Response) -> dict[str, str]:
    """What a SignatureDoesNotMatch tells; AssertionError for any other answer."""
    assert answer.status == 403
    text = answer.body.decode()
    found = dict(re.findall(r"<(\w+)>([^<]*)</\1>", text))
    assert found["Code"] == "SignatureDoesNotMatch", text
    assert found["StringToSign"]
    return {name: value.replace("&amp;", "&") for name, value in found.items()}


def raw(marked: Marked, *lines: str) -> None:
    """Send what no client sends; whatever comes back is kept."""
    with closing(socket.create_connection(("127.0.0.1", marked.gateway.port), 10)) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(10)
        data = bytearray()
        while piece := connection.recv(65_536):
            data += piece
    marked.answers.append(Response(0, marked.answers[0].headers, bytes(data)))


def refuse_signatures(marked: Marked) -> None:
    """Signatures and tokens that are wrong in every way."""
    right, host = marked.signer(), f"Host: 127.0.0.1:{marked.gateway.port}"
    headers = right.headers("GET", TARGET, {"x-amz-security-token": f"{MARK}-session"})
    marked.ask("GET", TARGET, headers)
    marked.ask("GET", TARGET, {**headers, "x-amz-date": "20000101T000000Z"})
    marked.ask("GET", TARGET + "x", headers)
    marked.ask("GET", TARGET, {**headers, SSE_C: CUSTOMER_KEY})
    marked.ask("GET", right.presigned("GET", f"{TARGET}?{SSE_C}={quote(CUSTOMER_KEY, safe='')}"))
    marked.ask("GET", right.presigned("GET", TARGET), headers)
    marked.ask("GET", f"{TARGET}?AWSAccessKeyId={WRITER.access_key_id}&Signature={MARK}&Expires=1")
    for scheme in ("Bearer", "Basic", "AWS4-HMAC-SHA256", "AWS x:", "", "Nonsense"):
        for target in (TARGET, f"/{WORKSPACE}/artifact/x", "/_metrics"):
            marked.ask("GET", target, {"Authorization": f"{scheme} {MARK}"})
    marked.ask("GET", f"/_metrics?token={MARK}&access_token={MARK}&password={MARK}")
    marked.ask("GET", "/_metrics", {"Authorization": f"Bearer {METRICS_TOKEN}"})
    body = right.headers("PUT", TARGET, {"content-encoding": "aws-chunked",
                                         "x-amz-decoded-content-length": "4"},
                         "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")  # fmt: skip
    marked.ask("PUT", TARGET, body, f"4;chunk-signature={MARK:0<64}\r\nabcd\r\n".encode())
    for line in (f"Authorization: Bearer {MARK}\x01", f"Authorization{MARK}", f" {MARK}: x",
                 f"Authorization: {MARK}\nX: y", f"Cookie\x00: {MARK}"):  # fmt: skip
        raw(marked, f"GET {TARGET} HTTP/1.1", host, line)
    raw(marked, f"GET /x?X-Amz-Signature={MARK} HTTP/9.9", host)
    raw(marked, f"GET http://user:{MARK}@{host[6:]}{TARGET} HTTP/1.1", host)


def use_everything(marked: Marked) -> None:
    """What goes well: keys, tokens, URLs and forms are made and used."""
    gateway = marked.gateway
    made = call(gateway, OWNER, WORKSPACE, "keys.create", name="x", grants={WORKSPACE: "write"})
    token = call(gateway, OWNER, WORKSPACE, "generate_token", grants={WORKSPACE: "write"})
    marked.secrets |= {made["secret_access_key"], token}
    listed = call(gateway, OWNER, WORKSPACE, "keys.list")
    assert made["secret_access_key"] not in json.dumps(listed)
    call(gateway, WRITER, WORKSPACE, "create", prefix="a", manifest={"type": "x"}, stage=True)
    url = call(gateway, WRITER, WORKSPACE, "put_file", prefix="a", file_path="f.csv")
    assert marked.ask("PUT", url.removeprefix(gateway.url), None, b"data").status == 200
    assert marked.ask("GET", url.removeprefix(gateway.url)).status == 403
    url = marked.signer().presigned("GET", f"/{WORKSPACE}/a/f.csv")
    assert marked.ask("GET", url).body == b"data"
    headers = {"Authorization": f"Bearer {token}"}
    assert marked.ask("GET", f"/{WORKSPACE}/artifact/a?stage=true", headers).status == 200
    marked.ask("GET", f"/{WORKSPACE}/artifact/a?token={token}", headers)
    marked.ask("GET", TARGET, {**headers, **marked.signer().headers("GET", TARGET)})
    fields = fields_of(WRITER, WORKSPACE, "form.csv")
    marked.secrets |= {fields["x-amz-signature"], fields["policy"]}
    marked.answers.append(post_form(gateway, WRITER, WORKSPACE, "form.csv", b"sent"))
    marked.answers.append(
        post_form(gateway, replace(WRITER, secret_access_key=f"{MARK}!"), WORKSPACE, "x", b"sent")
    )


def break_the_bucket(marked: Marked, backend: Backend) -> None:
    """The backend's bucket goes."""
    store = backend.client()
    for each in store.list_object_versions(Bucket="marked").get("Versions", []):
        store.delete_object(Bucket="marked", Key=each["Key"], VersionId=each["VersionId"])
    store.delete_bucket(Bucket="marked")
    ask_all(marked)


def break_the_backend(marked: Marked) -> None:
    """Nobody answers any more."""
    marked.tap.stop()
    for method, body in (("GET", None), ("PUT", b"data")):
        marked.ask(method, TARGET, marked.signer().headers(method, TARGET), body)
        marked.ask(method, marked.signer().presigned(method, TARGET), None, body)
    marked.ask("GET", "/_health/ready")


def ask_all(marked: Marked) -> None:
    """One request of each kind, whatever becomes of it."""
    signer = marked.signer()
    for method, target, body in (
        ("GET", TARGET, None),
        ("PUT", TARGET, b"data"),
        ("PUT", f"/{WORKSPACE}/b/_manifest.yaml", b"type: dataset"),
        ("PUT", f"/{WORKSPACE}/b/manifest.yaml", b"type: dataset"),
        ("GET", f"/{WORKSPACE}?list-type=2", None),
    ):
        marked.ask(method, target, signer.headers(method, target), body)
        marked.ask(method, signer.presigned(method, target), None, body)
    for method, arguments in (
        ("commit", {"prefix": "a"}),
        ("discard", {"prefix": "a"}),
        ("read", {"prefix": "a", "stage": True}),
        ("keys.create", {"name": "y", "grants": {WORKSPACE: "write"}}),
        ("keys.list", {}),
    ):
        answer = call(marked.gateway, OWNER, WORKSPACE, method, **arguments)
        if isinstance(answer, dict) and "secret_access_key" in answer:
            marked.secrets.add(answer["secret_access_key"])
        else:
            text = json.dumps(answer).encode()
            marked.answers.append(Response(0, marked.answers[0].headers, text))
    for target in ("/_health/ready", "/_health/live", "/_metrics"):
        marked.ask("GET", target)


def break_the_database(marked: Marked) -> None:
    """Tables go that keys, stages and pins are read from and written to."""
    with closing(sqlite3.connect(marked.gateway.data_dir / "artifact-gateway.db")) as database:
        for table in ("access_key", "staged_file", "intent", "pin"):
            database.execute(f"ALTER TABLE {table} RENAME TO {table}_gone")
        database.commit()
    ask_all(marked)
    marked.ask("GET", TARGET, marked.signer(replace(WRITER, access_key_id="AGUNKNOWN")).headers(
        "GET", TARGET))  # fmt: skip


def test_whatever_goes_wrong_says_no_secret(marked: Marked, backend: Backend) -> None:
    refuse_signatures(marked)
    use_everything(marked)
    process = psutil.Process(marked.gateway.pid)
    for each in [process, *process.children(recursive=True)]:
        assert not told_in(" ".join(each.cmdline()), marked), each
    break_the_bucket(marked, backend)
    break_the_database(marked)
    break_the_backend(marked)
    statuses = {answer.status for answer in marked.answers}
    assert statuses >= {200, 400, 403, 404, 500, 503}, "not enough went wrong"
    assert marked.log.count("Traceback") > 1
    assert marked.log.count('"request_id"') > 60
    secrets = marked.secrets | {backend.secret_access_key}
    assert not told_in(marked.log, marked)
    assert backend.secret_access_key not in marked.log
    for answer in marked.answers:
        text = answer.body.decode("utf-8", "replace") + str(answer.headers)
        # A client is told the signature that it sent itself.
        text = re.sub(r"<SignatureProvided>[^<]*<", "<", text)
        assert not [secret for secret in secrets if secret in text], text
    for file in marked.gateway.data_dir.rglob("*"):
        held = file.read_bytes() if file.is_file() else b""
        assert not [secret for secret in secrets if secret.encode() in held], file


def told_in(text: str, marked: Marked) -> list[str]:
    """The lines of a text that say a secret."""
    return [line for line in text.splitlines() if any(secret in line for secret in marked.secrets)]


CONFIGURATION: Mapping[str, Document] = {
    "secret": SECRET,
    "workspaces": {WORKSPACE: {"bucket": "my-bucket"}},
    "backend": {
        "endpoint_url": "http://127.0.0.1:1",
        "access_key_id": "backend",
        "secret_access_key": f"{MARK}-backend",
    },
    "keys": configured(WRITER),
    "metrics_token": METRICS_TOKEN,
}
DATABASE = f"postgresql://gateway:{MARK}@127.0.0.1:1/gateway"


def written(folder: Path, **changes: Document) -> Path:
    """A configuration file with some keys changed."""
    document = {**CONFIGURATION, "data_dir": str(folder / "data"), **changes}
    file = folder / "gateway.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


def run(*arguments: str | Path) -> Outcome:
    """The outcome of a command."""
    environment = clean_environment() | {"PYTHONPATH": str(ROOT)}
    return program().run([str(each) for each in arguments], environment, ROOT, seconds=60)


@pytest.mark.parametrize(
    ("command", "changes"),
    [
        (("serve", "--port", "0"), {"database_url": DATABASE}),
        (("keys", "list"), {"database_url": f"{DATABASE}?sslmode={MARK}"}),
    ],
)
def test_commands_say_no_secret(
    tmp_path: Path, command: tuple[str, ...], changes: dict[str, Document]
) -> None:
    outcome = run(*command, "--config", written(tmp_path, **changes))
    assert outcome.stdout + outcome.stderr
    assert MARK not in outcome.stdout + outcome.stderr


@pytest.mark.parametrize(
    "text",
    [
        f"secret: *{MARK}",
        f"secret: !{MARK} x",
        f"secret: !{MARK}!y x",
        f"secret: &{MARK}",
        f'secret: "{MARK}',
        f"secret: {{{MARK}: 1}}",
        f"secret: [{MARK}]",
        f"secret: {MARK}",
        f"secret: {MARK}: x",
        f"secret: |{MARK}",
        f"secret: {SECRET}\nsecret: {SECRET}",
        f"metrics_token: {MARK}!",
        f"metrics_token: {{{MARK}: 1}}",
        f"public_url: https://user:{MARK}@example.org",
        f"cors: {{allow_origins: ['https://user:{MARK}@example.org']}}",
        f"backend: {{endpoint_url: 'http://user:{MARK}@example.org'}}",
        f"backend: {{endpoint_url: 'http://example.org', secret_access_key: {MARK}}}",
        f"database_url: mysql://user:{MARK}@host/name",
        f"database_url: postgresql://user:a@host:{MARK}@host/name",
        f"database_url: postgresql://user:a/{MARK}@host/name",
        f"database_url: postgresql://user:[{MARK}@host/name",
        f"keys: [{{access_key_id: abc, secret_access_key: [{MARK}]}}]",
        f"keys: [{{access_key_id: abc, secret_access_key: {MARK[:7]}}}]",
        f"keys: {{abc: {MARK}}}",
    ],
)
def test_a_wrong_configuration_is_told_without_its_secrets(tmp_path: Path, text: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is for other tests
        parse(f"{text}\ndata_dir: {tmp_path}\n", {})
    assert str(caught.value)
    assert MARK[:7] not in str(caught.value)


def test_what_is_shown_of_a_configuration_has_no_secret(tmp_path: Path) -> None:
    config = parse(written(tmp_path, database_url=DATABASE).read_text(), {})
    assert MARK not in repr(config)
    assert REGION in repr(config)
