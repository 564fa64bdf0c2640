"""boto3's bodies: every mode that its configuration has for checksums, and every algorithm."""

import base64
import hashlib
import io
from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import quote

import pytest
from awscrt import checksums
from botocore.exceptions import ClientError

from tests.acceptance.harness import WORKSPACE, Document, Gateway, S3Client
from tests.acceptance.wire import WireTap
from tests.clients.boto3_client import PARTS, client
from tests.clients.places import BIG, SMALL, Target, digest
from tests.clients.terminator import Terminator

Checksum: TypeAlias = Callable[[bytes], bytes]


# Each pair of scheme, request_checksum_calculation and response_checksum_validation once.
@pytest.mark.parametrize(
    ("scheme", "calculation", "validation"),
    [
        ("http", "when_supported", "when_supported"),
        ("http", "when_required", "when_required"),
        ("https", "when_supported", "when_required"),
        ("https", "when_required", "when_supported"),
    ],
)
def test_every_checksum_mode_brings_back_what_it_put(
    gateway: Gateway,
    secure: Terminator,
    artifact: Target,
    scheme: str,
    calculation: str,
    validation: str,
) -> None:
    modes = {
        "request_checksum_calculation": calculation,
        "response_checksum_validation": validation,
    }
    url = secure.url if scheme == "https" else ""
    round_trip(client(gateway, "write", url, **modes), artifact)


def test_its_defaults_bring_back_what_they_put(gateway: Gateway, target: Target) -> None:
    round_trip(client(gateway, "write"), target)


def round_trip(s3: S3Client, target: Target) -> None:
    """Put, upload, copy, delete and get; look at what is there afterwards."""
    s3.put_object(Bucket=WORKSPACE, Key=target.key("small"), Body=SMALL)
    s3.upload_fileobj(io.BytesIO(BIG), WORKSPACE, target.key("big.bin"), Config=PARTS)
    s3.copy_object(
        Bucket=WORKSPACE,
        Key=target.key("copy"),
        CopySource={"Bucket": WORKSPACE, "Key": target.key("small")},
    )
    s3.copy(
        {"Bucket": WORKSPACE, "Key": target.key("big.bin")},
        WORKSPACE,
        target.key("copy of big"),
        Config=PARTS,
    )
    for path in ("one", "two"):
        s3.put_object(Bucket=WORKSPACE, Key=target.key(path), Body=b"goes")
    gone = s3.delete_objects(
        Bucket=WORKSPACE,
        Delete={"Objects": [{"Key": target.key(path)} for path in ("one", "two")]},
    )
    assert {each["Key"] for each in gone["Deleted"]} == {target.key("one"), target.key("two")}
    down = io.BytesIO()
    s3.download_fileobj(WORKSPACE, target.key("copy of big"), down, Config=PARTS)
    assert digest(down.getvalue()) == digest(BIG)
    target.holds({"small": SMALL, "big.bin": BIG, "copy": SMALL, "copy of big": BIG})


def _crc(calculate: Callable[[bytes], int], size: int) -> Checksum:
    return lambda data: calculate(data).to_bytes(size, "big")


def _hashed(name: str) -> Checksum:
    return lambda data: hashlib.new(name, data).digest()


ALGORITHMS: dict[str, Checksum] = {
    "CRC32": _crc(checksums.crc32, 4),
    "CRC32C": _crc(checksums.crc32c, 4),
    "CRC64NVME": _crc(checksums.crc64nvme, 8),
    "SHA1": _hashed("sha1"),
    "SHA256": _hashed("sha256"),
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_arrives_in_header_and_in_trailer(
    gateway: Gateway, secure: Terminator, tap: WireTap, artifact: Target, algorithm: str
) -> None:
    plain, tls = client(gateway, "write"), client(gateway, "write", secure.url)
    direct, name = artifact.backend, f"x-amz-checksum-{algorithm.lower()}"
    expected = base64.b64encode(ALGORITHMS[algorithm](SMALL)).decode()
    chosen = {"ChecksumAlgorithm": algorithm}

    # boto3 takes trailers over TLS alone.
    for s3, path, header in ((plain, "in header", name), (tls, "in trailer", "x-amz-trailer")):
        tap.forget()
        put = s3.put_object(Bucket=WORKSPACE, Key=artifact.key(path), Body=SMALL, **chosen)
        assert put[f"Checksum{algorithm}"] == expected
        sent = next(each for each in tap.requests if each.path.endswith(quote(path)))
        assert sent.header(header) == (expected if header == name else name)
        held = direct.head_object(Bucket=WORKSPACE, Key=artifact.key(path), ChecksumMode="ENABLED")
        assert held[f"Checksum{algorithm}"] == expected
        got = s3.get_object(Bucket=WORKSPACE, Key=artifact.key(path), ChecksumMode="ENABLED")
        assert got["Body"].read() == SMALL
        assert got[f"Checksum{algorithm}"] == expected

    tls.upload_fileobj(
        io.BytesIO(BIG), WORKSPACE, artifact.key("big.bin"), Config=PARTS, ExtraArgs=chosen
    )
    there = {"Bucket": WORKSPACE, "Key": artifact.key("big.bin"), "ChecksumMode": "ENABLED"}
    held, told = direct.head_object(**there), tls.head_object(**there)
    for field in ("ChecksumType", f"Checksum{algorithm}", "ETag", "ContentLength"):
        assert told[field] == held[field]
    assert digest(tls.get_object(**there)["Body"].read()) == digest(BIG)


def test_a_wrong_checksum_stores_nothing(gateway: Gateway, artifact: Target) -> None:
    s3 = client(gateway, "write", retries={"total_max_attempts": 1})  # it takes it for an accident
    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(
            Bucket=WORKSPACE, Key=artifact.key("wrong"), Body=SMALL, ChecksumCRC32="AAAAAA=="
        )
    artifact.holds({})


class Stream(io.RawIOBase):
    """A body that can be read once, from the front: a pipe, a socket."""

    def __init__(self, data: bytes) -> None:
        self._source = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Document, /) -> int:
        return self._source.readinto(buffer)


def test_a_body_that_can_be_read_once_arrives(
    gateway: Gateway, secure: Terminator, target: Target
) -> None:
    s3 = client(gateway, "write", secure.url)
    s3.put_object(
        Bucket=WORKSPACE, Key=target.key("once"), Body=Stream(SMALL), ContentLength=len(SMALL)
    )
    s3.upload_fileobj(Stream(BIG), WORKSPACE, target.key("big.bin"), Config=PARTS)
    target.holds({"once": SMALL, "big.bin": BIG})


@pytest.mark.parametrize("signing", [True, False])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_payloads_are_signed_or_not(
    gateway: Gateway, secure: Terminator, artifact: Target, scheme: str, *, signing: bool
) -> None:
    s3 = client(
        gateway,
        "write",
        secure.url if scheme == "https" else "",
        s3={"payload_signing_enabled": signing},
        request_checksum_calculation="when_required",  # or they are never signed over TLS
    )
    s3.put_object(Bucket=WORKSPACE, Key=artifact.key("small"), Body=SMALL)
    artifact.holds({"small": SMALL})
