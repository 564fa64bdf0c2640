"""What it takes to start: until ready, at rest, to import, to download."""

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import milliseconds
from bench.speed.stand import ENVIRONMENT, Stand
from bench.speed.usage import Tree
from tests.acceptance.harness import ROOT, Gateway

# What a wheel is made of.
SOURCES = ("gateway", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
REST_SECONDS = 1.0
KIBIBYTE = 1024


def starting(stand: Stand, rounds: int) -> Mapping[str, tuple[list[float], str]]:
    """Samples and their unit, by name; each start is of a gateway with an existing backend."""
    ready: list[float] = []
    resident: list[float] = []
    with TemporaryDirectory(prefix="bench-") as folder:
        settings = {"system": {"bucket": "artifact-gateway-system", "prefix": "starting"}}
        gateway = Gateway(stand.backend, Path(folder), settings)
        for turn in range(rounds + 1):
            taken = milliseconds(lambda: gateway.start(ENVIRONMENT))
            time.sleep(REST_SECONDS)
            rest = Tree(gateway.pid).resident()
            gateway.stop()
            if turn:  # the first writes its database
                ready.append(taken)
                resident.append(rest)
    return {
        "ready, with an existing backend": (ready, "ms"),
        "resident at rest": (resident, "MiB"),
        "import": (_imports(rounds), "ms"),
        "wheel": ([_wheel()], "KiB"),
    }


def _imports(rounds: int) -> list[float]:
    """Milliseconds to import the gateway, without those that Python takes to start."""
    return [_python("import gateway.__main__") - _python("pass") for _ in range(rounds)]


def _python(code: str) -> float:
    command = [sys.executable, "-c", code]
    return milliseconds(lambda: subprocess.run(command, cwd=ROOT, check=True))  # noqa: S603


def _wheel() -> float:
    """The wheel's size in KiB, made from a copy of the sources: building leaves files behind."""
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        for source in SOURCES:
            origin = ROOT / source
            if origin.is_dir():
                shutil.copytree(
                    origin, folder / source, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy(origin, folder)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "."]
        subprocess.run(command, cwd=folder, check=True)  # noqa: S603
        return next(folder.glob("*.whl")).stat().st_size / KIBIBYTE
