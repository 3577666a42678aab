"""
A proxy's figures as those that Prometheus reads.
"""

from __future__ import annotations

from collections.abc import Iterator

from labnet.net import exposition as net
from labnet.net.metrics import Family, Kind
from labnet.proxy.metrics import Snapshot

__all__ = ["FAMILIES", "TIMES", "exposition", "families"]

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

#: Of the processes together the first one counts, and no sum.
_STARTED = "process_start_time_seconds"


def families(snapshot: Snapshot) -> Iterator[Family]:
    """What the proxy has counted, and what is read off it."""
    for name, shown, grows, labels, meaning in FAMILIES:
        kind = Kind.COUNTER if grows else Kind.GAUGE
        values = {
            tuple(label.split(" ", len(labels) - 1)) if labels else (): value
            for label, value in snapshot.families.get(name, {}).items()
        }
        yield Family(_PREFIX + shown, kind, meaning, labels, values)
    for name, shown, meaning in TIMES:
        if name in snapshot.times:
            yield Family(_PREFIX + shown, Kind.HISTOGRAM, meaning, (), {(): snapshot.times[name]})


def _processes(snapshot: Snapshot) -> Iterator[Family]:
    """Of the processes that serve."""
    figures = sorted(snapshot.families.get("process", {}).items())
    yield from net.processFamilies(figures, "Of all processes together.")
    if snapshot.started:
        yield Family(_STARTED, Kind.GAUGE, "When the first process started.", (), {(): snapshot.started})
    for shown, value, meaning in (
        ("processes", snapshot.processes, "Processes whose figures these are."),
        ("processes_silent", snapshot.silent, "Processes that did not answer in time."),
    ):
        yield Family(_PREFIX + shown, Kind.GAUGE, meaning, (), {(): value})


def exposition(snapshot: Snapshot, accept: str) -> tuple[str, bytes]:
    """
    A page of figures.

    @param accept: the formats that the reader asks for.
    @return: the media type, and the page.
    """
    return net.exposition([*families(snapshot), *_processes(snapshot)], accept)
