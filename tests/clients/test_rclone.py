"""rclone: `copy` and `sync` both ways, `check --download`, and ranged reads by `cat`."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.acceptance.harness import WORKSPACE, Gateway
from tests.acceptance.steps import read_folder, write_folder
from tests.clients.places import BIG, SMALL, Place, Target, digest, digests
from tests.clients.terminator import Terminator

PARTS = ("--s3-upload-cutoff=5M", "--s3-chunk-size=5M")


@pytest.mark.parametrize("caller", ["read", "write"])
def test_it_reads_what_its_caller_may_see(
    gateway: Gateway, places: Mapping[str, Place], tmp_path: Path, caller: str
) -> None:
    place = places["edited"]
    expected, there = place.seen_by(caller), f"gw:{WORKSPACE}/{place.prefix}"
    gateway.rclone("copy", there, tmp_path, key=caller)
    assert digests(read_folder(tmp_path)) == digests(expected)
    gateway.rclone("check", "--download", tmp_path, there, key=caller)
    gateway.rclone("check", tmp_path, there, key=caller)  # by what the listing tells of them

    ranged = gateway.rclone(
        "cat", f"--offset={len(expected['data.csv']) // 2}", "--count=100",
        f"{there}/data.csv", key=caller,
    ).stdout  # fmt: skip
    start = len(expected["data.csv"]) // 2
    assert ranged.encode() == expected["data.csv"][start : start + 100]
    tail = gateway.rclone("cat", "--tail=7", f"{there}/data.csv", key=caller).stdout
    assert tail.encode() == expected["data.csv"][-7:]


def test_a_changed_file_fails_the_check(
    gateway: Gateway, places: Mapping[str, Place], tmp_path: Path
) -> None:
    place = places["committed"]
    there = f"gw:{WORKSPACE}/{place.prefix}"
    write_folder(tmp_path, {"sub/same.csv": b"Same"})
    for options in ((), ("--download",)):
        gateway.rclone("check", *options, tmp_path / "sub", f"{there}/sub", "--one-way", code=1)


def test_it_copies_moves_and_deletes(gateway: Gateway, target: Target, tmp_path: Path) -> None:
    there = f"gw:{WORKSPACE}/{target.prefix}"
    folder = write_folder(tmp_path / "up", {"small": SMALL, "big.bin": BIG, "gone": b"gone"})
    gateway.rclone("copy", *PARTS, folder, there)
    gateway.rclone("copyto", *PARTS, "--s3-copy-cutoff=5M", f"{there}/big.bin", f"{there}/copy")
    gateway.rclone("moveto", f"{there}/small", f"{there}/a b+c%20d ünï")
    gateway.rclone("deletefile", f"{there}/gone")
    target.holds({"a b+c%20d ünï": SMALL, "big.bin": BIG, "copy": BIG})


def test_it_streams_over_tls(
    gateway: Gateway, secure: Terminator, artifact: Target, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "up", {"small": SMALL, "big.bin": BIG})
    tls = (f"--s3-endpoint={secure.url}", f"--ca-cert={secure.certificate}", *PARTS)
    there = f"gw:{WORKSPACE}/{artifact.prefix}"
    gateway.rclone("sync", "--exclude=_manifest.yaml", *tls, folder, there)
    gateway.rclone("copy", *tls, there, tmp_path / "down")
    assert digest((tmp_path / "down" / "big.bin").read_bytes()) == digest(BIG)
    artifact.holds({"small": SMALL, "big.bin": BIG})


def test_links_and_refusals(gateway: Gateway, places: Mapping[str, Place]) -> None:
    there = f"gw:{WORKSPACE}/{places['edited'].prefix}"
    url = gateway.rclone("link", f"{there}/data.csv", key="read").stdout.strip()
    assert gateway.curl(url).stdout.encode() == places["edited"].read["data.csv"]
    assert gateway.rclone("cat", f"{there}/new.csv", key="read").stdout == ""  # a folder to it
    outcome = gateway.rclone("deletefile", f"{there}/data.csv", key="read", code=1)
    assert "AccessDenied" in outcome.stderr
