"""Files and folders, up and down, by the Python client."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gateway.client import Client, InvalidArgument, NoSuchKey, NotStaged, Progress
from gateway.client.etags import LEAST_PART
from tests.acceptance.harness import Gateway
from tests.acceptance.pythons import client_of, hashes, some_bytes
from tests.acceptance.steps import write_folder
from tests.waiting import wait_until

DATASET = {"type": "dataset"}
PART = LEAST_PART
FILES = int(os.environ.get("PUBLISH_FILES", "120"))


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    """The writer."""
    with client_of(gateway) as made:
        yield made


@pytest.fixture(params=["sync", "async"])
def either(request: pytest.FixtureRequest, gateway: Gateway) -> Iterator[Client]:
    """Each of the two clients in turn, with the writer's key."""
    with client_of(gateway, request.param) as made:
        yield made


def puts(gateway: Gateway, prefix: str) -> list[str]:
    """The query of each PUT below a prefix that the gateway's log has."""
    lines = gateway.logged().splitlines()
    return [line for line in lines if '"method": "PUT"' in line and f"{prefix}/" in line]


@pytest.mark.timeout(300)
def test_a_folder_of_many_files_goes_up_and_comes_down(
    client: Client, prefix: str, tmp_path: Path
) -> None:
    files = {f"{n % 7}/{n % 3}/{n} ü+%20.bin": some_bytes(n, n) for n in range(FILES)}
    write_folder(tmp_path / "source", files)
    client.create(prefix, DATASET, stage=True)
    told: list[Progress] = []

    sent = client.upload(prefix, tmp_path / "source", progress=told.append)

    assert sent == sorted(files)
    total = sum(map(len, files.values()))
    last = told[-1]
    assert (last.files_done, last.files_total) == (FILES, FILES)
    assert (last.bytes_done, last.bytes_total) == (total, total)
    assert [each.bytes_done for each in told] == sorted(each.bytes_done for each in told)
    assert len(client.commit(prefix)["files"]) == FILES

    told.clear()
    places = client.download(prefix, tmp_path / "target", progress=told.append)

    assert sorted(str(place.relative_to(tmp_path / "target")) for place in places) == sent
    assert hashes(tmp_path / "target") == hashes(tmp_path / "source")
    assert (told[-1].files_done, told[-1].bytes_done) == (FILES, total)


def test_what_is_there_already_is_not_sent_again(
    gateway: Gateway, client: Client, prefix: str, tmp_path: Path
) -> None:
    files = {"a.csv": b"a", "b/c.csv": b"c", "big.bin": some_bytes(PART + 1)}
    source, target = tmp_path / "source", tmp_path / "target"
    write_folder(source, files)
    client.create(prefix, DATASET, stage=True)
    client.upload(prefix, source, part_bytes=PART)
    client.commit(prefix)
    client.download(prefix, target)
    client.edit(prefix)
    before = len(puts(gateway, prefix))

    (source / "b/c.csv").write_bytes(b"C")
    assert client.upload(prefix, source, part_bytes=PART) == sorted(files)

    assert len(puts(gateway, prefix)) - before == 1
    client.commit(prefix)

    def gets() -> int:
        return gateway.logged().count('"method": "GET"')

    earlier = gets()
    client.download(prefix, target)
    # Of an answer that came the log tells a moment later.
    assert wait_until(lambda: gets() > earlier)
    assert gets() - earlier == 1
    assert hashes(target) == hashes(source)


def test_weights_are_given_by_path_also_to_what_is_there(
    client: Client, prefix: str, tmp_path: Path
) -> None:
    write_folder(tmp_path / "s", {"a.csv": b"a", "b.bin": some_bytes(PART + 1), "c.csv": b"c"})
    client.create(prefix, DATASET, stage=True)
    weights = {"data/a.csv": 1.5, "data/b.bin": 2}
    client.upload(prefix, tmp_path / "s", "data", weights=weights, part_bytes=PART)
    files = {pin["path"]: pin["download_weight"] for pin in client.commit(prefix)["files"]}
    assert files == {"data/a.csv": 1.5, "data/b.bin": 2, "data/c.csv": 0}
    client.edit(prefix)
    client.upload(prefix, tmp_path / "s", "data", weights={"data/c.csv": 3}, part_bytes=PART)
    files = {pin["path"]: pin["download_weight"] for pin in client.commit(prefix)["files"]}
    assert files == {"data/a.csv": 1.5, "data/b.bin": 2, "data/c.csv": 3}
    client.edit(prefix)
    with pytest.raises(InvalidArgument, match=r"other\.csv"):
        client.upload(prefix, tmp_path / "s", weights={"other.csv": 1})


def test_single_files_go_where_they_are_told(either: Client, prefix: str, tmp_path: Path) -> None:
    client = either
    source = tmp_path / "source.csv"
    source.write_bytes(b"data")
    client.create(prefix, DATASET, stage=True)
    assert client.upload(prefix, source) == ["source.csv"]
    assert client.upload(prefix, source, "x/") == ["x/source.csv"]
    assert client.upload(prefix, source, "x/y.csv") == ["x/y.csv"]
    assert client.download(prefix, tmp_path / "one", "x/y.csv", stage=True) == [tmp_path / "one"]
    into = client.download(prefix, tmp_path, "x/y.csv", stage=True)
    assert into == [tmp_path / "y.csv"]
    below = client.download(prefix, tmp_path / "below", "x", stage=True)
    assert below == [tmp_path / "below/source.csv", tmp_path / "below/y.csv"]
    with pytest.raises(NoSuchKey):
        client.download(prefix, tmp_path / "none", "x/absent", stage=True)
    assert {each.read_bytes() for each in [*into, *below, tmp_path / "one"]} == {b"data"}


def test_versions_and_the_stage_come_as_asked_for(
    client: Client, prefix: str, tmp_path: Path
) -> None:
    client.create(prefix, DATASET, stage=True)
    for n, data in enumerate((b"one", b"two", b"three")):
        if n:
            client.edit(prefix)
        (tmp_path / "a.csv").write_bytes(data)
        client.upload(prefix, tmp_path / "a.csv")
        if n < 2:
            client.commit(prefix)
    states: Mapping[bytes, Mapping[str, int | bool]] = {
        b"one": {"version": 1},
        b"two": {},
        b"three": {"stage": True},
    }
    for data, state in states.items():
        client.download(prefix, tmp_path / "got.csv", "a.csv", **state)  # type: ignore[arg-type]
        assert (tmp_path / "got.csv").read_bytes() == data


def test_downloads_are_counted_once_and_silent_ones_not(
    client: Client, prefix: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_bytes(b"a")
    client.create(prefix, DATASET, stage=True)
    client.upload(prefix, tmp_path / "a.csv", weights={"a.csv": 2})
    client.commit(prefix)
    client.download(prefix, tmp_path / "quiet", silent=True)
    assert client.read(prefix, silent=True)["_stats"] == {"download_count": 0, "view_count": 0}
    client.download(prefix, tmp_path / "loud")
    assert client.read(prefix, silent=True)["_stats"]["download_count"] == 2


def test_manifests_at_the_top_stay_and_links_to_folders_are_not_followed(
    client: Client, prefix: str, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    write_folder(source, {"_manifest.yaml": b"x", "manifest.yaml": b"y", "a/manifest.yaml": b"z"})
    (source / "loop").symlink_to(source)
    (source / "link").symlink_to(source / "a" / "manifest.yaml")
    client.create(prefix, DATASET, stage=True)
    assert client.upload(prefix, source) == ["a/manifest.yaml", "link"]


def test_nothing_is_sent_without_an_edit(client: Client, prefix: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a")
    client.create(prefix, DATASET)
    with pytest.raises(NotStaged):
        client.upload(prefix, tmp_path / "a.csv")
    with pytest.raises(FileNotFoundError):
        client.upload(prefix, tmp_path / "absent.csv")


def test_what_the_progress_raises_ends_the_transfer(
    client: Client, prefix: str, tmp_path: Path
) -> None:
    def stop(progress: Progress) -> None:
        raise KeyError(progress.path)

    (tmp_path / "a.csv").write_bytes(b"a")
    client.create(prefix, DATASET, stage=True)
    with pytest.raises(KeyError, match=r"a\.csv"):
        client.upload(prefix, tmp_path / "a.csv", progress=stop)


def test_a_progress_that_calls_its_client_is_refused_and_does_not_hang(
    client: Client, prefix: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_bytes(b"a")
    client.create(prefix, DATASET, stage=True)
    with pytest.raises(RuntimeError, match="callback"):
        client.upload(prefix, tmp_path / "a.csv", progress=lambda _: client.discard(prefix))


def test_a_client_that_was_closed_says_so(gateway: Gateway, prefix: str) -> None:
    with client_of(gateway) as closed:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        closed.read(prefix)
    closed.close()


def test_a_large_file_goes_in_parts_and_leaves_no_state(
    gateway: Gateway, either: Client, prefix: str, tmp_path: Path
) -> None:
    client = either
    (tmp_path / "big.bin").write_bytes(some_bytes(3 * PART + 7))
    client.create(prefix, DATASET, stage=True)
    client.upload(prefix, tmp_path / "big.bin", part_bytes=PART)
    sent = puts(gateway, prefix)
    assert sorted(n for n in range(1, 9) for line in sent if f"partNumber={n}&" in line) == [
        *range(1, 5)
    ]
    assert list((tmp_path / "cache").rglob("*.json")) == []
    client.download(prefix, tmp_path / "got.bin", "big.bin", stage=True)
    assert hashes(tmp_path)["got.bin"] == hashes(tmp_path)["big.bin"]
    assert os.listdir(tmp_path / "cache/artifact-gateway/uploads") == []  # noqa: PTH208
