"""s5cmd: `cp`, `sync`, and `rm` with wildcards."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.acceptance.harness import WORKSPACE, Gateway
from tests.acceptance.steps import keys_below, manifest, read_folder, write_folder
from tests.clients.places import BIG, SMALL, Place, Target, digest, digests
from tests.clients.terminator import Terminator


@pytest.mark.parametrize("caller", ["read", "write"])
def test_it_reads_what_its_caller_may_see(
    gateway: Gateway, places: Mapping[str, Place], tmp_path: Path, caller: str
) -> None:
    place = places["edited"]
    expected, there = place.seen_by(caller), f"s3://{WORKSPACE}/{place.prefix}"
    gateway.s5cmd("sync", f"{there}/*", f"{tmp_path}/", key=caller)
    assert digests(read_folder(tmp_path)) == digests(expected)
    # Ranges of 5 MB at once.
    gateway.s5cmd("cp", "-c", "3", "-p", "5", f"{there}/big.bin", tmp_path / "big", key=caller)
    assert digest((tmp_path / "big").read_bytes()) == digest(expected["big.bin"])
    listed = gateway.s5cmd("--json", "ls", f"{there}/*.csv", key=caller).stdout.splitlines()
    names = {json.loads(line)["key"].removeprefix(f"{there}/") for line in listed}
    assert names == {path for path in expected if path.endswith(".csv")}


def test_it_copies_syncs_and_removes_by_wildcard(
    gateway: Gateway, target: Target, tmp_path: Path
) -> None:
    there = f"s3://{WORKSPACE}/{target.prefix}"
    files = {
        "big.bin": BIG,
        "a b+c%20d ünï": SMALL,
        "a-ünï": SMALL,
        "logs/1.log": b"1",
        "logs/2.log": b"2",
    }
    folder = write_folder(tmp_path / "up", {**files, "logs/keep.txt": b"keep"})
    gateway.s5cmd("sync", "-p", "5", f"{folder}/", f"{there}/")
    gateway.s5cmd("rm", f"{there}/logs/*.log")
    gateway.s5cmd("cp", f"{there}/a-ünï", f"{there}/copy")
    gateway.s5cmd("mv", f"{there}/copy", f"{there}/moved")
    assert set(keys_below(gateway.s3(), target.prefix)) - {"_manifest.yaml"} == {
        "big.bin", "a b+c%20d ünï", "a-ünï", "logs/keep.txt", "moved",
    }  # fmt: skip
    staged = {"_manifest.yaml": manifest()} if target.staged else {}
    write_folder(folder, {"big.bin": BIG, "new": SMALL, **staged})
    gateway.s5cmd("sync", "--delete", "--size-only", f"{folder}/", f"{there}/")
    target.holds({"big.bin": BIG, "new": SMALL})


def test_it_uploads_over_tls(
    gateway: Gateway, secure: Terminator, artifact: Target, tmp_path: Path
) -> None:
    (tmp_path / "big").write_bytes(BIG)
    tls = ("--endpoint-url", secure.url, "--no-verify-ssl")
    gateway.s5cmd(
        *tls, "cp", "-p", "5", tmp_path / "big", f"s3://{WORKSPACE}/{artifact.key('big')}"
    )
    artifact.holds({"big": BIG})


def test_refusals_are_told(gateway: Gateway, places: Mapping[str, Place]) -> None:
    there = f"s3://{WORKSPACE}/{places['edited'].prefix}"
    assert "not found" in gateway.s5cmd("cat", f"{there}/new.csv", key="read", code=1).stderr
    assert "AccessDenied" in gateway.s5cmd("rm", f"{there}/data.csv", key="read", code=1).stderr
    url = gateway.s5cmd("presign", f"{there}/data.csv", key="read").stdout.strip()
    assert gateway.curl(url).stdout.encode() == places["edited"].read["data.csv"]
