"""Which small files stay in memory: within bounds, and those that are asked for most often."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.storage import frequency, hot_files
from gateway.storage.frequency import Frequency
from gateway.storage.hot_files import OVERHEAD, HotFile, HotFiles, Pinned

SIZE = 1_000
WEIGHT = SIZE + OVERHEAD
HEADERS = CIMultiDictProxy(CIMultiDict({"ETag": '"e"'}))
FILE = HotFile(HEADERS, bytes(SIZE))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def files(clock: Clock) -> HotFiles:
    """Room for ten files."""
    return HotFiles(10 * WEIGHT, clock)


def named(name: object) -> Pinned:
    return Pinned("bucket", f"key-{name}", "v1")


def ask(files: HotFiles, name: object, file: HotFile = FILE) -> bool:
    """Whether a file was there; it is put there if it was not."""
    pinned = named(name)
    if files.get(pinned) is not None:
        return True
    if files.admits(pinned, len(file.body)):
        files.put(pinned, file)
    return False


def test_it_never_holds_more_than_its_limit(files: HotFiles) -> None:
    for turn in range(3):
        for name in range(40):
            ask(files, (name * 7 + turn) % 40, HotFile(HEADERS, bytes(SIZE * (name % 9 + 1))))
            assert files.figures.bytes <= 10 * WEIGHT
    assert files.figures.bytes > 5 * WEIGHT


def test_a_walk_through_everything_throws_nothing_out(files: HotFiles) -> None:
    for _ in range(3):
        for name in range(10):
            ask(files, name)
    for name in range(1_000):
        ask(files, f"walk-{name}")
    assert all(ask(files, name) for name in range(10))


def test_what_is_asked_for_more_often_takes_the_place_of_what_is_not(files: HotFiles) -> None:
    for name in range(10):
        ask(files, name)
    answers = [ask(files, "new") for _ in range(4)]
    assert answers[-1]
    assert files.figures.bytes <= 10 * WEIGHT


def test_what_was_asked_for_long_ago_is_forgotten(
    files: HotFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frequency, "SAMPLE", 500)
    for _ in range(50):
        for name in range(10):
            ask(files, name)
    for turn in range(3_000):
        ask(files, f"later-{turn % 10}")
    assert sum(ask(files, f"later-{name}") for name in range(10)) >= 8


def test_a_file_is_asked_for_anew_after_a_while(files: HotFiles, clock: Clock) -> None:
    assert [ask(files, 1), ask(files, 1)] == [False, True]
    clock.now += hot_files.GOOD_SECONDS
    assert [ask(files, 1), ask(files, 1)] == [False, True]
    assert files.figures.bytes == WEIGHT


def test_large_files_and_none_where_nothing_may_be_kept(files: HotFiles) -> None:
    assert files.takes(SIZE)
    assert not files.takes(10 * WEIGHT)
    assert not HotFiles(1 << 30).takes(hot_files.LARGEST + 1)
    assert not HotFiles(0).takes(0)


def test_versions_and_answers_with_checksums_are_apart(files: HotFiles) -> None:
    files.put(Pinned("bucket", "key", "v1"), FILE)
    assert files.get(Pinned("bucket", "key", "v1")) is FILE
    assert files.get(Pinned("bucket", "key", "v2")) is None
    assert files.get(Pinned("other", "key", "v1")) is None
    assert files.get(Pinned("bucket", "key", "v1", checksums=True)) is None


def test_frequencies_are_never_less_than_they_were() -> None:
    counted = Frequency()
    for name in range(2_000):
        for _ in range(name % 7):
            counted.note(named(name))
    assert all(counted.of(named(name)) >= name % 7 for name in range(2_000))
    exact = sum(counted.of(named(name)) == name % 7 for name in range(2_000))
    assert exact > 1_900
