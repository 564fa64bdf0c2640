"""Checksums of every kind, in headers and in trailers, right and wrong; and reading them."""

from tests.acceptance.bodies import (
    DIGESTS,
    FIVE,
    HASH,
    SIGNED_CHUNKS,
    SIGNED_TRAILER,
    UNSIGNED_TRAILER,
    Draft,
    Shape,
    digest,
)
from tests.differential.client import Client
from tests.differential.scene import Scene

BODY = b"a body of which much is declared" * 9
WRONG = b"something else"
OTHERS = tuple(name for name in DIGESTS if name not in FIVE)
ATTRIBUTES = {"x-amz-object-attributes": "Checksum,ETag,ObjectParts,ObjectSize,StorageClass"}
MODE = {"x-amz-checksum-mode": "ENABLED"}


def _sent(client: Client, key: str, draft: Draft) -> None:
    """Put the draft, and look at what has come of it."""
    client.upload(key, draft)
    client.ask("HEAD", key, headers=MODE)
    client.ask("GET", key, headers=MODE)
    client.ask("GET", key, "attributes", ATTRIBUTES)


def _right(scene: Scene, name: str, shape: Shape) -> None:
    @scene.case(name)
    def _put(client: Client) -> None:
        _sent(client, name.replace(" ", "-"), Draft(shape, BODY))


def _bad(scene: Scene, name: str, draft: Draft, *differs: str) -> None:
    @scene.case(f"wrong: {name}", *differs)
    def _put(client: Client) -> None:
        client.upload("wrong", draft)


in_headers = Scene("checksums-in-headers")
for _name in (*FIVE, *OTHERS):
    _right(in_headers, f"{_name}", Shape(_name, HASH, header=_name))
for _name in FIVE:
    _draft = Draft(Shape(_name, HASH, header=_name), BODY)
    _draft.declared[f"x-amz-checksum-{_name}"] = digest(_name, WRONG)
    _bad(in_headers, _name, _draft, "body-checked")
_draft = Draft(Shape("none", HASH, header="crc32"), BODY)
_draft.declared["x-amz-checksum-crc32"] = "***"
_bad(in_headers, "no base64", _draft, "body-checked")
_draft = Draft(Shape("two", HASH, header="crc32"), BODY)
_draft.declared["x-amz-checksum-sha1"] = digest("sha1", BODY)
_bad(in_headers, "two at once", _draft)
_right(in_headers, "md5 of the body", Shape("md5", HASH, md5=True))

in_trailers = Scene("checksums-in-trailers")
for _name in FIVE:
    _right(in_trailers, f"unsigned {_name}", Shape(_name, UNSIGNED_TRAILER, trailer=_name))
    _right(in_trailers, f"signed {_name}", Shape(_name, SIGNED_TRAILER, trailer=_name))
_right(in_trailers, "signed chunks without a trailer", Shape("chunks", SIGNED_CHUNKS))
_right(in_trailers, "an unsigned payload", Shape("unsigned"))
_right(in_trailers, "a presigned upload", Shape("presigned", presigned=True))
_right(in_trailers, "a presigned sum", Shape("presigned", header="sha256", presigned=True))
for _name in FIVE:
    _draft = Draft(Shape(_name, UNSIGNED_TRAILER, trailer=_name), BODY)
    _draft.trailers = [(_draft.announced[0], digest(_name, WRONG))]
    _bad(in_trailers, f"unsigned {_name}", _draft, "body-checked")
_draft = Draft(Shape("chunk", SIGNED_CHUNKS), BODY, wrong={1})
_bad(in_trailers, "a chunk's signature", _draft, "signature")
_draft = Draft(Shape("trailer", SIGNED_TRAILER, trailer="crc32"), BODY, wrong_trailer=True)
_bad(in_trailers, "a trailer's signature", _draft, "signature")
_draft = Draft(Shape("announced", UNSIGNED_TRAILER, trailer="crc32"), BODY)
_draft.trailers = []
_bad(in_trailers, "no trailer where one was announced", _draft, "body-checked")
_draft = Draft(Shape("length", UNSIGNED_TRAILER, trailer="crc32"), BODY)
_draft.decoded += 1
_bad(in_trailers, "a longer decoded length", _draft, "body-checked")
_draft = Draft(Shape("hash", HASH), BODY)
_draft.declared["sha256"] = "0" * 64
_bad(in_trailers, "a payload's hash", _draft, "body-checked")

by_boto = Scene("checksums-by-boto")
for _name in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"):

    @by_boto.case(f"put_object {_name}")
    def _put(client: Client, name: str = _name) -> None:
        client.call("put_object", Key=name, Body=BODY, ChecksumAlgorithm=name)
        client.call("get_object", Key=name, ChecksumMode="ENABLED")
        client.call("head_object", Key=name, ChecksumMode="ENABLED")
        client.call("get_object_attributes", Key=name, ObjectAttributes=["Checksum", "ObjectSize"])


@by_boto.case("put_object without a checksum")
def _required(client: Client) -> None:
    client.call("put_object", "when required", Key="none", Body=BODY)
    client.call("get_object", "when required", Key="none")


@by_boto.case("a copy keeps its sum")
def _copy(client: Client) -> None:
    client.call("copy_object", Key="copy", CopySource="SHA256")
    client.ask("HEAD", "copy", headers=MODE)
    client.ask("GET", "copy", "attributes", ATTRIBUTES)


SCENES = (in_headers, in_trailers, by_boto)
