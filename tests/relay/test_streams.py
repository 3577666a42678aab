"""
The relay from TCP to TCP: bytes, back-pressure, halves and ends, both ways.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import ISSLTransport, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer

from labnet.net.limits import Limits
from labnet.net.origin import Origin
from labnet.net.splice import Splice
from labnet.relay.server import StreamRelay, StreamRelayFactory
from labnet.testing import TCPTransport, doneReason, hangUp, resetReason


@implementer(IStreamClientEndpoint)
class Endpoint:
    """
    An endpoint that connects when a test says so.

    @ivar cancelled: how many attempts were given up.
    """

    def __init__(self) -> None:
        self.attempts: list[tuple[Factory, Deferred[Origin]]] = []
        self.cancelled = 0

    def connect(self, factory: Factory) -> Deferred[Origin]:
        attempt: Deferred[Origin] = Deferred(self._cancel)
        self.attempts.append((factory, attempt))
        return attempt

    def _cancel(self, attempt: Deferred[Origin]) -> None:
        self.cancelled += 1

    def succeed(self, transport: TCPTransport) -> Origin:
        factory, attempt = self.attempts.pop(0)
        origin = factory.buildProtocol(None)
        assert isinstance(origin, Origin)
        origin.makeConnection(transport)
        attempt.callback(origin)
        return origin

    def fail(self, error: Exception) -> None:
        self.attempts.pop(0)[1].errback(Failure(error))


class Pair:
    """A client of the relay; C{connect} gives it its origin."""

    def __init__(self, clock: Clock) -> None:
        self.endpoint = Endpoint()
        limits = Limits(idleTimeout=60.0, grace=3.0)
        self.factory = StreamRelayFactory(clock, self.endpoint, connectTimeout=5.0, limits=limits)
        client = self.factory.buildProtocol(None)
        assert isinstance(client, StreamRelay)
        self.client = client
        self.near = TCPTransport()
        self.far = TCPTransport()
        client.makeConnection(self.near)

    def connect(self) -> Origin:
        return self.endpoint.succeed(self.far)


@pytest.fixture
def pair(clock: Clock) -> Iterator[Pair]:
    """A pair, whose ends the test has to report: the clock must be empty in the end."""
    return Pair(clock)


def bothEnd(pair: Pair, origin: Origin) -> None:
    """Each side ends its half, and both connections are over."""
    pair.client.readConnectionLost()
    origin.readConnectionLost()
    hangUp(origin)
    hangUp(pair.client)


def test_bytesGoBothWays(pair: Pair) -> None:
    origin = pair.connect()
    pair.client.dataReceived(b"question")
    origin.dataReceived(b"answer\0\xff")
    assert pair.far.value() == b"question"
    assert pair.near.value() == b"answer\0\xff"
    bothEnd(pair, origin)


def test_theClientsFirstBytesWaitForTheOrigin(pair: Pair) -> None:
    pair.client.dataReceived(b"early ")
    pair.client.dataReceived(b"bird")
    assert pair.near.reading
    origin = pair.connect()
    assert pair.far.value() == b"early bird"
    bothEnd(pair, origin)


def test_butNotTooManyOfThem(pair: Pair) -> None:
    pair.client.dataReceived(b"x" * Splice.MOST_EARLY)
    assert not pair.near.reading
    origin = pair.connect()
    assert pair.near.reading
    assert len(pair.far.value()) == Splice.MOST_EARLY
    bothEnd(pair, origin)


def test_anOriginThatDoesNotReadHoldsTheClientBack(pair: Pair) -> None:
    origin = pair.connect()
    pair.far.producer.pauseProducing()
    assert not pair.near.reading
    assert pair.far.reading
    pair.far.producer.resumeProducing()
    assert pair.near.reading
    bothEnd(pair, origin)


def test_aClientThatDoesNotReadHoldsTheOriginBack(pair: Pair) -> None:
    """The origin, and not the client: who sends without reading may go on sending."""
    origin = pair.connect()
    pair.near.producer.pauseProducing()
    assert not pair.far.reading
    assert pair.near.reading
    pair.near.producer.resumeProducing()
    assert pair.far.reading
    bothEnd(pair, origin)


def test_theClientsHalfCloseIsCarriedAndTheAnswerStillComes(pair: Pair) -> None:
    origin = pair.connect()
    pair.client.dataReceived(b"all of it")
    pair.client.readConnectionLost()
    assert pair.far.halfClosed
    assert not pair.near.disconnecting
    origin.dataReceived(b"answer")
    assert pair.near.value() == b"answer"
    origin.readConnectionLost()
    assert pair.near.halfClosed
    hangUp(origin)
    hangUp(pair.client)


def test_theOriginsHalfCloseIsCarriedAndTheClientMayGoOn(pair: Pair) -> None:
    origin = pair.connect()
    origin.dataReceived(b"greeting")
    origin.readConnectionLost()
    assert pair.near.halfClosed
    assert not pair.far.disconnecting
    pair.client.dataReceived(b"more")
    assert pair.far.value() == b"more"
    pair.client.readConnectionLost()
    hangUp(origin)
    hangUp(pair.client)


def test_aHalfCloseBeforeTheOriginIsThere(pair: Pair) -> None:
    pair.client.dataReceived(b"all of it")
    pair.client.readConnectionLost()
    origin = pair.connect()
    assert pair.far.value() == b"all of it"
    assert pair.far.halfClosed
    origin.readConnectionLost()
    hangUp(origin)
    hangUp(pair.client)


def test_anEndIsReportedOnceThoughReadingIsResumed(pair: Pair) -> None:
    """A stream that has ended is never read again: its end would be reported for ever."""
    origin = pair.connect()
    pair.far.producer.pauseProducing()
    pair.client.readConnectionLost()
    assert not pair.near.reading
    # Our half is ended once the rest is sent; the reactor may still say that it is.
    origin.resumeProducing()
    assert not pair.near.reading
    origin.readConnectionLost()
    hangUp(origin)
    hangUp(pair.client)


def test_bothEndsLetTheOriginReadTheRestFirst(pair: Pair, loggedLines: list[str]) -> None:
    """The client's connection, and with it the service, lasts until the origin has everything."""
    origin = pair.connect()
    origin.readConnectionLost()
    pair.client.readConnectionLost()
    assert pair.far.disconnecting
    assert not pair.far.disconnected
    assert not pair.near.disconnecting
    hangUp(origin)
    assert pair.near.disconnecting
    hangUp(pair.client)
    assert any("0 bytes in, 0 out; ended by both sides" in line for line in loggedLines)


def test_aResetOfTheClientIsCarried(pair: Pair) -> None:
    origin = pair.connect()
    pair.client.connectionLost(resetReason())
    assert pair.far.disconnected
    hangUp(origin)


def test_aResetOfTheOriginIsCarried(pair: Pair, loggedLines: list[str]) -> None:
    origin = pair.connect()
    origin.connectionLost(resetReason())
    assert pair.near.disconnected
    hangUp(pair.client)
    assert any("origin lost" in line for line in loggedLines)


def test_aClientThatLeavesCancelsTheConnect(pair: Pair) -> None:
    pair.client.connectionLost(resetReason())
    assert pair.endpoint.cancelled == 1


def test_anOriginThatIsNotThereIsAReset(pair: Pair, loggedLines: list[str]) -> None:
    pair.endpoint.fail(ConnectionRefusedError())
    assert pair.near.disconnected
    hangUp(pair.client)
    assert any("no origin: connection refused" in line for line in loggedLines)


def test_theConnectHasATime(pair: Pair, clock: Clock, loggedLines: list[str]) -> None:
    clock.advance(4.9)
    assert not pair.near.disconnecting
    clock.advance(0.2)
    assert pair.near.disconnected
    assert pair.endpoint.cancelled == 1
    hangUp(pair.client)
    assert any("no origin: timed out" in line for line in loggedLines)


@pytest.mark.parametrize("side", ["client", "origin"])
def test_trafficInEitherDirectionIsTraffic(pair: Pair, clock: Clock, side: str) -> None:
    origin = pair.connect()
    for _ in range(20):
        clock.pump([1.0] * 30)
        if side == "client":
            pair.client.dataReceived(b"x")
        else:
            origin.dataReceived(b"x")
    assert not pair.near.disconnecting
    clock.pump([1.0] * 61)
    assert pair.near.disconnected
    hangUp(pair.client)
    assert pair.far.disconnected
    hangUp(origin)


def test_aStoppingServiceGivesStreamsItsGraceTime(pair: Pair, clock: Clock) -> None:
    origin = pair.connect()
    finished = pair.factory.finish()
    clock.pump([0.0, 0.0, 1.0])
    pair.client.dataReceived(b"more")
    assert pair.far.value() == b"more"
    assert not pair.near.disconnecting
    clock.pump([1.0, 1.0])
    assert pair.near.disconnected
    hangUp(pair.client)
    assert pair.far.disconnected
    hangUp(origin)
    assert finished.called


def test_aClientOverTLSHasNoHalves(pair: Pair, clock: Clock) -> None:
    """Its end ends the whole; what the origin has to read yet is sent, but not for ever."""
    directlyProvides(pair.near, ISSLTransport)
    origin = pair.connect()
    origin.readConnectionLost()
    assert pair.near.disconnecting
    assert not pair.near.halfClosed
    hangUp(pair.client)
    assert pair.far.disconnecting
    assert not pair.far.disconnected
    clock.advance(Origin.LINGER)
    assert pair.far.disconnected
    hangUp(origin)


def test_anOriginOverTLSHasNoHalvesEither(pair: Pair) -> None:
    directlyProvides(pair.far, ISSLTransport)
    origin = pair.connect()
    pair.client.readConnectionLost()
    assert pair.far.disconnecting
    assert not pair.far.halfClosed
    origin.connectionLost(doneReason())
    assert pair.near.disconnecting
    hangUp(pair.client)


def test_bothSidesGetTheSocketOptions(pair: Pair) -> None:
    origin = pair.connect()
    assert pair.near.noDelay
    assert pair.far.noDelay
    assert pair.far.keepAlive
    bothEnd(pair, origin)
