"""Each of S3's checksums, against published values and however the body is cut."""

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.s3.digests import CHECKSUMS, checksum
from gateway.s3.payload import CHECKSUM_LENGTHS, is_checksum
from tests.s3.framing import split

CHECK = b"123456789"
# Of the nine digits, as the algorithms' own catalogues have them.
PUBLISHED = {
    "crc32": "cbf43926",
    "crc32c": "e3069283",
    "crc64nvme": "ae8b14860a799888",
    "md5": "25f9e794323b453885f5181f1b624d0b",
    "sha1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "sha256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
    "xxhash64": "8cb841db40e6ae83",
}
# Of nothing.
EMPTY = {
    "crc32": "00000000",
    "crc32c": "00000000",
    "crc64nvme": "0000000000000000",
    "md5": "d41d8cd98f00b204e9800998ecf8427e",
    "xxhash128": "99aa06d3014798d86001c324468d497f",
    "xxhash3": "2d06800538d394c2",
    "xxhash64": "ef46db3751d8e999",
}


@pytest.mark.parametrize(
    ("algorithm", "body", "value"),
    [
        *((name, CHECK, value) for name, value in PUBLISHED.items()),
        *((name, b"", value) for name, value in EMPTY.items()),
    ],
)
def test_digests_are_the_published_ones(algorithm: str, body: bytes, value: str) -> None:
    assert b64decode(checksum(f"x-amz-checksum-{algorithm}", body)).hex() == value


def test_every_checksum_header_has_its_digest() -> None:
    assert CHECKSUMS.keys() == CHECKSUM_LENGTHS.keys()
    assert all(is_checksum(name, checksum(name, b"body")) for name in CHECKSUMS)


@given(st.binary(max_size=300), st.lists(st.integers(0, 400), max_size=6))
def test_digests_do_not_depend_on_the_pieces(body: bytes, cuts: list[int]) -> None:
    for name, start in CHECKSUMS.items():
        digest = start()
        for piece in split(body, cuts) if body else []:
            digest.update(piece)
        whole = start()
        whole.update(body)
        assert digest.digest() == whole.digest(), name
