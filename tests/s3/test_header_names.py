"""What the names of headers say, in whatever case they are spelled."""

import pytest
from multidict import CIMultiDict

from gateway.s3.header_names import SETS, HeaderNames, names_of
from gateway.s3.memo import LONGEST


def read(*names: str) -> HeaderNames:
    """What these names say."""
    return names_of(CIMultiDict([(name, "value") for name in names]))


def test_plain_names_say_nothing() -> None:
    names = read("Host", "X-Amz-Date", "x-amz-content-sha256", "Content-Length")
    assert names.amz == {"x-amz-date", "x-amz-content-sha256"}
    assert names.all == names.amz | {"host", "content-length"}
    said = (names.metadata, names.grants, names.empowering, names.declaring)
    assert said == (False, False, False, False)


@pytest.mark.parametrize("name", ["X-Amz-Acl", "x-amz-GRANT-read", "X-AMZ-Object-Ownership"])
def test_what_opens_an_object_empowers(name: str) -> None:
    names = read("Host", name)
    assert names.empowering
    assert names.grants == ("grant" in name.lower())


@pytest.mark.parametrize("name", ["Content-MD5", "X-Amz-Checksum-CRC32", "X-Amz-Trailer"])
def test_digests_of_the_body_are_declared(name: str) -> None:
    assert read(name, "Host").declaring


def test_metadata_is_seen_in_any_case() -> None:
    assert read("Host", "X-Amz-Meta-Owner").metadata


def test_no_headers_have_no_names_that_matter() -> None:
    assert not read().amz


def test_the_last_sets_are_kept_and_no_long_ones() -> None:
    first = read("Host", "X-First")
    assert read("Host", "X-First") is first
    for number in range(SETS):
        read("Host", f"X-{number}")
    assert read("Host", "X-First") is not first
    long = "X" * LONGEST
    assert read("Host", long) is not read("Host", long)
