"""Uploads by the Python client that were interrupted, and go on where they stopped."""

import asyncio
import hashlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from gateway.client import Client, InvalidArgument, NotStaged, Progress
from gateway.client.etags import LEAST_PART, MEBIBYTE
from tests.acceptance.harness import KEYS, ROOT, WORKSPACE, Gateway
from tests.acceptance.pythons import client_of, some_bytes
from tests.acceptance.steps import read_folder, write_folder

MEBIBYTES = int(os.environ.get("PUBLISH_MEBIBYTES", "64"))
FILES = int(os.environ.get("PUBLISH_FILES", "60"))
PART = LEAST_PART if MEBIBYTES <= 64 else 64 * MEBIBYTE
JOBS = 2
DATASET = {"type": "dataset"}
PROGRAM = """
import os, signal, sys
from gateway.client import Client
url, workspace, key, secret, prefix, source, part_bytes, jobs, until = sys.argv[1:]
def tell(progress):
    if progress.bytes_done >= int(until):
        os.kill(os.getpid(), signal.SIGKILL)
with Client(url, workspace, access_key_id=key, secret_access_key=secret) as client:
    client.upload(prefix, source, part_bytes=int(part_bytes), jobs=int(jobs), progress=tell)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the state of uploads is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "artifact-gateway" / "uploads"


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    """The writer."""
    with client_of(gateway) as made:
        yield made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of three parts."""
    path = tmp_path / "big.bin"
    path.write_bytes(some_bytes(2 * LEAST_PART + 1))
    return path


def arrived(gateway: Gateway, prefix: str) -> Counter[int]:
    """How often each part of a file below the prefix was put and answered 200."""
    found: Counter[int] = Counter()
    for line in gateway.logged().splitlines():
        if f"{prefix}/" in line and line.startswith("{"):
            entry = json.loads(line)
            number = re.search(r"partNumber=(\d+)", entry["path"])
            if number and entry["method"] == "PUT" and entry["status"] == 200:
                found[int(number[1])] += 1
    return found


def send(gateway: Gateway, prefix: str, source: Path, until: int) -> int:
    """The exit code of a process that uploads, and kills itself after so many bytes."""
    key = KEYS["write"]
    told = [gateway.url, WORKSPACE, key.access_key_id, key.secret_access_key, prefix]
    numbers = [str(each) for each in (PART, JOBS, until)]
    command = [sys.executable, "-c", PROGRAM, *told, str(source), *numbers]
    return subprocess.run(command, check=False, cwd=ROOT).returncode


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_a_killed_upload_goes_on_where_it_stopped(
    gateway: Gateway, client: Client, prefix: str, tmp_path: Path, cache: Path
) -> None:
    size = MEBIBYTES * MEBIBYTE
    source = tmp_path / "big.bin"
    with source.open("wb") as file:
        for n in range(MEBIBYTES):
            file.write(some_bytes(MEBIBYTE, n % 61))
    client.create(prefix, DATASET, stage=True)

    assert send(gateway, prefix, source, until=size // 2) == -signal.SIGKILL

    (state,) = cache.iterdir()
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    kept = len(state.read_text().splitlines()) - 1
    parts = -(-size // PART)
    assert parts // 2 - JOBS <= kept < parts
    assert send(gateway, prefix, source, until=2 * size) == 0

    assert list(cache.iterdir()) == []
    sent = arrived(gateway, prefix)
    assert sorted(sent) == list(range(1, parts + 1))
    again = sum(count - 1 for count in sent.values())
    assert again <= JOBS  # what had arrived as the process died, and was not noted yet
    client.commit(prefix)
    client.download(prefix, tmp_path / "got.bin", "big.bin")
    assert sha256_of(tmp_path / "got.bin") == sha256_of(source)
    told = f"{MEBIBYTES} MiB in {parts} parts: {kept} kept at the kill, {again} sent again"
    print(told)  # noqa: T201 - `make large-publish` shows it


def puts(gateway: Gateway, prefix: str) -> Counter[str]:
    """How often each file below the prefix was put, whoever was still there for the answer."""
    lines = gateway.logged().splitlines()
    entries = [json.loads(line) for line in lines if f"{prefix}/" in line and line[:1] == "{"]
    return Counter(
        unquote(entry["path"]).partition("?")[0].partition(f"{prefix}/")[2]
        for entry in entries
        if entry["method"] == "PUT"
    )


@pytest.mark.timeout(600)
def test_a_folder_goes_on_where_it_was_killed(
    gateway: Gateway, client: Client, prefix: str, tmp_path: Path
) -> None:
    files = {f"{n % 7}/{n % 3}/{n} ü.bin": some_bytes(500 + n, n % 61) for n in range(FILES)}
    write_folder(tmp_path / "source", files)
    client.create(prefix, DATASET, stage=True)
    half = sum(map(len, files.values())) // 2

    assert send(gateway, prefix, tmp_path / "source", until=half) == -signal.SIGKILL

    before = puts(gateway, prefix)
    assert 0 < len(before) < FILES
    assert send(gateway, prefix, tmp_path / "source", until=4 * half) == 0
    sent = puts(gateway, prefix)
    assert sorted(sent) == sorted(files)
    again = sum(count - 1 for count in sent.values())
    assert again <= JOBS  # what was under way as the process died
    client.commit(prefix)
    client.download(prefix, tmp_path / "got")
    assert read_folder(tmp_path / "got") == files
    told = f"{FILES} files: {len(before)} there at the kill, {again} sent again"
    print(told)  # noqa: T201 - `make large-publish` shows it


def interrupt(client: Client, prefix: str, source: Path, after: int) -> None:
    """Upload until so many bytes have gone."""

    def stop(progress: Progress) -> None:
        if progress.bytes_done >= after:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        client.upload(prefix, source, part_bytes=LEAST_PART, jobs=1, progress=stop)


@pytest.mark.parametrize("ended", ["discard", "remove_file"])
def test_an_upload_whose_edit_is_over_is_begun_anew(
    gateway: Gateway, client: Client, prefix: str, source: Path, cache: Path, ended: str
) -> None:
    client.create(prefix, DATASET)
    client.edit(prefix)
    interrupt(client, prefix, source, LEAST_PART + 1)
    assert arrived(gateway, prefix) == {1: 1}
    if ended == "discard":
        client.discard(prefix)
        with pytest.raises(NotStaged):
            client.upload(prefix, source, part_bytes=LEAST_PART)
        client.edit(prefix)
    else:
        client.remove_file(prefix, "big.bin")

    client.upload(prefix, source, part_bytes=LEAST_PART)

    assert arrived(gateway, prefix) == {1: 2, 2: 1, 3: 1}
    assert client.commit(prefix)["files"][0]["size"] == source.stat().st_size
    assert list(cache.iterdir()) == []


def test_urls_that_hold_no_more_are_asked_for_anew(
    gateway: Gateway, client: Client, prefix: str, source: Path, cache: Path
) -> None:
    client.create(prefix, DATASET, stage=True)
    interrupt(client, prefix, source, LEAST_PART + 1)
    (state,) = cache.iterdir()
    signature = r"(X-Amz-Signature=)[0-9a-f]{8}"
    state.write_text(re.sub(signature, r"\g<1>00000000", state.read_text()))
    client.upload(prefix, source, part_bytes=LEAST_PART)
    assert arrived(gateway, prefix) == {1: 2, 2: 1, 3: 1}
    assert client.commit(prefix)["files"][0]["size"] == source.stat().st_size


def test_a_source_that_changed_is_sent_from_the_start(
    gateway: Gateway, client: Client, prefix: str, source: Path, tmp_path: Path
) -> None:
    client.create(prefix, DATASET, stage=True)
    interrupt(client, prefix, source, LEAST_PART + 1)
    source.write_bytes(some_bytes(2 * LEAST_PART + 1, seed=2))
    client.upload(prefix, source, part_bytes=LEAST_PART)
    assert arrived(gateway, prefix) == {1: 2, 2: 1, 3: 1}
    client.download(prefix, tmp_path / "got", "big.bin", stage=True)
    assert (tmp_path / "got").read_bytes() == source.read_bytes()


def test_a_source_that_changes_meanwhile_is_not_completed(
    client: Client, prefix: str, source: Path, cache: Path
) -> None:
    def change(progress: Progress) -> None:
        if progress.bytes_done == progress.bytes_total and not progress.files_done:
            os.utime(source, (1, 1))

    client.create(prefix, DATASET, stage=True)
    with pytest.raises(InvalidArgument, match="changed while"):
        client.upload(prefix, source, part_bytes=LEAST_PART, progress=change)
    assert client.list_files(prefix, stage=True) == []
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("left", ["", "{", "[]\n", '{"upload_id": "no", "parts": 1}\n{\n'])
def test_state_of_which_nothing_can_be_made_is_left_aside(
    gateway: Gateway, client: Client, prefix: str, source: Path, cache: Path, left: str
) -> None:
    client.create(prefix, DATASET, stage=True)
    interrupt(client, prefix, source, LEAST_PART + 1)
    (state,) = cache.iterdir()
    state.write_text(left)
    client.upload(prefix, source, part_bytes=LEAST_PART)
    assert arrived(gateway, prefix) == {1: 2, 2: 1, 3: 1}


def test_a_line_that_was_being_written_is_not_believed(
    gateway: Gateway, client: Client, prefix: str, source: Path, cache: Path
) -> None:
    client.create(prefix, DATASET, stage=True)
    interrupt(client, prefix, source, 2 * LEAST_PART + 1)
    (state,) = cache.iterdir()
    state.write_text(state.read_text()[:-1])
    client.upload(prefix, source, part_bytes=LEAST_PART)
    times = arrived(gateway, prefix)
    # The last part is a byte: whether it was there before the interruption is anybody's guess.
    assert times.pop(3) in (1, 2)
    assert times == {1: 1, 2: 2}


def test_state_that_is_too_old_to_be_of_use_goes(
    client: Client, prefix: str, source: Path, cache: Path
) -> None:
    client.create(prefix, DATASET, stage=True)
    interrupt(client, prefix, source, LEAST_PART + 1)
    (state,) = cache.iterdir()
    week = 7 * 24 * 3600
    for age, expected in ((week - 60, [state]), (week + 60, [])):
        os.utime(state, (time.time() - age,) * 2)
        other = source.with_name("other.bin")
        other.write_bytes(some_bytes(LEAST_PART + 1, seed=age))
        client.upload(prefix, other, part_bytes=LEAST_PART)
        other.unlink()
        assert list(cache.iterdir()) == expected


def test_two_that_send_the_same_do_not_disturb_each_other(
    client: Client, prefix: str, source: Path, cache: Path, tmp_path: Path
) -> None:
    client.create(prefix, DATASET, stage=True)

    async def both() -> None:
        work = asyncio.to_thread(client.upload, prefix, source, part_bytes=LEAST_PART)
        again = asyncio.to_thread(client.upload, prefix, source, part_bytes=LEAST_PART)
        await asyncio.gather(work, again)

    asyncio.run(both())
    client.download(prefix, tmp_path / "got", "big.bin", stage=True)
    assert (tmp_path / "got").read_bytes() == source.read_bytes()
    assert list(cache.iterdir()) == []
