"""
The figures of every service: read off its listeners, and shown to Prometheus.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families
from twisted.application.service import MultiService
from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock

from labnet.net.connection import ServiceConnection, ServiceFactory
from labnet.net.datagram import ServiceDatagramProtocol
from labnet.net.endpoints import DatagramAddress, parseStreamServer
from labnet.net.figures import figuresOf, page
from labnet.net.limits import Limits
from labnet.net.metrics import Distribution, Family, Kind, labelled, merged
from labnet.net.service import DatagramListener, Listener, StreamListener, listeners
from labnet.proxy.factory import ProxyFactory
from labnet.testing import DatagramNetwork, TCPTransport, doneReason
from tests.documents import ROOT

Sample = tuple[str, str, str]


class Echo(ServiceConnection):
    def received(self, data: bytes) -> None:
        self.write(data)


class EchoFactory(ServiceFactory):
    connectionClass = Echo


class EchoDatagrams(ServiceDatagramProtocol):
    def requestReceived(self, datagram: bytes, address: tuple[str, int]) -> None:
        self.reply(datagram + b"!", address)


def samples(text: bytes) -> dict[Sample, float]:
    """The page as Prometheus reads it: by name, detail of the listener, and the rest of the labels."""
    found = {}
    for family in text_string_to_metric_families(text.decode("utf-8")):
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("service", "echo") == "echo"
            labels.pop("address", "")
            found[sample.name, labels.pop("detail", ""), ",".join(labels.values())] = sample.value
    return found


def shown(services: Iterable[Listener]) -> dict[Sample, float]:
    mediaType, text = page(services, "")
    assert mediaType.startswith("text/plain")
    return samples(text)


def connected(factory: ServiceFactory) -> ServiceConnection:
    connection = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50_000))
    assert connection is not None
    connection.makeConnection(TCPTransport())
    return connection


def test_whatStreamsDo() -> None:
    """Open, served and refused connections; bytes of those that are open and of those that were."""
    reactor = MemoryReactorClock()
    factory = EchoFactory(reactor, limits=Limits(maxConnections=2))
    listener = StreamListener("echo", parseStreamServer(reactor, "tcp:7007"), factory, "raw")
    before = shown([listener])
    assert before["labnet_listener_up", "raw", ""] == 0
    assert before["labnet_connections_total", "raw", ""] == 0
    assert ("labnet_listener_start_time_seconds", "raw", "") not in before
    listener.startService()
    first, second = connected(factory), connected(factory)
    assert factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1)) is None
    first.dataReceived(b"hello")
    second.dataReceived(b"you")
    first.connectionLost(doneReason())
    now = shown([listener])
    assert now["labnet_listener_up", "raw", ""] == 1
    assert now["labnet_listener_start_time_seconds", "raw", ""] == listener.startedAt
    assert now["labnet_connections_total", "raw", ""] == 2
    assert now["labnet_connections_open", "raw", ""] == 1
    assert now["labnet_connections_refused_total", "raw", "over the limit in all"] == 1
    assert now["labnet_bytes_total", "raw", "in"] == now["labnet_bytes_total", "raw", "out"] == 8
    assert now["process_cpu_seconds_total", "", ""] >= 0
    second.connectionLost(doneReason())
    listener.stopService()
    assert shown([listener])["labnet_listener_up", "raw", ""] == 0


def test_whatDatagramsDo() -> None:
    """What came, what was answered, what was dropped and why."""
    network = DatagramNetwork()
    protocol = EchoDatagrams(network)
    listener = DatagramListener("echo", network, DatagramAddress(7007), protocol, "raw")
    listener.startService()
    protocol.datagramReceived(b"one", ("127.0.0.1", 50_000))
    protocol.datagramReceived(b"three", ("127.0.0.1", 50_000))
    protocol.datagramReceived(b"chargen", ("127.0.0.1", 19))
    now = shown([listener])
    assert now["labnet_datagrams_received_total", "raw", ""] == 3
    assert now["labnet_datagrams_answered_total", "raw", ""] == 2
    assert now["labnet_datagrams_dropped_total", "raw", "from a reserved port"] == 1
    assert now["labnet_bytes_total", "raw", "in"] == 15
    assert now["labnet_bytes_total", "raw", "out"] == 10
    assert ("labnet_connections_total", "raw", "") not in now
    listener.stopService()


def test_oneNameOnceForAllListeners() -> None:
    """A figure that several have is one family: Prometheus takes no second one of the same name."""
    reactor = MemoryReactorClock()
    services = MultiService()
    for detail in ("raw", "upper"):
        where = parseStreamServer(reactor, "tcp:0")
        StreamListener("echo", where, EchoFactory(reactor), detail).setServiceParent(services)
    names = [family.name for family in figuresOf(listeners(services))]
    assert len(names) == len(set(names))
    assert {sample[1] for sample in shown(listeners(services))} == {"raw", "upper", ""}


def test_workersServeElsewhere() -> None:
    """Of a listener whose connections other processes accept nothing is said but that it listens."""
    reactor = MemoryReactorClock()
    listener = StreamListener("proxy", parseStreamServer(reactor, "tcp:0"), ServiceFactory(reactor))
    assert [family.name for family in figuresOf([listener])] == [
        "labnet_listener_up",
        "labnet_listener_start_time_seconds",
    ]


def test_openMetrics() -> None:
    mediaType, text = page([], "application/openmetrics-text; version=1.0.0")
    assert mediaType.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")


def test_labelsAreAdded() -> None:
    family = Family("name", Kind.GAUGE, "It is.", ("direction",), {("in",): 1.0, ("out",): 2.0})
    more = labelled(family, {"service": "echo"})
    assert more.labels == ("service", "direction")
    assert more.values == {("echo", "in"): 1.0, ("echo", "out"): 2.0}
    assert merged([more, labelled(family, {"service": "chat"})])[0].values == {
        ("echo", "in"): 1.0,
        ("echo", "out"): 2.0,
        ("chat", "in"): 1.0,
        ("chat", "out"): 2.0,
    }


def test_distributions() -> None:
    distribution = Distribution((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 7.0):
        distribution.observe(value)
    assert (distribution.counts, distribution.sum) == ([2, 1, 1], 10.0)


def everyName() -> set[str]:
    """The names of all figures there are, as one asks for them in Prometheus."""
    reactor = MemoryReactorClock()
    network = DatagramNetwork()
    proxy = ProxyFactory(reactor, lambda origin: parseStreamServer(reactor, "tcp:0"))  # type: ignore[arg-type, return-value]
    three = [
        StreamListener("echo", parseStreamServer(reactor, "tcp:0"), EchoFactory(reactor)),
        StreamListener("proxy", parseStreamServer(reactor, "tcp:0"), proxy),
        DatagramListener("echo", network, DatagramAddress(7007), EchoDatagrams(network)),
    ]
    names = {"labnet_build_info", "process_start_time_seconds"}
    names |= {
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
    }
    for family in figuresOf(three):
        parts = ("_bucket", "_sum", "_count") if family.kind is Kind.HISTOGRAM else ("",)
        names |= {family.shown + part for part in parts}
    return names


def test_thePageNamesEveryFigure() -> None:
    """C{docs/metrics.md} has those that every service has; the proxy's own have a page."""
    table = ROOT.joinpath("docs", "metrics.md").read_text("utf-8")
    ours = {name for name in everyName() if not name.startswith("labnet_proxy_")}
    assert ours == set(re.findall(r"`((?:labnet|process)_\w+)`", table.partition("## Proxy")[0]))


def test_theDashboardOfGrafanaAsksForWhatThereIs() -> None:
    """It can be imported, and every figure in its queries exists."""
    dashboard = json.loads(ROOT.joinpath("docs", "grafana.json").read_text("utf-8"))
    assert dashboard["id"] is None
    assert dashboard["uid"] == "labnet"
    assert dashboard["schemaVersion"] >= 36
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    queries += [variable["query"]["query"] for variable in dashboard["templating"]["list"]
                if variable["type"] == "query"]  # fmt: skip
    asked = {name for query in queries for name in re.findall(r"\b(?:labnet|process)_\w+", query)}
    assert asked <= everyName()
    assert len(asked) > 15
    sources = {panel["datasource"]["uid"] for panel in panels}
    assert sources == {"${datasource}"}


def test_thePanelsDoNotOverlap() -> None:
    dashboard = json.loads(ROOT.joinpath("docs", "grafana.json").read_text("utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
