"""
The ways to a web server: by the addresses of its name, one after the other, and through a proxy's tunnel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.names.client import Endpoint, Family, addresses
from labnet.net.connection import Transport
from labnet.net.endpoints import describe
from labnet.net.outcome import ClientError, ExitStatus, explain
from labnet.net.secure import SecureClientEndpoint, Trust
from labnet.proxy.wire import BadMessage
from labnet.web.events import (
    Connected,
    Connecting,
    Event,
    LookedUp,
    LookingUp,
    NotConnected,
    Received,
    RequestBegan,
    TunnelReady,
)
from labnet.web.requests import Manner, encodeConnect, withoutSecrets
from labnet.web.response import ResponseReader
from labnet.web.target import URL

__all__ = ["AddressEndpoint", "Tell", "Tunnel", "TunnelEndpoint", "Ways", "connected"]

#: Whoever wants to know what happens.
Tell = Callable[[Event], object]

_ENDPOINTS = {Family.IPV4: TCP4ClientEndpoint, Family.IPV6: TCP6ClientEndpoint}


def connected(transport: Transport) -> Connected:
    """What is told of a new connection."""
    return Connected(describe(transport.getHost()), describe(transport.getPeer()))


@implementer(IStreamClientEndpoint)
class AddressEndpoint:
    """
    Connects to a host as a program of the course does: looks its name up, and tries its addresses one
    after the other, in the order in which they came.

    @param reactor: connects, and looks up in its threads.
    @param timeout: seconds for everything; an address gets its share of what is left.
    @param tell: hears how it goes.
    """

    def __init__(self, reactor: Any, host: str, port: int, timeout: float, tell: Tell) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._timeout = timeout
        self._tell = tell

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect.

        @return: fires with the protocol; fails with what the look-up, or the last address, failed with.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        until = self._reactor.seconds() + self._timeout
        found = await self._lookUp()
        for index, place in enumerate(found):
            share = max(until - self._reactor.seconds(), 0.001) / (len(found) - index)
            endpoint = _ENDPOINTS[place.family](self._reactor, place.host, place.port, timeout=share)  # type: ignore[no-untyped-call]
            self._tell(Connecting(str(place)))
            try:
                protocol = await endpoint.connect(factory)
            except ConnectError:
                failure = Failure()
                self._tell(NotConnected(str(place), explain(failure)[0]))
                if place is found[-1]:
                    raise
            except ConnectingCancelledError as error:
                raise CancelledError from error
            else:
                return protocol
        raise AssertionError("there is at least one address")

    async def _lookUp(self) -> list[Endpoint]:
        host, port = self._host, self._port
        if isIPAddress(host):
            return [Endpoint(Family.IPV4, host, port)]
        if isIPv6Address(host):
            return [Endpoint(Family.IPV6, host, port)]
        self._tell(LookingUp(host))
        found = await addresses(self._reactor, host, port, timeout=self._timeout)
        self._tell(LookedUp(host, tuple(place.host for place in found)))
        return found


class Tunnel(Protocol, TimeoutMixin):
    """
    Asks a proxy for a tunnel; when it is there, another protocol has the connection.

    @param request: the CONNECT request.
    @param url: what is at the other end.
    @param factory: builds the other protocol.
    @ivar ready: fires with that; fails with L{ClientError}.
    """

    transport: Transport

    def __init__(
        self,
        clock: IReactorTime,
        request: bytes,
        url: URL,
        factory: IProtocolFactory,
        timeout: float,
        tell: Tell,
    ) -> None:
        self.ready: Deferred[IProtocol] = Deferred(lambda _: self.transport.abortConnection())
        self._clock = clock
        self._request = request
        self._url = url
        self._factory = factory
        self._timeout = timeout
        self._tell = tell
        self._reader = ResponseReader(b"CONNECT")
        self._inner: IProtocol | None = None

    def callLater(self, period: float, function: Callable[[], None]) -> Any:
        """For L{TimeoutMixin}."""
        return self._clock.callLater(period, function)

    def connectionMade(self) -> None:
        self._tell(connected(self.transport))
        self.setTimeout(self._timeout)  # type: ignore[no-untyped-call]
        self._tell(RequestBegan(withoutSecrets(self._request), 0))
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        if self.ready.called:
            return
        self.resetTimeout()  # type: ignore[no-untyped-call]
        self._tell(Received(data))
        try:
            for event in self._reader.feed(data):
                self._tell(event)
        except BadMessage as problem:
            self._fail(f"the proxy's answer is not understood: {problem}", ExitStatus.NOT_UNDERSTOOD)
            return
        head = self._reader.head
        if head is None:
            return
        if not 200 <= head.status < 300:
            reason = head.reason.decode("latin-1")
            self._fail(f"the proxy refuses the tunnel: {head.status} {reason}", ExitStatus.ANSWERED_ERROR)
        elif self._reader.surplus:
            self._fail("the proxy says more than that there is a tunnel", ExitStatus.NOT_UNDERSTOOD)
        else:
            self._handOver()

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:
        self.setTimeout(None)  # type: ignore[no-untyped-call]
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif not self.ready.called:
            self.ready.errback(Failure(ConnectionLost("the proxy closed the connection")))

    def timeoutConnection(self) -> None:
        self._fail(f"timed out: no tunnel in {self._timeout:g} s", ExitStatus.TIMED_OUT)

    def _handOver(self) -> None:
        self.setTimeout(None)  # type: ignore[no-untyped-call]
        self._tell(TunnelReady(self._url.place))
        self._inner = inner = self._factory.buildProtocol(self.transport.getPeer())
        if inner is None:
            self._fail("nobody wants the tunnel", ExitStatus.BUG)
            return
        inner.makeConnection(self.transport)
        self.ready.callback(inner)

    def _fail(self, sentence: str, status: ExitStatus) -> None:
        self.setTimeout(None)  # type: ignore[no-untyped-call]
        if not self.ready.called:
            self.ready.errback(Failure(ClientError(sentence, status)))
        self.transport.abortConnection()


if TYPE_CHECKING:
    _Factory = Factory[Tunnel]
else:
    _Factory = Factory


class _TunnelFactory(_Factory):
    """Gives the one protocol it was given."""

    noisy = False

    def __init__(self, tunnel: Tunnel) -> None:
        self._tunnel = tunnel

    def buildProtocol(self, addr: IAddress | None) -> Tunnel:
        return self._tunnel


@implementer(IStreamClientEndpoint)
class TunnelEndpoint:
    """
    Connects to what is at the other end of a proxy's tunnel.

    @param proxy: the way to the proxy.
    @param request: the CONNECT request for it.
    @param url: where the tunnel is to lead.
    @param timeout: seconds without a word from the proxy.
    """

    def __init__(
        self,
        clock: IReactorTime,
        proxy: IStreamClientEndpoint,
        request: bytes,
        url: URL,
        timeout: float,
        tell: Tell,
    ) -> None:
        self._clock = clock
        self._proxy = proxy
        self._request = request
        self._url = url
        self._timeout = timeout
        self._tell = tell

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect to the proxy, and then through it."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        tunnel = Tunnel(self._clock, self._request, self._url, factory, self._timeout, self._tell)
        await self._proxy.connect(_TunnelFactory(tunnel))
        return await tunnel.ready


class Ways:
    """
    The ways to origins.

    @param reactor: connects.
    @param manner: whether through a proxy, whom to trust, and how long all that may take.
    @param tell: hears how it goes.
    """

    def __init__(self, reactor: Any, manner: Manner, tell: Tell) -> None:
        self._reactor = reactor
        self._manner = manner
        self._tell = tell
        self._trust: Trust | None = None

    def to(self, url: URL) -> IStreamClientEndpoint:
        """
        The way to one: straight, or to the proxy, or through it.

        @raise BadCertificate: the file of certificates can not be used.
        """
        reactor, manner, tell = self._reactor, self._manner, self._tell
        first = manner.proxy or url
        way: Any = AddressEndpoint(reactor, first.host, first.port, manner.timeout, tell)
        if not url.secure:
            return cast(IStreamClientEndpoint, way)
        if manner.proxy is not None:
            request = encodeConnect(url, manner.agent, manner.proxy)
            way = TunnelEndpoint(reactor, way, request, url, manner.timeout, tell)
        if self._trust is None:
            self._trust = Trust(insecure=manner.insecure, cafile=manner.cafile)
        secured: Any = SecureClientEndpoint(reactor, self._trust.streams(url.host), way)
        return cast(IStreamClientEndpoint, secured)
