"""
The figures of every service that listens, for Prometheus: read off when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version

from labnet.net.connection import ServiceFactory
from labnet.net.datagram import ServiceDatagramProtocol
from labnet.net.exposition import exposition, processFamilies, processFigures
from labnet.net.metrics import Distribution, Family, Kind, labelled, merged
from labnet.net.service import DatagramListener, Listener, StreamListener

__all__ = ["LABELS", "figuresOf", "page"]

#: What tells the listeners apart.
LABELS = ("service", "detail", "address")

#: Name, kind, further labels and meaning.
_LISTENER = (
    ("up", Kind.GAUGE, (), "Whether it listens."),
    ("start_time_seconds", Kind.GAUGE, (), "When it began to listen, in seconds since 1970."),
)
_STREAM = (
    ("connections", Kind.COUNTER, (), "Connections that were accepted."),
    ("connections_open", Kind.GAUGE, (), "Of these, open now."),
    ("connections_refused", Kind.COUNTER, ("reason",), "Connections that were turned away."),
    ("bytes", Kind.COUNTER, ("direction",), "Bytes from and to peers, over connections and in datagrams."),
)
_DATAGRAM = (
    ("datagrams_received", Kind.COUNTER, (), "Datagrams that have come."),
    ("datagrams_answered", Kind.COUNTER, (), "Answers that were sent."),
    ("datagrams_dropped", Kind.COUNTER, ("reason",), "Datagrams that were not answered, or their answers."),
    ("bytes", Kind.COUNTER, ("direction",), "Bytes from and to peers, over connections and in datagrams."),
)

_Rows = Iterable[tuple[str, Kind, tuple[str, ...], str]]
_Values = Mapping[str, Mapping[tuple[str, ...], float | Distribution]]


def figuresOf(listeners: Iterable[Listener]) -> list[Family]:
    """
    How it stands with each of them. What costs a service so much that it is not counted otherwise is
    counted since the first call: whoever will show figures later calls this when the listeners are there.

    @return: the figures; every one has L{LABELS}, and perhaps more.
    """
    found: list[Family] = []
    for listener in listeners:
        where = dict(zip(LABELS, (listener.serviceName, listener.detail, listener.address), strict=True))
        found += [labelled(family, where) for family in _families(listener)]
    return merged(found)


def page(listeners: Iterable[Listener], accept: str) -> tuple[str, bytes]:
    """
    A page for Prometheus: the figures of all of them, and of this process. It needs the extra C{metrics},
    see L{labnet.net.exposition.available}.

    @param accept: the formats that the reader asks for, as in HTTP.
    @return: the media type, and the page.
    """
    build = Family(
        "labnet_build_info", Kind.GAUGE, "Which labnet this is.", ("version",), {(_VERSION,): 1.0}
    )
    process = processFamilies(processFigures().items(), "Of this process.")
    return exposition([*figuresOf(listeners), build, *process], accept)


_VERSION = version("labnet")


def _families(listener: Listener) -> Iterator[Family]:
    values: dict[str, Mapping[tuple[str, ...], float | Distribution]] = {
        "up": {(): float(listener.port is not None)},
        "start_time_seconds": {} if listener.startedAt is None else {(): listener.startedAt},
    }
    yield from _made("labnet_listener_", _LISTENER, values)
    if isinstance(listener, StreamListener):
        # A bare one accepts nothing: workers do so in processes of their own, which have their own figures.
        if type(listener.factory) is not ServiceFactory:
            yield from _made("labnet_", _STREAM, _ofStream(listener.factory))
            yield from listener.factory.figures()
    elif isinstance(listener, DatagramListener):
        yield from _made("labnet_", _DATAGRAM, _ofDatagrams(listener.protocol))
        yield from listener.protocol.figures()


def _made(prefix: str, rows: _Rows, values: _Values) -> Iterator[Family]:
    for name, kind, labels, meaning in rows:
        yield Family(prefix + name, kind, meaning, labels, values[name])


def _ofStream(factory: ServiceFactory) -> _Values:
    open_ = factory.connections
    return {
        "connections": {(): factory.served},
        "connections_open": {(): len(open_)},
        "connections_refused": _byReason(factory.refused.counts),
        "bytes": {
            ("in",): factory.bytesIn + sum(one.bytesIn for one in open_),
            ("out",): factory.bytesOut + sum(one.bytesOut for one in open_),
        },
    }


def _ofDatagrams(protocol: ServiceDatagramProtocol) -> _Values:
    return {
        "datagrams_received": {(): protocol.received},
        "datagrams_answered": {(): protocol.answered},
        "datagrams_dropped": _byReason(protocol.dropped.counts),
        "bytes": {("in",): protocol.bytesIn, ("out",): protocol.bytesOut},
    }


def _byReason(counts: Mapping[str, int]) -> dict[tuple[str, ...], float]:
    return {(reason,): count for reason, count in counts.items()}
