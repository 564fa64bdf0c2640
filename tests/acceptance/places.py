"""Where uploads go in a test: places whose state on the backend is known before and after."""

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.bodies import Draft
from tests.acceptance.harness import KEYS, Backend, Document, Gateway, RpcError, S3Client
from tests.acceptance.signer import Signer

VERSIONED, PLAIN = "wrong-bytes", "wrong-bytes-plain"
BEFORE = b"what was there before"
SMALL = 3_000
LARGE = 3_200_000
MANIFEST = b"type: dataset\nname: Manifest\ndescription: " + b"x" * SMALL + b"\n"


def key_of(target: str) -> str:
    """The key of `/bucket/key?query`."""
    return target.partition("?")[0].split("/", 2)[2]


def content(size: int) -> bytes:
    """Bytes of which no two kilobytes are equal."""
    return b"".join(b"%08x" % number for number in range(-(-size // 8)))[:size]


@dataclass(slots=True)
class Uploads:
    """A gateway, both of whose workspaces are the test's own, and a client of its backend.

    `checked` says that the backend checks a part of what is declared of a body.
    """

    gateway: Gateway
    client: S3Client
    checked: bool

    def send(self, draft: Draft, method: str, target: str) -> tuple[int, str]:
        """Status and error code of the answer; "" without a code."""
        signer = Signer(f"127.0.0.1:{self.gateway.port}", KEYS["admin"])
        status, document = draft.request(signer, method, target).send(self.gateway.port)
        code = re.search(rb"<Code>(\w+)</Code>", document)
        return status, code[1].decode() if code else ""

    def versions(self, bucket: str, prefix: str) -> list[Document]:
        """All that the backend holds below `prefix`: keys, versions, ETags and sizes."""
        listed = self.client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        found = self.client.list_object_versions(Bucket=bucket, Prefix=prefix)
        held = [*found.get("Versions", []), *found.get("DeleteMarkers", [])]
        return sorted(
            [(each["Key"], each["ETag"], each["Size"]) for each in listed]
            + [(each["Key"], each["VersionId"], each.get("ETag")) for each in held]
        )

    def stored(self, bucket: str, key: str) -> bytes:
        """The bytes under the key on the backend."""
        return bytes(self.client.get_object(Bucket=bucket, Key=key)["Body"].read())


@contextmanager
def uploading(backend: Backend, folder: Path) -> Iterator[Uploads]:
    """A gateway in front of the backend, with buckets of its own."""
    client = backend.client()
    for name in (VERSIONED, PLAIN):
        client.create_bucket(Bucket=name)
    settings = {
        "system": {"bucket": "system-of-wrong-bytes"},
        "workspaces": {
            VERSIONED: {"bucket": VERSIONED},
            PLAIN: {"bucket": PLAIN, "versioning": False},
        },
    }
    gateway = Gateway(backend, folder, settings, workspace=VERSIONED)
    try:
        gateway.start()
        # Its first artifact turns on the versioning of a workspace.
        gateway.rpc("create", key="admin", prefix="first", manifest={"type": "dataset"}, stage=True)
        yield Uploads(gateway, client, checked=backend.kind == "seaweedfs")
    finally:
        gateway.stop()


@dataclass(slots=True)
class Place:
    """Where uploads of a form go: `target` of the n-th, and what is there, which must not change.

    `right` is the bytes that the backend holds after the upload to a target.
    """

    target: Callable[[int], str]
    state: Callable[[], Document]
    right: Callable[[str], bytes]
    data: bytes = field(default=content(SMALL), repr=False)


def a_new_key(uploads: Uploads) -> Place:
    folder = f"objects/{secrets.token_hex(6)}"
    return Place(
        lambda number: f"/{VERSIONED}/{folder}/{number}",
        lambda: uploads.versions(VERSIONED, f"{folder}/"),
        lambda target: uploads.stored(VERSIONED, key_of(target)),
    )


def _over(uploads: Uploads, bucket: str) -> Place:
    key = f"objects/{secrets.token_hex(6)}"
    uploads.client.put_object(Bucket=bucket, Key=key, Body=BEFORE)
    return Place(
        lambda _: f"/{bucket}/{key}",
        lambda: (uploads.versions(bucket, key), uploads.stored(bucket, key)),
        lambda _: uploads.stored(bucket, key),
    )


def an_older_object(uploads: Uploads) -> Place:
    return _over(uploads, PLAIN)


def an_older_version(uploads: Uploads) -> Place:
    return _over(uploads, VERSIONED)


def a_part(uploads: Uploads) -> Place:
    key = f"parts/{secrets.token_hex(6)}"
    upload = {"Bucket": VERSIONED, "Key": key}
    upload["UploadId"] = uploads.client.create_multipart_upload(**upload)["UploadId"]

    def right(target: str) -> bytes:
        del target
        parts = uploads.client.list_parts(**upload)["Parts"]
        listed = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]
        uploads.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed})
        return uploads.stored(VERSIONED, key)

    return Place(
        lambda number: f"/{VERSIONED}/{key}?partNumber={number}&uploadId={upload['UploadId']}",
        lambda: (
            uploads.client.list_parts(**upload).get("Parts", []),
            uploads.versions(VERSIONED, key),
        ),
        right,
    )


def a_manifest(uploads: Uploads) -> Place:
    prefix = f"manifests/{secrets.token_hex(6)}"
    key = f"{prefix}/_manifest.yaml"

    def state() -> Document:
        try:
            staged = uploads.gateway.rpc("read", key="admin", prefix=prefix, stage=True)
        except RpcError as error:
            staged = error.code
        return staged, uploads.versions(VERSIONED, prefix)

    return Place(
        lambda _: f"/{VERSIONED}/{key}", state, lambda _: uploads.stored(VERSIONED, key), MANIFEST
    )


def _staged(uploads: Uploads, *, pinned: bool) -> Place:
    prefix = f"artifacts/{secrets.token_hex(6)}"
    rpc = uploads.gateway.rpc
    rpc("create", key="admin", prefix=prefix, manifest={"type": "dataset"}, stage=True)
    if pinned:
        uploads.gateway.s3("admin").put_object(
            Bucket=VERSIONED, Key=f"{prefix}/data.bin", Body=BEFORE
        )
        rpc("commit", key="admin", prefix=prefix)
    name = "data.bin" if pinned else "new-{}.bin"

    def state() -> Document:
        files = rpc("list_files", key="admin", prefix=prefix, stage=True)
        return [(each["name"], each["etag"]) for each in files], uploads.versions(VERSIONED, prefix)

    return Place(
        lambda number: f"/{VERSIONED}/{prefix}/{name.format(number)}",
        state,
        lambda target: uploads.stored(VERSIONED, key_of(target)),
    )


def a_staged_file(uploads: Uploads) -> Place:
    return _staged(uploads, pinned=False)


def a_committed_file(uploads: Uploads) -> Place:
    return _staged(uploads, pinned=True)


PLACES = (
    a_new_key,
    an_older_object,
    an_older_version,
    a_part,
    a_manifest,
    a_staged_file,
    a_committed_file,
)
