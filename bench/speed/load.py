"""Load: wrk sends requests that were signed beforehand, and says what came of them."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

SCRIPT = Path(__file__).with_name("requests.lua")
# Of one request; of a run that ends after so many requests.
TIMEOUT_SECONDS = 60
LONGEST_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk saw: answers, bytes of answers, and how long they took.

    `p50` and `p99` are microseconds, 0 where no answer came whole. `received` has the bytes of
    answers that the end cut short, too.
    """

    requests: int
    received: int
    seconds: float
    p50: float
    p99: float

    def answers(self, size: int) -> float:
        """How many answers of so many bytes came, those that were cut short by their share."""
        return max(self.requests, self.received / size)


def load_of(
    url: str, requests: Sequence[bytes], connections: int, seconds: int, count: int | None = None
) -> Load:
    """What came of these requests, sent in turn for some seconds, or `count` of them in all.

    RuntimeError where one was refused: what is refused is no work to compare.
    """
    with NamedTemporaryFile(prefix="bench-", suffix=".requests") as file:
        for request in requests:
            file.write(b"%d\n%b" % (len(request), request))
        file.flush()
        command = [program("wrk", "wrk"), "-t1", f"-c{connections}"]
        command += [f"-d{LONGEST_SECONDS if count else seconds}s", f"--timeout={TIMEOUT_SECONDS}s"]
        command += ["-s", str(SCRIPT), url, "--", file.name]
        if count is not None:
            command.append(str(count))
        run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return read_load(run.stdout + run.stderr)


def read_load(said: str) -> Load:
    """The load that wrk's last line tells of."""
    line = said.strip().rpartition("\n")[2]
    if not line.startswith("{"):
        raise RuntimeError(f"wrk said nothing of what it did: {said!r}")
    told = json.loads(line)
    if told["refused"] or told["failed"] or not told["bytes"]:
        raise RuntimeError(f"wrk's requests were not all answered: {line}")
    return Load(
        told["requests"],
        told["bytes"],
        told["microseconds"] / 1e6,
        told["p50"],
        told["p99"],
    )


def program(name: str, package: str) -> str:
    """The path of a program; SystemExit says which of Debian's packages has it."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        raise SystemExit(f"{name} is not on PATH: it comes with Debian's package {package}")
    return found
