"""Records of a journal, added up."""

from datetime import date

import pytest

from gateway.storage import tally

DAY = date(2025, 6, 7)


def test_records_add_up_exactly() -> None:
    tenths = [tally.download(1, 0, "a", 100_000, DAY)] * 10_000
    others = [
        tally.download(1, 0, "b", 0, DAY),
        tally.download(1, 1, "a", 7, DAY),
        tally.download(1, 0, "a", 1_000_000_000_000, date(2025, 6, 8)),
        tally.sent(1, 0, "a", 4_096, DAY),
        tally.sent(1, 0, "a", 1 << 40, DAY),
        tally.view(1, 0),
        tally.view(2, 0),
        tally.view(1, 0),
    ]
    sums = tally.add_up(record.rstrip(b"\n") for record in [*tenths, *others])
    assert {key: (each.micros, each.views) for key, each in sums.totals.items()} == {
        (1, 0): (1_001_000_000_000, 2),
        (1, 1): (7, 0),
        (2, 0): (0, 1),
    }
    assert {key: (each.downloads, each.micros, each.bytes) for key, each in sums.days.items()} == {
        (1, 0, "a", "2025-06-07"): (10_000, 1_000_000_000, (1 << 40) + 4_096),
        (1, 0, "b", "2025-06-07"): (1, 0, 0),
        (1, 0, "a", "2025-06-08"): (1, 1_000_000_000_000, 0),
        (1, 1, "a", "2025-06-07"): (1, 7, 0),
    }


@pytest.mark.parametrize(
    "line",
    [b"[", b"\x00\x00", b"{}", b'["d",1,0,"a"]', b'["d","1",0,"a",1,"2025-06-07"]', b'["x"]', b"7"],
)
def test_a_line_that_is_no_record_is_left_out(line: bytes) -> None:
    sums = tally.add_up([line, tally.view(1, 0), b""])
    assert {key: each.views for key, each in sums.totals.items()} == {(1, 0): 1}
    assert not sums.days
