"""
The lab as a service: the order of its parts, what they are told about each other, and what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from twisted.application.service import IService, MultiService, Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, formatEvent

from labnet.lab.service import LabService, Part, table
from labnet.net.connection import ServiceFactory
from labnet.net.datagram import ServiceDatagramProtocol
from labnet.net.endpoints import DatagramAddress
from labnet.net.service import CannotStart, DatagramListener, StreamListener

Build = Callable[[Mapping[str, str]], IService]


def texts(events: list[LogEvent]) -> list[str]:
    return [
        formatEvent(event) for event in events if event.get("log_namespace", "").startswith("labnet.lab")
    ]


class Port:
    """A port that knows where it listens, which is more than those of C{MemoryReactorClock} do."""

    def __init__(self, address: IPv4Address | IPv6Address) -> None:
        self.address = address

    def getHost(self) -> IPv4Address | IPv6Address:
        return self.address

    def stopListening(self) -> None:
        """There is nothing to close."""


class Reactor(MemoryReactorClock):
    """Listens for datagrams, too."""

    def listenTCP(self, port: int, factory: object, backlog: int = 50, interface: str = "") -> Port:
        return Port(IPv4Address("TCP", interface, port))

    def listenUDP(
        self, port: int, protocol: object, interface: str = "", maxPacketSize: int = 8192
    ) -> Port:
        family = IPv6Address if ":" in interface else IPv4Address
        return Port(family("UDP", interface, port))


def stream(reactor: Reactor, name: str, port: int, detail: str = "") -> StreamListener:
    endpoint = serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1")
    return StreamListener(name, endpoint, ServiceFactory(reactor), detail)


def datagrams(reactor: Reactor, name: str, port: int, host: str = "127.0.0.1") -> DatagramListener:
    return DatagramListener(name, reactor, DatagramAddress(port, host), ServiceDatagramProtocol(reactor))


class Slow(Service):
    """Tells when it starts and stops, and takes its time to stop."""

    def __init__(self, name: str, story: list[str]) -> None:
        self.called = name
        self.story = story
        self.stopped: Deferred[None] = Deferred()

    def privilegedStartService(self) -> None:
        self.story.append(f"{self.called} listens")

    def startService(self) -> None:
        super().startService()
        self.story.append(f"{self.called} starts")

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self.story.append(f"{self.called} stops")
        return self.stopped


def test_partsStartInTheirOrder() -> None:
    """All listen, one after another, before the first one starts its work."""
    story: list[str] = []
    lab = LabService([Part(name, 0, lambda _, name=name: Slow(name, story)) for name in ("a", "b")])
    lab.privilegedStartService()
    lab.startService()
    assert story == ["a listens", "b listens", "a starts", "b starts"]


def test_startServiceAloneDoesBoth() -> None:
    """C{twist} and most applications never call C{privilegedStartService}."""
    story: list[str] = []
    LabService([Part("a", 0, lambda _: Slow("a", story))]).startService()
    assert story == ["a listens", "a starts"]


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "udp:127.0.0.1:10001"),
        ("0.0.0.0", "udp:127.0.0.1:10001"),
        ("192.0.2.1", "udp:192.0.2.1:10001"),
        ("::1", "udp:\\:\\:1:10001"),
    ],
)
def test_aPartIsToldWhereAnEarlierOneListens(host: str, address: str) -> None:
    """The address is one that can be connected to, and one that our endpoint descriptions can say."""
    told: list[Mapping[str, str]] = []

    def second(filled: Mapping[str, str]) -> IService:
        told.append(filled)
        return Service()

    reactor = Reactor()
    LabService(
        [
            Part("discovery", 0, lambda _: datagrams(reactor, "discovery", 10001, host)),
            Part("calculator", 0, second, {"register": ("discovery", "udp")}),
        ]
    ).startService()
    assert told == [{"register": address}]


@pytest.mark.parametrize("reference", [("relay", "udp"), ("discovery", "tcp")])
def test_whatTheLabDoesNotHaveIsNotFilledIn(reference: tuple[str, str]) -> None:
    told: list[Mapping[str, str]] = []

    def second(filled: Mapping[str, str]) -> IService:
        told.append(filled)
        return Service()

    reactor = Reactor()
    LabService(
        [
            Part("discovery", 0, lambda _: datagrams(reactor, "discovery", 10001)),
            Part("calculator", 0, second, {"register": reference}),
        ]
    ).startService()
    assert told == [{}]


def test_theTableAndReadyAreLoggedOnceAllListen(loggedEvents: list[LogEvent]) -> None:
    reactor = Reactor()
    late: Deferred[object] = Deferred()

    class Late:
        """An endpoint that takes its time."""

        def listen(self, factory: object) -> Deferred[object]:
            return late

    endpoint: IStreamServerEndpoint = Late()  # type: ignore[assignment]
    lab = LabService(
        [
            Part("a", 0, lambda _: stream(reactor, "a", 1, "net")),
            Part("b", 0, lambda _: StreamListener("b", endpoint, ServiceFactory(reactor))),
        ]
    )
    lab.startService()
    assert texts(loggedEvents) == []
    late.callback(reactor.listenTCP(2, ServiceFactory(reactor), interface="127.0.0.1"))
    assert texts(loggedEvents) == [
        "service  detail  address",
        "a        net     tcp:127.0.0.1:1",
        "b                tcp:127.0.0.1:2",
        "labnet is ready",
    ]


def test_theRowsHaveFieldsForMachines(loggedEvents: list[LogEvent]) -> None:
    reactor = Reactor()
    LabService([Part("a", 2, lambda _: stream(reactor, "a", 1, "net"))]).startService()
    rows = [
        (event["service"], event["detail"], event["address"])
        for event in loggedEvents
        if "row" in event and "service" in event
    ]
    assert rows == [("a", "[2] net", "tcp:127.0.0.1:1")]


def test_severalOfAKindAreToldApart() -> None:
    reactor = Reactor()
    lab = LabService([Part("a", at, lambda _, at=at: stream(reactor, "a", at)) for at in (1, 2)])
    lab.startService()
    assert [detail for _, detail, _ in lab.listening()] == ["[1]", "[2]"]


def test_aPortInUseEndsTheStart(loggedEvents: list[LogEvent]) -> None:
    """C{CannotStart} goes to whoever starts the lab, and C{labnet is ready} is never said."""

    class Taken(Reactor):
        def listenTCP(self, *args: object, **named: object) -> object:
            raise CannotListenError("127.0.0.1", 1, OSError(98, "Address already in use"))

    reactor = Taken()
    lab = LabService([Part("a", 0, lambda _: stream(reactor, "a", 1))])
    with pytest.raises(CannotStart, match=r"^a: cannot listen on 127\.0\.0\.1:1: Address already in use$"):
        lab.privilegedStartService()
    assert texts(loggedEvents) == []


def test_aListenerThatFailsLaterIsNotReady(loggedEvents: list[LogEvent]) -> None:
    reactor = Reactor()
    late: Deferred[object] = Deferred()

    class Late:
        def listen(self, factory: object) -> Deferred[object]:
            return late

    endpoint: IStreamServerEndpoint = Late()  # type: ignore[assignment]
    lab = LabService([Part("b", 0, lambda _: StreamListener("b", endpoint, ServiceFactory(reactor)))])
    lab.startService()
    late.errback(CannotListenError("127.0.0.1", 1, OSError(98, "Address already in use")))
    assert texts(loggedEvents)[-1] == "labnet is not ready: no port for b"


def test_nothingIsSaidByALabThatWasStoppedBefore(loggedEvents: list[LogEvent]) -> None:
    class Never:
        def listen(self, factory: object) -> Deferred[object]:
            return Deferred()

    reactor = Reactor()
    endpoint: IStreamServerEndpoint = Never()  # type: ignore[assignment]
    lab = LabService([Part("b", 0, lambda _: StreamListener("b", endpoint, ServiceFactory(reactor)))])
    lab.startService()
    lab.stopService()
    assert texts(loggedEvents) == []


def test_eachStopsBeforeThoseItUses() -> None:
    """The calculator takes its address away while the address server still answers."""
    story: list[str] = []
    services = {name: Slow(name, story) for name in ("discovery", "calculator", "relay", "proxy")}
    uses = {"calculator": {"discovery"}, "relay": {"calculator"}}
    lab = LabService(
        [
            Part(name, 0, lambda _, name=name: services[name], {}, frozenset(uses.get(name, ())))
            for name in services
        ]
    )
    lab.startService()
    story.clear()
    stopped = lab.stopService()
    assert story == ["relay stops", "proxy stops"]
    services["proxy"].stopped.callback(None)
    assert len(story) == 2
    services["relay"].stopped.callback(None)
    assert story[2:] == ["calculator stops"]
    services["calculator"].stopped.callback(None)
    assert story[3:] == ["discovery stops"]
    assert not stopped.called
    services["discovery"].stopped.callback(None)
    assert stopped.called


def test_aCircleStopsTogether() -> None:
    story: list[str] = []
    services = {name: Slow(name, story) for name in ("a", "b")}
    lab = LabService(
        [
            Part("a", 0, lambda _: services["a"], {}, frozenset({"b"})),
            Part("b", 0, lambda _: services["b"], {}, frozenset({"a"})),
        ]
    )
    lab.startService()
    lab.stopService()
    assert story[-2:] == ["a stops", "b stops"]


def test_itCanStartAgain() -> None:
    """What was built for one run is not there in the next."""
    built: list[MultiService] = []

    def build(_: Mapping[str, str]) -> IService:
        built.append(MultiService())
        return built[-1]

    lab = LabService([Part("a", 0, build)])
    for _ in range(2):
        lab.startService()
        lab.stopService()
    assert len(built) == 2
    assert list(lab) == []


def test_columnsStandBelowEachOther() -> None:
    assert table([("a", "bbb", ""), ("aaa", "b", "c")]) == ["a    bbb", "aaa  b    c"]
