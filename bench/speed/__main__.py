"""What the gateway costs beside other proxies: the same work, in one run, alternating.

`python -m bench.speed [--only TEXT] [--rounds 5] [--seconds 1] [--connections 1,16,128]
[--artifacts 100000] [--json FILE]`

The backend directly, HAProxy, nginx and `rclone serve s3` before it, and the gateway; wrk sends
requests that were signed beforehand. `python -m bench.speed.page FILE` writes docs/performance.md.
"""

import argparse
import sys
from pathlib import Path

from bench.speed import proxies
from bench.speed.run import Options, Run
from bench.speed.stand import stand


def main() -> int:
    """Measure and print; 1 where something could not be measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="what has this text in its name")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1, help="of each turn")
    parser.add_argument("--connections", type=_numbers, default="1,16,128")
    parser.add_argument("--artifacts", type=int, default=100_000, help="of a crowd")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    run = Run(Options(given.only, given.rounds, given.seconds, given.connections))
    proxies.versions()  # says what is missing, before anything is started
    with stand(given.artifacts) as here:
        run.measure(here)
    if given.json is not None:
        run.write(given.json)
    return 1 if run.failures else 0


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
