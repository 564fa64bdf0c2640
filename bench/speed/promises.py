"""What is promised of the speed, and whether it was kept: ratios within one run."""

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from bench.figures import Report
from bench.speed.contests import (
    BARE,
    CROWDED,
    LIST_EQUAL,
    LIST_TRANSLATED,
    MANIFEST,
    MEMBERS,
    Contest,
)
from bench.speed.measuring import Standing
from bench.speed.stand import LARGE

Standings = Mapping[str, Standing]  # by the contestant's name
Measured = tuple[Contest, Standings]
AUTO, RESPONSE = "HAProxy splice-auto", "HAProxy splice-response"
COMMITTED, UNSIGNED = "gateway, committed", "gateway, unsigned"
MEMORY = "gateway, in memory"
HASHED = "PUT 64 MiB"
HASH, CHUNKS = "gateway, hash", "gateway, chunks"
# Of a PUT of 64 MiB: what HAProxy's CPU, and that of the hash alone, are multiplied with.
UPLOAD, HASHING = 0.6, 1.15

# Contest, contestant, beside whom, figure, and how many times the other's it may be.
RATIOS = (
    ("GET 4 KiB", COMMITTED, "rclone", "cpu", 0.25),
    ("GET 4 KiB", COMMITTED, AUTO, "cpu", 2.0),
    ("GET 4 KiB", MEMORY, AUTO, "cpu", 1.1),
    ("GET 4 KiB", "backend", MEMORY, "throughput", 1 / 1.5),
    ("GET 1 MiB", COMMITTED, AUTO, "cpu", 0.6),
    ("GET 1 MiB", COMMITTED, RESPONSE, "cpu", 1.2),
    ("GET 64 MiB", COMMITTED, AUTO, "cpu", 0.5),
    ("GET 64 MiB", COMMITTED, RESPONSE, "cpu", 0.9),
    ("GET 64 MiB", AUTO, COMMITTED, "throughput", 1.0),
    ("GET 64 MiB", RESPONSE, COMMITTED, "throughput", 1.0),
    ("PUT 4 KiB", UNSIGNED, "rclone", "cpu", 0.4),
    (HASHED, UNSIGNED, AUTO, "cpu", UPLOAD),
    (HASHED, AUTO, UNSIGNED, "throughput", 1.0),
    (LIST_EQUAL, "gateway", "backend", "p50", 1.15),
    (LIST_TRANSLATED, "gateway", "backend", "p50", 1.6),
    (CROWDED, "gateway, committed, ten artifacts", "gateway, plain, ten artifacts", "cpu", 1.12),
    (CROWDED, "gateway, committed, many artifacts", "gateway, plain, many artifacts", "cpu", 1.12),
)
# Contest, contestant, and the most CPU of a request, in microseconds.
COSTS = ((MANIFEST, "gateway", 120.0), (MEMBERS, "gateway", 1000.0))
WORDS = {"cpu": "CPU", "throughput": "throughput", "p50": "p50"}


def add_contests(report: Report, measured: Sequence[Measured], hashing: Sequence[float]) -> None:
    """Add what is promised of the contests that were measured.

    `hashing` is the CPU, in microseconds, that SHA-256 of 64 MiB takes alone.
    """
    given = judged(measured)
    for name, ours, theirs, figure, most in RATIOS:
        for contest, found in given:
            if contest.name == name:
                told = f"{contest.title}, {WORDS[figure]}: {ours} / {theirs}"
                report.add(told, _ratios(found, ours, theirs, figure), "x", most=most)
    for name, ours, most in COSTS:
        for contest, found in given:
            if contest.name == name:
                told = f"{contest.title}: CPU of a request"
                report.add(told, found[ours].values("cpu"), "µs", most=most)
    for contest, found in given:
        if hashing and contest.name == HASHED:
            _add_hashed(report, contest.title, found, hashing)


def judged(measured: Sequence[Measured]) -> list[Measured]:
    """The contests that count: by one connection only those that have no other of their name."""
    named = Counter(contest.name for contest, _ in measured)
    return [
        (contest, found)
        for contest, found in measured
        if contest.connections > 1 or named[contest.name] == 1
    ]


def _ratios(found: Standings, ours: str, theirs: str, figure: str) -> list[float]:
    pairs = zip(found[ours].values(figure), found[theirs].values(figure), strict=True)
    return [a / b for a, b in pairs]


def _add_hashed(report: Report, title: str, found: Standings, hashing: Sequence[float]) -> None:
    """Add what is promised of bodies that are hashed, and what is told of the bare relay's."""
    allowed = [
        UPLOAD * cpu + HASHING * alone
        for cpu, alone in zip(found[AUTO].values("cpu"), hashing, strict=True)
    ]
    bound = f"({UPLOAD:g} {AUTO} + {HASHING:g} hashlib)"
    for name, most in ((HASH, 1.0), (CHUNKS, 1.0), (BARE, None)):
        samples = [a / b for a, b in zip(found[name].values("cpu"), allowed, strict=True)]
        report.add(f"{title}, CPU: {name} / {bound}", samples, "x", most=most)
    report.add(f"{title}, CPU: {HASH} / {BARE}", _ratios(found, HASH, BARE, "cpu"), "x")


def add_calls(report: Report, times: Mapping[str, Sequence[float]]) -> None:
    """Add what is promised of calls that come one after the other."""
    report.add("put_file", times["put_file"], "ms", most=3.0)
    pairs = zip(times["commit"], times["direct PUT"], strict=True)
    ratios = [commit / put for commit, put in pairs]
    report.add("Commit of one file / direct PUT of 4 KiB", ratios, "x", most=8.0)


def add_starting(report: Report, found: Mapping[str, tuple[Sequence[float], str]]) -> None:
    """Add what is promised of a start, and what is only told."""
    most = {"ready, with an existing backend": 1000.0, "resident at rest": 90.0}
    for name, (samples, unit) in found.items():
        report.add(name.capitalize(), samples, unit, most=most.get(name))


def hashing_alone(rounds: int) -> list[float]:
    """The CPU, in microseconds, that hashlib takes for 64 MiB in pieces of 64 KiB."""
    piece = bytes(64 * 1024)
    samples = []
    for _ in range(rounds):
        began = time.process_time()
        digest = hashlib.sha256()
        for _ in range(LARGE // len(piece)):
            digest.update(piece)
        digest.digest()
        samples.append((time.process_time() - began) * 1e6)
    return samples
