"""What was answered, counted for Prometheus in plain numbers.

prometheus_client's own counters take a lock for each number, and one answer has ten of them. It is
read, and speaks, when somebody asks for the metrics (`web/exposition`).
"""

import logging
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from math import inf

from gateway.errors import GatewayError
from gateway.web.access_log import Entry

logger = logging.getLogger(__name__)

METHODS = frozenset(("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"))
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, inf)
"""Of how long an answer may take, in seconds: prometheus_client's own."""

Way = tuple[str, str, int]
"""A door, a method, and a status."""


@dataclass(slots=True)
class Series:
    """Sums of what was answered in one way.

    `buckets` counts answers by the least of the `BOUNDS` that they kept to; `cut` are those that
    were cut off.
    """

    buckets: list[int] = field(default_factory=lambda: [0] * len(BOUNDS))
    seconds: float = 0.0
    received: int = 0
    sent: int = 0
    cut: int = 0


@dataclass(slots=True)
class Level:
    """What is asked for whenever the metrics are; `known` is what was said last."""

    documentation: str
    ask: Callable[[], Awaitable[float]]
    known: float = 0.0


class Measures:
    """Counters of what was answered; an observer of the boundary."""

    def __init__(self) -> None:
        self._series: dict[Way, Series] = {}
        self._levels: dict[str, Level] = {}

    def observe(self, entry: Entry) -> None:
        """Nothing; the entry is counted."""
        # Any word can be a method on the wire: a series for each would fill the memory.
        method, seconds = entry.method, entry.seconds
        way = entry.door, method if method in METHODS else "other", entry.status
        series = self._series.get(way)
        if series is None:
            series = self._series[way] = Series()
        series.buckets[bisect_left(BOUNDS, seconds)] += 1
        series.seconds += seconds
        series.sent += entry.sent
        if entry.received:
            series.received += entry.received
        if not entry.complete:
            series.cut += 1

    def gauge(self, name: str, documentation: str, value: Callable[[], Awaitable[float]]) -> None:
        """Nothing; from now on `value` is asked whenever the metrics are."""
        self._levels[name] = Level(documentation, value)

    async def show(self) -> bytes:
        """The metrics as Prometheus reads them; of what can't be asked now, what was known last."""
        for name, level in self._levels.items():
            try:
                level.known = await level.ask()
            except GatewayError as error:
                logger.warning("the metric %s is not up to date: %s", name, error.message)
        expose: Callable[[Mapping[Way, Series], Mapping[str, Level]], bytes]
        expose = import_module("gateway.web.exposition").expose
        return expose(self._series, self._levels)
