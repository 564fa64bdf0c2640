"""Publishing goes on where it was killed, and what arrives is what was sent.

The suite publishes 150 files and one of 64 MiB; `make large-commands` a thousand, and one of 3 GiB.
"""

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.harness import Document, Gateway
from tests.acceptance.people import COMMAND, Person

FILES = int(os.environ.get("PUBLISHED_FILES", "80"))
MEBIBYTES = int(os.environ.get("PUBLISHED_MEBIBYTES", "64"))
PART = 8 if MEBIBYTES <= 256 else 64
MEBIBYTE = 1 << 20
JOBS = 8


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Commands hear SIGINT, as from a terminal: what a shell runs in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def person(gateway: Gateway, tmp_path: Path) -> Person:
    """Somebody who may write."""
    return Person(gateway, tmp_path / "home")


def broken_off(
    person: Person, number: int, enough: Callable[[str], bool], *words: str | Path
) -> tuple[int, str]:
    """Exit code and errors of a command that got a signal as soon as it had done enough."""
    log = person.home / "errors"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*COMMAND, *map(str, words)],
            env=person.environment(),
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        deadline = time.monotonic() + 3000
        while not enough(log.read_text()) and time.monotonic() < deadline:
            assert process.poll() is None, log.read_text()
            time.sleep(0.002)
        process.send_signal(number)
        return process.wait(60), log.read_text()


class Log:
    """The gateway's access log, from here on."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._start = len(gateway.logged())

    def stored(self, prefix: str) -> list[Document]:
        """The PUTs below a prefix that were taken."""
        said = self._gateway.logged()[self._start :]
        entries = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        return [
            each
            for each in entries
            if each["method"] == "PUT" and each["status"] == 200 and prefix in each["path"]
        ]


def hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[path.relative_to(folder).as_posix()] = digest
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of many files, of which no two are the same."""
    found = tmp_path / "many"
    for number in range(FILES):
        file = found / f"{number % 7}" / f"file {number:04}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(number))
    return found


def test_a_folder_goes_on_where_it_was_killed(
    person: Person, gateway: Gateway, prefix: str, folder: Path
) -> None:
    person.types("create", prefix, "--type", "dataset")
    put, half, log = ("put", prefix, folder), FILES // 2, Log(gateway)
    code, told = broken_off(person, signal.SIGKILL, lambda said: f" {half}/" in said, *put)
    assert code == -signal.SIGKILL
    assert half <= len(told.splitlines()) < FILES
    again = person.types(*put)
    assert f"{FILES} files are staged" in again.out
    # What was on its way when the process died is sent again, or is there unanswered; no more.
    assert FILES - JOBS <= len(log.stored(prefix)) <= FILES + JOBS
    person.types("commit", prefix)
    person.types("get", prefix, "--to", "got")
    assert hashes(person.home / "got") == hashes(folder)


def test_a_large_file_goes_on_where_it_was_interrupted(
    person: Person, gateway: Gateway, prefix: str, tmp_path: Path
) -> None:
    source = tmp_path / "large.bin"
    with source.open("wb") as file:
        for _ in range(MEBIBYTES):
            file.write(os.urandom(MEBIBYTE))
    person.types("create", prefix, "--type", "model")
    put = ("put", prefix, source, "--part-size", str(PART), "--jobs", "2")
    parts = -(-MEBIBYTES // PART)

    def arrived(_: str = "") -> int:
        """How many parts this machine knows to have arrived."""
        folder = person.home / ".cache" / "artifact-gateway" / "uploads"
        return sum(len(file.read_text().splitlines()) - 1 for file in folder.glob("*.json"))

    log = Log(gateway)
    for number, share, expected in ((signal.SIGINT, 4, 130), (signal.SIGKILL, 2, -9)):
        reached = parts // share
        code, told = broken_off(person, number, lambda _, r=reached: arrived() >= r, *put)  # type: ignore[misc]
        assert code == expected, told
        assert number != signal.SIGINT or "put and get go on where they stopped" in told
        assert arrived() >= reached
    person.types(*put)
    # Each time at most what the two jobs were at was sent again, or is there unanswered.
    assert parts - 4 <= len(log.stored(prefix)) <= parts + 4
    assert arrived() == 0
    person.types("commit", prefix)
    target = person.home / "got"
    code, _ = broken_off(
        person,
        signal.SIGKILL,
        lambda _: any(each.stat().st_size > MEBIBYTE for each in target.glob(".*.part")),
        *("get", prefix, "--to", target),
    )
    assert code == -signal.SIGKILL
    person.types("get", prefix, "--to", target)
    with source.open("rb") as sent:
        assert hashes(target) == {"large.bin": hashlib.file_digest(sent, "sha256").hexdigest()}
    for path in (source, target / source.name):
        path.unlink()  # pytest keeps folders: gigabytes, in the long form
