"""What a worker has counted beyond what the database holds, added up."""

import pytest

from gateway.services.statistics.waiting import Waiting

KEY, OTHER = (1, 0), (2, 0)


@pytest.fixture
def waiting() -> Waiting:
    """A download and a view of one artifact, cut at 30, and another download, to 40."""
    waiting = Waiting()
    waiting.add(KEY, 500, 0)
    waiting.add(OTHER, 0, 1)
    waiting.add(KEY, 0, 1)
    waiting.cut(30)
    waiting.add(KEY, 700, 0)
    return waiting


def test_what_lies_behind_an_offset_is_added_up(waiting: Waiting) -> None:
    assert waiting.beyond(KEY, 0) == (1200, 1)
    assert waiting.beyond(KEY, 30) == (700, 0)
    assert waiting.beyond(OTHER, 0) == (0, 1)
    assert waiting.beyond(OTHER, 30) == (0, 0)
    assert waiting.beyond((1, 1), 0) == (0, 0)


def test_what_is_merged_is_forgotten(waiting: Waiting) -> None:
    waiting.forget(30, 40)
    assert waiting.forgotten == 30
    assert waiting.beyond(KEY, 0) is None
    assert waiting.beyond(KEY, 30) == (700, 0)
    assert waiting.beyond(OTHER, 30) == (0, 0)
    waiting.cut(40)
    waiting.add(KEY, 0, 1)
    assert waiting.beyond(KEY, 30) == (700, 1)
    assert waiting.beyond(KEY, 40) == (0, 1)


def test_a_merge_that_came_to_nothing_is_made_up_for_by_the_next(waiting: Waiting) -> None:
    waiting.forget(0, 40)
    waiting.cut(40)
    waiting.add(OTHER, 0, 1)
    assert waiting.beyond(KEY, 0) == (1200, 1)
    assert waiting.beyond(OTHER, 0) == (0, 2)
    assert waiting.beyond(KEY, 30) is None, "the cut is elsewhere now"
    assert waiting.beyond(OTHER, 40) == (0, 1)


def test_of_a_part_that_is_partly_merged_the_database_has_to_say(waiting: Waiting) -> None:
    waiting.forget(20, 40)
    assert waiting.beyond(KEY, 20) is None
    assert waiting.beyond(KEY, 30) == (700, 0)
    waiting.cut(40)
    assert waiting.beyond(KEY, 20) is None
    waiting.add(KEY, 0, 1)
    waiting.forget(40, 50)
    assert waiting.beyond(KEY, 40) == (0, 1)


@pytest.mark.parametrize("merged", [35, 40])
def test_others_may_have_merged_more_than_was_cut(waiting: Waiting, merged: int) -> None:
    waiting.forget(merged, 40)
    waiting.add(KEY, 3, 0)
    assert waiting.beyond(KEY, 30) is None
    assert waiting.beyond(KEY, 35) is None
    assert waiting.beyond(KEY, 40) == (3, 0)
    assert waiting.beyond(OTHER, 40) == (0, 0)


def test_behind_a_line_that_nobody_can_add_the_database_has_to_say(waiting: Waiting) -> None:
    waiting.obscure(50)
    waiting.add(KEY, 1, 0)
    waiting.cut(50)
    assert waiting.beyond(KEY, 0) is None
    assert waiting.beyond(KEY, 50) == (0, 0)
