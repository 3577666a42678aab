"""
One side of a connection in memory.
"""

from __future__ import annotations

import pytest
from twisted.internet import defer
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.testing import (
    RecordingProducer,
    SlowTransport,
    TCPTransport,
    doneReason,
    hangUp,
    lingered,
    resetReason,
    resultOf,
)


class Recorder(Protocol):
    """Notes what happens to it."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)

    def connectionLost(self, reason: Failure = doneReason()) -> None:
        self.heard.append(reason.type)


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Recorder):
    def readConnectionLost(self) -> None:
        self.heard.append("end")

    def writeConnectionLost(self) -> None:
        self.heard.append("ended")


def connected(protocol: Recorder) -> TCPTransport:
    transport = TCPTransport()
    transport.connect(protocol)
    return transport


def test_eachPieceIsDelivered() -> None:
    protocol = Recorder()
    transport = connected(protocol)
    transport.deliver(b"one", b"", b"two")
    assert protocol.heard == [b"one", b"two"]
    transport.end()
    assert protocol.heard[2:] == [ConnectionDone]
    assert transport.lost is not None


def test_aPauseHoldsWhatComes() -> None:
    """Also the end, and in the middle of a delivery; the rest comes with the first one after it."""

    class Pausing(Recorder):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            self.transport.pauseProducing()

    protocol = Pausing()
    transport = connected(protocol)
    transport.deliver(b"one", b"two")
    transport.end()
    assert (protocol.heard, transport.waiting) == ([b"one"], 3)
    transport.resumeProducing()
    assert protocol.heard == [b"one"], "nothing comes inside of resumeProducing()"
    with pytest.raises(AssertionError, match="ended its half"):
        transport.deliver(b"three")


def test_whatWaitedComesWithTheNextDelivery() -> None:
    protocol = Recorder()
    transport = connected(protocol)
    transport.pauseProducing()
    transport.deliver(b"one")
    transport.resumeProducing()
    transport.deliver()
    assert protocol.heard == [b"one"]


def test_nothingIsDeliveredAfterTheProtocolHasClosed() -> None:
    class Once(Recorder):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            self.transport.loseConnection()

    protocol = Once()
    transport = connected(protocol)
    transport.deliver(b"one", b"two")
    transport.deliver(b"three")
    assert protocol.heard == [b"one"]
    transport.hangUp()
    assert protocol.heard == [b"one", ConnectionDone]


def test_halves() -> None:
    """Who can do with half a connection goes on; who writes after its own end is found out."""
    protocol = HalfCloseable()
    transport = connected(protocol)
    transport.end()
    assert protocol.heard == ["end"]
    transport.write(b"bye")
    transport.loseWriteConnection()
    assert (transport.halfClosed, transport.pieces) == (True, [b"bye"])
    with pytest.raises(AssertionError, match="written after its end"):
        transport.write(b"more")


def test_endsThatAreNotInOrder() -> None:
    protocol = Recorder()
    transport = connected(protocol)
    with pytest.raises(AssertionError, match="has not closed"):
        transport.hangUp()
    transport.pauseProducing()
    transport.deliver(b"lost")
    transport.reset()
    assert protocol.heard == [ConnectionLost]
    with pytest.raises(AssertionError, match="over already"):
        transport.reset()
    other = Recorder()
    transport = connected(other)
    transport.abortConnection()
    transport.hangUp()
    assert other.heard == [ConnectionAborted]
    with pytest.raises(AssertionError, match="connect"):
        TCPTransport().deliver(b"x")


def test_aProducerKeepsAConnectionOpen() -> None:
    """Whoever ends it must be rid of its producer first; one that is lost stops it."""
    transport = connected(Recorder())
    producer = RecordingProducer()
    transport.registerProducer(producer, True)
    for end in (transport.loseConnection, transport.loseWriteConnection):
        with pytest.raises(AssertionError, match="a producer keeps the connection open"):
            end()
    transport.reset()
    assert producer.calls == ["stop"]


def test_aSlowPeer() -> None:
    """It asks a producer once to pause, and once to resume, when it has read everything."""
    transport = SlowTransport()
    producer = RecordingProducer()
    transport.registerProducer(producer, True)
    transport.write(bytes(transport.BUFFER))
    assert producer.calls == []
    transport.write(b"x")
    transport.write(b"y")
    assert producer.calls == ["pause"]
    assert len(transport.read()) == transport.BUFFER + 2
    assert transport.read() == b""
    assert producer.calls == ["pause", "resume"]


def test_endsForProtocolsThatATestTellsOfThem() -> None:
    protocol = Recorder()
    protocol.makeConnection(TCPTransport())
    with pytest.raises(AssertionError):
        hangUp(protocol)
    protocol.transport.loseConnection()
    hangUp(protocol)
    assert protocol.heard == [ConnectionDone]

    class Polite(HalfCloseable):
        def readConnectionLost(self) -> None:
            super().readConnectionLost()
            self.transport.loseConnection()

    polite = Polite()
    polite.makeConnection(TCPTransport())
    polite.transport.loseWriteConnection()
    lingered(polite)
    assert polite.heard == ["end", ConnectionDone]
    assert resetReason().check(ConnectionLost)


def test_theResultOfADeferred() -> None:
    """As it is by now; a failure is raised, and is nobody else's any more."""
    assert resultOf(defer.succeed(3)) == 3
    with pytest.raises(ZeroDivisionError):
        resultOf(defer.fail(ZeroDivisionError()))
    with pytest.raises(AssertionError, match="no result yet"):
        resultOf(defer.Deferred())
