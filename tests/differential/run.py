"""Play every scene on both sides, compare, and say what came of it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from multidict import CIMultiDict

from gateway.errors import GatewayError
from gateway.s3.address import Query, parse_path
from gateway.s3.operation import identify
from tests.acceptance.keys import Key
from tests.differential.allowance import ALLOWANCES, Allowance
from tests.differential.client import Client, Exchange
from tests.differential.comparison import Level, differences
from tests.differential.scene import Case, Kind, Scene
from tests.differential.servers import READS, Servers, place, serving

Notes = list[list[Exchange]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one case: lines about what differs, none where all is equal or allowed."""

    name: str
    exchanges: int
    differs: tuple[str, ...]
    allowed: frozenset[str]


@dataclass(slots=True)
class Report:
    """What came of a run against one backend."""

    backend: str
    outcomes: list[Outcome] = field(default_factory=list)
    applied: Counter[str] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)

    @property
    def differing(self) -> list[str]:
        """A paragraph for each case that differs."""
        return [
            "\n    ".join((f"{each.name}:", *each.differs))
            for each in self.outcomes
            if each.differs
        ]

    @property
    def failures(self) -> list[str]:
        """A paragraph for each case that differs, and for each exception that never applied."""
        stale = [
            f"the exception {each.name} never applied"
            for each in ALLOWANCES
            if self.backend in each.backends and not self.applied[each.name]
        ]
        return self.differing + stale

    def summary(self) -> str:
        """One line: cases, how many are equal, how often each exception applied."""
        equal = sum(not each.differs for each in self.outcomes)
        exchanges = sum(each.exchanges for each in self.outcomes)
        counts = ", ".join(f"{name} {count}" for name, count in sorted(self.applied.items()))
        return (
            f"{self.backend}: {len(self.outcomes)} cases ({exchanges} requests), "
            f"{equal} equal; exceptions: {counts or 'none'}"
        )


def run(backend: str, scenes: Sequence[Scene], folder: Path) -> Report:
    """What came of every scene that is played against this backend."""
    chosen = [scene for scene in scenes if backend in scene.backends]
    report = Report(backend)
    with serving(backend, chosen, folder) as servers, ThreadPoolExecutor(2) as threads:
        clients = servers.clients
        for scene in chosen:
            for kind in scene.kinds_on(backend):
                _play(servers, clients, scene, kind, report, threads)
        for client in clients:
            client.close()
    return report


def _play(
    servers: Servers,
    clients: tuple[Client, Client],
    scene: Scene,
    kind: Kind,
    report: Report,
    threads: ThreadPoolExecutor,
) -> None:
    at = place(scene, kind)
    for client in clients:
        client.go(at.workspace, at.keys_below, servers.account)
    sides = [
        threads.submit(_notes, scene, clients[0], servers.account),
        threads.submit(_notes, scene, clients[1], READS if kind.reads else servers.account),
    ]
    left, right = (side.result() for side in sides)
    levels = Level(clients[0].host), Level(clients[1].host)
    for case, asked, through in zip(scene.played(), left, right, strict=True):
        name = f"{kind.name}/{scene.name}/{case.name}"
        report.outcomes.append(_compared(name, case, kind, (asked, through), levels, report))
        report.operations.update(filter(None, map(_operation, asked)))


def _notes(scene: Scene, client: Client, key: Key) -> Notes:
    """What was exchanged in each case; `key` asks once the scene is set up."""
    notes: Notes = []
    for case in scene.played():
        before = len(client.exchanges)
        case.act(client)
        notes.append(client.exchanges[before:])
        client.key = key
    return notes


def _compared(
    name: str,
    case: Case,
    kind: Kind,
    sides: tuple[list[Exchange], list[Exchange]],
    levels: tuple[Level, Level],
    report: Report,
) -> Outcome:
    told = case.named(report.backend, kind)
    named = [name.removesuffix("?") for name in told]
    for level in levels:
        level.begin()
    lines: list[str] = []
    allowed: set[str] = set()
    for left, right in zip_longest(*sides):
        if left is None or right is None:
            lines.append(f"only one side was asked {(left or right).target}")
            continue
        pair = levels[0].level(left.answer), levels[1].level(right.answer)
        for each in _allowing(named, report.backend, kind, left.method):
            taken = each.applied(*pair)
            if taken is not None:
                pair = taken
                allowed.add(each.name)
                report.applied[each.name] += 1
        found = list(differences(*pair))
        if found:
            lines += [f"{left.method} {left.target}", *found]
    lines += [
        f"the exception {name} did not apply" for name in {*told} - {*allowed} if "?" not in name
    ]
    if not sides[0]:
        lines.append("nothing was asked")
    return Outcome(name, len(sides[0]), tuple(lines), frozenset(allowed))


def _allowing(named: Sequence[str], backend: str, kind: Kind, method: str) -> Iterator[Allowance]:
    held = [each for each in ALLOWANCES if each.holds(backend, kind, method)]
    # Those that are named first: they may look at what the others take away.
    yield from (each for each in held if each.named and each.name in named)
    yield from (each for each in held if not each.named)


def _operation(exchange: Exchange) -> str | None:
    path, _, query = exchange.target.partition("?")
    try:
        return identify(
            exchange.method, parse_path(path), Query.parse(query), CIMultiDict(exchange.headers)
        ).name
    except GatewayError:
        return None
