"""Keys that readers must not know of, each beside one that is really not there."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import pytest

from tests.acceptance.harness import Backend, Document, Gateway, Key, Response, S3Client
from tests.acceptance.keys import make_key
from tests.acceptance.signer import UNSIGNED, Signer
from tests.acceptance.steps import manifest

OPEN, SHUT, PART, TARGET, PLAIN = "opened", "shut", "part", "target", "plain"
"""Workspaces: open to objects, to artifacts, below a prefix, for copies, and without versions."""

BUCKETS = {name: f"secrecy-{name}" for name in (OPEN, SHUT, PART, TARGET, PLAIN)}
SOURCES = (OPEN, SHUT, PART)
SECRET = b"staged, and nobody's business"
COMMITTED = {"changed.csv": b"committed", "removed.csv": b"committed too", "same.csv": b"same"}

WRITER = make_key("secretwriter", dict.fromkeys((OPEN, SHUT, PART, TARGET, PLAIN), "write"))
READER = make_key("secretreader", dict.fromkeys((OPEN, SHUT, PART, PLAIN), "read"))
COPIER = make_key("secretcopier", {**READER.grants, TARGET: "write"})
LOWERED = make_key("secretlowered", {OPEN: "write"})
OWNER = make_key("secretowner", {"*": "admin"})
CALLERS: Mapping[str, Key | None] = {"anonymous": None, "read": READER}

# Of the request, or of the moment: a refusal may come before the body that nobody reads.
UNTOLD = frozenset(("connection", "date", "x-amz-request-id", "x-request-id", "x-amz-version-id"))
UNTOLD_IN_XML = re.compile(rb"<(RequestId|HostId|LastModified|NextContinuationToken)>[^<]*</\1>")
UNTOLD_IN_JSON = re.compile(rb'"(request_id|created_at|modified_at|_created_at|_modified_at|'
                           rb'last_modified|time)": ?"[^"]*"')  # fmt: skip

Told: TypeAlias = tuple[int, dict[str, str], bytes]
"""Status, headers and body of an answer, as far as they could tell somebody something."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A key that holds what is staged, and its twin of the same length that never was."""

    hidden: str
    absent: str
    version: str = "null"
    etag: str = '"0"'


@dataclass(frozen=True, slots=True)
class Scene:
    """What one workspace holds.

    `edited` and `calm` were committed alike; `edited` is being edited since. Nothing was ever
    below `nothing`, which is as long as `new`: an artifact that is staged alone.
    """

    workspace: str
    edited: str
    calm: str
    new: str
    nothing: str
    pairs: tuple[Pair, ...]


@pytest.fixture(scope="package")
def secluded(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a workspace of each kind."""
    for bucket in BUCKETS.values():
        backend.client().create_bucket(Bucket=bucket)
    settings = {
        "workspaces": {
            OPEN: {"bucket": BUCKETS[OPEN], "public": "objects"},
            SHUT: {"bucket": BUCKETS[SHUT]},
            PART: {"bucket": BUCKETS[PART], "prefix": "a/part/", "public": "objects"},
            TARGET: {"bucket": BUCKETS[TARGET]},
            PLAIN: {"bucket": BUCKETS[PLAIN], "versioning": False},
        },
        "system": {"bucket": "secrecy-system", "prefix": ""},
        "keys": configured(WRITER, READER, COPIER, LOWERED, OWNER),
    }
    running = Gateway(backend, tmp_path_factory.mktemp("secrecy"), settings, workspace=OPEN)
    try:
        yield running.start()
    finally:
        running.stop()


def ask(
    gateway: Gateway,
    key: Key | None,
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    payload: str = UNSIGNED,
) -> Response:
    """The answer to this request, `target` as it is, signed where there is a key."""
    sent = dict(headers or {})
    if key is not None:
        sent = Signer(f"127.0.0.1:{gateway.port}", key).headers(method, target, sent, payload)
    return gateway.request(method, target, sent, body)


def call(
    gateway: Gateway, key: Key | None, workspace: str, method: str, /, **arguments: Document
) -> Document:
    """What an RPC method says, its error where it refuses."""
    body = json.dumps(arguments).encode()
    target, headers = f"/_rpc/{workspace}/{method}", {"Content-Type": "application/json"}
    digest = hashlib.sha256(body).hexdigest()
    return json.loads(ask(gateway, key, "POST", target, headers, body, digest).body)


def configured(*keys: Key) -> list[Document]:
    """Keys as the configuration writes them."""
    return [
        {
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret_access_key,
            "name": key.name,
            "grants": dict(key.grants),
        }
        for key in keys
    ]


def told(answer: Response, name: str) -> Told:
    """All that an answer tells its caller, but `name`, ids and times."""
    headers = {each.lower(): value for each, value in answer.headers.items()}
    kept = {each: value for each, value in headers.items() if each not in UNTOLD}
    body = answer.body.replace(name.encode(), b"NAME")
    body = UNTOLD_IN_JSON.sub(rb'"\1":""', UNTOLD_IN_XML.sub(rb"<\1/>", body))
    return answer.status, kept, body


def make_scene(client: S3Client, workspace: str) -> Scene:
    """The scene, staged by a writer's `client`."""
    edited, calm, new, nothing = (f"public/{name}" for name in ("edited", "calm__", "new", "nil"))
    gallery, waiting = "public/gallery", "member/waits.csv"

    def put(key: str, data: bytes, **options: Document) -> Document:
        return client.put_object(Bucket=workspace, Key=key, Body=data, **options)

    for prefix in (edited, calm):
        put(f"{prefix}/_manifest.yaml", manifest(name="one"))
        for path, data in COMMITTED.items():
            put(f"{prefix}/{path}", data, Tagging="state=committed")
        commit(client, workspace, prefix)
    put(f"{gallery}/_manifest.yaml", manifest(type="collection"))
    commit(client, workspace, gallery)
    answers = {
        key: put(key, data, Tagging="state=staged")
        for key, data in {
            f"{new}/_manifest.yaml": manifest(name=SECRET.decode()),
            f"{new}/sub/f.csv": SECRET,
            f"{edited}/_manifest.yaml": manifest(name=SECRET.decode()),
            f"{edited}/changed.csv": SECRET,
            f"{edited}/staged.csv": SECRET,
            f"{gallery}/{waiting}": SECRET,
        }.items()
    }
    client.delete_object(Bucket=workspace, Key=f"{edited}/removed.csv")
    twins = {
        f"{new}/_manifest.yaml": f"{nothing}/_manifest.yaml",
        f"{new}/sub/f.csv": f"{nothing}/sub/f.csv",
        f"{edited}/_manifest.yaml": f"{calm}/_manifest.yaml",
        f"{edited}/staged.csv": f"{calm}/staged.csv",
        f"{gallery}/{waiting}": f"{gallery}/nobody/waits.csv",
    }
    pairs = [
        Pair(hidden, twin, answers[hidden]["VersionId"], answers[hidden]["ETag"])
        for hidden, twin in twins.items()
    ]
    return Scene(workspace, edited, calm, new, nothing, tuple(pairs))


def commit(client: S3Client, workspace: str, prefix: str) -> None:
    """Commit a prefix's stage, as `aws s3 mv` does."""
    source = {"Bucket": workspace, "Key": f"{prefix}/_manifest.yaml"}
    client.copy_object(Bucket=workspace, Key=f"{prefix}/manifest.yaml", CopySource=source)
