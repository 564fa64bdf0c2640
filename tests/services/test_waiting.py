"""What a worker has counted beyond what the database holds, added up."""

import pytest

from gateway.services.statistics import waiting as module
from gateway.services.statistics.waiting import Waiting

KEY, OTHER = (1, 0), (2, 0)


@pytest.fixture
def waiting() -> Waiting:
    """Two downloads and a view of one artifact, a view of another between them."""
    waiting = Waiting()
    waiting.add(KEY, 10, 500, 0)
    waiting.add(OTHER, 20, 0, 1)
    waiting.add(KEY, 30, 0, 1)
    waiting.add(KEY, 40, 700, 0)
    return waiting


def test_what_lies_behind_an_offset_is_added_up(waiting: Waiting) -> None:
    assert waiting.beyond(KEY, 0) == (1200, 1)
    assert waiting.beyond(KEY, 10) == (700, 1)
    assert waiting.beyond(KEY, 35) == (700, 0)
    assert waiting.beyond(KEY, 40) == (0, 0)
    assert waiting.beyond(OTHER, 0) == (0, 1)
    assert waiting.beyond((1, 1), 0) == (0, 0)


def test_what_is_merged_is_forgotten(waiting: Waiting) -> None:
    waiting.forget(30)
    assert waiting.forgotten == 30
    assert waiting.beyond(KEY, 30) == (700, 0)
    assert waiting.beyond(OTHER, 30) == (0, 0)


def test_behind_a_line_that_nobody_can_add_the_database_has_to_say(waiting: Waiting) -> None:
    waiting.obscure(50)
    waiting.add(KEY, 60, 1, 0)
    assert waiting.beyond(KEY, 49) is None
    assert waiting.beyond(KEY, 50) == (1, 0)


def test_of_too_many_lines_the_database_has_to_say(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LINES", 4)
    waiting.add(KEY, 50, 1, 0)
    waiting.add(KEY, 60, 2, 0)
    assert waiting.beyond(KEY, 0) is None
    assert waiting.beyond(OTHER, 49) is None
    assert waiting.beyond(KEY, 50) == (2, 0)
