"""A table as a Parquet file: what the analytical clients read by column."""

import io
import random
import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from tests.acceptance.wire import WireTap

ROWS = 30_000
GROUPS = 3
COLUMNS = ("id", "value", "payload")


@dataclass(frozen=True, slots=True)
class Table:
    """What is in the file: `total` is the sum of the narrow column `value`."""

    data: bytes
    total: int

    @property
    def size(self) -> int:
        """The file's length in bytes, nearly all of them in the wide column `payload`."""
        return len(self.data)


def make_table(seed: str) -> Table:
    """A table of ROWS rows in GROUPS row groups, some 3 MB, always the same for one seed."""
    source = random.Random(seed)  # noqa: S311 - any bytes will do
    values = [source.randrange(1_000) for _ in range(ROWS)]
    rows = pa.table(
        {
            "id": pa.array(range(ROWS), pa.int32()),
            "value": pa.array(values, pa.int64()),
            "payload": pa.array([source.randbytes(100) for _ in range(ROWS)], pa.binary()),
        }
    )
    file = io.BytesIO()
    pq.write_table(rows, file, row_group_size=ROWS // GROUPS, use_dictionary=["value"])
    return Table(file.getvalue(), sum(values))


def fetched(tap: WireTap, key: str) -> int:
    """How many bytes of the object the backend was asked for, all of them in ranges."""
    asked = 0
    for request in tap.requests:
        if request.method == "GET" and request.target.partition("?")[0].endswith(f"/{key}"):
            found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.header("range") or "")
            assert found is not None, f"asked for {request.header('range')} of {key}"
            asked += int(found[2]) - int(found[1]) + 1
    return asked
