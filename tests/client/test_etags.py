"""What ETags tell of a file."""

import hashlib
import random
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.client.etags import LEAST_PART, MEBIBYTE, MOST_PARTS, part_sizes, parts_of, tells


def etag_of(data: bytes, part: int) -> str:
    digests = [hashlib.md5(data[n : n + part]).digest() for n in range(0, len(data), part)]  # noqa: S324
    return f"{hashlib.md5(b''.join(digests)).hexdigest()}-{len(digests)}"  # noqa: S324


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("etags") / "file.bin"
    path.write_bytes(random.Random(1).randbytes(3 * LEAST_PART + 5))  # noqa: S311 - any bytes
    return path


def test_the_md5_of_a_whole_file_tells_for_and_against(file: Path) -> None:
    whole = hashlib.md5(file.read_bytes()).hexdigest()  # noqa: S324
    assert tells(file, whole) is True
    assert tells(file, whole[::-1]) is False


@pytest.mark.parametrize("mebibytes", [5, 6, 7, 8, 9, 11, 15, 16])
def test_parts_of_whole_mebibytes_are_found(file: Path, mebibytes: int) -> None:
    assert tells(file, etag_of(file.read_bytes(), mebibytes * MEBIBYTE)) is True


def test_parts_of_another_size_are_found_when_it_is_said(file: Path) -> None:
    odd = LEAST_PART + 1
    etag = etag_of(file.read_bytes(), odd)
    assert tells(file, etag) is None
    assert tells(file, etag, part_bytes=odd) is True


def test_other_bytes_and_other_kinds_of_etags_tell_nothing_for(file: Path) -> None:
    other = etag_of(file.read_bytes()[::-1], LEAST_PART)
    assert tells(file, other) is None
    assert tells(file, "opaque") is None
    assert tells(file, "") is None


@pytest.mark.parametrize("size", [1, LEAST_PART, 3 * LEAST_PART + 1, 10 * 2**30 + 1])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 1000])
def test_sizes_that_are_tried_give_that_number_of_parts(size: int, count: int) -> None:
    for part in part_sizes(size, count):
        assert -(-size // part) == count


def test_no_size_is_tried_for_nothing() -> None:
    assert list(part_sizes(0, 1)) == []


@pytest.mark.parametrize("size", [1, LEAST_PART, LEAST_PART + 1, 5 * 2**40])
def test_parts_cover_a_file_and_are_not_too_many(size: int) -> None:
    parts = parts_of(size, LEAST_PART)
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert len(parts) <= MOST_PARTS
    assert sum(part.size for part in parts) == size
    assert all(a.start + a.size == b.start for a, b in pairwise(parts))
    assert all(part.size % MEBIBYTE == 0 for part in parts[:-1])
