"""Calls that meet; `RACES` asks for so many times as many rounds as the suite: `make races`."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

Answer = tuple[int, str]

TIMES = int(os.environ.get("RACES", "1"))


def at_once(*calls: Callable[[], Answer]) -> Sequence[Answer]:
    """The answers of calls that begin at the same moment."""
    barrier = threading.Barrier(len(calls))

    def begin(call: Callable[[], Answer]) -> Answer:
        barrier.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(begin, calls))


def after(seconds: float, call: Callable[[], Answer]) -> Answer:
    """The answer to a call that waits before it begins; not where `seconds` is negative."""
    time.sleep(max(seconds, 0))
    return call()
