"""
Pages of C{twisted.web} on connections of ours: requests, limits, time, streams, the end.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import directlyProvides

from labnet.net.limits import Limits
from labnet.net.site import SiteConnection, SiteFactory, connectionOf
from labnet.testing import LoggedFailures, TCPTransport, doneReason, hangUp, inPieces, lingered

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Echo(Resource):
    """Answers with what was posted; keeps requests for C{/later}, fails at C{/bug}."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.later: list[Request] = []
        self.secure: list[bool] = []

    def render_GET(self, request: Request) -> bytes | int:
        self.secure.append(request.isSecure())
        if request.path == b"/bug":
            raise ZeroDivisionError
        if request.path in (b"/later", b"/stream"):
            self.later.append(request)
            connectionOf(request).streaming = request.path == b"/stream"
            return NOT_DONE_YET
        return b"hello"

    def render_POST(self, request: Request) -> bytes:
        return b"%d bytes" % len(request.content.read())


class World:
    def __init__(self, clock: Clock, **options: object) -> None:
        self.clock = clock
        self.resource = Echo()
        self.factory = SiteFactory(clock, self.resource, **options)
        self.open: list[SiteConnection] = []

    def connect(self, *interfaces: object) -> tuple[SiteConnection, TCPTransport]:
        connection = self.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 4711))
        assert isinstance(connection, SiteConnection)
        transport = TCPTransport()
        if interfaces:
            directlyProvides(transport, *interfaces)
        connection.makeConnection(transport)
        self.open.append(connection)
        return connection, transport

    def close(self) -> None:
        for connection in self.open:
            if connection in self.factory.connections:
                connection.connectionLost(doneReason())


@pytest.fixture
def world(clock: Clock) -> Iterator[World]:
    world = World(clock, longestBody=1_000)
    yield world
    world.close()


def test_aRequest(world: World) -> None:
    """In one piece or byte by byte; several on a connection, also pipelined, in order."""
    for pieces in ([GET + GET], inPieces(GET + GET, 1)):
        connection, transport = world.connect()
        for piece in pieces:
            connection.dataReceived(piece)
        assert transport.value().count(b"HTTP/1.1 200 OK") == 2
        assert transport.value().count(b"hello") == 2
        assert not transport.disconnecting
        assert connection.requests == 2
        assert connection.summary().startswith("2 requests, ")


def test_theConnectionEndsAsHTTPSays(world: World) -> None:
    connection, transport = world.connect()
    connection.dataReceived(b"GET / HTTP/1.0\r\n\r\n")
    assert transport.value().endswith(b"hello")
    lingered(connection)


def test_isItSecure(world: World) -> None:
    for interfaces, expected in (((), False), ((ISSLTransport,), True)):
        connection, _ = world.connect(*interfaces)
        connection.dataReceived(GET)
        assert world.resource.secure.pop() is expected


def test_nonsense(world: World) -> None:
    connection, transport = world.connect()
    connection.dataReceived(b"\x16\x03\x01 nonsense\r\n\r\n")
    assert transport.value().startswith(b"HTTP/1.1 400 ")
    lingered(connection)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 1001\r\n\r\n" + b"x" * 1001,
        b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001,
    ],
)
def test_aBodyThatIsTooLarge(world: World, head: bytes) -> None:
    """It is refused as soon as it is, however it is cut, and nothing of it is rendered."""
    for size in (7, 10_000):
        connection, transport = world.connect()
        stream = b"POST / HTTP/1.1\r\nHost: localhost\r\n" + head
        for piece in inPieces(stream, size):
            connection.dataReceived(piece)
        assert transport.value().startswith(b"HTTP/1.1 413 ")
        assert transport.value().count(b"HTTP/1.1") == 1
        lingered(connection)


def test_aBodyThatFits(world: World) -> None:
    connection, transport = world.connect()
    connection.dataReceived(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
    )
    assert transport.value().endswith(b"1000 bytes")


def test_aBugIsA500(world: World, loggedFailures: LoggedFailures) -> None:
    """Without a traceback in it."""
    connection, transport = world.connect()
    connection.dataReceived(GET.replace(b"/ ", b"/bug ", 1))
    assert transport.value().startswith(b"HTTP/1.1 500 ")
    assert b"Traceback" not in transport.value()
    assert b"ZeroDivision" not in transport.value()
    assert loggedFailures.flush(ZeroDivisionError)


def test_aRequestThatNeverEnds(clock: Clock) -> None:
    """A byte now and then does not help."""
    world = World(clock, requestTimeout=60.0)
    connection, transport = world.connect()
    for byte in GET[:9]:
        if not transport.disconnecting:
            connection.dataReceived(bytes([byte]))
        clock.pump([1.0] * 10)
    assert transport.disconnected
    world.close()
    assert connection.outcome == "nothing for 60 s"


def test_aStreamMayTakeItsTime(clock: Clock) -> None:
    world = World(clock, requestTimeout=60.0, limits=Limits(idleTimeout=60))
    connection, transport = world.connect()
    connection.dataReceived(GET.replace(b"/ ", b"/stream ", 1))
    clock.pump([10.0] * 100)
    assert not transport.disconnecting
    (request,) = world.resource.later
    request.write(b"piece")
    request.finish()
    assert transport.value().endswith(b"5\r\npiece\r\n0\r\n\r\n")
    assert not connection.streaming
    world.close()


def test_backPressure(world: World) -> None:
    """A client that does not read is not read from, and whoever writes an answer is told to wait."""
    connection, transport = world.connect()
    connection.dataReceived(GET.replace(b"/ ", b"/later ", 1))
    (request,) = world.resource.later
    told = []

    class Producer:
        def pauseProducing(self) -> None:
            told.append("pause")

        def resumeProducing(self) -> None:
            told.append("resume")

    request.registerProducer(Producer(), True)
    connection.pauseProducing()
    connection.resumeProducing()
    assert told == ["pause", "resume"]
    request.unregisterProducer()
    request.finish()
    connection.pauseProducing()
    assert not transport.reading
    connection.resumeProducing()
    assert transport.reading


def test_theClientHasNothingMoreToAsk(world: World) -> None:
    """It ends its half: the answer still comes, then the connection ends."""
    connection, transport = world.connect()
    connection.dataReceived(GET.replace(b"/ ", b"/later ", 1))
    connection.readConnectionLost()
    assert not transport.disconnecting
    (request,) = world.resource.later
    request.write(b"late")
    request.finish()
    assert b"late" in transport.value()
    hangUp(connection)
    connection, transport = world.connect()
    connection.readConnectionLost()
    hangUp(connection)


@pytest.mark.parametrize(
    "part",
    [b"GE", b"GET / HTTP/1.1\r\nHost", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"],
)
def test_theClientEndsInTheMiddleOfARequest(world: World, part: bytes) -> None:
    """Also after a whole one: nobody waits for the rest."""
    connection, transport = world.connect()
    connection.dataReceived(GET)
    connection.dataReceived(part)
    connection.readConnectionLost()
    assert transport.value().count(b"HTTP/1.1 ") == 1
    hangUp(connection)


def test_theClientIsGone(world: World) -> None:
    connection, _ = world.connect()
    connection.dataReceived(GET.replace(b"/ ", b"/later ", 1))
    (request,) = world.resource.later
    ends: list[object] = []
    request.notifyFinish().addBoth(ends.append)
    connection.connectionLost(doneReason())
    assert len(ends) == 1


def test_theServiceStops(clock: Clock) -> None:
    """An answer under way is waited for, a stream is not."""
    world = World(clock)
    quiet, stream, busy = world.connect(), world.connect(), world.connect()
    stream[0].dataReceived(GET.replace(b"/ ", b"/stream ", 1))
    busy[0].dataReceived(GET.replace(b"/ ", b"/later ", 1))
    stopped: list[object] = []
    world.factory.finish().addCallback(stopped.append)
    clock.pump([0.002] * 3)
    assert quiet[1].disconnecting
    assert stream[1].disconnecting
    assert not busy[1].disconnecting
    request = world.resource.later[-1]
    request.write(b"done")
    request.finish()
    assert busy[1].disconnecting
    world.close()
    assert stopped == [None]


def test_limits(clock: Clock) -> None:
    world = World(clock, limits=Limits(maxConnections=1))
    world.connect()
    assert world.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 4711)) is None
    world.factory.refused.flush()
    world.close()
