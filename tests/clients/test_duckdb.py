"""DuckDB's httpfs: the extension is in a package, so that nothing is fetched at run time."""

import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import duckdb
import duckdb_extension_httpfs
import pyarrow.parquet as pq
import pytest

from tests.acceptance.harness import KEYS, REGION, WORKSPACE, Gateway
from tests.acceptance.wire import WireTap
from tests.clients.places import Place, Target
from tests.clients.table import ROWS, fetched

EXTENSION = next(Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension"))

Connect: TypeAlias = Callable[[str], duckdb.DuckDBPyConnection]


@pytest.fixture
def connect(gateway: Gateway) -> Connect:
    """Makes a connection whose `s3://` is the gateway, with the key of a caller."""

    def connected(caller: str) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect()
        connection.load_extension(str(EXTENSION))
        connection.execute(
            f"""
            CREATE SECRET gateway (
                TYPE s3, KEY_ID '{KEYS[caller].access_key_id}',
                SECRET '{KEYS[caller].secret_access_key}', REGION '{REGION}',
                ENDPOINT '127.0.0.1:{gateway.port}', URL_STYLE 'path', USE_SSL false
            )
            """
        )
        return connection

    return connected


def ask(connection: duckdb.DuckDBPyConnection, question: str, url: str) -> list[tuple[object, ...]]:
    """The rows of the answer; `url` is what the question reads from."""
    return connection.execute(question, [url]).fetchall()


def test_it_reads_what_its_caller_may_see(connect: Connect, place: Place, caller: str) -> None:
    connection, expected = connect(caller), place.seen_by(caller)
    root = f"s3://{WORKSPACE}/{place.prefix}"
    found = ask(connection, "SELECT file FROM glob(?)", f"{root}/*.csv")
    assert sorted(str(path).removeprefix(f"{root}/") for (path,) in found) == sorted(
        path for path in expected if path.endswith(".csv") and "/" not in path
    )
    (got,) = ask(connection, "SELECT size, content FROM read_blob(?)", f"{root}/big.bin")
    assert got == (len(expected["big.bin"]), expected["big.bin"])


def test_one_column_is_fetched_without_the_others(
    connect: Connect, tap: WireTap, place: Place, caller: str
) -> None:
    connection, table = connect(caller), place.table_of(caller)
    key = f"{place.prefix}/table.parquet"
    tap.forget()
    question = "SELECT count(*), sum(value) FROM read_parquet(?)"
    assert ask(connection, question, f"s3://{WORKSPACE}/{key}") == [(ROWS, table.total)]
    assert 0 < fetched(tap, key) < table.size / 10


def test_reads_name_one_version_where_they_are_told_to(
    connect: Connect, tap: WireTap, places: Mapping[str, Place]
) -> None:
    connection, place = connect("read"), places["edited"]
    connection.execute("SET s3_version_id_pinning = true")
    url = f"s3://{WORKSPACE}/{place.prefix}/table.parquet"
    tap.forget()
    told = ask(connection, "SELECT sum(value) FROM read_parquet(?)", url)
    assert told == [(place.table_of("read").total,)]
    asked = [each.query for each in tap.requests if each.method == "GET"]
    assert asked
    assert len(set(asked)) == 1
    assert asked[0].startswith("versionId=")


def test_tables_are_written_and_partitioned(connect: Connect, target: Target) -> None:
    connection, root = connect("write"), f"s3://{WORKSPACE}/{target.prefix}"
    connection.execute(
        "CREATE TABLE here AS SELECT range AS id, range % 3 AS part,"
        " gen_random_uuid()::VARCHAR || gen_random_uuid()::VARCHAR AS text FROM range(200000)"
    )
    connection.execute("SET s3_uploader_max_filesize = '50GB'")  # makes the parts 5 MB
    connection.execute(f"COPY here TO '{root}/whole.parquet' (COMPRESSION uncompressed)")
    connection.execute(f"COPY here TO '{root}/parts' (FORMAT parquet, PARTITION_BY (part))")
    same = "SELECT count(*) FROM (FROM here EXCEPT FROM read_parquet(?))"
    assert ask(connection, same, f"{root}/whole.parquet") == [(0,)]
    count = "SELECT count(*) FROM read_parquet(?, hive_partitioning = true) WHERE part = 1"
    assert ask(connection, count, f"{root}/parts/*/*.parquet") == [(66_667,)]
    held = target.backend.get_object(Bucket=WORKSPACE, Key=target.key("whole.parquet"))
    assert re.search('-[3-9]"$', held["ETag"]), "not in parts"
    assert pq.read_table(io.BytesIO(held["Body"].read())).num_rows == 200_000
    reader = connect("read")
    if target.staged:
        with pytest.raises(duckdb.HTTPException, match="404"):
            ask(reader, "SELECT size FROM read_blob(?)", f"{root}/whole.parquet")
        target.commit()
    assert ask(reader, count, f"{root}/parts/*/*.parquet") == [(66_667,)]


def test_refusals_are_its_own_exceptions(connect: Connect, places: Mapping[str, Place]) -> None:
    root = f"s3://{WORKSPACE}/{places['edited'].prefix}"
    reader = connect("read")
    for path in ("new.csv", "no/such", "_manifest.yaml"):
        with pytest.raises(duckdb.HTTPException, match="404"):
            ask(reader, "SELECT content FROM read_blob(?)", f"{root}/{path}")
    with pytest.raises(duckdb.HTTPException, match="403"):
        reader.execute(f"COPY (SELECT 1) TO '{root}/data.csv'")
