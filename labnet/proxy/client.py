"""
The proxy's connections to origins: one exchange after another on each, pooled in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Protocol as Interface

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IPushProducer,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.net.connection import Transport
from labnet.net.origin import Downstream
from labnet.net.origin import Origin as Far
from labnet.proxy.body import BodyReader, CloseDelimitedBody, responseBody
from labnet.proxy.forwarding import checkConnection
from labnet.proxy.policy import HeadLimits
from labnet.proxy.target import Origin
from labnet.proxy.wire import (
    BadMessage,
    Fields,
    HeadReader,
    ResponseHead,
    Version,
    parseResponseHead,
)

__all__ = ["OriginConnection", "OriginFactory", "OriginPool", "ResponseReceiver"]


#: Before a final response: with one every 20 seconds that is half an hour.
_MOST_INTERIM = 100
#: Of so many origins it is remembered that they speak HTTP/1.1.
_MOST_MODERN = 4_096


class ResponseReceiver(Interface):
    """Who asked, and hears of the response as it comes. After an end or a failure nothing follows."""

    def responseInformational(self, head: ResponseHead) -> None:
        """An interim response (1xx) has come."""

    def responseSwitched(self, head: ResponseHead) -> None:
        """
        The origin switches to another protocol (101): L{OriginConnection.handOver} the connection.

        @raise BadMessage: it was not asked to.
        """

    def responseStarted(self, head: ResponseHead, body: BodyReader) -> None:
        """The head of the final response has come; C{body} says how its body is delimited."""

    def responseReceived(self, content: bytes) -> None:
        """A piece of the body has come, without its framing."""

    def responseEnded(self, trailers: Fields) -> None:
        """The response is complete."""

    def responseFailed(self, why: str, silent: bool) -> None:
        """
        There will be no response, or no more of it.

        @param silent: the origin ended the connection without a single byte of an answer.
        """

    def originFull(self) -> None:
        """The origin reads too slowly: no more of the request, please."""

    def originDrained(self) -> None:
        """The origin reads again."""


@implementer(IPushProducer)
class OriginConnection(Protocol):
    """
    A connection to an origin. L{ask} begins an exchange on it; when that is complete and the origin
    keeps the connection, it goes back to its pool.

    @ivar exchanges: how many have begun on it.
    """

    transport: Transport

    def __init__(self, pool: OriginPool, origin: Origin) -> None:
        self.origin = origin
        self.exchanges = 0
        self.idleSince = 0.0
        self._pool = pool
        self._receiver: ResponseReceiver | None = None
        self._method = b""
        self._requestSent = False
        self._heads = HeadReader(pool.heads.size, lenient=True)
        self._head: ResponseHead | None = None
        self._body: BodyReader | None = None
        self._heard = False
        self._interim = 0
        self._paused = False
        self._lost = False
        self._far: Far | None = None
        self._fast: FastExchange | None = None

    # What an exchange does.

    def ask(self, receiver: ResponseReceiver, method: bytes) -> None:
        """Begin an exchange: from now on C{receiver} hears of the response to a C{method} request."""
        self.exchanges += 1
        self._receiver = receiver
        self._method = method
        self._requestSent = False
        self._heard = False
        self._interim = 0

    def askFast(self, exchange: FastExchange) -> None:
        """Begin an exchange on the fast path."""
        self.exchanges += 1
        self._fast = exchange

    def completeFast(self) -> None:
        """The exchange on the fast path is complete, and all is well."""
        self._fast = None
        self._pool.put(self)

    def becomePlain(self, receiver: ResponseReceiver, method: bytes) -> None:
        """The exchange on the fast path, whose request was sent, goes on on the plain one."""
        self._fast = None
        self.exchanges -= 1
        self.ask(receiver, method)
        self._requestSent = True

    def write(self, data: bytes) -> None:
        """Send a piece of the request."""
        self.transport.write(data)

    def requestSent(self) -> None:
        """The request is complete."""
        self._requestSent = True

    def pause(self) -> None:
        """Take no more of the response until L{resume}."""
        if not self._paused and not self._lost:
            self._paused = True
            self.transport.pauseProducing()

    def resume(self) -> None:
        """Take more of the response."""
        if self._paused and not self._lost:
            self._paused = False
            self.transport.resumeProducing()

    def handOver(self, downstream: Downstream) -> Far:
        """
        No more HTTP: the bytes go where they are wanted, and from there.

        @return: the connection as whoever is C{downstream} sees it.
        """
        self._receiver = None
        self.resume()
        self.transport.unregisterProducer()
        far = self._far = Far(self._pool.clock, downstream)
        far.makeConnection(self.transport)  # type: ignore[no-untyped-call]
        return far

    def cancel(self) -> None:
        """Nobody waits for the response any more."""
        self._receiver = None
        self.abort()

    def leave(self) -> None:
        """End a connection that waits: in good order, as nothing is under way."""
        if self.origin.secure:
            # Over TLS the origin would have to agree, and may take its time.
            self.abort()
        else:
            self._close()

    def abort(self) -> None:
        """End the connection at once."""
        if not self._lost:
            self._lost = True
            self.transport.abortConnection()

    # IProtocol

    def connectionMade(self) -> None:
        self._pool.open += 1
        self._pool.made += 1
        self.transport.registerProducer(self, True)
        self._pool.sockets(self.transport)

    def dataReceived(self, data: bytes) -> None:
        if self._fast is not None:
            data = self._receivedFast(self._fast, data)
            if not data:
                return
        if self._far is not None:
            self._far.dataReceived(data)
            return
        if self._receiver is None:
            # What nobody asked for must not become the answer to the next request.
            self._pool.forget(self)
            self.abort()
            return
        self._heard = True
        try:
            while data and self._receiver is not None:
                data = self._readHead(data) if self._body is None else self._readBody(data)
            if data and self._far is not None:
                self._far.dataReceived(data)
        except BadMessage as problem:
            self._fail(str(problem))
        except Exception:
            self._pool.log.failure("a bug while reading from {origin}", origin=str(self.origin))
            self._fail("a bug in this proxy")

    def _receivedFast(self, exchange: FastExchange, data: bytes) -> bytes:
        """What is left to the plain path."""
        try:
            return exchange.received(data)
        except Exception:
            self._pool.log.failure("a bug on the fast path from {origin}", origin=str(self.origin))
            if self._fast is not None:
                exchange.becomePlain()
            self._fail("a bug in this proxy")
            return b""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._fast is not None:
            self._fast.becomePlain()
        self._lost = True
        self._pool.open -= 1
        self._pool.forget(self)
        if self._far is not None:
            self._far.connectionLost(reason)
        if self._receiver is None:
            return
        if self._body is None:
            self._fail("the origin closed the connection without an answer", silent=not self._heard)
        elif isinstance(self._body, CloseDelimitedBody) and reason.check(ConnectionDone):
            self._body.end()
            self._complete()
        else:
            self._fail("the origin closed the connection in the middle of its answer")

    # IPushProducer: the transport asks us to pause when the origin does not read.

    def pauseProducing(self) -> None:
        """The origin reads too slowly."""
        if self._receiver is not None:
            self._receiver.originFull()

    def resumeProducing(self) -> None:
        """The origin reads again."""
        if self._receiver is not None:
            self._receiver.originDrained()

    def stopProducing(self) -> None:
        """The transport is gone; L{connectionLost} follows."""

    # How a response is read.

    def _readHead(self, data: bytes) -> bytes:
        found = self._heads.feed(data)
        if found is None:
            return b""
        raw, rest = found
        head = parseResponseHead(raw, self._pool.heads.fields)
        assert self._receiver is not None
        checkConnection(head.fields)
        if self.exchanges == 1:
            self._pool.heard(self.origin, head.version)
        if head.status < 200:
            self._interim += 1
            if self._interim > _MOST_INTERIM:
                raise BadMessage(f"over {_MOST_INTERIM} interim responses")
            if head.status == 101:
                self._receiver.responseSwitched(head)
            else:
                self._receiver.responseInformational(head)
            return rest
        self._head = head
        body = self._body = responseBody(head, self._method)
        self._receiver.responseStarted(head, body)
        if self._receiver is not None and body.done:
            body.rest = rest
            self._complete()
            return b""
        return rest

    def _readBody(self, data: bytes) -> bytes:
        body, receiver = self._body, self._receiver
        assert body is not None
        assert receiver is not None
        content = body.feed(data)
        if content:
            if self._head is not None and self._head.status == 205:
                raise BadMessage("content in a 205 response")
            receiver.responseReceived(content)
        if body.done and self._receiver is not None:
            self._complete()
        return b""

    def _complete(self) -> None:
        head, body, receiver = self._head, self._body, self._receiver
        assert head is not None
        assert body is not None
        assert receiver is not None
        self._head = self._body = self._receiver = None
        doubtful = body.doubtful or head.repaired or self._heads.repaired
        if self._lost or body.rest or doubtful or not self._requestSent or not head.persistent:
            self.abort() if body.rest else self._close()
        else:
            self.resume()
            self._pool.put(self)
        receiver.responseEnded(body.trailers)

    def _close(self) -> None:
        if not self._lost:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def _fail(self, why: str, silent: bool = False) -> None:
        receiver, self._receiver = self._receiver, None
        self.abort()
        if receiver is not None:
            receiver.responseFailed(why, silent)


if TYPE_CHECKING:
    from labnet.proxy.fastpath import FastExchange

    _Factory = Factory[OriginConnection]
else:
    _Factory = Factory


class OriginFactory(_Factory):
    """Builds the connection to one origin."""

    noisy = False

    def __init__(self, pool: OriginPool, origin: Origin) -> None:
        self._pool = pool
        self._origin = origin

    def buildProtocol(self, addr: IAddress | None) -> OriginConnection:
        return OriginConnection(self._pool, self._origin)


class OriginPool:
    """
    The connections to all origins, those in use and those that wait for the next request.

    @param clock: the reactor, or a C{Clock} in a test.
    @param connect: gives the endpoint of an origin; it bounds the attempt.
    @param heads: what a response's head may have.
    @param sockets: sets the TCP options of a connection.
    @param mostIdle: connections that wait, in all; the longest waiting is closed for one more.
    @param idleTimeout: seconds that a connection waits.
    @ivar open: connections that there are.
    @ivar made: how many there have been.
    @ivar reused: how often one was used again.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        connect: Callable[[Origin], IStreamClientEndpoint],
        *,
        heads: HeadLimits | None = None,
        sockets: Callable[[object], None] = lambda transport: None,
        mostIdle: int = 256,
        idleTimeout: float = 15.0,
    ) -> None:
        self.heads = heads or HeadLimits()
        self.sockets = sockets
        self.clock = clock
        self._connect = connect
        self._mostIdle = mostIdle
        self._idleTimeout = idleTimeout
        self._idle: dict[Origin, list[OriginConnection]] = {}
        self._idleCount = 0
        self._modern: dict[Origin, None] = {}
        self._sweep: IDelayedCall | None = None
        self._closed = False
        self.open = self.made = self.reused = 0

    def take(self, origin: Origin) -> OriginConnection | None:
        """A connection to the origin that waits for an exchange; L{None} if there is none."""
        waiting = self._idle.get(origin)
        if not waiting:
            return None
        connection = waiting.pop()
        self._idleCount -= 1
        if not waiting:
            del self._idle[origin]
        self.reused += 1
        return connection

    async def make(self, origin: Origin) -> OriginConnection:
        """
        A new connection to the origin, ready for an exchange.

        @raise Exception: whatever the endpoint fails with.
        """
        made = await self._connect(origin).connect(OriginFactory(self, origin))
        assert isinstance(made, OriginConnection)
        return made

    def put(self, connection: OriginConnection) -> None:
        """A connection waits for its next exchange."""
        if self._closed or not self._mostIdle:
            connection.abort()
            return
        if self._idleCount >= self._mostIdle:
            oldest = min((waiting[0] for waiting in self._idle.values()), key=lambda c: c.idleSince)
            self.forget(oldest)
            oldest.leave()
        connection.idleSince = self.clock.seconds()
        self._idle.setdefault(connection.origin, []).append(connection)
        self._idleCount += 1
        if self._sweep is None:
            self._sweep = self.clock.callLater(self._idleTimeout / 2, self._sweepNow)

    def heard(self, origin: Origin, version: Version) -> None:
        """An origin has said for the first time on a connection which version it speaks."""
        self._modern.pop(origin, None)
        if version is Version.HTTP11:
            if len(self._modern) >= _MOST_MODERN:
                del self._modern[next(iter(self._modern))]
            self._modern[origin] = None

    def readsChunks(self, origin: Origin) -> bool:
        """Whether a request for the origin may be chunked: it has spoken HTTP/1.1 (RFC 9112, 6.1)."""
        return origin in self._modern

    def forget(self, connection: OriginConnection) -> None:
        """A connection does not wait any more: it is used, or gone."""
        waiting = self._idle.get(connection.origin, [])
        if connection in waiting:
            waiting.remove(connection)
            self._idleCount -= 1
            if not waiting:
                del self._idle[connection.origin]

    def close(self) -> None:
        """Close what waits, and from now on whatever becomes free."""
        self._closed = True
        self._cancelSweep()
        for waiting in tuple(self._idle.values()):
            for connection in tuple(waiting):
                self.forget(connection)
                connection.abort()

    def __len__(self) -> int:
        """How many connections wait."""
        return self._idleCount

    def _sweepNow(self) -> None:
        self._sweep = None
        longAgo = self.clock.seconds() - self._idleTimeout
        for waiting in tuple(self._idle.values()):
            for connection in tuple(waiting):
                if connection.idleSince <= longAgo:
                    self.forget(connection)
                    connection.leave()
        if self._idle:
            self._sweep = self.clock.callLater(self._idleTimeout / 2, self._sweepNow)

    def _cancelSweep(self) -> None:
        sweep, self._sweep = self._sweep, None
        if sweep is not None and sweep.active():
            sweep.cancel()
