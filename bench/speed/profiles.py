"""Where the gateway's time goes: py-spy looks at it while it answers, and says where it was."""

import subprocess
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.speed.contests import Contest, Contestant
from bench.speed.load import load_of
from tests.acceptance.processes import PROGRAMS

# A gateway, and the contest in which it is looked at.
LOOKED_AT = (
    ("GET 4 KiB", "gateway, committed"),
    ("GET 4 KiB", "gateway, in memory"),
    ("GET 1 MiB", "gateway, committed"),
    ("PUT 4 KiB", "gateway, unsigned"),
    ("PUT 64 MiB", "gateway, chunks"),
    ("GET of a manifest, artifact door", "gateway"),
)
SECONDS = 4
A_SECOND = 500
"""How often py-spy looks; a look takes the gateway a part of a millisecond."""

SHOWN = 12
LOOP = "MainThread"
"""The thread of the event loop. Of others py-spy takes for work that they wait for a lock."""

Profile = Sequence[tuple[str, float]]
"""Functions, and the share of the looks, in per cent, that found the event loop in them."""


def profiles(contests: Iterable[Contest]) -> Iterator[tuple[str, Profile]]:
    """What the gateway did in the contests of LOOKED_AT that are given, by title."""
    for contest in contests:
        for each in contest.contestants:
            if (contest.name, each.name) in LOOKED_AT:
                yield f"{contest.title}: {each.name}", _profile(contest, each)


def _profile(contest: Contest, contestant: Contestant) -> Profile:
    server = contestant.server
    if server.tree is None:
        raise RuntimeError(f"{contestant.name} is no process of its own")
    requests = contestant.requests(server)
    send = partial(load_of, server.url, requests, contest.connections, SECONDS + 1, contest.count)
    with TemporaryDirectory(prefix="bench-") as folder:
        looked = Path(folder, "looks")
        command = [str(PROGRAMS / "py-spy"), "record", "--threads", "--format", "raw"]
        command += ["--rate", str(A_SECOND), "--duration", str(SECONDS), "--output", str(looked)]
        command += ["--pid", str(server.tree.pid)]
        ended = threading.Event()
        load = threading.Thread(target=_until, args=(ended, send))
        load.start()
        try:
            subprocess.run(command, capture_output=True, check=True)  # noqa: S603
        except subprocess.CalledProcessError as error:
            raise RuntimeError(error.stderr.decode(errors="replace")[-300:]) from error
        finally:
            ended.set()
            load.join()
        return shares(looked.read_text().splitlines())


def _until(ended: threading.Event, send: "partial[object]") -> None:
    while not ended.is_set():
        send()


def shares(lines: Iterable[str]) -> Profile:
    """The functions that most looks found at work, each with its share of these looks in per cent.

    A line is a thread, the frames of its stack, outermost first, and how many looks found it so.
    """
    found: Counter[str] = Counter()
    for line in lines:
        stack, _, number = line.rpartition(" ")
        thread, _, frames = stack.partition(";")
        if thread.endswith(LOOP):
            found[_spelled(frames.rpartition(";")[2])] += int(number)
    total = sum(found.values())
    return [(name, 100 * number / total) for name, number in found.most_common(SHOWN)]


def _spelled(frame: str) -> str:
    """A function and its module, without the line that it was at."""
    name, _, place = frame.partition(" (")
    return f"{place.partition(':')[0].rstrip(')').rpartition('site-packages/')[2]}: {name}"
