"""
The origin: what it answers, when, and that it lets go.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.task import Clock

from labnet.proxyselftest.scenario import Ask, Pause, Plan, Reply
from labnet.proxyselftest.server import Origin, OriginConnection
from labnet.testing import TCPTransport, doneReason

ONE = b"GET /one HTTP/1.1\r\nRange: Bytes=0-\r\n\r\n"
TWO = b"GET /two HTTP/1.1\r\n\r\n"


def connected(clock: Clock, *replies: Reply) -> tuple[Origin, OriginConnection, TCPTransport]:
    origin = Origin(clock, Plan(((Ask(),),), replies), pause=0.5)
    connection = origin.buildProtocol(None)
    transport = TCPTransport()
    transport.protocol = connection
    connection.makeConnection(transport)
    return origin, connection, transport


def test_theFirstReplyThatFits(clock: Clock) -> None:
    """In any case of letters; each piece is written by itself."""
    origin, connection, transport = connected(
        clock, Reply((b"a", b"b"), when=b"bytes=0-", closes=False), Reply((b"c",))
    )
    connection.dataReceived(ONE[:10])
    assert transport.pieces == []
    connection.dataReceived(ONE[10:])
    assert transport.pieces == [b"a", b"b"]
    assert not transport.disconnecting
    connection.dataReceived(TWO)
    assert transport.pieces == [b"a", b"b", b"c"]
    assert transport.disconnecting
    assert (origin.heard, origin.said) == ([ONE, TWO], [b"a", b"b", b"c"])


def test_requestsThatComeTogetherAreAnsweredInOrder(clock: Clock) -> None:
    _, connection, transport = connected(
        clock, Reply((b"1", Pause.PAUSE, b"2"), when=b"/one", closes=False), Reply((b"3",))
    )
    connection.dataReceived(ONE + TWO)
    assert transport.pieces == [b"1"]
    clock.advance(0.5)
    assert transport.pieces == [b"1", b"2", b"3"]


def test_whatNoReplyFitsEndsIt(clock: Clock) -> None:
    _, connection, transport = connected(clock, Reply((b"1",), when=b"/one"))
    connection.dataReceived(TWO)
    assert transport.disconnecting
    assert transport.pieces == []


def byTheClock(clock: Clock, origin: Origin) -> None:
    clock.advance(0.5)


def byTheClient(clock: Clock, origin: Origin) -> None:
    origin.clientHeard()


@pytest.mark.parametrize("resume", [byTheClock, byTheClient])
def test_aPauseEnds(clock: Clock, resume: Callable[[Clock, Origin], None]) -> None:
    """When the client has got something, or after a moment."""
    origin, connection, transport = connected(clock, Reply((b"1", Pause.PAUSE, b"2", Pause.PAUSE, b"3")))
    connection.dataReceived(ONE)
    assert transport.pieces == [b"1"]
    resume(clock, origin)
    assert transport.pieces == [b"1", b"2"]
    resume(clock, origin)
    assert transport.pieces == [b"1", b"2", b"3"]
    assert transport.disconnecting
    origin.clientHeard()


def test_aConnectionThatIsLostInAPause(clock: Clock) -> None:
    """Its timer goes, and nothing is said any more; the fixture looks at the clock."""
    origin, connection, transport = connected(clock, Reply((b"1", Pause.PAUSE, b"2")))
    connection.dataReceived(ONE)
    connection.connectionLost(doneReason())
    origin.clientHeard()
    connection.dataReceived(TWO)
    assert transport.pieces == [b"1"]
    assert not origin.connections


def test_itBreaksOffWhatIsOpen(clock: Clock) -> None:
    origin, _, transport = connected(clock, Reply((b"1",)))
    assert transport.noDelay
    origin.close()
    assert transport.disconnected
