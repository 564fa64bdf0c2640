"""s3fs, by itself and as fsspec's `s3://`: aiobotocore underneath."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import fsspec
import pytest
import requests
import s3fs

from tests.acceptance.harness import KEYS, REGION, WORKSPACE, Gateway
from tests.clients.places import BIG, PART, SMALL, Place, Target, digest, digests

FileSystem: TypeAlias = Any  # s3fs has no types


def options(gateway: Gateway, caller: str) -> dict[str, Any]:
    """What fsspec calls storage options: they point s3fs here."""
    return {
        "key": KEYS[caller].access_key_id,
        "secret": KEYS[caller].secret_access_key,
        "endpoint_url": gateway.url,
        "client_kwargs": {"region_name": REGION},
        "config_kwargs": {"signature_version": "s3v4"},  # of presigned URLs too
        "skip_instance_cache": True,
    }


@pytest.fixture
def file_system(gateway: Gateway) -> Callable[[str], FileSystem]:
    """Makes a file system for a caller."""
    return lambda caller: s3fs.S3FileSystem(**options(gateway, caller))


Connect: TypeAlias = Callable[[str], FileSystem]


def test_it_reads_what_its_caller_may_see(
    file_system: Connect, place: Place, caller: str, tmp_path: Path
) -> None:
    fs, expected = file_system(caller), place.seen_by(caller)
    root = f"{WORKSPACE}/{place.prefix}"
    assert {
        path.removeprefix(f"{root}/"): told["size"]
        for path, told in fs.find(root, detail=True).items()
    } == {path: len(data) for path, data in expected.items()}
    top = {path.partition("/")[0] for path in expected}
    assert {path.removeprefix(f"{root}/") for path in fs.ls(root)} == top
    assert fs.isdir(f"{root}/sub")
    assert sorted(fs.glob(f"{root}/*.csv")) == sorted(
        f"{root}/{path}" for path in top if path.endswith(".csv")
    )
    got = {path: fs.cat_file(f"{root}/{path}") for path in expected}
    assert digests(got) == digests(expected)

    big = expected["big.bin"]
    with fs.open(f"{root}/big.bin", "rb", block_size=PART) as file:
        file.seek(PART - 7)
        assert file.read(20) == big[PART - 7 : PART + 13]
        file.seek(-5, 2)
        assert file.read() == big[-5:]
    assert fs.cat_file(f"{root}/big.bin", start=-5) == big[-5:]
    fs.get(root, str(tmp_path / "down"), recursive=True)
    assert digest((tmp_path / "down" / "big.bin").read_bytes()) == digest(big)


def test_it_writes_copies_moves_and_deletes(
    file_system: Connect, target: Target, tmp_path: Path
) -> None:
    fs, root = file_system("write"), f"{WORKSPACE}/{target.prefix}"
    odd = "sub/a b+c%20d ünï"
    fs.pipe_file(f"{root}/{odd}", SMALL)
    with fs.open(f"{root}/big.bin", "wb", block_size=PART) as file:
        for start in range(0, len(BIG), 1_000_000):
            file.write(BIG[start : start + 1_000_000])
    (tmp_path / "up").write_bytes(BIG)
    fs.put_file(str(tmp_path / "up"), f"{root}/put", chunksize=PART)
    fs.copy(f"{root}/{odd}", f"{root}/copy")
    fs.copy(f"{root}/copy", f"{root}/moving")
    fs.mv(f"{root}/moving", f"{root}/moved")
    fs.touch(f"{root}/empty")
    for path in ("gone/one", "gone/two", "three"):
        fs.pipe_file(f"{root}/{path}", b"goes")
    fs.rm(f"{root}/gone", recursive=True)
    fs.rm_file(f"{root}/three")
    with pytest.raises(OSError, match="pre-conditions"):
        fs.pipe_file(f"{root}/copy", b"again", mode="create")
    target.holds(
        {odd: SMALL, "big.bin": BIG, "put": BIG, "copy": SMALL, "moved": SMALL, "empty": b""}
    )


def test_fsspec_opens_urls(gateway: Gateway, places: Mapping[str, Place]) -> None:
    place = places["edited"]
    for caller in ("read", "write"):
        expected = place.seen_by(caller)["data.csv"]
        url = f"s3://{WORKSPACE}/{place.prefix}/data.csv"
        with fsspec.open(url, "rt", **options(gateway, caller)) as text:
            assert text.readline() == expected.decode().splitlines(keepends=True)[0]
        mapping = fsspec.get_mapper(
            f"s3://{WORKSPACE}/{place.prefix}/sub", **options(gateway, caller)
        )
        assert mapping["same.csv"] == b"same"


def test_presigned_urls_work(file_system: Connect, places: Mapping[str, Place]) -> None:
    place = places["committed"]
    path = f"{WORKSPACE}/{place.prefix}/sub/same.csv"
    assert requests.get(file_system("read").sign(path), timeout=10).content == b"same"


def test_versions_are_told(gateway: Gateway, places: Mapping[str, Place]) -> None:
    place = places["edited"]
    fs = s3fs.S3FileSystem(**options(gateway, "write"), version_aware=True)
    path = f"{WORKSPACE}/{place.prefix}/data.csv"
    found = fs.object_version_info(path)
    bodies = [digest(fs.cat_file(path, version_id=each["VersionId"])) for each in found]
    assert bodies == [digest(place.written["data.csv"]), digest(place.read["data.csv"])]


def test_refusals_are_its_own_exceptions(file_system: Connect, places: Mapping[str, Place]) -> None:
    root, reader = f"{WORKSPACE}/{places['edited'].prefix}", file_system("read")
    for path in ("new.csv", "no/such", "_manifest.yaml"):
        assert not reader.exists(f"{root}/{path}")
        with pytest.raises(FileNotFoundError):
            reader.cat_file(f"{root}/{path}")
    with pytest.raises(PermissionError):
        reader.pipe_file(f"{root}/data.csv", b"no")
    with pytest.raises(PermissionError):
        file_system("other").cat_file(f"{root}/data.csv")
