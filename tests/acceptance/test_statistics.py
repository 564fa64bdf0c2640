"""Statistics as programs and people read them: `stats`, `?format=stats`, `?badge=downloads`."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from tests.acceptance.harness import WORKSPACE, Document, Gateway
from tests.acceptance.steps import make_gallery, publish, refused, stage

FILES = {"a.csv": b"a" * 100, "dir/b.csv": b"b" * 50}
WEIGHTS = [{"path": "a.csv", "download_weight": 0.5}, {"path": "dir/b.csv"}]


@pytest.fixture
def dataset(gateway: Gateway, public_prefix: str) -> str:
    """A public dataset: `a.csv` was downloaded three times, `dir/b.csv` once."""
    make_gallery(gateway, public_prefix)
    prefix = f"{public_prefix}/example"
    publish(gateway, prefix, FILES, files=WEIGHTS)
    for path in ("a.csv", "a.csv", "a.csv", "dir/b.csv"):
        assert gateway.anonymous("GET", door(prefix, f"/{path}")).content == FILES[path]
    return prefix


def door(prefix: str, path: str = "") -> str:
    return f"/{WORKSPACE}/artifact/{prefix}{path}"


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def count(downloads: int, weighted: float, size: int) -> dict[str, Document]:
    return {
        "period": today(),
        "downloads": downloads,
        "download_count": weighted,
        "bytes": size,
    }


def test_the_series_of_an_artifact_and_of_its_files(gateway: Gateway, dataset: str) -> None:
    until = datetime.now(UTC).date()
    assert gateway.rpc("stats", key="read", prefix=dataset) == {
        "prefix": dataset,
        "download_count": 1.5,
        "view_count": 0,
        "since": (until - timedelta(days=29)).isoformat(),
        "until": until.isoformat(),
        "series": [count(4, 1.5, 350)],
        "files": {"a.csv": [count(3, 1.5, 300)], "dir/b.csv": [count(1, 0, 50)]},
    }
    yesterday = (until - timedelta(days=1)).isoformat()
    before = gateway.rpc("stats", key="read", prefix=dataset, until=yesterday)
    assert (before["series"], before["files"]) == ([], {})
    assert gateway.rpc("stats", key="read", prefix=dataset, since=yesterday)["series"]
    gateway.rpc("reset_stats", key="admin", prefix=dataset)
    again = gateway.rpc("stats", key="read", prefix=dataset)
    assert (again["download_count"], again["series"]) == (0, [])


@pytest.mark.parametrize("day", ["yesterday", "2025-13-01", "2025-W01-1", "20250607", ""])
def test_what_is_no_day_is_refused(gateway: Gateway, dataset: str, day: str) -> None:
    with refused("InvalidArgument", 400) as refusal:
        gateway.rpc("stats", key="read", prefix=dataset, since=day)
    assert "2025-06-07" in refusal.message
    answer = gateway.anonymous("GET", door(dataset), params={"format": "stats", "until": day})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidArgument")


def test_a_span_ends_after_it_begins(gateway: Gateway, dataset: str) -> None:
    with refused("InvalidArgument", 400):
        gateway.rpc("stats", key="read", prefix=dataset, since="2025-06-08", until="2025-06-07")
    found = gateway.rpc("stats", prefix=dataset, since="2025-06-07", until="2025-06-07")
    assert found["series"] == []


def test_before_the_first_day_there_is_none(gateway: Gateway, dataset: str) -> None:
    found = gateway.rpc("stats", key="read", prefix=dataset, until="0001-01-02")
    assert (found["since"], found["until"], found["series"]) == ("0001-01-01", "0001-01-02", [])


def test_a_version_that_is_not_there_was_not_viewed(gateway: Gateway, dataset: str) -> None:
    with refused("NoSuchVersion", 404):
        gateway.rpc("read", key="read", prefix=dataset, version=9)
    gateway.rpc("read", key="read", prefix=dataset, version=1)
    assert gateway.rpc("stats", key="read", prefix=dataset)["view_count"] == 1


def test_the_artifact_door_shows_the_same(gateway: Gateway, dataset: str) -> None:
    answer = gateway.anonymous("GET", door(dataset), params={"format": "stats"})
    assert answer.status_code == 200
    assert answer.json() == gateway.rpc("stats", key="read", prefix=dataset)


def test_a_badge_shows_what_was_downloaded(gateway: Gateway, dataset: str) -> None:
    answer = gateway.anonymous("GET", door(dataset), params={"badge": "downloads"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.headers["Cache-Control"] == "max-age=60"
    image = ET.fromstring(answer.content)  # noqa: S314 - our own
    assert image.get("aria-label") == "downloads: 1.5"
    # Neither a badge nor a report is a view.
    assert gateway.rpc("stats", prefix=dataset)["view_count"] == 0


@pytest.mark.parametrize("parameters", [{"badge": "downloads"}, {"format": "stats"}])
def test_who_may_not_know_of_an_artifact_sees_no_statistics(
    gateway: Gateway, prefix: str, public_prefix: str, parameters: dict[str, str]
) -> None:
    publish(gateway, prefix, FILES)
    answer = gateway.anonymous("GET", door(prefix), params=parameters)
    assert answer.status_code == 403
    assert answer.headers["Cache-Control"] == "private, no-store"
    stage(gateway, public_prefix, FILES)
    assert gateway.anonymous("GET", door(public_prefix), params=parameters).status_code == 404
    token = gateway.rpc("generate_token", key="admin", grants={WORKSPACE: "read"})
    headers = {"Authorization": f"Bearer {token}"}
    shown = gateway.anonymous("GET", door(prefix), params=parameters, headers=headers)
    assert shown.status_code == 200
    assert shown.headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize(
    "parameters", [{"badge": "views"}, {"format": "tar"}, {"format": "zip", "badge": "downloads"}]
)
def test_other_forms_are_refused(
    gateway: Gateway, dataset: str, parameters: dict[str, str]
) -> None:
    answer = gateway.anonymous("GET", door(dataset), params=parameters)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidArgument")
