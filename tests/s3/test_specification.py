"""The examples of the S3 API Reference: canonical request, string to sign and signature each."""

from datetime import UTC, datetime
from hashlib import sha256

import pytest

from gateway.s3.address import Query
from gateway.s3.canonical import EMPTY_SHA256, canonical_request, string_to_sign
from gateway.s3.chunked import ChunkDecoder
from gateway.s3.claim import parse_claim
from gateway.s3.message import Request
from gateway.s3.signer import Signer, presign
from gateway.s3.sigv4 import verify
from tests.s3.framing import fed
from tests.s3.oracle import KEY_ID, SECRET, arrived

NOW = datetime(2013, 5, 24, tzinfo=UTC)
DATE = "20130524T000000Z"
HOST = "examplebucket.s3.amazonaws.com"
SCOPE = "20130524/us-east-1/s3/aws4_request"
TEXT_SHA256 = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

EXAMPLES = [
    pytest.param(
        "GET",
        "/test.txt",
        {"Range": "bytes=0-9"},
        EMPTY_SHA256,
        "GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\nrange:bytes=0-9\n"
        f"x-amz-content-sha256:{EMPTY_SHA256}\nx-amz-date:{DATE}\n\n"
        f"host;range;x-amz-content-sha256;x-amz-date\n{EMPTY_SHA256}",
        "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        id="get-object",
    ),
    pytest.param(
        "PUT",
        "/test%24file.text",
        {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
        TEXT_SHA256,
        "PUT\n/test%24file.text\n\ndate:Fri, 24 May 2013 00:00:00 GMT\n"
        f"host:{HOST}\nx-amz-content-sha256:{TEXT_SHA256}\nx-amz-date:{DATE}\n"
        "x-amz-storage-class:REDUCED_REDUNDANCY\n\n"
        f"date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class\n{TEXT_SHA256}",
        "9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        id="put-object",
    ),
    pytest.param(
        "GET",
        "/?lifecycle",
        {},
        EMPTY_SHA256,
        f"GET\n/\nlifecycle=\nhost:{HOST}\nx-amz-content-sha256:{EMPTY_SHA256}\n"
        f"x-amz-date:{DATE}\n\nhost;x-amz-content-sha256;x-amz-date\n{EMPTY_SHA256}",
        "9766c798316ff2757b517bc739a67f6213b4ab36dd5da2f94eaebf79c77395ca",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        id="get-bucket-lifecycle",
    ),
    pytest.param(
        "GET",
        "/?prefix=J&max-keys=2",
        {},
        EMPTY_SHA256,
        f"GET\n/\nmax-keys=2&prefix=J\nhost:{HOST}\nx-amz-content-sha256:{EMPTY_SHA256}\n"
        f"x-amz-date:{DATE}\n\nhost;x-amz-content-sha256;x-amz-date\n{EMPTY_SHA256}",
        "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        id="list-objects",
    ),
]


@pytest.mark.parametrize(
    ("method", "target", "headers", "payload", "canonical", "digest", "signature"), EXAMPLES
)
def test_header_signature_is_made_and_verified_as_the_specification_shows(
    method: str,
    target: str,
    headers: dict[str, str],
    payload: str,
    canonical: str,
    digest: str,
    signature: str,
) -> None:
    path, _, query = target.partition("?")
    signer = Signer(KEY_ID, SECRET, "us-east-1", NOW)
    added = signer.sign(method, HOST, path, Query.parse(query).encode(), headers, payload)
    assert added["Authorization"].endswith(f"Signature={signature}")

    lines = [line.split(":", 1) for line in canonical.split("\n")[3 : canonical.count("\n") - 2]]
    pairs = [(name, value) for name, value in lines]
    made = canonical_request(method, path, Query.parse(query).encode(), pairs, payload)
    assert made == canonical
    assert sha256(made.encode()).hexdigest() == digest
    assert string_to_sign(DATE, SCOPE, made) == f"AWS4-HMAC-SHA256\n{DATE}\n{SCOPE}\n{digest}"

    request = arrived(method, target, {**headers, **added})
    claim = parse_claim(request.headers, Query.parse(request.query))
    assert claim is not None
    assert claim.signature == signature
    assert verify(claim, SECRET, request, NOW).path == path


def test_presigned_url_is_made_and_verified_as_the_specification_shows() -> None:
    query = presign("GET", HOST, "/test.txt", Query(), KEY_ID, SECRET, "us-east-1", NOW, 86400)
    assert query == (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    request = arrived("GET", f"/test.txt?{query}", {"Host": HOST})
    claim = parse_claim(request.headers, Query.parse(request.query))
    assert claim is not None
    assert claim.expires == 86400
    assert verify(claim, SECRET, request, NOW).host == HOST


def chunked_request(extra: dict[str, str], seed: str) -> Request:
    headers = {
        "Host": "s3.amazonaws.com",
        "Content-Encoding": "aws-chunked",
        "x-amz-date": DATE,
        "x-amz-decoded-content-length": "66560",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        **extra,
    }
    names = ";".join(sorted(name.lower() for name in headers))
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={KEY_ID}/{SCOPE},SignedHeaders={names},Signature={seed}"
    )
    return arrived("PUT", "/examplebucket/chunkObject.txt", headers)


def test_signed_chunks_are_decoded_as_the_specification_shows() -> None:
    request = chunked_request(
        {
            "Content-Length": "66824",
            "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        },
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    )
    claim = parse_claim(request.headers, Query())
    assert claim is not None
    proof = verify(claim, SECRET, request, NOW)
    body = (
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
        b"\r\n" + b"a" * 65536 + b"\r\n"
        b"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
        + b"a"
        * 1024
        + b"\r\n"
        b"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n"
        b"\r\n"
    )
    assert len(body) == 66824
    decoder = ChunkDecoder(66560, proof.chunks, (), trailing=False)
    assert b"".join(fed(decoder, body)) == b"a" * 66560
    assert decoder.finish() == {}


@pytest.mark.parametrize("line_end", [b"\n\r\n", b"\r\n"])
def test_signed_trailers_are_decoded_as_the_specification_shows(line_end: bytes) -> None:
    request = chunked_request(
        {
            "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            "x-amz-trailer": "x-amz-checksum-crc32c",
        },
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    )
    claim = parse_claim(request.headers, Query())
    assert claim is not None
    proof = verify(claim, SECRET, request, NOW)
    body = (
        b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"
        b"\r\n" + b"a" * 65536 + b"\r\n"
        b"400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n"
        + b"a"
        * 1024
        + b"\r\n"
        b"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
        b"x-amz-checksum-crc32c:sOO8/Q==" + line_end + b"x-amz-trailer-signature:"
        b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    )
    decoder = ChunkDecoder(66560, proof.chunks, ("x-amz-checksum-crc32c",), trailing=True)
    assert b"".join(fed(decoder, body)) == b"a" * 66560
    assert decoder.finish() == {"x-amz-checksum-crc32c": "sOO8/Q=="}
