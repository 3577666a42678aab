"""
The ways to a web server: address after address, and through a proxy.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from labnet.names.client import Endpoint, Family
from labnet.net.outcome import ExitStatus, explain
from labnet.testing import TCPTransport, doneReason, hangUp
from labnet.web import route
from labnet.web.events import (
    Connecting,
    Event,
    LookedUp,
    LookingUp,
    NotConnected,
    RequestBegan,
    TunnelReady,
)
from labnet.web.requests import Manner, encodeConnect
from labnet.web.route import AddressEndpoint, Tunnel, Ways
from labnet.web.target import parseURL

LOCALHOST = [Endpoint(Family.IPV6, "::1", 80), Endpoint(Family.IPV4, "127.0.0.1", 80)]


class Addresses:
    """Connecting to a host that has both addresses of this machine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, host: str = "localhost") -> None:
        monkeypatch.setattr(route, "addresses", lambda *args, **kw: succeed(LOCALHOST))
        self.events: list[Event] = []
        self.reactor = MemoryReactorClock()
        endpoint = AddressEndpoint(self.reactor, host, 80, 10.0, self.events.append)
        self.results: list[object] = []
        self.connecting = endpoint.connect(Factory.forProtocol(Protocol))
        self.connecting.addBoth(self.results.append)

    def refuse(self) -> None:
        attempt = self.reactor.tcpClients[-1]
        attempt[2].clientConnectionFailed(self.reactor.connectors[-1], Failure(ConnectionRefusedError()))

    def accept(self) -> None:
        self.reactor.tcpClients[-1][2].buildProtocol(None).makeConnection(TCPTransport())


def test_oneAddressAfterTheOther(monkeypatch: pytest.MonkeyPatch) -> None:
    world = Addresses(monkeypatch)
    assert [client[0] for client in world.reactor.tcpClients] == ["::1"]
    world.refuse()
    assert [client[0] for client in world.reactor.tcpClients] == ["::1", "127.0.0.1"]
    world.accept()
    (protocol,) = world.results
    assert isinstance(protocol, Protocol)
    assert world.events == [
        LookingUp("localhost"),
        LookedUp("localhost", ("::1", "127.0.0.1")),
        Connecting("[::1]:80"),
        NotConnected("[::1]:80", "connection refused: nothing listens there"),
        Connecting("127.0.0.1:80"),
    ]


def test_theLastFailureIsWhatItFailsWith(monkeypatch: pytest.MonkeyPatch) -> None:
    world = Addresses(monkeypatch)
    world.refuse()
    world.refuse()
    (failure,) = world.results
    assert isinstance(failure, Failure)
    assert explain(failure)[1] is ExitStatus.REFUSED


def test_eachAddressGetsItsShareOfTheTime(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first half of it; the second what is left."""
    world = Addresses(monkeypatch)
    assert world.reactor.tcpClients[0][3] == 5.0
    world.reactor.advance(2.0)
    world.refuse()
    assert world.reactor.tcpClients[1][3] == 8.0
    world.accept()


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_anAddressIsNotLookedUp(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    world = Addresses(monkeypatch, address)
    assert [client[0] for client in world.reactor.tcpClients] == [address]
    assert not any(isinstance(event, LookingUp) for event in world.events)
    world.accept()


def test_whoCancelsStopsIt(monkeypatch: pytest.MonkeyPatch) -> None:
    world = Addresses(monkeypatch)
    world.connecting.cancel()
    (failure,) = world.results
    assert isinstance(failure, Failure)
    assert failure.check(CancelledError)
    assert len(world.reactor.tcpClients) == 1


class Inner(Protocol):
    """What is at this end of the tunnel."""

    received = b""
    lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = Failure(Exception())) -> None:
        self.lost = reason


class Tunnelling:
    """A tunnel that is being asked for."""

    def __init__(self, clock: Clock) -> None:
        proxy, url = parseURL("http://me:secret@proxy"), parseURL("https://origin/")
        self.events: list[Event] = []
        self.transport = TCPTransport()
        self.tunnel = Tunnel(
            clock,
            encodeConnect(url, b"us", proxy),
            url,
            Factory.forProtocol(Inner),
            5.0,
            self.events.append,
        )
        self.results: list[object] = []
        self.ready: Deferred[IProtocol] = self.tunnel.ready
        self.ready.addBoth(self.results.append)
        self.tunnel.makeConnection(self.transport)

    def outcome(self) -> tuple[str, ExitStatus]:
        (failure,) = self.results
        assert isinstance(failure, Failure)
        return explain(failure)


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_aTunnel(clock: Clock, size: int) -> None:
    """The other protocol has the connection, from its first byte to its end."""
    world = Tunnelling(clock)
    assert world.transport.value().startswith(b"CONNECT origin:443 HTTP/1.1\r\nHost: origin:443\r\n")
    answer = b"HTTP/1.1 200 Connection established\r\nContent-Length: 3\r\n\r\n"
    for at in range(0, len(answer), size):
        assert not world.results
        world.tunnel.dataReceived(answer[at : at + size])
    (inner,) = world.results
    assert isinstance(inner, Inner)
    assert inner.transport is world.transport
    world.tunnel.dataReceived(b"hello")
    assert inner.received == b"hello"
    reason = doneReason()
    world.tunnel.connectionLost(reason)
    assert inner.lost is reason
    assert world.events[-1] == TunnelReady("origin:443")
    (began,) = [event for event in world.events if isinstance(event, RequestBegan)]
    assert b"Proxy-Authorization: (not shown)" in began.head


@pytest.mark.parametrize(
    ("answer", "sentence", "status"),
    [
        (b"HTTP/1.1 407 Who\r\n\r\n", "the proxy refuses the tunnel: 407 Who", ExitStatus.ANSWERED_ERROR),
        (b"SSH-2.0", "the proxy's answer is not understood: this is not HTTP", ExitStatus.NOT_UNDERSTOOD),
        (b"HTTP/1.1 200 OK\r\n\r\nhi", "the proxy says more than", ExitStatus.NOT_UNDERSTOOD),
    ],
)
def test_aProxyThatMakesNone(clock: Clock, answer: bytes, sentence: str, status: ExitStatus) -> None:
    world = Tunnelling(clock)
    world.tunnel.dataReceived(answer)
    hangUp(world.tunnel)
    assert world.outcome()[0].startswith(sentence)
    assert world.outcome()[1] is status


def test_aProxyThatLeaves(clock: Clock) -> None:
    world = Tunnelling(clock)
    world.tunnel.connectionLost(doneReason())
    assert world.outcome()[1] is ExitStatus.RESET


def test_aProxyThatSaysNothing(clock: Clock) -> None:
    world = Tunnelling(clock)
    clock.advance(5.0)
    hangUp(world.tunnel)
    assert world.outcome() == ("timed out: no tunnel in 5 s", ExitStatus.TIMED_OUT)


def test_whoCancelsATunnelEndsItsConnection(clock: Clock) -> None:
    world = Tunnelling(clock)
    world.ready.cancel()
    hangUp(world.tunnel)
    (failure,) = world.results
    assert isinstance(failure, Failure)
    assert failure.check(CancelledError)


@pytest.mark.parametrize(
    ("url", "proxy", "place"),
    [
        ("http://192.0.2.1/", None, ("192.0.2.1", 80)),
        ("https://192.0.2.1/", None, ("192.0.2.1", 443)),
        ("http://192.0.2.1/", "http://192.0.2.9:8080", ("192.0.2.9", 8080)),
        ("https://192.0.2.1/", "http://192.0.2.9:8080", ("192.0.2.9", 8080)),
    ],
)
def test_whereTheWayBegins(url: str, proxy: str | None, place: tuple[str, int]) -> None:
    reactor = MemoryReactorClock()
    manner = Manner(proxy=parseURL(proxy) if proxy else None)
    connecting = Ways(reactor, manner, lambda event: None).to(parseURL(url)).connect(Factory())
    assert [client[:2] for client in reactor.tcpClients] == [place]
    connecting.addErrback(lambda failure: None)
    connecting.cancel()
