"""
The calculator's servers on a transport in memory.
"""

from __future__ import annotations

import struct

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.calculator.arithmetic import Calculation, Division
from labnet.calculator.server import (
    CalculatorDatagramProtocol,
    CalculatorFactory,
    CalculatorProtocol,
    Dialect,
)
from labnet.calculator.wire import PROFILES
from labnet.net.limits import DatagramLimits, Limits
from labnet.testing import TCPTransport, assertSameForAnySegmentation, lingered

NAMES = list(PROFILES)
QUESTION = struct.pack("<ii1s", 12, 34, b"+")
ANSWER = struct.pack("<ii1s", 46, 0, b"R")
ERROR = struct.pack("<ii1s", 0, 0, b"E")


def connect(factory: CalculatorFactory) -> tuple[CalculatorProtocol, TCPTransport]:
    protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 4711))
    assert isinstance(protocol, CalculatorProtocol)
    transport = TCPTransport()
    protocol.makeConnection(transport)
    return protocol, transport


def lose(protocol: CalculatorProtocol) -> None:
    protocol.connectionLost(Failure(ConnectionDone()))


@pytest.mark.parametrize("name", NAMES)
def test_oneWriteForEachReply(clock: Clock, name: str) -> None:
    """However the requests are cut into segments, and in their order."""
    profile = PROFILES[name]
    calculations = [Calculation(12, "+", 34), Calculation(1, "?", 2), Calculation(-7, "*", 3)]
    stream = b"".join(profile.requests.encode(each) for each in calculations)
    expected = [profile.answer(each, profile.division) for each in calculations]
    factory = CalculatorFactory(clock, Dialect(profile))

    def replies(protocol: CalculatorProtocol, transport: TCPTransport) -> list[bytes]:
        assert not transport.disconnecting
        return transport.pieces

    assertSameForAnySegmentation(
        lambda: factory.buildProtocol(None), stream, observe=replies, expected=expected, pairs=20
    )


def test_clientsDoNotDisturbEachOther(clock: Clock) -> None:
    """Two of them, byte by byte in turn, one with errors."""
    factory = CalculatorFactory(clock)
    one, first = connect(factory)
    two, second = connect(factory)
    bad = struct.pack("<ii1s", 1, 0, b"/")
    for good, wrong in zip(QUESTION, bad, strict=True):
        one.dataReceived(bytes([good]))
        two.dataReceived(bytes([wrong]))
    assert (first.pieces, second.pieces) == ([ANSWER], [ERROR])
    lose(one)
    lose(two)


def test_requestsPerConnection(clock: Clock) -> None:
    """After so many replies the connection is closed, and what follows is not answered."""
    protocol, transport = connect(CalculatorFactory(clock, requestsPerConnection=2))
    protocol.dataReceived(QUESTION)
    assert not transport.disconnecting
    protocol.dataReceived(QUESTION * 5)
    assert transport.pieces == [ANSWER] * 2
    assert transport.halfClosed
    protocol.dataReceived(QUESTION)
    assert transport.pieces == [ANSWER] * 2
    lingered(protocol)
    assert protocol.outcome == "2 requests answered"


@pytest.mark.parametrize("name", ["ici", "ici-text"])
def test_xEndsTheSession(clock: Clock, name: str) -> None:
    """Without a reply; requests before it are answered, those after it are not."""
    protocol, transport = connect(CalculatorFactory(clock, Dialect(PROFILES[name])))
    request = struct.pack("<i1s3xi", 1, b"+", 2)
    protocol.dataReceived(request + struct.pack("<i1s3xi", 0, b"X", 0) + request)
    assert len(transport.pieces) == 1
    assert transport.halfClosed
    lingered(protocol)
    assert protocol.outcome == "ended by the client"


def test_anAbsurdLengthIsAnsweredThenTheConnectionEnds(clock: Clock) -> None:
    protocol, transport = connect(CalculatorFactory(clock, Dialect(PROFILES["framed"])))
    protocol.dataReceived(b"\xff\xff\xff\xff")
    assert transport.pieces == [ERROR]
    assert transport.halfClosed
    lingered(protocol)


def test_theEndOfTheInput(clock: Clock) -> None:
    """Half-close after a request: the answer has been sent, and the connection ends orderly."""
    protocol, transport = connect(CalculatorFactory(clock))
    protocol.dataReceived(QUESTION)
    protocol.readConnectionLost()
    assert transport.pieces == [ANSWER]
    assert transport.disconnecting
    lose(protocol)
    assert protocol.outcome == "closed by the peer"


def test_theEndOfTheInputInTheMiddleOfARequest(clock: Clock) -> None:
    protocol, transport = connect(CalculatorFactory(clock))
    protocol.dataReceived(QUESTION[:5])
    protocol.readConnectionLost()
    assert transport.pieces == []
    assert transport.disconnecting
    lose(protocol)
    assert protocol.outcome == "closed in the middle of a request"


def test_aClientThatIsAlwaysInTheMiddleOfARequestIsNotIdle(clock: Clock) -> None:
    """What counts is that requests are completed, not that there is ever none under way."""
    protocol, transport = connect(CalculatorFactory(clock, limits=Limits(idleTimeout=10)))
    protocol.dataReceived(QUESTION[:1])
    for _ in range(10):
        clock.pump([1.0] * 4)
        protocol.dataReceived(QUESTION[1:] + QUESTION[:1])
    assert len(transport.pieces) == 10
    assert not transport.disconnecting
    clock.pump([1.0] * 11)
    assert transport.disconnecting
    lose(protocol)
    assert protocol.outcome == "idle for 10 s"


def test_aStoppingServiceWaitsForTheRestOfARequest(clock: Clock) -> None:
    factory = CalculatorFactory(clock)
    protocol, transport = connect(factory)
    protocol.dataReceived(QUESTION[:4])
    assert protocol.busy
    finished = factory.finish()
    clock.pump([0.001] * 5)
    assert not transport.disconnecting
    protocol.dataReceived(QUESTION[4:])
    assert transport.pieces == [ANSWER]
    assert transport.disconnecting
    assert not finished.called
    lose(protocol)
    assert finished.called


def test_divisionIsAKnob(clock: Clock) -> None:
    request = struct.pack("<ii1s", -7, 2, b"/")
    for division, result in ((None, -4), (Division.FLOOR, -4), (Division.TRUNC, -3)):
        protocol, transport = connect(CalculatorFactory(clock, Dialect(division=division)))
        protocol.dataReceived(request)
        assert transport.value() == struct.pack("<ii1s", result, 0, b"R")
        lose(protocol)


def test_moduloIsAKnob(clock: Clock) -> None:
    request = struct.pack("<ii1s", 7, 4, b"%")
    for modulo, reply in ((False, ERROR), (True, struct.pack("<ii1s", 3, 0, b"R"))):
        protocol, transport = connect(CalculatorFactory(clock, Dialect(modulo=modulo)))
        protocol.dataReceived(request)
        assert transport.value() == reply
        lose(protocol)


@pytest.mark.parametrize("name", ["struct9", "int4", "ici", "framed"])
def test_trueDivisionNeedsAReplyWithFractions(name: str) -> None:
    with pytest.raises(ValueError, match="use floor or trunc"):
        Dialect(PROFILES[name], Division.TRUE)


class FakeUDP:
    """A datagram transport that keeps what is sent, and may refuse it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self.error = error

    def getHost(self) -> IPv4Address:
        return IPv4Address("UDP", "127.0.0.1", 9001)

    def write(self, datagram: bytes, address: tuple[str, int]) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append((datagram, address))


PEER = ("192.0.2.1", 40000)


@pytest.mark.parametrize("name", NAMES)
def test_aDatagramIsAnsweredOnce(clock: Clock, name: str) -> None:
    profile = PROFILES[name]
    protocol = CalculatorDatagramProtocol(clock, Dialect(profile))
    transport = FakeUDP()
    protocol.makeConnection(transport)
    protocol.datagramReceived(profile.requests.encode(Calculation(12, "+", 34)), PEER)
    assert transport.sent == [(profile.replies.encode(46), PEER)]
    protocol.doStop()


def test_overUDPStruct9Truncates(clock: Clock) -> None:
    protocol = CalculatorDatagramProtocol(clock)
    transport = FakeUDP()
    protocol.makeConnection(transport)
    protocol.datagramReceived(struct.pack("<ii1s", -7, 2, b"/"), PEER)
    assert transport.sent == [(struct.pack("<ii1s", -3, 0, b"R"), PEER)]
    protocol.doStop()


@pytest.mark.parametrize("size", [0, 1, 8, 10, 18, 65_507])
def test_aDatagramOfTheWrongSizeIsDroppedAndCounted(clock: Clock, size: int) -> None:
    protocol = CalculatorDatagramProtocol(clock)
    transport = FakeUDP()
    protocol.makeConnection(transport)
    protocol.datagramReceived(bytes(size), PEER)
    assert transport.sent == []
    assert protocol.dropped.total == 1
    protocol.doStop()


@pytest.mark.parametrize("mark", [b"R", b"E"])
def test_aReplyThatComesBackIsNotAnswered(clock: Clock, mark: bytes) -> None:
    protocol = CalculatorDatagramProtocol(clock)
    transport = FakeUDP()
    protocol.makeConnection(transport)
    protocol.datagramReceived(struct.pack("<ii1s", 46, 0, mark), PEER)
    assert transport.sent == []
    protocol.doStop()


def test_xOverUDPHasNoReply(clock: Clock) -> None:
    protocol = CalculatorDatagramProtocol(clock, Dialect(PROFILES["ici"]))
    transport = FakeUDP()
    protocol.makeConnection(transport)
    protocol.datagramReceived(struct.pack("<i1s3xi", 0, b"X", 0), PEER)
    assert transport.sent == []
    protocol.doStop()


def test_datagramsAboveTheRateAreNotAnswered(clock: Clock) -> None:
    """Twice the rate in a burst, then the rate."""
    protocol = CalculatorDatagramProtocol(clock, limits=DatagramLimits(perSource=5))
    transport = FakeUDP()
    protocol.makeConnection(transport)
    for _ in range(100):
        protocol.datagramReceived(QUESTION, PEER)
    assert len(transport.sent) == 10
    clock.advance(1)
    for _ in range(100):
        protocol.datagramReceived(QUESTION, PEER)
    assert len(transport.sent) == 15
    protocol.doStop()


def test_aReplyThatCanNotBeSentCostsOnlyItself(clock: Clock) -> None:
    protocol = CalculatorDatagramProtocol(clock)
    transport = FakeUDP(OSError("no buffer space"))
    protocol.makeConnection(transport)
    protocol.datagramReceived(QUESTION, PEER)
    assert (protocol.answered, protocol.dropped.total) == (0, 1)
    transport.error = None
    protocol.datagramReceived(QUESTION, PEER)
    assert protocol.answered == 1
    protocol.doStop()
