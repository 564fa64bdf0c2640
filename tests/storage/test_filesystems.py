"""Where a page that was written once can be written again."""

import mmap
import os
from pathlib import Path

import pytest

from gateway.storage.filesystems import keeps_blocks

LINE = "36 35 {number} /mnt1 /mnt2 rw,noatime master:1 - {kind} /dev/root rw,errors=continue\n"


@pytest.mark.parametrize(
    ("kind", "keeps"),
    [("ext4", True), ("xfs", True), ("btrfs", False), ("overlay", False), ("nfs4", False)],
)
def test_file_systems_are_known_by_their_kind(tmp_path: Path, kind: str, *, keeps: bool) -> None:
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        LINE.format(number="0:999", kind="btrfs")
        + LINE.format(number=f"{os.major(device)}:{os.minor(device)}", kind=kind)
    )
    assert keeps_blocks(tmp_path, mounts) is keeps


def test_blocks_smaller_than_a_page_are_not_kept_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(LINE.format(number=f"{os.major(device)}:{os.minor(device)}", kind="ext4"))
    for size, keeps in ((mmap.PAGESIZE, True), (mmap.PAGESIZE // 4, False)):
        sized = os.statvfs_result((size, size, *os.statvfs(tmp_path)[2:]))
        monkeypatch.setattr(os, "statvfs", lambda _, sized=sized: sized)
        assert keeps_blocks(tmp_path, mounts) is keeps


def test_what_is_not_known_keeps_nothing(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    assert not keeps_blocks(tmp_path, mounts)
    mounts.write_text(LINE.format(number="0:999", kind="ext4"))
    assert not keeps_blocks(tmp_path, mounts)
