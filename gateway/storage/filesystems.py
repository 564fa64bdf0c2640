"""What the file system of a folder is known to do."""

import os
from pathlib import Path

_KEEPING = frozenset(("ext2", "ext3", "ext4", "tmpfs"))
"""With these what was allocated for a file is there, whatever becomes of the disk's room."""

_MOUNTS = Path("/proc/self/mountinfo")


def keeps_blocks(folder: Path, mounts: Path = _MOUNTS) -> bool:
    """Whether what was allocated for a file can be written to, again and again, on a full disk.

    Others copy on write, as XFS does what `cp` has made a copy of, and kill a process that writes
    by memory what they have no room for.
    """
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
