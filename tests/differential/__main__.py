"""The comparison as a command: `python -m tests.differential [--backend NAME] [WORD ...]`.

Words choose the scenes whose names hold one of them.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.differential.cases import SCENES
from tests.differential.run import run


def main() -> int:
    """The number of failures; each is written out, and a summary after them."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential")
    parser.add_argument("--backend", choices=("seaweedfs", "moto"), default="seaweedfs")
    parser.add_argument("words", nargs="*")
    chosen = parser.parse_args()
    scenes = [s for s in SCENES if any(w in s.name for w in chosen.words or [""])]
    with tempfile.TemporaryDirectory() as folder:
        report = run(chosen.backend, scenes, Path(folder))
    # Some exceptions have no occasion to apply where not every scene is played.
    failures = report.differing if chosen.words else report.failures
    sys.stdout.write("".join(f"{each}\n" for each in (*failures, report.summary())))
    return len(failures)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
