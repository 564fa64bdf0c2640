"""Archives read by those who have to: Python's zipfile, and Info-ZIP's unzip."""

import io
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

import pytest

from gateway.artifact.archive import Archive, Entry

THEN = datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC)
GIB = 1 << 30
FILES = {
    "example/data.csv": b"a,b\n1,2\n",
    "example/empty": b"",
    "example/dir/büro/数据 🧪.txt": "ünï".encode(),
    "example/manifest.yaml": b"type: dataset\n",
    "example/zeros": bytes(300_000),
}


def entries(files: Mapping[str, bytes], modified: datetime = THEN) -> list[Entry]:
    return [Entry(name, len(data), modified) for name, data in files.items()]


def written(files: Mapping[str, bytes], modified: datetime = THEN) -> bytes:
    archive = Archive(entries(files, modified))
    whole, crcs = bytearray(), []
    for index, data in enumerate(files.values()):
        crcs.append(crc32(data))
        whole += archive.header(index) + data + archive.descriptor(index, crcs[-1])
    whole += b"".join(archive.ending(crcs))
    assert archive.length == len(whole)
    return bytes(whole)


def sparse(target: BinaryIO, sizes: Mapping[str, int], tail: bytes = b"") -> Archive:
    """Files of holes, the last of which ends in `tail`; their CRCs are only right for it."""
    archive = Archive([Entry(name, size, THEN) for name, size in sizes.items()])
    crcs = [0] * len(sizes)
    for index, size in enumerate(sizes.values()):
        target.write(archive.header(index))
        last = index == len(sizes) - 1
        target.seek(size - (len(tail) if last else 0), io.SEEK_CUR)
        if last:
            target.write(tail)
            crcs[-1] = crc32(tail)
        target.write(archive.descriptor(index, crcs[index]))
    target.writelines(archive.ending(crcs))
    assert archive.length == target.tell()
    return archive


def test_zipfile_reads_every_file_back() -> None:
    with zipfile.ZipFile(io.BytesIO(written(FILES))) as found:
        assert found.testzip() is None
        assert {each.filename: found.read(each) for each in found.infolist()} == FILES
        for each in found.infolist():
            assert each.compress_type == zipfile.ZIP_STORED
            assert each.date_time == (2024, 2, 29, 23, 59, 58)
            assert each.external_attr >> 16 == 0o100644
            assert each.flag_bits == 0x808


def test_an_archive_of_nothing_is_its_end_alone() -> None:
    whole = written({})
    assert len(whole) == 22
    with zipfile.ZipFile(io.BytesIO(whole)) as found:
        assert found.infolist() == []


def test_sizes_stand_before_the_bytes_and_their_crc_behind_them() -> None:
    whole = written({"n/a": b"bytes"})
    assert struct.unpack_from("<3L", whole, 14) == (0, 5, 5)
    behind = whole.index(b"bytes") + 5
    assert struct.unpack_from("<4s3L", whole, behind) == (b"PK\7\x08", crc32(b"bytes"), 5, 5)


@pytest.mark.parametrize(
    ("modified", "expected"),
    [
        (datetime(2024, 1, 1, 1, 0, 1, tzinfo=timezone(timedelta(hours=2))), (2023, 12, 31, 23)),
        (datetime(1970, 1, 1, tzinfo=UTC), (1980, 1, 1, 0)),
        (datetime(1914, 7, 28, tzinfo=UTC), (1980, 7, 28, 0)),
        (datetime(2039, 5, 6, 7, tzinfo=UTC), (2039, 5, 6, 7)),
        (datetime(2200, 5, 6, 7, tzinfo=UTC), (2107, 5, 6, 7)),
    ],
)
def test_times_are_utc_and_within_what_a_zip_can_say(
    modified: datetime, expected: tuple[int, ...]
) -> None:
    with zipfile.ZipFile(io.BytesIO(written({"n/a": b""}, modified))) as found:
        assert found.infolist()[0].date_time[:4] == expected


def test_times_are_told_to_the_second_where_32_bits_hold_them() -> None:
    odd = datetime(2024, 1, 1, 1, 0, 1, tzinfo=UTC)
    stamp = struct.pack("<2HBl", 0x5455, 5, 1, int(odd.timestamp()))
    assert written({"n/a": b""}, odd).count(stamp) == 2
    assert b"UT" not in written({"n/a": b""}, datetime(2039, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("size", [4 * GIB - 2, 4 * GIB - 1, 4 * GIB, 5 * GIB])
def test_a_file_of_around_4_gib_and_one_after_it(tmp_path: Path, size: int) -> None:
    sizes = {"n/large": size, "n/after": 1000, "n/last": 5}
    with (tmp_path / "a.zip").open("wb") as target:
        archive = sparse(target, sizes, b"bytes")
    with zipfile.ZipFile(tmp_path / "a.zip") as found:
        assert {each.filename: each.file_size for each in found.infolist()} == sizes
        assert found.read("n/last") == b"bytes"
        large, after, _ = found.infolist()
        assert large.extract_version == (45 if size >= 4 * GIB - 1 else 20)
        assert after.header_offset == len(archive.header(0)) + size + len(archive.descriptor(0, 0))


def test_small_files_that_add_up_to_more_than_4_gib(tmp_path: Path) -> None:
    sizes = {f"n/{number}": GIB for number in range(5)} | {"n/last": 5}
    with (tmp_path / "a.zip").open("wb") as target:
        sparse(target, sizes, b"bytes")
    with zipfile.ZipFile(tmp_path / "a.zip") as found:
        assert {each.filename: each.file_size for each in found.infolist()} == sizes
        assert found.read("n/last") == b"bytes"
        assert [each.extract_version for each in found.infolist()] == [20, 20, 20, 20, 45, 45]


def test_a_large_file_far_into_the_archive(tmp_path: Path) -> None:
    sizes = {"n/large": 6 * GIB, "n/larger": 7 * GIB, "n/last": 5}
    with (tmp_path / "a.zip").open("wb") as target:
        sparse(target, sizes, b"bytes")
    with zipfile.ZipFile(tmp_path / "a.zip") as found:
        assert {each.filename: each.file_size for each in found.infolist()} == sizes
        assert found.read("n/last") == b"bytes"


def test_the_length_of_what_nobody_could_hold_is_known() -> None:
    size = 1 << 50
    archive = Archive([Entry(f"n/{number}", size, THEN) for number in range(8)])
    ending = sum(map(len, archive.ending([0] * 8)))
    around = len(archive.header(0)) + len(archive.descriptor(0, 0))
    assert archive.length == 8 * (size + around) + ending


@pytest.mark.parametrize("count", [65_534, 65_535, 65_536])
def test_as_many_files_as_16_bits_count_and_more(count: int) -> None:
    files = {f"n/{number}": b"" for number in range(count)}
    whole = written(files)
    assert (b"PK\6\6" in whole) == (count >= 65_535)
    with zipfile.ZipFile(io.BytesIO(whole)) as found:
        assert len(found.infolist()) == count
        assert found.read(f"n/{count - 1}") == b""


def test_the_ending_comes_in_blocks() -> None:
    archive = Archive([Entry(f"n/{number}", 0, THEN) for number in range(5000)])
    blocks = list(archive.ending([0] * 5000))
    assert len(blocks) > 3
    assert max(map(len, blocks)) < 70_000


def unzipped(path: Path, *arguments: str) -> str:
    program = shutil.which("unzip")
    if program is None:
        pytest.skip("unzip is not installed")
    outcome = subprocess.run(
        [program, *arguments, path.name],
        cwd=path.parent,
        env={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout


def test_unzip_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(written(FILES, THEN - timedelta(seconds=1)))
    assert "No errors detected" in unzipped(path, "-t")
    unzipped(path, "-q")
    unpacked = {
        each.relative_to(tmp_path).as_posix(): each.read_bytes()
        for each in (tmp_path / "example").rglob("*")
        if each.is_file()
    }
    assert unpacked == FILES
    assert (tmp_path / "example/empty").stat().st_mtime == THEN.timestamp() - 1
