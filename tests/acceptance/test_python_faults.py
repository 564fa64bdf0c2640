"""The Python client on a bad network: what is tried again, what is not, and what is noticed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from gateway.client import (
    BadDigest,
    Client,
    CommitConflict,
    Failed,
    FilePart,
    InvalidPath,
    NotReached,
    Progress,
)
from gateway.client.etags import LEAST_PART, MEBIBYTE
from gateway.client.patience import Patience
from tests.acceptance.faulty import Fault, FaultyProxy
from tests.acceptance.harness import KEYS, WORKSPACE, Backend, Gateway
from tests.acceptance.processes import free_port
from tests.acceptance.pythons import hashes, some_bytes

DATASET = {"type": "dataset"}
ATTEMPTS = 4


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultyProxy]:
    with FaultyProxy(free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def behind(
    proxy: FaultyProxy, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway whose URLs lead through the proxy."""
    settings = {
        "public_url": proxy.url,
        "system": {"bucket": "system-of-the-faulty", "prefix": ""},
    }
    running = Gateway(backend, tmp_path_factory.mktemp("faulty"), settings, port=proxy.port)
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def client(
    behind: Gateway, proxy: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Client]:
    """A client that is not as patient as others."""
    del behind
    proxy.forget()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    hasty = Patience(attempts=ATTEMPTS, first=0.01, most=0.02)
    monkeypatch.setattr("gateway.client.client.Patience", lambda: hasty)
    key = KEYS["write"]
    with Client(
        proxy.url,
        WORKSPACE,
        access_key_id=key.access_key_id,
        secret_access_key=key.secret_access_key,
    ) as made:
        yield made


@pytest.fixture
def prefix(behind: Gateway) -> str:
    return behind.new_prefix()


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.CUT, Fault.LOST, Fault.HALF])
def test_reads_are_tried_again(
    client: Client, proxy: FaultyProxy, prefix: str, fault: Fault
) -> None:
    client.create(prefix, DATASET)
    proxy.fail(fault, "POST", "/versions", times=ATTEMPTS - 1)
    assert len(client.versions(prefix)) == 1
    assert len(proxy.heard("POST", "/versions")) == ATTEMPTS
    proxy.fail(fault, "POST", "/versions", times=ATTEMPTS)
    with pytest.raises(ConnectionError) as caught:
        client.versions(prefix)
    assert isinstance(caught.value, Failed)
    assert len(proxy.heard("POST", "/versions")) == 2 * ATTEMPTS


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.CUT, Fault.LOST])
def test_what_changes_something_is_asked_for_once(
    client: Client, proxy: FaultyProxy, prefix: str, fault: Fault
) -> None:
    proxy.fail(fault, "POST", "/create")
    with pytest.raises(ConnectionError):
        client.create(prefix, DATASET)
    assert len(proxy.heard("POST", "/create")) == 1


@pytest.mark.parametrize(
    "fault", [Fault.BUSY, Fault.CUT, Fault.LOST, Fault.SPOILT_REQUEST], ids=lambda f: f.name
)
def test_files_arrive_whole_whatever_happens(
    client: Client, proxy: FaultyProxy, prefix: str, tmp_path: Path, fault: Fault
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "small.csv").write_bytes(b"small")
    (source / "big.bin").write_bytes(some_bytes(2 * LEAST_PART + 1))
    client.create(prefix, DATASET, stage=True)
    proxy.fail(fault, "PUT", "small.csv", times=2)
    proxy.fail(fault, "PUT", "partNumber=2", times=2)
    if fault is not Fault.SPOILT_REQUEST:  # no call's body is
        proxy.fail(fault, "POST", "/put_file", times=2)
        proxy.fail(fault, "POST", "/complete_file", times=1)

    client.upload(prefix, source, part_bytes=LEAST_PART)

    assert len(proxy.heard("PUT", "small.csv")) == 3
    assert [len(proxy.heard("PUT", f"partNumber={n}")) for n in (1, 2, 3)] == [1, 3, 1]
    assert [pin["path"] for pin in client.commit(prefix)["files"]] == ["big.bin", "small.csv"]
    client.download(prefix, target)
    assert hashes(target) == hashes(source)


def test_bytes_that_are_always_spoilt_never_arrive(
    client: Client, proxy: FaultyProxy, prefix: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_bytes(b"data")
    client.create(prefix, DATASET, stage=True)
    proxy.fail(Fault.SPOILT_REQUEST, "PUT", "a.csv", times=99)
    with pytest.raises(BadDigest):
        client.upload(prefix, tmp_path / "a.csv")
    assert len(proxy.heard("PUT", "a.csv")) == ATTEMPTS
    assert client.list_files(prefix, stage=True) == []


@pytest.fixture
def published(client: Client, prefix: str, tmp_path: Path) -> Path:
    """The folder whose files are committed: one in one piece, one in parts."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "one.bin").write_bytes(some_bytes(3 << 20))
    (source / "parts.bin").write_bytes(some_bytes(LEAST_PART + 1, 2))
    client.create(prefix, DATASET, stage=True)
    client.upload(prefix, source, part_bytes=LEAST_PART)
    client.commit(prefix)
    return source


@pytest.mark.parametrize("name", ["one.bin", "parts.bin"])
def test_a_download_goes_on_where_it_broke_off(
    client: Client, proxy: FaultyProxy, prefix: str, published: Path, tmp_path: Path, name: str
) -> None:
    # More often than a client is patient: each brings half of what is missing.
    proxy.fail(Fault.HALF, "GET", name, times=ATTEMPTS + 1)
    client.download(prefix, tmp_path / "got", name)
    assert (tmp_path / "got").read_bytes() == (published / name).read_bytes()
    ranges = [each.range for each in proxy.heard("GET", name)]
    assert len(ranges) == ATTEMPTS + 2
    assert ranges[0] is None
    starts = [int((each or "").removeprefix("bytes=").rstrip("-")) for each in ranges[1:]]
    assert starts == sorted(set(starts))
    assert starts[0] > 0
    assert client.read(prefix)["_stats"]["download_count"] == 0
    downloads = sum(day["downloads"] for day in client.stats(prefix)["series"])
    assert downloads == 1


def test_an_interrupted_download_goes_on_and_leaves_nothing_else(
    client: Client, proxy: FaultyProxy, prefix: str, published: Path, tmp_path: Path
) -> None:
    def stop(progress: Progress) -> None:
        if progress.bytes_done > MEBIBYTE:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        client.download(prefix, tmp_path, "one.bin", progress=stop)
    client.download(prefix, tmp_path, "one.bin")
    first, second = proxy.heard("GET", "one.bin")[-2:]
    assert first.range is None
    assert second.range is not None
    assert int(second.range.removeprefix("bytes=").rstrip("-")) > MEBIBYTE
    assert (tmp_path / "one.bin").read_bytes() == (published / "one.bin").read_bytes()
    assert [each for each in tmp_path.iterdir() if each.suffix == ".part"] == []


@pytest.mark.parametrize("name", ["one.bin", "parts.bin"])
def test_wrong_bytes_are_noticed_and_fetched_again(
    client: Client, proxy: FaultyProxy, prefix: str, published: Path, tmp_path: Path, name: str
) -> None:
    proxy.fail(Fault.SPOILT_ANSWER, "GET", name)
    client.download(prefix, tmp_path / "got", name)
    assert (tmp_path / "got").read_bytes() == (published / name).read_bytes()
    assert [each.range for each in proxy.heard("GET", name)] == [None, None]
    assert sum(day["downloads"] for day in client.stats(prefix)["series"]) == 1


def test_a_file_in_parts_of_an_unusual_size_is_believed_when_it_comes_twice(
    client: Client, proxy: FaultyProxy, prefix: str, tmp_path: Path
) -> None:
    client.create(prefix, DATASET, stage=True)
    data, odd = some_bytes(2 * LEAST_PART + 9), LEAST_PART + 3
    upload = client.put_file(prefix, "odd.bin", {"parts": 2})
    assert not isinstance(upload, str)
    etags = [
        requests.put(part["url"], data=piece, timeout=60).headers["ETag"]
        for part, piece in zip(upload["parts"], (data[:odd], data[odd:]), strict=True)
    ]
    parts: list[FilePart] = [
        {"part_number": number, "etag": etag} for number, etag in enumerate(etags, 1)
    ]
    client.complete_file(prefix, "odd.bin", upload["upload_id"], parts)
    client.commit(prefix)
    proxy.fail(Fault.SPOILT_ANSWER, "GET", "odd.bin")
    client.download(prefix, tmp_path / "got", "odd.bin")
    assert (tmp_path / "got").read_bytes() == data
    assert len(proxy.heard("GET", "odd.bin")) == 3
    assert sum(day["downloads"] for day in client.stats(prefix)["series"]) == 1


def test_wrong_bytes_alone_leave_nothing(
    client: Client, proxy: FaultyProxy, prefix: str, published: Path, tmp_path: Path
) -> None:
    del published
    target = tmp_path / "target"
    proxy.fail(Fault.SPOILT_ANSWER, "GET", "one.bin", times=99)
    with pytest.raises(BadDigest, match=r"one\.bin"):
        client.download(prefix, target, "one.bin")
    assert len(proxy.heard("GET", "one.bin")) == ATTEMPTS
    assert not target.exists()


def test_a_commit_whose_answer_got_lost_is_looked_up(
    client: Client, proxy: FaultyProxy, prefix: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_bytes(b"a")
    client.create(prefix, DATASET, stage=True)
    client.upload(prefix, tmp_path / "a.csv", "x/a.csv", weights={"x/a.csv": 2})
    proxy.fail(Fault.LOST, "POST", "/commit")
    proxy.fail(Fault.BUSY, "POST", "/versions", times=1)
    commit = client.commit(prefix, "once")
    assert (commit["version"], commit["manifest"]["type"]) == (1, "dataset")
    assert [(pin["path"], pin["download_weight"]) for pin in commit["files"]] == [("x/a.csv", 2)]
    assert commit["files"][0].keys() == {
        *("path", "size", "etag", "last_modified", "content_type", "download_weight")
    }
    assert [each["message"] for each in client.versions(prefix)] == ["once"]
    assert len(proxy.heard("POST", "/commit")) == 1


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.BUSY])
def test_a_commit_that_was_not_made_is_not_repeated(
    client: Client, proxy: FaultyProxy, prefix: str, fault: Fault
) -> None:
    client.create(prefix, DATASET, stage=True)
    proxy.fail(fault, "POST", "/commit")
    with pytest.raises(Failed) as caught:
        client.commit(prefix)
    assert "Look at versions()" in caught.value.__notes__[0]
    assert len(proxy.heard("POST", "/commit")) == 1
    assert client.commit(prefix)["version"] == 1


def test_anothers_commit_is_not_taken_for_this_one(
    client: Client, proxy: FaultyProxy, prefix: str
) -> None:
    client.create(prefix, DATASET)
    client.edit(prefix, {**DATASET, "name": "theirs"})
    history = [
        {"version": 2, "parent": 1, "author": "them", "time": "", "message": "theirs"},
        {"version": 1, "parent": None, "author": "me", "time": "", "message": None},
    ]
    proxy.fail(Fault.CUT, "POST", "/commit")
    proxy.fail(Fault.REPLACED, "POST", "/versions", body=json.dumps(history[1:]).encode())
    proxy.fail(Fault.REPLACED, "POST", "/versions", body=json.dumps(history).encode())
    with pytest.raises(CommitConflict, match="theirs"):
        client.commit(prefix, "mine")
    assert len(client.versions(prefix)) == 1


def test_an_answer_that_is_no_json_is_no_gateways(
    client: Client, proxy: FaultyProxy, prefix: str
) -> None:
    proxy.fail(Fault.REPLACED, "POST", "/list", times=99, body=b"<html>")
    with pytest.raises(NotReached, match="no JSON"):
        client.list(prefix)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("..", ".."),
        ("../escaped", "../escaped"),
        ("escaped", "../escaped"),
        ("/tmp/escaped", "/tmp/escaped"),  # noqa: S108 - what must not be written
        ("..\\escaped", "..\\escaped"),
        ("", ""),
        (".", "."),
        ("a\0b", "a\0b"),
    ],
)
def test_a_listing_that_leads_out_is_refused(
    client: Client,
    proxy: FaultyProxy,
    prefix: str,
    published: Path,
    tmp_path: Path,
    name: str,
    path: str,
) -> None:
    del published
    (file,) = client.list_files(prefix, limit=1)
    inner = tmp_path / "outer" / "inner"
    for kind in ("file", "directory"):
        told = [file | {"name": name, "path": path, "type": kind}]
        proxy.fail(Fault.REPLACED, "POST", "/list_files", body=json.dumps(told).encode())
        with pytest.raises((InvalidPath, ValueError)):
            client.download(prefix, inner)
    assert proxy.heard("GET", "") == []
    assert not (tmp_path / "outer").exists()


def test_links_in_the_target_do_not_lead_out(client: Client, prefix: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a")
    client.create(prefix, DATASET, stage=True)
    client.upload(prefix, tmp_path / "a.csv", "sub/a.csv")
    client.upload(prefix, tmp_path / "a.csv", "b.csv")
    client.commit(prefix)
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.mkdir()
    target.mkdir()
    (target / "sub").symlink_to(outside)
    with pytest.raises(InvalidPath, match="link"):
        client.download(prefix, target)
    (target / "sub").unlink()
    (outside / "b.csv").write_bytes(b"not this")
    (target / "b.csv").symlink_to(outside / "b.csv")
    client.download(prefix, target)
    assert (outside / "b.csv").read_bytes() == b"not this"
    assert (target / "b.csv").read_bytes() == b"a"
