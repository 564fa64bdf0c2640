"""Bodies that are right pass in every form, and what is said of them is kept; around them HTTP."""

import re
import secrets

import pytest

from tests.acceptance.bodies import FIVE, HASH, Draft, Raw, Shape, digest
from tests.acceptance.flaws import CHECKSUMS, SHAPES
from tests.acceptance.harness import KEYS, WORKSPACE, Backend, Document, Gateway, S3Client
from tests.acceptance.signer import Signer

DATA = bytes(range(256)) * 40
KEPT = [shape for shape in CHECKSUMS if (shape.header or shape.trailer) in FIVE]
UNKNOWN = [shape for shape in CHECKSUMS if shape.trailer and shape.trailer not in FIVE]
DELETE = b"<Delete><Object><Key>%s</Key></Object></Delete>"
TAGGING = b"<Tagging><TagSet><Tag><Key>k</Key><Value>new</Value></Tag></TagSet></Tagging>"

EACH_SHAPE = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)


def names(shape: Shape) -> str:
    """What a shape's test is called."""
    return shape.name


@pytest.fixture(scope="module")
def behind(backend: Backend) -> S3Client:
    """A client of the backend itself."""
    return backend.client()


@pytest.fixture
def key() -> str:
    """A key that nothing has used, of an ordinary object."""
    return f"body-forms/{secrets.token_hex(6)}"


def signer(gateway: Gateway) -> Signer:
    """Signs as the writer, now."""
    return Signer(f"127.0.0.1:{gateway.port}")


def send(
    gateway: Gateway, draft: Draft, key: str, *, wait: bool = False, method: str = "PUT"
) -> tuple[int, str]:
    """Status and code of the answer to a draft for this key, or key and query."""
    request = draft.request(signer(gateway), method, f"/{WORKSPACE}/{key}")
    return told(request.send(gateway.port, wait=wait))


def told(answer: tuple[int, bytes]) -> tuple[int, str]:
    """Status and error code of an answer."""
    code = re.search(rb"<Code>(\w+)</Code>", answer[1])
    return answer[0], code[1].decode() if code else ""


def head(client: S3Client, key: str) -> Document:
    """What the backend says of the key."""
    return client.head_object(Bucket=WORKSPACE, Key=key, ChecksumMode="ENABLED")


def held(client: S3Client, key: str) -> bytes | None:
    """The bytes under the key on the backend, or None."""
    try:
        return bytes(client.get_object(Bucket=WORKSPACE, Key=key)["Body"].read())
    except client.exceptions.NoSuchKey:
        return None


@pytest.mark.parametrize("shape", KEPT, ids=names)
def test_a_checksum_is_kept_with_the_object(
    gateway: Gateway, behind: S3Client, key: str, shape: Shape
) -> None:
    assert send(gateway, Draft(shape, DATA), key) == (200, "")
    algorithm = shape.header or shape.trailer
    assert head(behind, key)[f"Checksum{algorithm.upper()}"] == digest(algorithm, DATA)


@pytest.mark.parametrize("shape", UNKNOWN, ids=names)
def test_a_trailer_that_the_backend_does_not_know_is_refused_by_it(
    gateway: Gateway, behind: S3Client, key: str, shape: Shape
) -> None:
    assert send(gateway, Draft(shape, DATA), key) == (400, "InvalidRequest")
    assert held(behind, key) is None


def test_a_checksum_that_nobody_knows_is_refused(
    gateway: Gateway, behind: S3Client, key: str
) -> None:
    draft = Draft(Shape("unsigned"), DATA, headers={"x-amz-checksum-sha3": "AAAA"})
    assert send(gateway, draft, key) == (400, "InvalidRequest")
    assert held(behind, key) is None


@EACH_SHAPE
@pytest.mark.parametrize(
    ("encoding", "kept"), [("", None), ("gzip", "gzip"), ("gzip,br", "gzip,br")]
)
def test_only_the_author_s_content_encoding_is_stored(
    gateway: Gateway, behind: S3Client, key: str, shape: Shape, encoding: str, kept: str | None
) -> None:
    headers = {"content-encoding": encoding} if encoding else {}
    assert send(gateway, Draft(shape, DATA, headers=headers), key) == (200, "")
    assert head(behind, key).get("ContentEncoding") == kept
    assert held(behind, key) == DATA


@EACH_SHAPE
def test_an_empty_body_is_an_empty_object(
    gateway: Gateway, behind: S3Client, key: str, shape: Shape
) -> None:
    assert send(gateway, Draft(shape, b""), key) == (200, "")
    assert held(behind, key) == b""


@EACH_SHAPE
def test_an_empty_body_that_is_declared_another_is_none(
    gateway: Gateway, behind: S3Client, key: str, shape: Shape
) -> None:
    draft = Draft(shape, b"")
    draft.declared = dict(Draft(shape, b"another").declared)
    draft.wrong.update(range(4))
    draft.trailers = [(name, digest(shape.trailer, b"another")) for name, _ in draft.trailers]
    assert send(gateway, draft, key)[0] in {400, 403}
    assert held(behind, key) is None


@EACH_SHAPE
def test_a_body_waits_for_100_continue(
    gateway: Gateway, behind: S3Client, key: str, shape: Shape
) -> None:
    assert send(gateway, Draft(shape, DATA), key, wait=True) == (200, "")
    assert held(behind, key) == DATA
    wrong = Draft(shape, DATA)
    wrong.sent = DATA[:-1] + b"!"
    assert send(gateway, wrong, key, wait=True)[0] in {400, 403}
    assert held(behind, key) == DATA


@pytest.mark.parametrize("shape", SHAPES[4:], ids=names)
def test_a_framed_body_needs_no_content_length(
    gateway: Gateway, behind: S3Client, key: str, shape: Shape
) -> None:
    for data, sent, status in ((DATA, DATA, {200}), (DATA, DATA[:-1] + b"!", {400, 403})):
        draft = Draft(shape, data)
        draft.sent = sent
        request = draft.request(signer(gateway), "PUT", f"/{WORKSPACE}/{key}")
        headers = {
            name: value for name, value in request.headers.items() if name != "content-length"
        }
        pieces = [request.body[start : start + 700] for start in range(0, len(request.body), 700)]
        # http.client sends what it can iterate over in HTTP's own chunks.
        assert gateway.request("PUT", request.target, headers, iter(pieces)).status in status
    assert held(behind, key) == DATA


@pytest.mark.parametrize("shape", SHAPES[:4], ids=names)
def test_any_other_body_needs_one(
    gateway: Gateway, behind: S3Client, key: str, shape: Shape
) -> None:
    request = Draft(shape, DATA).request(signer(gateway), "PUT", f"/{WORKSPACE}/{key}")
    headers = {name: value for name, value in request.headers.items() if name != "content-length"}
    answer = gateway.request("PUT", request.target, headers, iter([request.body]))
    assert told((answer.status, answer.body)) == (411, "MissingContentLength")
    assert held(behind, key) is None


@EACH_SHAPE
def test_who_may_not_write_is_never_told_to_go_on(
    gateway: Gateway, behind: S3Client, key: str, shape: Shape
) -> None:
    reader = Signer(f"127.0.0.1:{gateway.port}", KEYS["read"])
    request = Draft(shape, DATA).request(reader, "PUT", f"/{WORKSPACE}/{key}")
    # Had it sent 100, the answer to the body would be what is returned.
    silent = Raw(request.method, request.target, request.headers, b"")
    assert silent.send(gateway.port, wait=True)[0] == 403
    assert held(behind, key) is None


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
@pytest.mark.parametrize("shape", [Shape("unsigned"), Shape("hash", HASH), SHAPES[5]], ids=names)
def test_a_body_where_none_belongs_is_left_behind(
    gateway: Gateway, behind: S3Client, key: str, method: str, shape: Shape
) -> None:
    send(gateway, Draft(SHAPES[0], DATA), key)
    assert send(gateway, Draft(shape, b"<a/>"), key, method=method)[0] == (
        204 if method == "DELETE" else 200
    )
    assert held(behind, key) == (None if method == "DELETE" else DATA)


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[1], SHAPES[5]], ids=names)
def test_a_wrong_body_where_none_belongs_deletes_nothing(
    gateway: Gateway, behind: S3Client, key: str, shape: Shape
) -> None:
    send(gateway, Draft(SHAPES[0], DATA), key)
    draft = Draft(shape, b"<a/>")
    draft.sent = b"<b/>"
    assert send(gateway, draft, key, method="DELETE")[0] in {400, 403}
    assert held(behind, key) == DATA


@EACH_SHAPE
@pytest.mark.parametrize("operation", ["tagging", "delete"])
def test_a_wrong_document_changes_nothing(
    gateway: Gateway, behind: S3Client, key: str, shape: Shape, operation: str
) -> None:
    send(gateway, Draft(SHAPES[0], DATA), key)
    method, target, document = {
        "tagging": ("PUT", f"{key}?tagging", TAGGING),
        "delete": ("POST", "?delete", DELETE % key.encode()),
    }[operation]
    draft = Draft(shape, document)
    draft.sent = document.replace(b"e", b"E", 1)
    assert send(gateway, draft, target, method=method)[0] in {400, 403}
    assert held(behind, key) == DATA
    assert behind.get_object_tagging(Bucket=WORKSPACE, Key=key)["TagSet"] == []
    assert send(gateway, Draft(shape, document), target, method=method)[0] == 200
    if operation == "delete":
        assert held(behind, key) is None
    else:
        assert behind.get_object_tagging(Bucket=WORKSPACE, Key=key)["TagSet"][0]["Value"] == "new"


def test_checksums_of_parts_and_of_the_whole_pass(
    gateway: Gateway, behind: S3Client, key: str
) -> None:
    client, at = gateway.s3(), {"Bucket": WORKSPACE, "Key": key}
    upload = at | {
        "UploadId": client.create_multipart_upload(**at, ChecksumAlgorithm="CRC32")["UploadId"]
    }
    bodies = [b"a" * (5 << 20), b"b"]
    parts = []
    for number, body in enumerate(bodies, 1):
        declared = {"ChecksumCRC32": digest("crc32", body)}
        answer = client.upload_part(**upload, PartNumber=number, Body=body, **declared)
        parts.append({"PartNumber": number, "ETag": answer["ETag"], **declared})
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert held(behind, key) == b"".join(bodies)


def test_a_complete_multipart_upload_with_a_wrong_hash_makes_no_object(
    gateway: Gateway, behind: S3Client, key: str
) -> None:
    client, at = gateway.s3(), {"Bucket": WORKSPACE, "Key": key}
    upload = client.create_multipart_upload(**at)["UploadId"]
    etag = client.upload_part(**at, UploadId=upload, PartNumber=1, Body=DATA)["ETag"]
    document = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    ).encode()
    target = f"{key}?uploadId={upload}"
    for shape in SHAPES:
        if shape.header:
            continue  # what is in a header here is of the object
        draft = Draft(shape, document)
        draft.sent = document.replace(b"1", b"2", 1)
        assert send(gateway, draft, target, method="POST")[0] in {400, 403}, shape
    assert held(behind, key) is None
    assert send(gateway, Draft(SHAPES[4], document), target, method="POST") == (200, "")
    assert held(behind, key) == DATA
