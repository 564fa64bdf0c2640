"""Measuring a contest: its contestants take turns, and each round leaves them a sample."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import partial

from bench.speed.contests import Contest, Contestant
from bench.speed.heads import heads_of
from bench.speed.load import Load, load_of
from bench.speed.stand import MIDDLE

MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Sample:
    """Requests and megabytes a second, latencies in ms, CPU in µs, memory in MiB.

    It is of a turn, or of a round's turns. CPU (of a request) and memory (the most) are the proxy's
    own; None for the backend. So are latencies where no answer came whole.
    """

    rate: float
    throughput: float
    p50: float | None
    p99: float | None
    cpu: float | None
    memory: float | None


@dataclass(slots=True)
class Standing:
    """A contestant's samples in a contest, in the order of the rounds."""

    contest: str
    contestant: str
    samples: list[Sample] = field(default_factory=list)

    def values(self, name: str) -> list[float]:
        """One figure of all samples; empty where it was not to be had."""
        found = [getattr(sample, name) for sample in self.samples]
        return [float(value) for value in found if value is not None]

    def median(self, name: str) -> float | None:
        """The middle of one figure."""
        values = self.values(name)
        return statistics.median(values) if values else None


def measure(contest: Contest, rounds: int, seconds: int) -> Mapping[str, Standing]:
    """The standings, by contestant: a sample of each round, of which one more warms up.

    Every other pass goes the other way round, so that nobody always comes after the same.
    """
    standings = {each.name: Standing(contest.title, each.name) for each in contest.contestants}
    for number in range(rounds + 1):
        found: dict[str, list[Sample]] = {name: [] for name in standings}
        for turn in range(number, number + contest.passes):
            order: Sequence[Contestant] = contest.contestants
            for contestant in order if turn % 2 else order[::-1]:
                found[contestant.name].append(_turn(contest, contestant, seconds))
        if contest.after is not None:
            contest.after()
        if number:
            for name, samples in found.items():
                standings[name].samples.append(middle(samples))
    return standings


def middle(samples: Sequence[Sample]) -> Sample:
    """The median of each figure by itself; None where one of the samples has none."""
    rates, flows, *others = zip(*map(astuple, samples), strict=True)
    told = [None if None in each else statistics.median(each) for each in others]
    return Sample(statistics.median(rates), statistics.median(flows), *told)


def _turn(contest: Contest, contestant: Contestant, seconds: int) -> Sample:
    server = contestant.server
    requests = contestant.requests(server)
    if contest.heads:
        send = partial(heads_of, server.url, requests, contest.connections, seconds)
    else:
        count = contest.count
        send = partial(load_of, server.url, requests, contest.connections, seconds, count)
    if server.tree is None:
        return _sample(contest, send(), None, None)
    server.tree.forget_peak()
    before = server.tree.cpu_seconds()
    load = send()
    used = server.tree.cpu_seconds() - before
    return _sample(contest, load, used, server.tree.peak())


def _sample(contest: Contest, load: Load, used: float | None, memory: float | None) -> Sample:
    by_bytes = contest.size >= MIDDLE and not contest.up
    answers = load.answers(contest.size) if by_bytes else load.requests
    if not answers:
        raise RuntimeError(f"{contest.title}: no answer came in {load.seconds:.1f} s")
    rate = answers / load.seconds
    return Sample(
        rate,
        rate * contest.size / MEGABYTE,
        load.p50 / 1000 or None,
        load.p99 / 1000 or None,
        None if used is None else used * 1e6 / answers,
        memory,
    )
