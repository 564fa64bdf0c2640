"""Answers are kept for their generation, and no more of them than there is room for."""

from gateway.services.registry.kept import Kept


def test_an_answer_is_given_again_in_its_generation_alone() -> None:
    kept: Kept[str] = Kept(1000)
    kept.keep("a", (1, 1), "one", 10)
    assert kept.get("a", (1, 1)) == "one"
    assert kept.get("a", (1, 2)) is None
    assert kept.get("b", (1, 1)) is None
    kept.keep("a", (1, 2), "two", 10)
    assert kept.get("a", (1, 2)) == "two"


def test_without_a_generation_nothing_is_kept() -> None:
    kept: Kept[str] = Kept(1000)
    kept.keep("a", None, "one", 10)
    assert kept.get("a", None) is None


def test_there_is_room_for_so_many_bytes() -> None:
    kept: Kept[int] = Kept(1000)
    kept.keep("large", 1, 0, 63)
    assert kept.get("large", 1) is None
    for number in range(40):
        kept.keep(number, 1, number, 50)
        kept.keep(number, 1, number, 50)  # again takes no more room
    assert [number for number in range(40) if kept.get(number, 1) is not None] == [*range(20, 40)]
