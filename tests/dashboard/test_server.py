"""
The dashboard as a service: what it finds around it, and the line in the log that leads to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.application.service import MultiService
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.endpoints import serverFromString
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from labnet.chat import tap as chat
from labnet.chat.wire import LINE
from labnet.dashboard.server import Dashboard
from labnet.discovery import tap as discovery
from labnet.discovery.wire import Address
from labnet.net.faulting import FaultSwitch
from labnet.net.faults import BadFaults
from labnet.net.options import ServerOptions
from labnet.net.service import Listener, StreamListener, listeners
from labnet.net.trace import Trace
from labnet.proxy import tap as proxy
from labnet.proxy.factory import ProxyFactory
from tests.proxy.records import record


class Port:
    """A port that knows where it listens."""

    def __init__(self, address: object) -> None:
        self.address = address

    def getHost(self) -> Any:
        return self.address

    def stopListening(self) -> None:
        """There is nothing to close."""


class Reactor(MemoryReactorClock):
    """Listens for datagrams, too, and says where."""

    def listenTCP(self, port: int, factory: object, backlog: int = 50, interface: str = "") -> Port:
        kind = IPv6Address if ":" in interface else IPv4Address
        return Port(kind("TCP", interface, port))

    def listenUDP(
        self, port: int, protocol: object, interface: str = "", maxPacketSize: int = 8192
    ) -> Port:
        return Port(IPv4Address("UDP", interface, port))

    def listenUNIX(self, address: str, *rest: object, **options: object) -> Port:
        return Port(UNIXAddress(address))


@pytest.fixture
def logged() -> Iterator[list[str]]:
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


@pytest.mark.parametrize(
    ("endpoint", "secure", "url"),
    [
        ("tcp:9080:interface=127.0.0.1", False, "http://127.0.0.1:9080/?token=secret"),
        ("tcp:9080:interface=0.0.0.0", False, "http://127.0.0.1:9080/?token=secret"),
        (r"tcp6:9080:interface=\:\:1", False, "http://[::1]:9080/?token=secret"),
        ("tcp:9443:interface=127.0.0.1", True, "https://127.0.0.1:9443/?token=secret"),
        ("unix:/run/dashboard", False, ""),
    ],
)
def test_theLogLeadsToIt(logged: list[str], endpoint: str, secure: bool, url: str) -> None:
    """Once the process runs, and so after everything that a start says."""
    reactor = Reactor()
    dashboard = Dashboard(reactor, Trace(), "secret")
    dashboard.listen(serverFromString(reactor, endpoint), secure=secure)
    dashboard.startService()
    assert not any("secret" in line for line in logged)
    for hook, arguments, keywords in reactor.whenRunningHooks:
        hook(*arguments, **keywords)
    assert [line for line in logged if "secret" in line] == ([f"dashboard: {url}"] if url else [])
    dashboard.stopService()


class Guest:
    """Somebody in the room."""

    dialect = LINE

    def deliver(self, data: bytes) -> None:
        """Nobody reads it."""


class House:
    """A dashboard beside the services that it looks at."""

    def __init__(self, reactor: Reactor, *taps: Any, faults: bool = False) -> None:
        self.reactor = reactor
        self.all = MultiService()
        for tap in taps:
            options: ServerOptions = tap.Options()
            options.parseOptions([])
            options.layers.faults = FaultSwitch() if faults else None
            tap.makeService(options).setServiceParent(self.all)
        self.dashboard = Dashboard(self.reactor, Trace(), "secret")
        self.dashboard.others = self.all
        self.dashboard.setServiceParent(self.all)

    def listeners(self, service: str) -> list[Listener]:
        return [one for one in listeners(self.all) if one.serviceName == service]

    def panels(self) -> dict[str, Any]:
        return self.dashboard.scene.panels(0.0)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    reactor = Reactor()
    monkeypatch.setattr("labnet.net.options.globalReactor", lambda: reactor)
    house = House(reactor, discovery, proxy, chat)
    house.all.startService()
    yield house
    house.all.stopService()


def test_whatListensWhere(house: House) -> None:
    rows = house.dashboard.scene.services()
    assert [(row["service"], row["detail"], row["address"], row["where"]) for row in rows] == [
        ("discovery", "", "udp:127.0.0.1:10001", "udp:10001"),
        ("proxy", "forward", "tcp:127.0.0.1:8080", "tcp:8080"),
        ("chat", "plain", "tcp:127.0.0.1:9999", "tcp:9999"),
        ("chat", "line", "tcp:127.0.0.1:9998", "tcp:9998"),
        ("chat", "framed", "tcp:127.0.0.1:9997", "tcp:9997"),
        ("chat", "web", "tcp:127.0.0.1:9996", "tcp:9996"),
    ]
    assert rows[0]["answered"] == rows[0]["dropped"] == 0
    assert rows[1]["open"] == rows[1]["served"] == rows[1]["refused"] == 0


def test_theProxysDecisions(house: House) -> None:
    """The last hundred, the newest first, and its own journal hears of them as before."""
    (listener,) = house.listeners("proxy")
    assert isinstance(listener, StreamListener)
    assert isinstance(listener.factory, ProxyFactory)
    assert house.panels()["decisions"] == []
    house.dashboard.startService()
    for status in range(200, 320):
        listener.factory.journal.ended(record(status=status, url=b"http://a\x1b.test/"))
    told = house.panels()["decisions"]
    assert [one["status"] for one in told] == list(range(319, 219, -1))
    assert told[0]["url"] == "http://a\\x1b.test/"


def test_theRegistry(house: House) -> None:
    (listener,) = house.listeners("discovery")
    registry = listener.protocol.registry  # type: ignore[attr-defined]
    registry.register("calculator", Address("127.0.0.1", 9000), 60, "127.0.0.1", 0.0)
    registry.register("over", Address("127.0.0.1", 9001), 60, "127.0.0.1", -100.0)
    told = house.panels()["registry"]
    assert told["leases"] == [
        {"name": "calculator", "address": "127.0.0.1:9000", "ttl": 60, "ends": 60.0, "source": "loopback"}
    ]


def test_theChatRoom(house: House) -> None:
    """One room, by however many ways one comes into it: who is there, and by which way."""
    assert house.panels()["members"] == {"total": 0, "members": []}
    factory = house.listeners("chat")[0].factory  # type: ignore[attr-defined]
    for number in range(120):
        factory.live.enter(Guest(), f"guest {number}", f"192.0.2.{number}")
    told = house.panels()["members"]
    assert told["total"] == 120
    assert told["members"][:2] == [{"name": "guest 0", "way": "line"}, {"name": "guest 1", "way": "line"}]
    assert len(told["members"]) == 100
    house.reactor.advance(1)


def test_panelsAreOnlyOfWhatRuns() -> None:
    house = House(Reactor())
    assert house.panels() == {}


# Faults


@pytest.fixture
def breakable(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A house whose services can be broken."""
    reactor = Reactor()
    monkeypatch.setattr("labnet.net.options.globalReactor", lambda: reactor)
    house = House(reactor, discovery, chat, faults=True)
    house.all.startService()
    yield house
    house.all.stopService()


def test_faultsAreSwitched(breakable: House) -> None:
    """Of all listeners of a service at once; the line in force has a seed, and is beside its listeners."""
    told = breakable.panels()["faults"]
    assert [(row["number"], row["service"], len(row["where"]), row["line"]) for row in told] == [
        (0, "discovery", 1, ""),
        (1, "chat", 4, ""),
    ]
    scene = breakable.dashboard.scene
    line = scene.switches.turn(scene.listeners(), 1, "cut=3")
    assert re.fullmatch(r"seed=\d+; cut=3/1ms", line)
    assert [row["line"] for row in breakable.panels()["faults"]] == ["", line]
    assert [row.get("faults") for row in scene.services()] == [None, *[line] * 4]
    assert scene.switches.turn(scene.listeners(), 1, " ") == ""
    assert [row["line"] for row in breakable.panels()["faults"]] == ["", ""]


def test_faultsThatAreNone(breakable: House) -> None:
    """Nothing is changed by a line that is mistaken, or for a switch that is not there."""
    scene = breakable.dashboard.scene
    scene.switches.turn(scene.listeners(), 0, "seed=1; drop=#1")
    with pytest.raises(BadFaults):
        scene.switches.turn(scene.listeners(), 0, "dorp=#1")
    with pytest.raises(LookupError):
        scene.switches.turn(scene.listeners(), 2, "cut=1")
    assert [row["line"] for row in breakable.panels()["faults"]] == ["seed=1; drop=#1", ""]


def test_whatIsNotThereIsSaid(logged: list[str]) -> None:
    """On its own, and with nothing to watch, the page would stay empty."""
    dashboard = Dashboard(Reactor(), Trace(), "secret")
    dashboard.startService()
    assert "dashboard: there is nothing to look at; see --watch" in logged
    dashboard.stopService()
