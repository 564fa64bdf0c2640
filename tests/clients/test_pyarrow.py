"""pyarrow's own S3 file system (the AWS SDK for C++) and its Parquet reader."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyarrow import fs as arrow

from tests.acceptance.harness import KEYS, REGION, WORKSPACE, Gateway
from tests.acceptance.wire import WireTap
from tests.clients.places import BIG, PART, SMALL, Place, Target, digest, digests
from tests.clients.table import fetched

FileSystem: TypeAlias = Any  # pyarrow has no types


def file_system(gateway: Gateway, caller: str, **settings: object) -> FileSystem:
    """pyarrow's S3 file system, pointed at the gateway."""
    return arrow.S3FileSystem(
        access_key=KEYS[caller].access_key_id,
        secret_key=KEYS[caller].secret_access_key,
        region=REGION,
        endpoint_override=f"127.0.0.1:{gateway.port}",
        scheme="http",
        **settings,
    )


def test_it_reads_what_its_caller_may_see(gateway: Gateway, place: Place, caller: str) -> None:
    s3, expected = file_system(gateway, caller), place.seen_by(caller)
    root = f"{WORKSPACE}/{place.prefix}"
    listed = s3.get_file_info(arrow.FileSelector(root, recursive=True))
    files = {
        each.path.removeprefix(f"{root}/"): each.size
        for each in listed
        if each.type == arrow.FileType.File
    }
    assert files == {path: len(data) for path, data in expected.items()}
    got = {path: s3.open_input_stream(f"{root}/{path}").read() for path in files}
    assert digests(got) == digests(expected)
    with s3.open_input_file(f"{root}/big.bin") as file:
        assert file.read_at(20, PART - 7) == expected["big.bin"][PART - 7 : PART + 13]


def test_one_column_is_fetched_without_the_others(
    gateway: Gateway, tap: WireTap, place: Place, caller: str
) -> None:
    s3, table = file_system(gateway, caller), place.table_of(caller)
    key = f"{place.prefix}/table.parquet"
    tap.forget()
    read = pq.read_table(f"{WORKSPACE}/{key}", columns=["value"], filesystem=s3)
    assert pc.sum(read["value"]).as_py() == table.total
    assert 0 < fetched(tap, key) < table.size / 10

    whole = pq.read_table(f"{WORKSPACE}/{key}", filesystem=s3)
    assert whole.num_columns == 3


def test_a_dataset_reads_the_row_groups_that_its_filter_needs(
    gateway: Gateway, tap: WireTap, places: Mapping[str, Place]
) -> None:
    s3, place = file_system(gateway, "read"), places["edited"]
    key = f"{place.prefix}/table.parquet"
    tap.forget()
    found = ds.dataset(f"{WORKSPACE}/{key}", filesystem=s3).to_table(filter=ds.field("id") < 10)
    assert found["id"].to_pylist() == list(range(10))
    assert 0 < fetched(tap, key) < place.table_of("read").size / 2


def test_it_writes_copies_moves_and_deletes(gateway: Gateway, target: Target) -> None:
    s3 = file_system(gateway, "write", background_writes=False)
    root, odd = f"{WORKSPACE}/{target.prefix}", "a b+c%20d ünï"
    for path, data in ((odd, SMALL), ("big.bin", BIG), ("moving", SMALL), ("gone", b"goes")):
        with s3.open_output_stream(f"{root}/{path}") as file:
            for start in range(0, len(data), 1_000_000):
                file.write(data[start : start + 1_000_000])
    s3.copy_file(f"{root}/{odd}", f"{root}/copy")
    s3.move(f"{root}/moving", f"{root}/moved")
    s3.delete_file(f"{root}/gone")
    assert digest(s3.open_input_stream(f"{root}/big.bin").read()) == digest(BIG)
    target.holds({odd: SMALL, "big.bin": BIG, "copy": SMALL, "moved": SMALL})


def test_refusals_are_its_own_exceptions(gateway: Gateway, places: Mapping[str, Place]) -> None:
    root, reader = f"{WORKSPACE}/{places['edited'].prefix}", file_system(gateway, "read")
    for path in ("new.csv", "no/such", "_manifest.yaml"):
        assert reader.get_file_info(f"{root}/{path}").type == arrow.FileType.NotFound
        with pytest.raises(FileNotFoundError):
            reader.open_input_file(f"{root}/{path}")
    with (
        pytest.raises(OSError, match="ACCESS_DENIED"),
        reader.open_output_stream(f"{root}/data.csv") as file,
    ):
        file.write(SMALL)
