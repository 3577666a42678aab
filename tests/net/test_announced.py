"""
The PROXY protocol: who a balancer says that a connection is from.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, globalLogPublisher

from labnet.net.announced import (
    HEADER_TIME,
    AnnouncedConnection,
    AnnouncedFactory,
    BadHeader,
    readHeader,
)
from labnet.net.connection import ServiceConnection, ServiceFactory
from labnet.net.endpoints import parseStreamServer
from labnet.net.limits import Limits
from labnet.testing import TCPTransport, doneReason, inPieces

TEXT = b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 80\r\n"
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
FOUR = struct.pack("!4s4sHH", b"\xc0\x00\x02\x07", b"\xc6\x33\x64\x01", 40_000, 80)
SIX = struct.pack("!16s16sHH", b"\x20\x01" + b"\0" * 13 + b"\x07", b"\0" * 15 + b"\1", 40_000, 80)


def binary(family: int, body: bytes, command: int = 0x21) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


PEER = IPv4Address("TCP", "192.0.2.7", 40_000)
HEADERS = [
    (TEXT, PEER),
    (b"PROXY TCP6 2001::7 ::1 40000 80\r\n", IPv6Address("TCP", "2001::7", 40_000)),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN whatever it is\r\n", None),
    (binary(0x11, FOUR), PEER),
    (binary(0x11, FOUR + b"\x20\x00\x05\x00\x00\x00\x00\x00"), PEER),
    (binary(0x21, SIX), IPv6Address("TCP", "2001::7", 40_000)),
    (binary(0x00, b""), None),
    (binary(0x11, FOUR, command=0x20), None),
]


@pytest.mark.parametrize(("header", "source"), HEADERS)
def test_headers(header: bytes, source: object) -> None:
    """Each says who it is, or nothing; no prefix says anything."""
    found = readHeader(header + b"GET /")
    assert found is not None
    assert (found.source, found.size) == (source, len(header))
    assert all(readHeader(header[:cut]) is None for cut in range(len(header)))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n", b"PROXY\r\n", b"PROXY TCP4\r\n", b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        b"PROXY TCP4 1.2.3.400 1.2.3.4 1 1\r\n", b"PROXY TCP4 ::1 ::1 1 1\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", b"PROXY TCP4 1.2.3.4 1.2.3.4 x 1\r\n",
        b"PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n", b"PROXY TCP4 " + b"1" * 200,
        binary(0x11, FOUR, command=0x31), binary(0x11, FOUR[:-1]), binary(0x11, b"x" * 4097),
    ],
)  # fmt: skip
def test_whatIsNoHeader(data: bytes) -> None:
    with pytest.raises(BadHeader):
        readHeader(data)


@given(st.binary(max_size=200))
def test_anyBytesAreAHeaderOrNot(data: bytes) -> None:
    for begin in (b"", b"PROXY ", SIGNATURE):
        with suppress(BadHeader):
            readHeader(begin + data)


class Hearing(ServiceConnection):
    def __init__(self) -> None:
        super().__init__()
        self.heard = b""

    def received(self, data: bytes) -> None:
        self.heard += data


class Service(ServiceFactory):
    connectionClass = Hearing


def connected(factory: AnnouncedFactory) -> tuple[AnnouncedConnection, TCPTransport]:
    connection = factory.buildProtocol(None)
    transport = TCPTransport()
    transport.peerAddr = IPv4Address("TCP", "127.0.0.1", 5)
    connection.makeConnection(transport)
    return connection, transport


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    found: list[str] = []

    def observe(event: LogEvent) -> None:
        if event["log_namespace"].startswith("labnet.net.announced"):
            found.append(event["log_format"].format(**event))

    globalLogPublisher.addObserver(observe)
    yield found
    globalLogPublisher.removeObserver(observe)


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_theServiceSeesTheRealPeer(clock: Clock, step: int) -> None:
    """From the beginning, for its log and its limits; and everything that follows, and both halves."""
    service = Service(clock, limits=Limits(maxPerPeer=1))
    connection, _ = connected(AnnouncedFactory(service, clock))
    data = TEXT + b"hello"
    for piece in inPieces(data, step):
        connection.dataReceived(piece)
    (seen,) = service.connections
    assert isinstance(seen, Hearing)
    assert (seen.host, seen.peer, seen.heard) == ("192.0.2.7", "tcp:192.0.2.7:40000", b"hello")
    second, transport = connected(AnnouncedFactory(service, clock))
    second.dataReceived(TEXT)
    assert transport.disconnected, "a second connection from there is one too many"
    second.connectionLost(doneReason())
    connection.readConnectionLost()
    connection.connectionLost(doneReason())
    assert not service.connections
    service.refused.flush()


def test_badHeadersAreOneLine(clock: Clock, warnings: list[str]) -> None:
    service = Service(clock)
    connection, transport = connected(AnnouncedFactory(service, clock))
    connection.dataReceived(b"GET / HTTP/1.1\r\n\x1b[31m")
    connection.dataReceived(b"more")
    assert transport.disconnected
    connection.connectionLost(doneReason())
    assert len(warnings) == 1
    assert warnings[0].startswith(
        "a connection from 127.0.0.1 is closed: it does not begin with a PROXY header, but with"
    )
    assert "\x1b" not in warnings[0]
    assert not service.connections


def test_aHeaderThatDoesNotCome(clock: Clock, warnings: list[str]) -> None:
    connection, transport = connected(AnnouncedFactory(Service(clock), clock))
    connection.dataReceived(b"PRO")
    clock.advance(HEADER_TIME)
    assert transport.disconnected
    connection.connectionLost(doneReason())
    assert len(warnings) == 1


def test_whoLeavesBeforeItsHeader(clock: Clock) -> None:
    """Leaves nothing behind."""
    connection, _ = connected(AnnouncedFactory(Service(clock), clock))
    connection.connectionLost(doneReason())
    assert not clock.getDelayedCalls()


def test_theDescription() -> None:
    """C{haproxy:} listens so."""
    reactor = MemoryReactorClock()
    parseStreamServer(reactor, "haproxy:tcp:9000").listen(Service(reactor))
    assert isinstance(reactor.tcpServers[0][1], AnnouncedFactory)
