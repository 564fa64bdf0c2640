"""The exceptions are the docs' own, and the comparison finds what differs."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.differential.allowance import ALLOWANCES
from tests.differential.cases import SCENES
from tests.differential.client import Answer
from tests.differential.comparison import Level, differences

PAGE = (Path(__file__).parents[2] / "docs" / "transparency.md").read_text()
LISTING = (
    b'<?xml version="1.0"?><R><Key>%s</Key><VersionId>%s</VersionId>'
    b"<LastModified>%s</LastModified></R>"
)
XML = (("content-type", "application/xml"),)


def test_the_docs_list_every_exception_with_its_reason() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+?) \|$", PAGE, re.MULTILINE)
    assert dict(rows) == {each.name: each.reason for each in ALLOWANCES}
    assert len(rows) == len(ALLOWANCES)


def test_cases_name_exceptions_that_there_are() -> None:
    known = {each.name for each in ALLOWANCES if each.named}
    for scene in SCENES:
        for case in scene.played():
            for name in case.differs:
                assert name.split("@")[0].removesuffix("?") in known, (scene.name, case.name)


def test_scenes_and_their_cases_have_names_of_their_own() -> None:
    names = [(scene.name, case.name) for scene in SCENES for case in scene.played()]
    assert len(set(names)) == len(names)


def level(body: bytes, *later: bytes) -> list[Answer]:
    one = Level("127.0.0.1:1")
    return [one.level(Answer(200, XML, each)) for each in (body, *later)]


def test_what_no_two_runs_have_in_common_is_levelled() -> None:
    stored = datetime.now(UTC).replace(microsecond=0)
    times = [f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in (stored, stored - timedelta(seconds=9))]
    left = level(LISTING % (b"a", b"0123456789", times[0].encode()))
    right = level(LISTING % (b"a", b"abcdefghij", times[1].replace("Z", ".123Z").encode()))
    assert not list(differences(left[0], right[0]))


@pytest.mark.parametrize(
    "changed",
    [
        {"status": 201},
        {"headers": (*XML, ("x-new", "1"))},
        {"headers": ()},
        {"body": LISTING % (b"b", b"null", b"2001-01-01T00:00:00Z")},
        {"body": LISTING % (b"a", b"null", b"2001-01-01T00:00:01Z")},
    ],
)
def test_whatever_else_differs_is_found(changed: dict[str, object]) -> None:
    answer = Answer(200, XML, LISTING % (b"a", b"null", b"2001-01-01T00:00:00Z"))
    other = replace(answer, **changed)  # type: ignore[arg-type]
    sides = [Level("127.0.0.1:1").level(each) for each in (answer, other)]
    assert list(differences(*sides))
    assert not list(differences(sides[0], sides[0]))


def test_a_second_id_for_the_same_thing_is_found() -> None:
    first, again = (
        LISTING % (b"a", each, b"2001-01-01T00:00:00Z") for each in (b"x" * 9, b"y" * 9)
    )
    one, same = level(first, first), level(first, again)
    assert not list(differences(one[0], same[0]))
    assert list(differences(one[1], same[1]))
