"""What a server's processes use: CPU, by the kernel's own clocks, and memory, from /proc."""

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

RESET_PEAK = "5"
MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Tree:
    """A process and all that it has started."""

    pid: int

    def cpu_seconds(self) -> float:
        """User and system time of all of them, those that have ended included.

        To the nanosecond: /proc knows hundredths of a second, which is much for a few requests.
        """
        total = 0.0
        for process in self._processes():
            with suppress(OSError, psutil.NoSuchProcess):
                total += time.clock_gettime(_cpu_clock(process.pid))
                times = process.cpu_times()
                total += times.children_user + times.children_system
        return total

    def forget_peak(self) -> None:
        """Let `peak` speak of what comes after this."""
        for process in self._processes():
            with suppress(OSError):
                Path(f"/proc/{process.pid}/clear_refs").write_text(RESET_PEAK)

    def peak(self) -> float:
        """The most memory that they had resident, in MiB: the sum of each one's peak."""
        return sum(_resident(process.pid, "VmHWM:") for process in self._processes())

    def resident(self) -> float:
        """The memory that they have resident, in MiB."""
        return sum(_resident(process.pid, "VmRSS:") for process in self._processes())

    def _processes(self) -> list[psutil.Process]:
        root = psutil.Process(self.pid)
        return [root, *root.children(recursive=True)]


def _cpu_clock(pid: int) -> int:
    """The number of a process's CPU clock, as clock_getcpuclockid(3) makes it on Linux."""
    return ~pid << 3 | 2


def _resident(pid: int, name: str) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024 / MEBIBYTE
    return 0.0
