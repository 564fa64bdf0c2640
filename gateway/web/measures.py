"""What was answered, counted for Prometheus.

Plain numbers are added up; they become metrics when somebody asks for these. prometheus_client's
own counters take a lock for each number, and one answer has ten of them.
"""

import logging
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from math import inf

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.errors import GatewayError
from gateway.web.access_log import Entry

logger = logging.getLogger(__name__)

METHODS = frozenset(("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"))
BOUNDS = Histogram.DEFAULT_BUCKETS


class _Series:
    """What was answered through one door, by one method, with one status; sums of it."""

    __slots__ = ("buckets", "cut", "received", "seconds", "sent")

    def __init__(self) -> None:
        self.buckets = [0] * len(BOUNDS)  # by the least bound that is not exceeded
        self.seconds = 0.0
        self.received = 0
        self.sent = 0
        self.cut = 0


class Measures(Collector):
    """Counters of what was answered; an observer of the boundary."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, int], _Series] = {}
        self._asked: dict[str, tuple[Gauge, Callable[[], Awaitable[float]]]] = {}
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def observe(self, entry: Entry) -> None:
        """Nothing; the entry is counted."""
        # Any word can be a method on the wire: a series for each would fill the memory.
        method = entry.method if entry.method in METHODS else "other"
        key = entry.door, method, entry.status
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series()
        series.buckets[bisect_left(BOUNDS, entry.seconds)] += 1
        series.seconds += entry.seconds
        series.received += entry.received
        series.sent += entry.sent
        if not entry.complete:
            series.cut += 1

    def collect(self) -> Iterator[Metric]:
        """The sums so far, as prometheus_client has them."""
        labels = ["door", "method"]
        requests = CounterMetricFamily(
            "gateway_requests", "Requests answered.", labels=[*labels, "status"]
        )
        seconds = HistogramMetricFamily(
            "gateway_request_seconds", "Time to the last byte.", labels=labels
        )
        received = CounterMetricFamily(
            "gateway_received_bytes", "Bytes of request bodies.", labels=["door"]
        )
        sent = CounterMetricFamily(
            "gateway_sent_bytes", "Bytes of answers' bodies.", labels=["door"]
        )
        cut = CounterMetricFamily(
            "gateway_cut_answers", "Answers that were cut off.", labels=["door"]
        )
        ways: defaultdict[tuple[str, str], _Series] = defaultdict(_Series)
        doors: defaultdict[str, _Series] = defaultdict(_Series)
        for (door, method, status), series in self._series.items():
            requests.add_metric([door, method, str(status)], sum(series.buckets))
            _add(ways[door, method], series)
            _add(doors[door], series)
        for way, series in ways.items():
            seconds.add_metric(list(way), _cumulated(series.buckets), series.seconds)
        for door, series in doors.items():
            received.add_metric([door], series.received)
            sent.add_metric([door], series.sent)
            cut.add_metric([door], series.cut)
        yield from (requests, seconds, received, sent, cut)

    def gauge(self, name: str, documentation: str, value: Callable[[], Awaitable[float]]) -> None:
        """Nothing; from now on `value` is asked whenever the metrics are."""
        self._asked[name] = Gauge(name, documentation, registry=self.registry), value

    async def show(self) -> bytes:
        """The metrics as Prometheus reads them; of what can't be asked now, what was known last."""
        for name, (gauge, value) in self._asked.items():
            try:
                gauge.set(await value())
            except GatewayError as error:
                logger.warning("the metric %s is not up to date: %s", name, error.message)
        return generate_latest(self.registry)


def _add(sums: _Series, more: _Series) -> None:
    sums.buckets = [one + other for one, other in zip(sums.buckets, more.buckets, strict=True)]
    sums.seconds += more.seconds
    sums.received += more.received
    sums.sent += more.sent
    sums.cut += more.cut


def _cumulated(buckets: list[int]) -> list[tuple[str, float]]:
    """How many took no longer than each bound."""
    return [
        ("+Inf" if bound == inf else str(bound), float(sum(buckets[: number + 1])))
        for number, bound in enumerate(BOUNDS)
    ]
