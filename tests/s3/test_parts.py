import hashlib

import pytest

from gateway.s3.parts import Part, joined_etag, render_parts
from gateway.s3.xml import parse


def test_the_list_of_parts_is_what_s3_takes() -> None:
    root = parse(render_parts([Part(1, '"a&b"'), Part(10_000, "c")]))
    assert root.tag.endswith("CompleteMultipartUpload")
    listed = [(each.findtext("PartNumber"), each.findtext("ETag")) for each in root]
    assert listed == [("1", '"a&b"'), ("10000", "c")]


def test_the_etag_of_all_is_made_of_the_parts() -> None:
    digests = [hashlib.md5(body, usedforsecurity=False) for body in (b"one", b"two")]
    parts = [Part(n, f'"{each.hexdigest()}"') for n, each in enumerate(digests, 1)]
    whole = hashlib.md5(b"".join(each.digest() for each in digests), usedforsecurity=False)
    assert joined_etag(parts) == f"{whole.hexdigest()}-2"


@pytest.mark.parametrize("etag", ["", "no hex", "abcd", "0" * 64])
def test_what_is_no_md5_tells_nothing(etag: str) -> None:
    assert joined_etag([Part(1, "0" * 32), Part(2, etag)]) is None
