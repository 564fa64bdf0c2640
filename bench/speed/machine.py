"""The machine that something was measured on, without its name."""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import psutil

from bench.speed import proxies
from gateway import __version__

CONGESTION = Path("/proc/sys/net/ipv4/tcp_congestion_control")
LIBRARIES = ("aiohttp", "uvloop", "SQLAlchemy")


def machine() -> Mapping[str, str]:
    """Cores, the CPU's model, memory, the system, TCP's congestion control, load before the run."""
    release = platform.release().partition("-")[0]
    return {
        "cores": str(os.cpu_count()),
        "CPU": _model(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {release} {platform.machine()}",
        "TCP": CONGESTION.read_text().strip() if CONGESTION.exists() else "",
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def versions() -> Mapping[str, str]:
    """Versions by name: the gateway's, what it stands on, what it is measured beside."""
    own = {"Artifact Gateway": __version__, "Python": platform.python_version()}
    return own | {name: version(name) for name in LIBRARIES} | proxies.versions()


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
