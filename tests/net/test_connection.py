"""
Connections and the factory that keeps them, on transports in memory.
"""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent
from twisted.python.failure import Failure

from labnet.net.connection import ServiceConnection, ServiceFactory
from labnet.net.limits import Limits
from labnet.testing import LoggedFailures


class Doubler(ServiceConnection):
    """Answers each line with itself, twice; the line C{bug} is one; is busy in the middle of a line."""

    def __init__(self) -> None:
        super().__init__()
        self.rest = b""
        self.reasons: list[Failure] = []

    @property
    def busy(self) -> bool:
        return bool(self.rest)

    def received(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            if line == b"bug":
                raise ZeroDivisionError
            self.write(line * 2)

    def ended(self, reason: Failure) -> None:
        self.reasons.append(reason)


class Doublers(ServiceFactory):
    service = "doubler"
    connectionClass = Doubler


class Transport(StringTransport):
    """One whose end is seen by its protocol in the next step of the test."""

    protocol: Doubler

    def __init__(self, host: str = "192.0.2.1") -> None:
        super().__init__(peerAddress=IPv4Address("TCP", host, 4711))
        self.reading = True
        self.aborted = False

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def abortConnection(self) -> None:
        self.aborted = True

    def loseWriteConnection(self) -> None:
        self.halfClosed = True

    def lost(self, reason: Exception | None = None) -> None:
        """The connection is gone."""
        self.protocol.connectionLost(Failure(reason or ConnectionDone()))


def connect(factory: ServiceFactory, host: str = "192.0.2.1") -> Transport:
    transport = Transport(host)
    protocol = factory.buildProtocol(transport.getPeer())
    assert isinstance(protocol, Doubler)
    transport.protocol = protocol
    protocol.makeConnection(transport)
    return transport


def turns(clock: Clock, count: int = 5) -> None:
    for _ in range(count):
        clock.advance(0.001)


def test_everyConnectionHasANumberOfItsOwn(clock: Clock) -> None:
    factories = Doublers(clock), Doublers(clock)
    transports = [connect(factory) for factory in factories for _ in range(5)]
    assert len({transport.protocol.connectionId for transport in transports}) == 10
    for transport in transports:
        transport.lost()


def test_oneLineForEachConnection(clock: Clock, loggedEvents: list[LogEvent]) -> None:
    """With number, peer, what happened, how it ended and how long it took."""
    transport = connect(Doublers(clock))
    transport.protocol.dataReceived(b"ab\n")
    clock.advance(0.5)
    transport.lost()
    (event,) = [event for event in loggedEvents if event.get("service") == "doubler"]
    assert event["id"] == transport.protocol.connectionId
    assert event["peer"] == "tcp:192.0.2.1:4711"
    assert (event["bytesIn"], event["bytesOut"], event["seconds"]) == (3, 4, 0.5)
    assert (event["summary"], event["outcome"]) == ("3 bytes in, 4 out", "closed by the peer")


def test_theOutcomeSaysHowItEnded(clock: Clock) -> None:
    factory = Doublers(clock)
    outcomes = []
    for reason in (ConnectionDone(), ConnectionLost("reset"), OSError("what")):
        transport = connect(factory)
        transport.lost(reason)
        outcomes.append(transport.protocol.outcome)
    assert outcomes[0] == "closed by the peer"
    assert outcomes[1].startswith("lost (")
    assert outcomes[2] == "what"


def test_connectionsInAllAndPerPeer(clock: Clock, loggedEvents: list[LogEvent]) -> None:
    """Refused ones are counted, told in one line, and do not disturb the others."""
    factory = Doublers(clock, limits=Limits(maxConnections=3, maxPerPeer=2))
    first, second = connect(factory), connect(factory)
    assert factory.buildProtocol(first.getPeer()) is None
    third = connect(factory, "192.0.2.2")
    for _ in range(100):
        assert factory.buildProtocol(IPv4Address("TCP", "192.0.2.3", 1)) is None
    assert factory.refused.total == 101
    clock.advance(10)
    assert len([event for event in loggedEvents if event.get("count") == 101]) == 1
    second.lost()
    fourth = connect(factory)
    for transport in (first, third, fourth):
        transport.protocol.dataReceived(b"x\n")
        assert transport.value() == b"xx"
        transport.lost()
    assert factory.connections == set()


def test_anIdleConnectionIsDropped(clock: Clock) -> None:
    """Idle is who completes nothing: a byte now and then does not help."""
    factory = Doublers(clock, limits=Limits(idleTimeout=10))
    working, trickling = connect(factory), connect(factory)
    for _ in range(12):
        clock.advance(1)
        working.protocol.dataReceived(b"x\n")
        trickling.protocol.dataReceived(b"x")
    assert not working.aborted
    assert trickling.aborted
    assert trickling.protocol.outcome == "idle for 10 s"
    trickling.lost()
    working.lost()


def test_aConnectionHasALifetime(clock: Clock) -> None:
    factory = Doublers(clock, limits=Limits(idleTimeout=0, lifetime=10))
    transport = connect(factory)
    for _ in range(11):
        assert not transport.aborted or clock.seconds() >= 10
        transport.protocol.dataReceived(b"x\n")
        clock.advance(1)
    assert transport.aborted
    assert transport.protocol.outcome == "open for 10 s"
    transport.lost()


@pytest.mark.parametrize("limits", [Limits(idleTimeout=0), Limits(idleTimeout=1e-9)])
def test_theSweepIsNeitherUselessNorHot(clock: Clock, limits: Limits) -> None:
    """Without limits there is none; with absurd ones it comes at most twenty times a second."""
    transport = connect(Doublers(clock, limits=limits))
    calls = clock.getDelayedCalls()
    assert all(call.getTime() >= 0.05 for call in calls)
    assert len(calls) == (1 if limits.idleTimeout else 0)
    transport.lost()


def test_aBugEndsOnlyItsConnection(clock: Clock, loggedFailures: LoggedFailures) -> None:
    factory = Doublers(clock)
    good, bad = connect(factory), connect(factory)
    bad.protocol.dataReceived(b"x\nbug\ny\n")
    assert loggedFailures.flush(ZeroDivisionError)
    assert bad.aborted
    assert bad.value() == b"xx"
    bad.protocol.dataReceived(b"z\n")
    assert bad.value() == b"xx"
    good.protocol.dataReceived(b"x\n")
    assert good.value() == b"xx"
    bad.lost()
    assert bad.protocol.outcome == "a bug in this service"
    good.lost()


@pytest.mark.parametrize("where", ["started", "inputEnded", "outputFull", "outputDrained", "ended"])
def test_aBugAnywhereIsLoggedAndContained(
    clock: Clock, loggedFailures: LoggedFailures, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Doubler, where, bug)
    factory = Doublers(clock)
    transport = connect(factory)
    transport.protocol.dataReceived(b"x\n")
    transport.protocol.pauseProducing()
    transport.protocol.resumeProducing()
    transport.protocol.readConnectionLost()
    transport.lost()
    assert loggedFailures.flush(ZeroDivisionError)
    assert factory.connections == set()


def test_halfClose(clock: Clock) -> None:
    """The peer ends its half: what was answered is sent, then the connection ends; nothing is aborted."""
    transport = connect(Doublers(clock))
    transport.protocol.dataReceived(b"x\n")
    transport.protocol.readConnectionLost()
    assert transport.value() == b"xx"
    assert transport.disconnecting
    assert not transport.aborted
    transport.lost()


def test_aSlowReaderIsNotReadFrom(clock: Clock) -> None:
    """Until it has read what there is; a producer may be told more than once."""
    transport = connect(Doublers(clock))
    connection = transport.protocol
    assert transport.producer is connection
    connection.pauseProducing()
    connection.pauseProducing()
    assert not transport.reading
    connection.resumeProducing()
    assert transport.reading
    transport.lost()


def test_reasonsToHoldAreCounted(clock: Clock) -> None:
    transport = connect(Doublers(clock))
    connection = transport.protocol
    connection.hold("a")
    connection.hold("b")
    connection.release("a")
    assert not transport.reading
    assert connection.held("b")
    connection.release("b")
    connection.release("b")
    assert transport.reading
    transport.lost()


def test_afterTheEndOfItsInputAStreamIsNotResumed(clock: Clock) -> None:
    """Its end would be reported again and again."""
    transport = connect(Doublers(clock))
    transport.protocol.pauseProducing()
    transport.protocol.readConnectionLost()
    transport.protocol.resumeProducing()
    assert not transport.reading
    transport.lost()


def test_closingTwiceIsClosingOnce(clock: Clock) -> None:
    transport = connect(Doublers(clock))
    transport.protocol.close("first")
    transport.protocol.close("second")
    transport.protocol.drop("third")
    transport.lost()
    assert transport.protocol.outcome == "first"
    assert transport.producer is None


# The end of a service


def test_finishWithoutConnections(clock: Clock) -> None:
    assert Doublers(clock).finish().called


def test_finishClosesWhoIsNotBusy(clock: Clock) -> None:
    factory = Doublers(clock)
    transports = [connect(factory) for _ in range(3)]
    finished = factory.finish()
    assert factory.buildProtocol(transports[0].getPeer()) is None
    turns(clock)
    assert all(transport.disconnecting for transport in transports)
    assert not finished.called
    for transport in transports:
        transport.lost()
        assert transport.protocol.outcome == "service stopped"
    assert finished.called


def test_whatTheKernelHoldsIsReadAndAnsweredFirst(clock: Clock) -> None:
    """For as long as each turn of the reactor brings something, and no longer."""
    factory = Doublers(clock)
    transport = connect(factory)
    finished = factory.finish()
    for number in range(20):
        transport.protocol.dataReceived(b"%d\n" % (number % 10))
        clock.advance(0.001)
        assert not transport.disconnecting
    turns(clock)
    assert transport.disconnecting
    assert transport.value() == b"".join(b"%d" % (number % 10) * 2 for number in range(20))
    transport.lost()
    assert finished.called


def test_whoNeverStopsSendingIsEndedBetweenTwoMessages(clock: Clock) -> None:
    factory = Doublers(clock)
    transport = connect(factory)
    factory.finish()
    for _ in range(200):
        transport.protocol.dataReceived(b"x\n")
        clock.advance(0.001)
    assert transport.disconnecting
    assert not transport.protocol.busy
    transport.lost()


def test_whoIsInTheMiddleHasTheGraceTime(clock: Clock) -> None:
    """One completes its message, is answered and ends; the other does not, and is aborted."""
    factory = Doublers(clock, limits=Limits(grace=5, idleTimeout=0))
    completes, hangs = connect(factory), connect(factory)
    for transport in (completes, hangs):
        transport.protocol.dataReceived(b"ab")
    finished = factory.finish()
    turns(clock)
    assert not completes.disconnecting
    clock.advance(2)
    completes.protocol.dataReceived(b"c\n")
    assert completes.value() == b"abcabc"
    assert completes.disconnecting
    completes.lost()
    clock.advance(2.9)
    assert not hangs.aborted
    clock.advance(0.2)
    assert hangs.aborted
    hangs.lost()
    assert hangs.protocol.outcome == "not finished within the grace time"
    assert finished.called


def test_whoReadsSlowlyIsNotClosedOnWhatTheKernelHolds(clock: Clock) -> None:
    """Of a held connection we have not read everything: it has until the grace time to be read."""
    factory = Doublers(clock, limits=Limits(grace=5, idleTimeout=0))
    transport = connect(factory)
    transport.protocol.pauseProducing()
    factory.finish()
    turns(clock, 200)
    clock.advance(1)
    assert not transport.disconnecting
    transport.protocol.resumeProducing()
    transport.protocol.dataReceived(b"x\n")
    clock.pump([0.02] * 3)
    assert transport.value() == b"xx"
    assert transport.disconnecting
    transport.lost()


def test_everythingEndsInTheTurnInWhichTheServiceStops(clock: Clock) -> None:
    """No timer stays behind, and the factory can be used again."""
    factory = Doublers(clock)
    transport = connect(factory)
    finished = factory.finish()
    transport.lost()
    assert finished.called
    turns(clock)
    assert clock.getDelayedCalls() == []
    again = connect(factory)
    again.protocol.dataReceived(b"x\n")
    assert not again.disconnecting
    again.lost()


def test_finishingTwice(clock: Clock) -> None:
    factory = Doublers(clock)
    transport = connect(factory)
    both = [factory.finish(), factory.finish()]
    turns(clock)
    transport.lost()
    assert all(finished.called for finished in both)
