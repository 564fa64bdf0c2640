"""A wrong byte anywhere makes no object: every form of an upload, every flaw, every place.

Each flaw goes to a place whose state on the backend is known before and looked at after; the
right twin of each form then stores exactly its bytes. SeaweedFS checks some of what is declared,
and says so in its own words; moto's server checks nothing, so what it is spared is the gateway's.
"""

import re
import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.bodies import FIVE, Draft, Shape
from tests.acceptance.flaws import CHECKSUMS, SHAPES, Flaw, flaws
from tests.acceptance.harness import Backend
from tests.acceptance.places import (
    LARGE,
    PLACES,
    SMALL,
    Place,
    Uploads,
    a_new_key,
    an_older_version,
    content,
    uploading,
)

KNOWN = [shape for shape in CHECKSUMS if not shape.trailer or shape.trailer in FIVE]


def name(shape: Shape) -> str:
    """What a shape's test is called."""
    return shape.name


@pytest.fixture(scope="module")
def uploads(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uploads]:
    """A gateway in front of SeaweedFS."""
    with uploading(backend, tmp_path_factory.mktemp("uploads")) as ready:
        yield ready


@pytest.fixture(scope="module")
def unchecked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uploads]:
    """A gateway in front of moto's server."""
    backend = Backend(tmp_path_factory.mktemp("moto"), kind="moto")
    try:
        backend.start()
        with uploading(backend, tmp_path_factory.mktemp("unchecked")) as ready:
            yield ready
    finally:
        backend.kill()
        shutil.rmtree(backend.folder, ignore_errors=True)


def check(uploads: Uploads, place: Place, shape: Shape, data: bytes, wrong: list[Flaw]) -> None:
    """Send an upload with each flaw, then the one without; look at the place in between."""
    before = place.state()
    answers = []
    for number, flaw in enumerate(wrong, 1):
        draft = Draft(shape, data)
        flaw.spoil(draft)
        answer = uploads.send(draft, "PUT", place.target(number))
        theirs = flaw.theirs if uploads.checked else ()
        if answer not in (*flaw.refusals, *theirs):
            answers.append((flaw.name, answer, flaw.refusals))
    assert not answers
    assert place.state() == before
    target = place.target(len(wrong) + 1)
    assert uploads.send(Draft(shape, data), "PUT", target) == (200, "")
    assert place.right(target) == data


@pytest.mark.parametrize("shape", SHAPES, ids=name)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_flaw_changes_nothing_at_its_place(
    uploads: Uploads, place: Callable[[Uploads], Place], shape: Shape
) -> None:
    there = place(uploads)
    check(uploads, there, shape, there.data, [*flaws(shape)])


@pytest.mark.parametrize("shape", SHAPES, ids=name)
def test_a_flaw_in_a_large_body_changes_nothing(uploads: Uploads, shape: Shape) -> None:
    check(uploads, an_older_version(uploads), shape, content(LARGE), [*flaws(shape)])


@pytest.mark.parametrize("shape", SHAPES, ids=name)
def test_a_flaw_is_found_where_the_backend_finds_none(unchecked: Uploads, shape: Shape) -> None:
    check(unchecked, a_new_key(unchecked), shape, content(SMALL), [*flaws(shape)])


def compared(shape: Shape) -> list[Flaw]:
    """The flaws that a checksum finds."""
    return [flaw for flaw in flaws(shape) if re.search("middle|another$|none$", flaw.name)]


@pytest.mark.parametrize("shape", KNOWN, ids=name)
def test_every_checksum_is_compared(uploads: Uploads, shape: Shape) -> None:
    check(uploads, a_new_key(uploads), shape, content(SMALL), compared(shape))


@pytest.mark.parametrize("shape", CHECKSUMS, ids=name)
def test_every_checksum_is_compared_by_the_gateway(unchecked: Uploads, shape: Shape) -> None:
    check(unchecked, a_new_key(unchecked), shape, content(SMALL), compared(shape))
