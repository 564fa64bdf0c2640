"""What was counted, in the words of Prometheus ("Exposition formats", text, version 0.0.4)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.web.measures import BOUNDS, Level, Series, Way


def expose(series: Mapping[Way, Series], levels: Mapping[str, Level]) -> bytes:
    """The metrics of all series and levels, as text."""
    registry = CollectorRegistry()
    registry.register(_Counted(series, levels))
    return generate_latest(registry)


class _Counted(Collector):
    def __init__(self, series: Mapping[Way, Series], levels: Mapping[str, Level]) -> None:
        self._series = series
        self._levels = levels

    def collect(self) -> Iterator[Metric]:
        yield from _answers(self._series)
        for name, level in self._levels.items():
            yield GaugeMetricFamily(name, level.documentation, level.known)


def _answers(series: Mapping[Way, Series]) -> Iterator[Metric]:
    door, way = ["door"], ["door", "method"]
    requests = CounterMetricFamily(
        "gateway_requests", "Requests answered.", labels=[*way, "status"]
    )
    seconds = HistogramMetricFamily("gateway_request_seconds", "Time to the last byte.", labels=way)
    received = CounterMetricFamily(
        "gateway_received_bytes", "Bytes of request bodies.", labels=door
    )
    sent = CounterMetricFamily("gateway_sent_bytes", "Bytes of answers' bodies.", labels=door)
    cut = CounterMetricFamily("gateway_cut_answers", "Answers that were cut off.", labels=door)
    for (name, method, status), one in series.items():
        requests.add_metric([name, method, str(status)], sum(one.buckets))
    for labels, some in _together(series, 2).items():
        seconds.add_metric([*labels], _cumulated(some.buckets), some.seconds)
    for labels, some in _together(series, 1).items():
        received.add_metric([*labels], some.received)
        sent.add_metric([*labels], some.sent)
        cut.add_metric([*labels], some.cut)
    yield from (requests, seconds, received, sent, cut)


def _together(series: Mapping[Way, Series], labels: int) -> Mapping[tuple[str, ...], Series]:
    """The sums of all ways that begin with the same labels."""
    sums: defaultdict[tuple[str, ...], Series] = defaultdict(Series)
    for way, one in series.items():
        some = sums[way[:2][:labels]]
        some.buckets = [a + b for a, b in zip(some.buckets, one.buckets, strict=True)]
        some.seconds += one.seconds
        some.received += one.received
        some.sent += one.sent
        some.cut += one.cut
    return sums


def _cumulated(buckets: list[int]) -> list[tuple[str, float]]:
    """How many took no longer than each bound."""
    return [
        (str(bound).replace("inf", "+Inf"), float(sum(buckets[: number + 1])))
        for number, bound in enumerate(BOUNDS)
    ]
