"""
The hello web server on a transport in memory, and as a plugin.
"""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.python.usage import UsageError

from labnet.net.limits import Limits
from labnet.testing import TCPTransport, assertSameForAnySegmentation, doneReason, hangUp
from labnet.web import tap
from labnet.web.server import WebFactory, WebProtocol
from labnet.web.wire import HELLO, LAME, LONGEST_HEAD


def connected(clock: Clock) -> tuple[WebProtocol, TCPTransport]:
    protocol = WebFactory(clock).buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
    assert isinstance(protocol, WebProtocol)
    transport = TCPTransport()
    protocol.makeConnection(transport)
    return protocol, transport


def asked(clock: Clock, request: bytes) -> bytes:
    """The whole answer, which is there at once."""
    protocol, transport = connected(clock)
    protocol.dataReceived(request)
    assert transport.halfClosed
    protocol.connectionLost(doneReason())
    return transport.value()


@pytest.mark.parametrize("request_", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /any HTTP/1.0\n\n"])
def test_anyGetIsAnsweredTheCoursesBytes(clock: Clock, request_: bytes) -> None:
    """However the request is cut, and not before its last byte."""
    protocol, transport = connected(clock)
    protocol.dataReceived(request_[:-1])
    assert not transport.value()
    protocol.connectionLost(doneReason())
    assert HELLO == b"HTTP/1.0 200 OK\r\nContent-type: text/html\r\n\r\n<h1>Hello World</h1>"
    factory = WebFactory(clock)
    assertSameForAnySegmentation(
        lambda: factory.buildProtocol(None),
        request_,
        observe=lambda protocol, transport: (transport.pieces, transport.halfClosed),
        expected=([HELLO], True),
    )


def test_theRequestIsShownAndMadeHarmless(clock: Clock) -> None:
    answer = asked(clock, b"GET /request HTTP/1.1\r\nX: <script>alert(1)</script>\r\n\r\n")
    assert b"X: &lt;script&gt;alert(1)&lt;/script&gt;" in answer
    assert b"<script" not in answer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST / HTTP/1.1\r\n\r\n", b"405"),
        (b"hello\r\n\r\n", b"400"),
        (b"\x00\xff\r\n\r\n", b"400"),
        (b"GET / HTTP/2.0\r\n\r\n", b"505"),
        (b"GET /lame/none HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /" + b"a" * LONGEST_HEAD, b"414"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * LONGEST_HEAD, b"431"),
    ],
)
def test_whatIsNotAGetIsRefused(clock: Clock, request_: bytes, status: bytes) -> None:
    assert asked(clock, request_).startswith(b"HTTP/1.0 " + status + b" ")


def test_theIndexHasEveryLameAnswer(clock: Clock) -> None:
    index = asked(clock, b"GET /lame/ HTTP/1.1\r\n\r\n")
    assert all(f'href="/lame/{name}"'.encode() in index for name in LAME)


@pytest.mark.parametrize("name", sorted(LAME))
def test_aLameAnswerComesPieceByPieceAndEnds(clock: Clock, name: str) -> None:
    """Each in its time; also when the client has ended its half."""
    lame = LAME[name]
    protocol, transport = connected(clock)
    protocol.dataReceived(f"GET /lame/{name} HTTP/1.1\r\n\r\n".encode())
    assert transport.pieces == [lame.pieces[0]]
    protocol.readConnectionLost()
    for _ in lame.pieces[1:]:
        assert not transport.halfClosed
        clock.advance(lame.pause)
    assert transport.pieces == list(lame.pieces)
    assert transport.halfClosed or transport.disconnecting
    protocol.connectionLost(doneReason())


def test_whoDoesNotReadIsNotWrittenTo(clock: Clock) -> None:
    protocol, transport = connected(clock)
    protocol.dataReceived(b"GET /lame/never-ends HTTP/1.1\r\n\r\n")
    protocol.pauseProducing()
    clock.pump([1.0] * 5)
    assert len(transport.pieces) == 1
    protocol.resumeProducing()
    clock.advance(1.0)
    assert len(transport.pieces) == 2
    protocol.connectionLost(doneReason())
    assert not clock.getDelayedCalls()


def test_aByteAMinuteIsNotWaitedFor(clock: Clock) -> None:
    """A request that never becomes whole is no reason to keep a connection."""
    factory = WebFactory(clock, limits=Limits(idleTimeout=30.0))
    protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
    assert isinstance(protocol, WebProtocol)
    transport = TCPTransport()
    protocol.makeConnection(transport)
    protocol.dataReceived(b"G")
    clock.pump([1.0] * 31)
    assert transport.disconnected
    protocol.dataReceived(b"E")
    hangUp(protocol)
    assert not transport.value()


def test_itIsNotServedOverDatagrams() -> None:
    with pytest.raises(UsageError, match="the web is not served over udp"):
        tap.Options().parseOptions(["--listen", "udp:0"])
