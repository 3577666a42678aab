"""
One question and one answer over datagrams, on sockets in memory.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError, DNSLookupError, TimeoutError
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.net.endpoints import DatagramTarget
from labnet.net.exchange import ask


class Socket:
    """A UDP socket in memory."""

    def __init__(self, protocol: DatagramProtocol, interface: str, problem: OSError | None) -> None:
        self.protocol = protocol
        self.interface = interface
        self.problem = problem
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self.connected: tuple[str, int] | None = None
        self.open = True
        protocol.makeConnection(self)

    def connect(self, host: str, port: int) -> None:
        if self.problem is not None:
            raise self.problem
        self.connected = (host, port)

    def write(self, datagram: bytes, address: tuple[str, int]) -> None:
        self.sent.append((datagram, address))

    def stopListening(self) -> None:
        if self.open:
            self.open = False
            self.protocol.doStop()

    def gets(self, datagram: bytes) -> None:
        assert self.connected is not None
        self.protocol.datagramReceived(datagram, self.connected)


class Network(Clock):
    """A reactor with datagrams and names."""

    def __init__(self) -> None:
        super().__init__()
        self.sockets: list[Socket] = []
        self.problem: OSError | None = None

    def listenUDP(
        self, port: int, protocol: DatagramProtocol, interface: str = "", maxPacketSize: int = 8192
    ) -> Socket:
        assert port == 0
        self.sockets.append(Socket(protocol, interface, self.problem))
        return self.sockets[-1]

    def resolve(self, name: str, timeout: tuple[int, ...] = (1,)) -> Deferred[str]:
        return succeed("192.0.2.9") if name == "known" else fail(DNSLookupError(name))


@pytest.fixture
def network() -> Iterator[Network]:
    """It must be left without timers and without open sockets."""
    network = Network()
    yield network
    assert network.getDelayedCalls() == []
    assert [each for each in network.sockets if each.open] == []


def asking(
    network: Network, host: str = "127.0.0.1", **options: object
) -> tuple[Deferred[bytes], list[object]]:
    results: list[object] = []
    target = DatagramTarget(host, 9001)
    answer = Deferred.fromCoroutine(ask(network, target, b"?", **options))  # type: ignore[arg-type]
    answer.addBoth(results.append)
    return answer, results


def kind(results: list[object]) -> type[BaseException]:
    (failure,) = results
    assert isinstance(failure, Failure)
    return failure.type


def test_anAnswer(network: Network) -> None:
    _, results = asking(network)
    (sock,) = network.sockets
    assert sock.connected == ("127.0.0.1", 9001)
    assert [datagram for datagram, _ in sock.sent] == [b"?"]
    sock.gets(b"!")
    assert results == [b"!"]


def test_itIsSentAgainUntilAnAnswerComes(network: Network) -> None:
    again: list[None] = []
    _, results = asking(network, timeout=1.0, tries=3, sentAgain=lambda: again.append(None))
    network.advance(1)
    network.advance(1)
    (sock,) = network.sockets
    assert (len(sock.sent), len(again)) == (3, 2)
    sock.gets(b"!")
    assert results == [b"!"]


def test_afterTheLastTryItTimesOut(network: Network) -> None:
    _, results = asking(network, timeout=1.0, tries=2)
    network.pump([0.5] * 4)
    assert kind(results) is TimeoutError
    assert "no answer from udp:127.0.0.1:9001 in 2 tries" in results[0].getErrorMessage()  # type: ignore[attr-defined]
    assert len(network.sockets[0].sent) == 2


def test_whatIsNoAnswerIsIgnored(network: Network) -> None:
    """It neither ends the wait nor prolongs it."""
    _, results = asking(network, timeout=1.0, tries=1, accepts=lambda datagram: datagram == b"!")
    network.advance(0.9)
    network.sockets[0].gets(b"junk")
    assert results == []
    network.advance(0.2)
    assert kind(results) is TimeoutError


def test_aLateAnswerIsNotTheAnswerToTheNextQuestion(network: Network) -> None:
    """Each question has a socket of its own, and the old one is closed."""
    _, results = asking(network, timeout=1.0, tries=1)
    network.advance(1)
    assert kind(results) is TimeoutError
    _, second = asking(network)
    assert not network.sockets[0].open
    network.sockets[0].gets(b"late")
    assert second == []
    network.sockets[1].gets(b"!")
    assert second == [b"!"]


def test_refused(network: Network) -> None:
    _, results = asking(network)
    network.sockets[0].protocol.connectionRefused()
    assert kind(results) is ConnectionRefusedError
    network.sockets[0].stopListening()


def test_theReactorMayCloseTheSocketOfARefusedDatagram(network: Network) -> None:
    _, results = asking(network)
    network.sockets[0].stopListening()
    assert kind(results) is ConnectionRefusedError


def test_theNetworkMayNotTakeIt(network: Network) -> None:
    network.problem = OSError(errno.ENETUNREACH, "unreachable")
    _, results = asking(network)
    assert kind(results) is OSError


def test_cancelling(network: Network) -> None:
    answer, results = asking(network)
    answer.cancel()
    assert kind(results) is CancelledError


def test_aNameIsLookedUp(network: Network) -> None:
    _, results = asking(network, "known")
    assert network.sockets[0].connected == ("192.0.2.9", 9001)
    network.sockets[0].gets(b"!")
    assert results == [b"!"]


@pytest.mark.parametrize("name", ["unknown", "a..b", "", "x" * 300])
def test_aNameWithoutAnAddress(network: Network, name: str) -> None:
    _, results = asking(network, name)
    assert kind(results) is DNSLookupError
    assert network.sockets == []


def test_ipv6(network: Network) -> None:
    _, results = asking(network, "::1")
    assert network.sockets[0].interface == "::"
    network.sockets[0].gets(b"!")
    assert results == [b"!"]
