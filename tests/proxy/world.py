"""
A proxy in memory: its clients and its origins are transports that a test reads and feeds.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock

from labnet.net.limits import Limits
from labnet.proxy.access import Access
from labnet.proxy.client import OriginConnection
from labnet.proxy.factory import ProxyFactory
from labnet.proxy.interception import Interception
from labnet.proxy.policy import Holding, Policy
from labnet.proxy.server import ProxyConnection
from labnet.proxy.target import Origin
from labnet.proxy.upstream import Upstreams
from labnet.testing import TCPTransport, doneReason, hangUp, resetReason

_VOLATILE = re.compile(rb"(Via: [\d.]+ labnet-[0-9a-f]{8}|Date: [^\r]*)\r\n")


def settled(data: bytes) -> bytes:
    """A message without the fields that differ from run to run."""
    return _VOLATILE.sub(b"", data)


class Side:
    """
    One connection of the proxy, seen from the peer.

    @ivar sent: everything the proxy has written that was not yet taken.
    """

    def __init__(self, protocol: ProxyConnection | OriginConnection) -> None:
        self.protocol = protocol
        self.transport = TCPTransport()
        self.transport.hostAddr = IPv4Address("TCP", "127.0.0.1", 8080)
        self.transport.peerAddr = IPv4Address("TCP", "127.0.0.1", 50_000)
        self.lost = False
        protocol.makeConnection(self.transport)

    def says(self, data: bytes) -> None:
        """The peer sends something; the proxy must be reading."""
        assert self.transport.reading, "the proxy does not read from this side"
        self.protocol.dataReceived(data)

    def take(self) -> bytes:
        """What the proxy has written since the last time."""
        data = self.transport.value()
        self.transport.clear()
        return settled(data)

    @property
    def closed(self) -> bool:
        """Whether the proxy has asked for the end of the connection."""
        return bool(self.transport.disconnecting)

    @property
    def aborted(self) -> bool:
        """Whether the proxy has asked for a reset."""
        return bool(self.transport.disconnected)

    def ends(self) -> None:
        """The peer ends its half."""
        if hasattr(self.protocol, "readConnectionLost"):
            self.protocol.readConnectionLost()
        else:
            self.leaves()

    def leaves(self) -> None:
        """The peer closes in good order."""
        self.lost = True
        self.protocol.connectionLost(doneReason())

    def breaks(self) -> None:
        """The peer resets the connection."""
        self.lost = True
        self.protocol.connectionLost(resetReason())

    def finish(self) -> None:
        """Report the end that the proxy asked for."""
        if self.closed and not self.lost:
            self.lost = True
            hangUp(self.protocol)

    def full(self) -> None:
        """The peer does not read any more."""
        self.transport.producer.pauseProducing()

    def fillsAt(self, size: int) -> None:
        """From now on the peer does not read as soon as so many bytes wait for it."""
        write = self.transport.write

        def writeAndFill(data: bytes) -> None:
            write(data)
            if len(self.transport.value()) > size:
                self.full()

        self.transport.write = writeAndFill  # type: ignore[method-assign]

    def drained(self) -> None:
        """The peer has read everything."""
        self.transport.producer.resumeProducing()


class Attempt:
    """The proxy connects to an origin."""

    def __init__(self, origin: Origin, factory: Factory) -> None:
        self.origin = origin
        self.factory = factory
        self.cancelled = False
        self.made: Deferred[object] = Deferred(self._cancel)

    def _cancel(self, made: Deferred[object]) -> None:
        self.cancelled = True
        made.errback(CancelledError())

    def accept(self) -> Side:
        """The origin accepts."""
        side = self.prepare()
        self.done(side)
        return side

    def prepare(self) -> Side:
        """The connection is made, but the proxy does not know yet."""
        return Side(self.factory.buildProtocol(None))

    def done(self, side: Side) -> None:
        """The proxy learns of the connection."""
        self.made.callback(side.protocol)

    def fail(self, error: Exception) -> None:
        """The origin can not be reached."""
        self.made.errback(error)


class World:
    """
    A proxy with its surroundings.

    @ivar attempts: the connections to origins that it has begun.
    """

    def __init__(
        self,
        clock: Clock,
        policy: Policy | None = None,
        target: Origin | None = None,
        interception: Interception | None = None,
        access: Access | None = None,
        upstreams: Upstreams | None = None,
        **limits: float,
    ) -> None:
        self.clock = clock
        self.attempts: list[Attempt] = []
        self.sides: list[Side] = []
        self.factory = ProxyFactory(
            clock,
            self._endpoint,
            policy,
            target=target,
            interception=interception,
            access=access,
            upstreams=upstreams,
            limits=Limits(**limits),
        )

    def _endpoint(self, origin: Origin) -> object:
        world = self

        class Endpoint:
            def connect(self, factory: Factory) -> Deferred[object]:
                attempt = Attempt(origin, factory)
                world.attempts.append(attempt)
                return attempt.made

        return Endpoint()

    def client(self) -> Side:
        """A client connects."""
        protocol = self.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50_000))
        assert protocol is not None
        side = Side(protocol)
        self.sides.append(side)
        return side

    def origin(self) -> Side:
        """The origin accepts the newest attempt."""
        side = self.attempts[-1].accept()
        self.sides.append(side)
        return side

    def exchange(self, request: bytes, *pieces: bytes) -> tuple[Side, Side]:
        """A client sends a request, the origin accepts and answers with the pieces."""
        client = self.client()
        client.says(request)
        origin = self.origin()
        for piece in pieces:
            if origin.closed:
                break
            origin.says(piece)
        return client, origin

    def end(self) -> None:
        """Everybody goes home."""
        self.factory.pool.close()
        for side in self.sides:
            if not side.lost:
                side.breaks()

    def pump(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass in small steps, as it does."""
        for _ in range(int(seconds / step)):
            self.clock.advance(step)


def status(answer: bytes) -> int:
    """The status code of what begins so."""
    return int(answer.split(b" ", 2)[1])


def unchunked(data: bytes) -> bytes:
    """The content of a chunked body without trailers."""
    content = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        if size == b"0":
            assert data == b"\r\n"
            return content
        content += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]


#: Little is held, so that much is too large.
SMALL = Policy(holding=Holding(memory=100, disk=1_000))
FIXED = Origin("site.example", 8000)
WORD = b"SzamHalo"
BAD = b"<html>" + b"x" * 50 + WORD + b"y" * 50
POST = b"POST http://o.example/ HTTP/1.1\r\nHost: o.example\r\n"
GET = b"GET http://origin.example/page HTTP/1.1\r\nHost: origin.example\r\n\r\n"


def ok(body: bytes, *fields: bytes) -> bytes:
    """A response with a Content-Length."""
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *fields, b"", body]
    return b"\r\n".join(lines)


def chunked(*chunks: bytes, fields: tuple[bytes, ...] = (), trailers: bytes = b"") -> bytes:
    """A response in chunks."""
    head = b"\r\n".join([b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", *fields, b"", b""])
    return head + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n" + trailers + b"\r\n"


MakeWorld = Callable[..., World]
