"""A run: all contests, calls and starts, on the terminal and as JSON."""

import json
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.figures import Report
from bench.speed.calls import calls
from bench.speed.contests import Contest, contests, usual
from bench.speed.machine import machine, versions
from bench.speed.measuring import Standing, measure
from bench.speed.profiles import Profile, profiles
from bench.speed.promises import add_calls, add_contests, add_starting, hashing_alone
from bench.speed.stand import LARGE, Stand
from bench.speed.starting import starting

COLUMNS = (
    ("rate", "requests/s", 0),
    ("throughput", "MB/s", 1),
    ("p50", "p50 ms", 2),
    ("p99", "p99 ms", 2),
    ("cpu", "CPU µs/request", 0),
    ("memory", "peak MiB", 0),
)
PROFILES, CALLS, STARTING = "profiles", "calls", "starting"
CALLS_A_ROUND = 10
WIDTH = 120


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure (names that have this text), how often, for how long, how many at once."""

    only: str
    rounds: int
    seconds: int
    connections: Sequence[int]


@dataclass(slots=True)
class Run:
    """What was found: each contest with its standings, the promised figures, what failed."""

    options: Options
    contests: list[tuple[Contest, dict[str, Standing]]] = field(default_factory=list)
    promised: Report = field(default_factory=lambda: Report("What is promised"))
    profiles: dict[str, Profile] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    machine: Mapping[str, str] = field(default_factory=machine)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    console: Console = field(default_factory=lambda: Console(width=WIDTH))

    def measure(self, stand: Stand) -> None:
        """Measure all that is wanted; what fails is noted, and the rest goes on."""
        rounds = self.options.rounds
        hashing: list[float] = []
        for contest in contests(stand, self.options.connections):
            if self._wanted(contest.title):
                self._try(contest.title, partial(self._contest, contest))
                if contest.up and contest.size == LARGE:
                    hashing = hashing_alone(rounds)
        add_contests(self.promised, self.contests, hashing)
        self._try(PROFILES, lambda: self.profiles.update(profiles(self._looked_at())))
        self._try(CALLS, lambda: add_calls(self.promised, calls(stand, rounds * CALLS_A_ROUND)))
        self._try(STARTING, lambda: add_starting(self.promised, starting(stand, rounds)))
        self.promised.show()

    def _looked_at(self) -> Iterable[Contest]:
        """One contest of each name: with the usual number of connections, if it has that."""
        number = usual(self.options.connections)
        found: dict[str, Contest] = {}
        for contest, _ in self.contests:
            if contest.connections == number:
                found[contest.name] = contest
            found.setdefault(contest.name, contest)
        return found.values()

    def _wanted(self, name: str) -> bool:
        return self.options.only.lower() in name.lower()

    def _try(self, name: str, work: Callable[[], None]) -> None:
        if not self._wanted(name):
            return
        try:
            work()
        except (RuntimeError, AssertionError, OSError) as error:
            self.failures.append(f"{name}: {error}")
            self.console.print(f"{name} was not measured: {error}", markup=False)

    def _contest(self, contest: Contest) -> None:
        standings = measure(contest, self.options.rounds, self.options.seconds)
        self.contests.append((contest, dict(standings)))
        table = Table("", *(title for _, title, _ in COLUMNS), title=contest.title)
        for name, standing in standings.items():
            values = ((standing.median(figure), places) for figure, _, places in COLUMNS)
            table.add_row(name, *(_spelled(value, places) for value, places in values))
        self.console.print(table)

    def document(self) -> dict[str, object]:
        """The run as JSON has it: the samples of each round beside their medians."""
        return {
            "made": self.began.isoformat(timespec="seconds"),
            "command": shlex.join(["python", "-m", "bench.speed", *map(_named, sys.argv[1:])]),
            "rounds": self.options.rounds,
            "seconds": self.options.seconds,
            "minutes": (datetime.now(UTC) - self.began).total_seconds() / 60,
            "machine": dict(self.machine),
            "versions": dict(versions()),
            "contests": [
                {
                    "title": contest.title,
                    "size": contest.size,
                    "standings": [
                        {
                            "name": name,
                            "medians": {
                                figure: standing.median(figure) for figure, _, _ in COLUMNS
                            },
                            "samples": [asdict(sample) for sample in standing.samples],
                        }
                        for name, standing in standings.items()
                    ],
                }
                for contest, standings in self.contests
            ],
            "promised": [
                {
                    "name": figure.name,
                    "median": figure.median,
                    "unit": figure.unit,
                    "most": figure.most,
                    "kept": figure.kept,
                    "samples": list(figure.samples),
                }
                for figure in self.promised.figures
            ],
            "profiles": {title: list(profile) for title, profile in self.profiles.items()},
            "failures": self.failures,
        }

    def write(self, path: Path) -> None:
        """Write the JSON there."""
        path.write_text(json.dumps(self.document(), indent=1) + "\n")


def _spelled(value: float | None, places: int) -> str:
    return "-" if value is None else f"{value:,.{places}f}"


def _named(argument: str) -> str:
    """An argument as the page tells it: where somebody keeps a file is nobody else's business."""
    return Path(argument).name if argument.endswith(".json") else argument
