"""The page on performance, from the JSON of a run.

`python -m bench.speed.page FILE [--docs docs]` writes performance.md, and its plots beside it.
"""

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.speed.plots import Bar, bars, spelled, told
from tests.acceptance.harness import ROOT, Document

FIGURES = {
    "rate": "requests/s",
    "throughput": "MB/s",
    "p50": "p50, ms",
    "p99": "p99, ms",
    "cpu": "CPU a request, µs",
    "memory": "peak memory, MiB",
}
PLOTTED = {"cpu": "µs of CPU a request", "p50": "ms at the median"}

INTRODUCTION = """\
# Performance

What the gateway costs, beside other proxies in front of the same backend. This page is written
by `python -m bench.speed.page`, from one run of

    {command}

on {date}. It took {minutes:.0f} minutes. In each contest the contestants took turns, in one
order and in the other; every figure is the median of {rounds} rounds, after one that warmed up.
A round has a turn of {seconds} s for each, or one of so many requests where large bodies are
written and listings are read; of those that are short it has several, and their median counts.
Ratios are taken within a round. What is promised has to hold with 16 connections and with 128;
figures of one stand beside them. Large bodies go up by 16 alone: of 64 MiB the backend holds more
than 13 GiB in memory when 128 come at once, and 24 GiB for all are too little.

The backend is SeaweedFS on the same machine, and so is wrk, which sends requests that were
signed beforehand: they all share the cores. HAProxy and nginx have one thread and one worker, as
the gateway has; nginx buffers nothing. `rclone serve s3` runs as it does without options: it
keeps directories in memory for five minutes, and uses all cores. HAProxy and nginx pass requests
on as they are, signed for the backend; rclone and the gateway verify signatures, and sign anew.
All is on loopback. There the gateway and the bare relay send with Reno, others with what the
system has (*TCP* below): with BBR their bodies are paced by timers, which cost them CPU that they
do not cost these two.
CPU is user and system time of the proxy's processes; memory is their peak during a turn. HEADs
are sent by Python, since wrk waits for their bodies.

The gateway is asked for *plain* objects, in no artifact, and for *committed* files by a caller
who may read: verified, authorised, resolved to the pinned version, and counted; no byte is cached
but by the gateway that answers *in memory*. A turn goes round some dozens of requests, signed for
it: they come again byte for byte, as downloads without credentials and presigned URLs do, and the
gateway makes use of that.
*Silent* ones come by URLs of `get_file` that count nothing. Bodies go up *unsigned*, with a
*hash*, in signed *chunks*, and *staged* into an artifact.

Beside the PUTs of 64 MiB stands a *bare relay*, with a thread for each connection: it copies a
body in and out in pieces of 1 MiB, takes its SHA-256 on the way, and does nothing else: it gets
bodies that are signed for the backend, as HAProxy does. Whoever checks a body by reads and writes
has to do as much. Pages that were hashed can't be spliced on, since a sender on the same machine
could still change them. So the relay shows what remains where a proxy adds nothing of its own.
"""

PROFILED = """\
## Where the time goes

py-spy looked at the gateway's event loop while it answered. A function has the time of what it
calls in C, such as `send` and `recv` of the kernel, where there is no Python function in between.
"""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    given = parser.parse_args()
    write(json.loads(given.file.read_text()), given.docs)


def write(run: Document, docs: Path) -> None:
    """Write the page of a run, and its plots, below this folder."""
    folder = docs / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    sections = [_introduction(run), _machine(run), _promised(run["promised"])]
    sections += _failures(run["failures"])
    for contest in run["contests"]:
        name = re.sub(r"[^a-z0-9]+", "-", contest["title"].lower()).strip("-")
        text, svg = _contest(contest, f"performance/{name}.svg")
        if svg:
            (folder / f"{name}.svg").write_text(svg)
        sections.append(text)
    sections += _profiles(run["profiles"])
    (docs / "performance.md").write_text("\n".join(sections))


def _introduction(run: Document) -> str:
    return INTRODUCTION.format(
        command=run["command"],
        date=run["made"].partition("T")[0],
        minutes=run["minutes"],
        rounds=run["rounds"],
        seconds=run["seconds"],
    )


def _machine(run: Document) -> str:
    rows = [*run["machine"].items(), *run["versions"].items()]
    return "## Machine and versions\n\n" + _table(("", ""), rows)


def _promised(figures: Sequence[Mapping[str, Document]]) -> str:
    """What was promised of the figures, and what is only told."""
    rows = []
    for figure in figures:
        unit = figure["unit"]
        most = "" if figure["most"] is None else f"≤ {figure['most']:g} {unit}"
        verdict = {None: "", True: "kept", False: "**missed**"}[figure["kept"]]
        rows.append((figure["name"], f"{spelled(figure['median'])} {unit}", most, verdict))
    return "## What is promised\n\n" + _table(("", "median", "promised", ""), rows)


def _failures(failures: Sequence[str]) -> Iterator[str]:
    if failures:
        yield "## What could not be measured\n\n" + "".join(f"- {each}\n" for each in failures)


def _contest(contest: Document, address: str) -> tuple[str, str]:
    """The section of a contest, and its plot, which is empty where nobody stands beside."""
    standings = contest["standings"]
    rows = [
        (each["name"], *(_cell(each["medians"][figure]) for figure in FIGURES))
        for each in standings
    ]
    table = _table(("", *FIGURES.values()), rows)
    figure = "p50" if contest["title"].startswith("List") else "cpu"
    values = [
        Bar(each["name"], each["medians"][figure], each["name"].startswith("gateway"))
        for each in standings
        if each["medians"][figure] is not None
    ]
    heading = f"## {contest['title']}\n\n"
    if len(values) < 2:  # noqa: PLR2004 - a bar alone says nothing
        return heading + table, ""
    unit = PLOTTED[figure]
    alternative = f"{contest['title']}. {told(unit, values)}"
    plot = bars(contest["title"], unit, values)
    return f"{heading}![{alternative}]({address})\n\n{table}", plot


def _profiles(found: Mapping[str, Sequence[tuple[str, float]]]) -> Iterator[str]:
    """Where the gateway's time went, where it was looked at."""
    if found:
        yield PROFILED
    for title, profile in found.items():
        rows = [(f"`{name}`", f"{share:.1f} %") for name, share in profile]
        yield f"### {title}\n\n" + _table(("the innermost Python function", "of the time"), rows)


def _cell(value: float | None) -> str:
    return "" if not value else spelled(value)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    right = ["---", *("---:" for _ in titles[1:])]
    return "".join(f"| {' | '.join(row)} |\n" for row in (titles, right, *rows))


if __name__ == "__main__":
    main()
