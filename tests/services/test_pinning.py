from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.artifact.version import StagedFile
from gateway.services.lifecycle.pinning import Told
from gateway.storage.upstream import ListedObject, ObjectHead

NOW = datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)
HEAD = ObjectHead(7, '"one"', "v1", NOW, "binary/octet-stream", {}, {})
LISTED = ListedObject("data.bin", 7, "one", NOW)
UNTYPED = StagedFile("data.bin", removed=False, size=7, etag='"one"', version_id="v1")
STAGED = {
    each.path: each
    for each in (
        UNTYPED,
        replace(UNTYPED, path="typed.csv", content_type="text/csv"),
        replace(UNTYPED, path="gone.bin", removed=True),
    )
}
TOLD = Told(STAGED, {}, {}, {}, seen={"data.bin": HEAD})


def test_files_whose_type_nobody_said_are_asked_for_before_the_bucket_is_listed() -> None:
    assert list(TOLD.unclear()) == ["data.bin"]
    assert not TOLD.knows("data.bin", LISTED)


def test_what_was_seen_of_a_file_holds_for_what_is_listed() -> None:
    assert TOLD.saw("data.bin", LISTED)


@pytest.mark.parametrize(
    ("path", "listed"),
    [
        ("data.bin", replace(LISTED, etag="two")),
        ("data.bin", replace(LISTED, size=8)),
        ("typed.csv", replace(LISTED, key="typed.csv")),
    ],
)
def test_what_was_written_since_it_was_seen_is_asked_for_again(
    path: str, listed: ListedObject
) -> None:
    assert not TOLD.saw(path, listed)
