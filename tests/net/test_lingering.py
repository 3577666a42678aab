"""
Last words arrive: the connection is not closed over input that nobody reads.
"""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from labnet.net.limits import Limits
from labnet.net.lingering import LINGER, LingeringConnection, LingeringFactory
from labnet.testing import TCPTransport, doneReason, hangUp


class Bye(LingeringConnection):
    """Says C{bye} to the first thing it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def received(self, data: bytes) -> None:
        self.pieces.append(data)
        self.endWith(b"bye", "said bye")


class ByeFactory(LingeringFactory):
    connectionClass = Bye


def connected(clock: Clock, limits: Limits | None = None) -> tuple[Bye, TCPTransport]:
    protocol = ByeFactory(clock, limits=limits).buildProtocol(IPv4Address("TCP", "192.0.2.1", 4711))
    assert isinstance(protocol, Bye)
    transport = TCPTransport()
    protocol.makeConnection(transport)
    return protocol, transport


def test_itEndsItsHalfOnly(clock: Clock) -> None:
    protocol, transport = connected(clock)
    protocol.dataReceived(b"hello")
    assert transport.pieces == [b"bye"]
    assert transport.halfClosed
    assert not transport.disconnecting
    assert protocol.lingering
    protocol.connectionLost(doneReason())
    assert protocol.outcome == "said bye"


def test_whatFollowsIsReadAndForgotten(clock: Clock) -> None:
    protocol, transport = connected(clock)
    for piece in (b"one", b"two", b"three"):
        protocol.dataReceived(piece)
    assert protocol.pieces == [b"one"]
    assert transport.pieces == [b"bye"]
    protocol.readConnectionLost()
    hangUp(protocol)


def test_thePeersEndIsTheEnd(clock: Clock) -> None:
    protocol, transport = connected(clock)
    protocol.dataReceived(b"hello")
    protocol.readConnectionLost()
    assert transport.disconnecting
    hangUp(protocol)


def test_aPeerThatNeverEnds(clock: Clock) -> None:
    """It gets some seconds, not until the idle time is over."""
    protocol, transport = connected(clock, Limits(idleTimeout=300.0))
    protocol.dataReceived(b"hello")
    clock.pump([0.1] * int(LINGER * 10 - 5))
    assert not transport.disconnecting
    clock.pump([0.1] * 20)
    assert transport.disconnecting
    hangUp(protocol)


def test_aPeerThatNeverStops(clock: Clock) -> None:
    """One that sends and sends is aborted."""
    protocol, transport = connected(clock)
    protocol.dataReceived(b"hello")
    for _ in range(20):
        protocol.dataReceived(b"x" * 65_536)
    assert transport.disconnected
    hangUp(protocol)
    assert protocol.outcome == "said bye"


def test_withoutIdleTimeEither(clock: Clock) -> None:
    """The time to linger is watched where no other time is."""
    protocol, transport = connected(clock, Limits(idleTimeout=0.0))
    protocol.dataReceived(b"hello")
    clock.pump([0.5] * 6)
    assert transport.disconnecting
    hangUp(protocol)


def test_aSecondEndIsNone(clock: Clock) -> None:
    protocol, transport = connected(clock)
    protocol.endWith(b"", "first")
    protocol.endWith(b"more", "second")
    assert transport.pieces == []
    protocol.connectionLost(doneReason())
    assert protocol.outcome == "first"


def test_aStoppingServiceDoesNotWaitForIt(clock: Clock) -> None:
    protocol, transport = connected(clock)
    protocol.dataReceived(b"hello")
    finished = protocol.factory.finish()
    clock.pump([0.001] * 5)
    assert transport.disconnecting
    hangUp(protocol)
    assert finished.called


@pytest.fixture
def clock() -> Clock:
    return Clock()
