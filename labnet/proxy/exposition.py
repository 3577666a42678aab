"""
Figures in the text format that Prometheus reads, made by its own library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from labnet.proxy.metrics import Snapshot

if TYPE_CHECKING:
    from prometheus_client import Metric

__all__ = ["FAMILIES", "TIMES", "exposition", "processFigures"]

_PREFIX = "labnet_proxy_"

#: The name of a figure in a snapshot, its name here, whether it only grows, its labels, what it means.
FAMILIES: tuple[tuple[str, str, bool, tuple[str, ...], str], ...] = (
    ("requests", "requests", True, ("method", "status"), "Requests that are over, tunnels among them."),
    ("decisions", "decisions", True, ("decision",), "What became of them."),
    ("blocked", "blocked", True, ("rule",), "Requests and responses in which a blocked string was found."),
    ("refused", "refused", True, ("reason",), "Requests that were answered with an error."),
    ("bytes", "client_bytes", True, ("direction",), "Bytes from and to clients."),
    ("connections", "connections", True, (), "Connections of clients that were accepted."),
    ("connectionsOpen", "connections_open", False, (), "Of these, open now."),
    (
        "connectionsRefused",
        "connections_refused",
        True,
        (),
        "Connections of clients that were turned away.",
    ),
    ("tunnels", "tunnels", True, (), "Tunnels that have ended, those that are looked into among them."),
    ("tunnelsOpen", "tunnels_open", False, (), "Tunnels that are open now, and not looked into."),
    (
        "origins",
        "origin_connections",
        True,
        ("kind",),
        "Connections to origins: new, or reused from the pool.",
    ),
    ("originsOpen", "origin_connections_open", False, (), "Connections to origins that are open now."),
    ("originsIdle", "origin_connections_idle", False, (), "Of these, waiting in the pool."),
    ("spooled", "spool_bytes", False, (), "Bytes of bodies that are held in temporary files."),
    ("logLost", "access_log_lost", True, (), "Lines of the access log that could not be written."),
)

#: The same for what is measured in seconds.
TIMES: tuple[tuple[str, str, str], ...] = (
    ("first byte", "first_byte_seconds", "From a request's head to its response's."),
    ("whole", "request_seconds", "From a request's head to the end of the answer; without tunnels."),
    ("inspection", "inspection_seconds", "Spent looking at the bodies of one exchange."),
)

#: Figures of the process that are those of the first, or the least, and not a sum.
_STARTED = "process_start_time_seconds"
_GROWING = "_total"


def processFigures() -> dict[str, float]:
    """Of this process: memory, processor time, descriptors, when it started; nothing where /proc is not."""
    from prometheus_client import ProcessCollector

    families = ProcessCollector(registry=None).collect()
    return {sample.name: sample.value for family in families for sample in family.samples}


class _Figures:
    """A snapshot as a collector."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        snapshot = self._snapshot
        for name, shown, grows, labels, meaning in FAMILIES:
            yield _family(_PREFIX + shown, grows, labels, meaning, snapshot.families.get(name, {}))
        yield from self._times()
        for name, value in sorted(snapshot.families.get("process", {}).items()):
            grows = name.endswith(_GROWING)
            yield _family(name.removesuffix(_GROWING), grows, (), "Of all processes together.", {"": value})
        if snapshot.started:
            yield GaugeMetricFamily(_STARTED, "When the first process started.", snapshot.started)
        yield GaugeMetricFamily(
            _PREFIX + "processes", "Processes whose figures these are.", snapshot.processes
        )
        yield GaugeMetricFamily(
            _PREFIX + "processes_silent", "Processes that did not answer in time.", snapshot.silent
        )

    def _times(self) -> Iterator[Metric]:
        from prometheus_client.core import HistogramMetricFamily

        for name, shown, meaning in TIMES:
            times = self._snapshot.times.get(name)
            if times is None:
                continue
            buckets: list[tuple[str, float]] = []
            count = 0
            for bound, more in zip([*map(str, times.bounds), "+Inf"], times.counts, strict=True):
                count += more
                buckets.append((bound, count))
            yield HistogramMetricFamily(_PREFIX + shown, meaning, buckets, times.sum)


def _family(
    name: str, grows: bool, labels: Iterable[str], meaning: str, values: Mapping[str, float]
) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    names = tuple(labels)
    made = (CounterMetricFamily if grows else GaugeMetricFamily)(name, meaning, labels=names)
    for label, value in values.items():
        made.add_metric(label.split(" ", len(names) - 1) if names else (), value)
    return made


def exposition(snapshot: Snapshot, accept: str) -> tuple[str, bytes]:
    """
    A page of figures.

    @param accept: the formats that the reader asks for.
    @return: the media type, and the page.
    """
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(snapshot))
    encode, mediaType = choose_encoder(accept)
    return mediaType, encode(registry)
