"""Where what was allocated for a file can be written to again."""

import os
from pathlib import Path

import pytest

from gateway.storage.filesystems import keeps_blocks

LINE = "36 35 {number} /mnt1 /mnt2 rw,noatime master:1 - {kind} /dev/root rw,errors=continue\n"


@pytest.mark.parametrize(
    ("kind", "keeps"),
    [("ext4", True), ("xfs", False), ("btrfs", False), ("overlay", False), ("nfs4", False)],
)
def test_file_systems_are_known_by_their_kind(tmp_path: Path, kind: str, *, keeps: bool) -> None:
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        LINE.format(number="0:999", kind="btrfs")
        + LINE.format(number=f"{os.major(device)}:{os.minor(device)}", kind=kind)
    )
    assert keeps_blocks(tmp_path, mounts) is keeps


def test_what_is_not_known_keeps_nothing(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    assert not keeps_blocks(tmp_path, mounts)
    mounts.write_text(LINE.format(number="0:999", kind="ext4"))
    assert not keeps_blocks(tmp_path, mounts)
