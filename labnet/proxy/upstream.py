"""
The next proxy: which origins are reached through one, and its tunnels.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, TimeoutError
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.net.connection import Transport
from labnet.proxy.networks import Destinations, Pattern
from labnet.proxy.target import Origin, Route
from labnet.proxy.wire import BadMessage, HeadReader, parseResponseHead

__all__ = ["TunnelEndpoint", "Upstream", "Upstreams", "basicCredentials"]

#: Bytes of the head of the answer to CONNECT, and how many fields are in it.
_MOST_HEAD = 65_536
_MOST_FIELDS = 200


def basicCredentials(user: str, password: str) -> bytes:
    """The value of a field that has these (RFC 7617)."""
    return b"Basic " + b64encode(f"{user}:{password}".encode())


@dataclass(frozen=True, slots=True)
class Upstream(Origin):
    """
    A proxy behind this one.

    @ivar authorization: what it wants to see in Proxy-Authorization; empty for nothing.
    """

    authorization: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        return f"upstream proxy {Origin(self.host, self.port)}"


class Upstreams:
    """
    Which origins are reached through which proxy. The first pattern that a host fits decides.

    @param default: for what fits no pattern; L{None}: without one.
    @param chosen: patterns of hosts, and what they are reached through.
    @param destinations: judges names that somebody else will look up.
    """

    def __init__(
        self,
        default: Upstream | None = None,
        chosen: Sequence[tuple[Pattern, Upstream | None]] = (),
        destinations: Destinations | None = None,
    ) -> None:
        self._default = default
        self._chosen = tuple(chosen)
        self._destinations = destinations or Destinations()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self._default is not None or bool(self._chosen)

    def of(self, host: str) -> Upstream | None:
        """Through which proxy a host is reached."""
        for pattern, upstream in self._chosen:
            if pattern.names(host) or pattern.covers(host):
                return upstream
        return self._default

    def through(self, route: Route) -> Route:
        """
        The route of a request by way of the next proxy, or as it was if there is none on it. What is secure
        goes through a tunnel, and asks no proxy.

        @raise BadMessage: it may not go there.
        """
        origin = route.origin
        upstream = self.of(origin.host)
        if upstream is None:
            return route
        self.check(origin)
        if origin.secure:
            return route
        path = b"" if route.target == b"*" else route.target
        target = b"http://" + origin.authority + path
        return replace(route, target=target, hop=upstream, authorization=upstream.authorization)

    def check(self, origin: Origin) -> None:
        """
        See that an origin may be asked for by its name, if somebody else will look that up.

        @raise BadMessage: it may not.
        """
        if self.of(origin.host) is not None:
            why = self._destinations.refusalByName(origin.host, origin.port)
            if why:
                raise BadMessage(f"{origin}: {why}", 403)


@implementer(IHalfCloseableProtocol)
class _Tunnel(Protocol):
    """
    Asks a proxy for a tunnel; when it is there, another protocol has the connection, halves and all.

    @ivar ready: fires with that; fails with L{BadMessage}.
    """

    transport: Transport

    def __init__(self, upstream: Upstream, origin: Origin, factory: IProtocolFactory) -> None:
        self.ready: Deferred[IProtocol] = Deferred(lambda _: self.transport.abortConnection())
        self._upstream = upstream
        self._origin = origin
        self._factory = factory
        self._heads = HeadReader(_MOST_HEAD, lenient=True)
        self._inner: IProtocol | None = None

    def connectionMade(self) -> None:
        authority = str(self._origin).encode("ascii")
        lines = [b"CONNECT %b HTTP/1.1" % authority, b"Host: " + authority]
        if self._upstream.authorization:
            lines.append(b"Proxy-Authorization: " + self._upstream.authorization)
        self.transport.write(b"\r\n".join([*lines, b"", b""]))

    def dataReceived(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        try:
            rest = self._readAnswer(data)
        except BadMessage as problem:
            self._fail(str(problem))
            return
        if rest is not None:
            self._handOver(rest)

    def _readAnswer(self, data: bytes) -> bytes | None:
        """What stands behind the head that says that there is a tunnel; L{None}: there is none yet."""
        while data and (found := self._heads.feed(data)) is not None:
            raw, data = found
            head = parseResponseHead(raw, _MOST_FIELDS)
            if 200 <= head.status < 300:
                return data
            if head.status == 407:
                raise BadMessage("it does not take our name and password (407)")
            if head.status >= 200:
                reason = head.reason.decode("latin-1")
                raise BadMessage(f"it refuses the tunnel: {head.status} {reason}".rstrip())
        return None

    def _handOver(self, early: bytes) -> None:
        inner = self._factory.buildProtocol(self.transport.getPeer())
        if inner is None:
            self._fail("nobody wants its tunnel")
            return
        self._inner = inner
        inner.makeConnection(self.transport)
        self.ready.callback(inner)
        if early:
            inner.dataReceived(early)

    def readConnectionLost(self) -> None:
        """The half of the stream that comes from the upstream has ended."""
        if IHalfCloseableProtocol.providedBy(self._inner):
            self._inner.readConnectionLost()
        else:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our half has ended."""
        if IHalfCloseableProtocol.providedBy(self._inner):
            self._inner.writeConnectionLost()

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif not self.ready.called:
            self.ready.errback(ConnectionLost())

    def _fail(self, why: str) -> None:
        if not self.ready.called:
            self.ready.errback(BadMessage(f"{self._upstream}: {why}", 502))
        self.transport.abortConnection()


if TYPE_CHECKING:
    _Factory = Factory[_Tunnel]
else:
    _Factory = Factory


class _TunnelFactory(_Factory):
    """Gives the one protocol it was given."""

    noisy = False

    def __init__(self, tunnel: _Tunnel) -> None:
        self._tunnel = tunnel

    def buildProtocol(self, addr: IAddress | None) -> _Tunnel:
        return self._tunnel


@implementer(IStreamClientEndpoint)
class TunnelEndpoint:
    """
    Connects to what is at the other end of a proxy's tunnel.

    @param way: the way to the proxy.
    @param upstream: the proxy.
    @param origin: where the tunnel is to lead.
    @param timeout: seconds that the proxy may take to open it.
    """

    def __init__(
        self,
        clock: IReactorTime,
        way: IStreamClientEndpoint,
        upstream: Upstream,
        origin: Origin,
        timeout: float,
    ) -> None:
        self._clock = clock
        self._way = way
        self._upstream = upstream
        self._origin = origin
        self._timeout = timeout

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect to the proxy, and then through it."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        tunnel = _Tunnel(self._upstream, self._origin, factory)
        await self._way.connect(_TunnelFactory(tunnel))
        tunnel.ready.addTimeout(self._timeout, self._clock, self._timedOut)
        return await tunnel.ready

    def _timedOut(self, result: object, timeout: float) -> IProtocol:
        raise TimeoutError(string=f"{self._upstream} has opened no tunnel in {timeout:g} s")
