"""
Figures in the text formats that Prometheus reads, made by its own library: the extra C{metrics}.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from labnet.net.metrics import Distribution, Family, Kind

if TYPE_CHECKING:
    from prometheus_client import Metric
    from prometheus_client.core import HistogramMetricFamily

__all__ = ["MISSING", "available", "exposition", "processFamilies", "processFigures"]

#: What is said where the extra is not installed.
MISSING = "it needs the extra 'metrics': pip install 'labnet[metrics]'"

_GROWING = "_total"


def available() -> bool:
    """Whether the extra is there."""
    return find_spec("prometheus_client") is not None


def exposition(families: Iterable[Family], accept: str) -> tuple[str, bytes]:
    """
    A page of figures, each name once.

    @param accept: the formats that the reader asks for, as in HTTP.
    @return: the media type, and the page.
    """
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(tuple(families)))
    encode, mediaType = choose_encoder(accept)
    return mediaType, encode(registry)


def processFigures() -> dict[str, float]:
    """Of this process: memory, processor time, descriptors, when it started; nothing where /proc is not."""
    from prometheus_client import ProcessCollector

    families = ProcessCollector(registry=None).collect()
    return {sample.name: sample.value for family in families for sample in family.samples}


def processFamilies(figures: Iterable[tuple[str, float]], meaning: str) -> Iterator[Family]:
    """
    Figures of a process as families.

    @param figures: the names, as Prometheus shows them, and the values.
    """
    for name, value in figures:
        kind = Kind.COUNTER if name.endswith(_GROWING) else Kind.GAUGE
        yield Family(name.removesuffix(_GROWING), kind, meaning, (), {(): value})


class _Collector:
    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return map(_metric, self._families)


def _metric(family: Family) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    if family.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(family.name, family.meaning, labels=family.labels)
        for labels, value in family.values.items():
            if isinstance(value, Distribution):
                _addDistribution(histogram, labels, value)
        return histogram
    make = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
    made = make(family.name, family.meaning, labels=family.labels)
    for labels, value in family.values.items():
        if not isinstance(value, Distribution):
            made.add_metric(labels, value)
    return made


def _addDistribution(
    histogram: HistogramMetricFamily, labels: Sequence[str], distribution: Distribution
) -> None:
    buckets: list[tuple[str, float]] = []
    count = 0
    for bound, more in zip([*map(str, distribution.bounds), "+Inf"], distribution.counts, strict=True):
        count += more
        buckets.append((bound, count))
    histogram.add_metric(labels, buckets, distribution.sum)
