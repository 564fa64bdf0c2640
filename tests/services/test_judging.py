"""Which versions of a key nobody needs: times, tombstones, and what came after them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.artifact.lifecycle import Artifact, Stage
from gateway.services.maintenance.judging import (
    PinnedVersionMissing,
    Tenure,
    garbage,
    tenure,
)
from gateway.storage.claims import Claims, Hold, Tombstone
from gateway.storage.upstream import ObjectVersion

DAY = timedelta(days=1)
START = datetime(2025, 6, 1, tzinfo=UTC)
LIVE = Artifact(1, "w", "d", number=9, version=9)
STAGED = Artifact(1, "w", "d", stage=Stage("s", START, "alice"))
BURIED = Artifact(1, "w", "d", number=4, buried=4)


def history(*words: str, seconds: float = 86_400) -> list[ObjectVersion]:
    """Versions of one key, the newest first: "-m" is a delete marker; `seconds` lie between."""
    made: list[ObjectVersion] = []
    for index, word in enumerate(reversed(words)):
        when = (START + timedelta(seconds=seconds * index)).replace(microsecond=0)
        marker = word.startswith("-")
        size = None if marker else 1
        made.insert(0, ObjectVersion("d/a", word, False, marker, None, size, when))  # noqa: FBT003
    return [replace(made[0], latest=True), *made[1:]]


def judge(
    versions: Sequence[ObjectVersion],
    artifact: Artifact = LIVE,
    *,
    pins: Sequence[tuple[str | None, int]] = (),
    staged: Sequence[str] = (),
    stones: Sequence[tuple[int, datetime]] = (),
    days: float = 99,
    whole: bool = True,
) -> list[str]:
    """The ids of the versions that go when all that was superseded `days` after START may go."""
    claims = Claims(
        (artifact,),
        tuple(Hold(1, version, first) for version, first in pins),
        tuple(Tombstone(1, number, time) for number, time in stones),
        frozenset(staged),
        busy=False,
    )
    going = garbage(
        versions, Tenure(artifact, whole=whole), claims, before=START + timedelta(days=days)
    )
    return [version.version_id for version in going]


@pytest.mark.parametrize(
    ("days", "gone"), [(0.9, []), (1, ["a"]), (2, ["a", "b"]), (9, ["a", "b"])]
)
def test_age_counts_from_the_next_newer_version(days: float, gone: list[str]) -> None:
    assert judge(history("c", "b", "a"), days=days) == gone


def test_what_is_pinned_or_staged_stays_and_the_rest_goes_oldest_first() -> None:
    versions = history("f", "e", "d", "c", "b", "a")
    assert judge(versions, pins=[("b", 2)], staged=["e"]) == ["a", "c", "d"]


def test_a_delete_marker_goes_only_when_nothing_is_left_below_it() -> None:
    assert judge(history("-n", "b", "-m", "a")) == ["a", "-m", "b", "-n"]
    assert judge(history("-n", "b", "-m", "a"), pins=[("a", 1)]) == ["b"]
    assert judge(history("-n", "b", "-m", "a"), pins=[("b", 1)]) == ["a", "-m"]


def test_a_lone_delete_marker_is_as_old_as_it_is() -> None:
    assert judge(history("-m"), days=-0.1) == []
    assert judge(history("-m"), days=0) == ["-m"]


def test_claims_end_with_the_tombstone_and_age_counts_from_it() -> None:
    versions, stones = history("c", "-m", "b", "a"), [(4, START + 2 * DAY)]
    pins: list[tuple[str | None, int]] = [("a", 1), ("b", 2)]
    again = replace(LIVE, buried=4)
    assert judge(versions, again, pins=[*pins, ("c", 5)], stones=stones, days=1.9) == []
    assert judge(versions, again, pins=[*pins, ("c", 5)], stones=stones, days=2) == ["a", "b"]
    assert judge(versions, again, pins=[*pins, ("b", 5)], stones=stones) == ["a"]


def test_an_ordinary_object_keeps_its_history_above_what_a_delete_left() -> None:
    stones = [(4, START + 2.5 * DAY)]
    versions = history("o2", "o1", "-m", "late", "a")
    pins: list[tuple[str | None, int]] = [("a", 1)]
    assert judge(versions, BURIED, pins=pins, stones=stones, whole=False) == ["a", "late", "-m"]
    deleted = history("-n", "o1", "-m", "a")
    stones = [(4, START + 1.5 * DAY)]
    assert judge(deleted, BURIED, pins=pins, stones=stones, whole=False) == ["a", "-m"]


def test_of_the_second_of_the_delete_its_marker_tells_what_came_later() -> None:
    versions = history("-n", "o1", "-m", "late", "a", seconds=0.1)
    stones = [(4, START + timedelta(seconds=0.15))]
    gone = judge(versions, BURIED, pins=[("a", 1)], stones=stones, whole=False)
    assert gone == ["a", "late", "-m"]
    beside = judge(history("o2", "o1", seconds=0.1), BURIED, stones=stones, whole=False)
    assert beside == []


def test_below_a_first_edit_everything_stays() -> None:
    assert judge(history("s2", "s1", "-m", "o1"), STAGED, staged=["s2"], whole=False) == []
    assert judge(history("s1", "-m"), STAGED, staged=["s1"], whole=False) == []


def test_nothing_goes_where_the_list_and_the_index_contradict_each_other() -> None:
    with pytest.raises(PinnedVersionMissing):
        judge(history("c", "b"), pins=[("a", 1)])
    assert judge(history("c", "b"), pins=[(None, 1)]) == []
    assert judge([replace(one, latest=False) for one in history("c", "b")]) == []
    assert judge([]) == []


@pytest.mark.parametrize(
    ("key", "artifacts", "holds", "owner"),
    [
        ("d/a", [LIVE], [], (1, True)),
        ("d/a/", [LIVE], [], None),
        ("d/a", [STAGED], [], (1, False)),
        ("d/_manifest.yaml", [STAGED], [], (1, True)),
        ("d/a", [replace(BURIED, buried=0)], [], None),
        ("d/_manifest.yaml", [replace(BURIED, buried=0)], [], (1, True)),
        ("d/deep/a", [BURIED], [], (1, False)),
        ("d/deep/a", [replace(BURIED, collection=True)], [], None),
        ("d/deep/a", [replace(BURIED, collection=True)], [Hold(1, "v", 1)], (1, False)),
        ("d/deep/a", [replace(LIVE, collection=True)], [], None),
        ("d/e/a", [replace(BURIED, id=2, prefix="d/e"), LIVE], [], (1, True)),
        (
            "d/e/a",
            [replace(BURIED, id=2, prefix="d/e"), replace(LIVE, collection=True)],
            [],
            (2, False),
        ),
    ],
)
def test_whose_key_it_is(
    key: str,
    artifacts: list[Artifact],
    holds: list[Hold],
    owner: tuple[int, bool] | None,
) -> None:
    found = tenure(key, Claims(tuple(artifacts), tuple(holds), (), frozenset(), busy=False))
    assert (None if found is None else (found.artifact.id, found.whole)) == owner
