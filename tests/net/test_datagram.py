"""
What no datagram service does: answer too often, too far, or itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.task import Clock
from twisted.logger import LogEvent

from labnet.net.datagram import ServiceDatagramProtocol
from labnet.net.limits import DatagramLimits
from labnet.testing import LoggedFailures


class Echo(ServiceDatagramProtocol):
    service = "echo"

    def requestReceived(self, datagram: bytes, address: tuple[str, int]) -> None:
        if datagram == b"bug":
            raise ZeroDivisionError
        self.reply(datagram, address)


class FakeUDP:
    def __init__(self, host: str, port: int) -> None:
        self.where = (host, port)
        self.sent: list[tuple[bytes, tuple[str, int]]] = []

    def getHost(self) -> IPv4Address | IPv6Address:
        kind = IPv6Address if ":" in self.where[0] else IPv4Address
        return kind("UDP", *self.where)

    def write(self, datagram: bytes, address: tuple[str, int]) -> None:
        self.sent.append((datagram, address))


class Network:
    """Services that listen, until the end of the test."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.services: list[Echo] = []

    def listen(
        self, host: str = "127.0.0.1", port: int = 7007, limits: DatagramLimits | None = None
    ) -> Echo:
        service = Echo(self.clock, limits=limits)
        service.makeConnection(FakeUDP(host, port))
        self.services.append(service)
        return service


@pytest.fixture
def network(clock: Clock) -> Iterator[Network]:
    network = Network(clock)
    yield network
    for service in network.services:
        service.doStop()


def answers(service: Echo, host: str, port: int, datagram: bytes = b"x") -> bool:
    before = len(service.transport.sent)
    service.datagramReceived(datagram, (host, port))
    return len(service.transport.sent) > before


def test_aDatagramIsAnsweredToItsSource(network: Network) -> None:
    echo = network.listen()
    assert answers(echo, "192.0.2.1", 40000)
    assert echo.transport.sent == [(b"x", ("192.0.2.1", 40000))]
    assert (echo.answered, echo.dropped.total) == (1, 0)


@pytest.mark.parametrize("port", [0, 7, 19, 53, 123, 1023])
def test_aReservedPortIsNotAnswered(network: Network, port: int) -> None:
    echo = network.listen()
    assert not answers(echo, "192.0.2.1", port)
    assert echo.dropped.total == 1


@pytest.mark.parametrize(
    ("ours", "source"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.5"),
        ("127.0.0.1", "::ffff:127.0.0.1"),
        ("127.0.0.1", "::FFFF:127.0.0.1"),
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7", "::ffff:192.0.2.7"),
        ("::1", "::1"),
        ("0.0.0.0", "192.0.2.7"),
        ("::", "192.0.2.7"),
    ],
)
def test_anotherServiceOfThisProcessIsNotAnswered(network: Network, ours: str, source: str) -> None:
    """Nor itself; whatever the form in which its address appears, and as long as it listens."""
    other = network.listen(ours, 9001)
    echo = network.listen("127.0.0.1", 7007)
    assert not answers(echo, source, 9001)
    assert not answers(other, source, 9001)
    assert answers(echo, source, 9002)
    other.doStop()
    network.services.remove(other)
    assert answers(echo, source, 9001)


@pytest.mark.parametrize(
    "host",
    ["255.255.255.255", "127.255.255.255", "224.0.0.1", "239.1.2.3", "0.0.0.0", "::", "ff02::1", "x"],
)
def test_whatIsNoSingleHostIsNotAnswered(network: Network, host: str) -> None:
    """A forged source could make one answer go to a whole network."""
    assert not answers(network.listen(), host, 40000)


def test_twoServicesCanNotFeedEachOther(network: Network) -> None:
    """A forged datagram from one to the other is not even answered once."""
    one, other = network.listen(port=1111), network.listen(port=2222)
    one.datagramReceived(b"x", ("127.0.0.1", 2222))
    assert one.transport.sent == other.transport.sent == []


def test_theRate(network: Network) -> None:
    echo = network.listen(limits=DatagramLimits(perSource=5, total=8))
    assert sum(answers(echo, "192.0.2.1", 40000 + port) for port in range(100)) == 10
    assert sum(answers(echo, f"192.0.2.{host}", 40000) for host in range(2, 100)) == 6
    network.clock.advance(1)
    assert sum(answers(echo, f"192.0.2.{host}", 40000) for host in range(2, 100)) == 8


def test_onePeerInTwoFormsHasOneRate(network: Network) -> None:
    echo = network.listen(limits=DatagramLimits(perSource=1))
    assert [answers(echo, host, 40000) for host in ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1")] == [
        True,
        True,
        False,
    ]


def test_aLongDatagramIsDropped(network: Network) -> None:
    echo = network.listen(limits=DatagramLimits(maxSize=4))
    assert answers(echo, "192.0.2.1", 40000, b"1234")
    assert not answers(echo, "192.0.2.1", 40000, b"12345")


def test_aBugCostsTheDatagramOnly(network: Network, loggedFailures: LoggedFailures) -> None:
    echo = network.listen()
    assert not answers(echo, "192.0.2.1", 40000, b"bug")
    assert loggedFailures.flush(ZeroDivisionError)
    assert answers(echo, "192.0.2.1", 40000)


def test_whatIsDroppedIsToldInOneLine(network: Network, loggedEvents: list[LogEvent]) -> None:
    """A flood does not fill the log."""
    echo = network.listen()
    for _ in range(10_000):
        echo.datagramReceived(b"x", ("192.0.2.1", 53))
    network.clock.advance(10)
    assert [event["reasons"] for event in loggedEvents if "reasons" in event] == [
        "10000 from a reserved port"
    ]


@pytest.mark.parametrize(
    "host",
    [
        "255.255.255.255",
        "127.255.255.255",
        "::ffff:255.255.255.255",
        "224.0.0.1",
        "0.0.0.0",
        "ff02::1",
        "::",
    ],
)
def test_aNetworkIsNotAnswered(network: Network, host: str) -> None:
    """A forged broadcast or multicast source would make many hear one answer."""
    echo = network.listen()
    assert not answers(echo, host, 40000)
    assert answers(echo, "192.0.2.1", 40000)
