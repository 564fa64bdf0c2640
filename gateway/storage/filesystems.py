"""What the file system of a folder is known to do."""

import mmap
import os
from pathlib import Path

_KEEPING = frozenset(("ext2", "ext3", "ext4", "tmpfs", "xfs"))
"""With these a page that was written has its block, whatever becomes of the disk's room."""

_MOUNTS = Path("/proc/self/mountinfo")


def keeps_blocks(folder: Path, mounts: Path = _MOUNTS) -> bool:
    """Whether a page of a file that was written once can be written again on a full disk.

    Others copy on write, or give a page its room by pieces, and kill a process that writes by
    memory what they have no room for.
    """
    if os.statvfs(folder).f_frsize < mmap.PAGESIZE:
        return False
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return False  # another system than Linux
    # See proc(5): the third field is the device, the first behind " - " the kind.
    pairs = (line.partition(" - ") for line in lines)
    kinds = {kind.split()[0] for mount, _, kind in pairs if mount.split()[2:3] == [number]}
    return bool(kinds) and kinds <= _KEEPING
