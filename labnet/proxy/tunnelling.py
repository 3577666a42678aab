"""
The proxy's connections to clients, as far as they are tunnels: such that are not looked into, and such in
which there is TLS with us and requests again.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.python.failure import Failure

from labnet.net.connection import ServiceConnection
from labnet.net.splice import Splice
from labnet.proxy.account import Account
from labnet.proxy.client import OriginConnection
from labnet.proxy.exchange import Exchange
from labnet.proxy.interception import InterceptedTunnel
from labnet.proxy.journal import Decision
from labnet.proxy.outbound import unreachable
from labnet.proxy.policy import Answer, refusal
from labnet.proxy.target import Origin, routeTunnel
from labnet.proxy.wire import RequestHead

if TYPE_CHECKING:
    from labnet.proxy.factory import ProxyFactory

__all__ = ["TunnellingConnection"]

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class TunnellingConnection(ServiceConnection):
    """
    One client, whose connection becomes a tunnel if it asks for one. A subclass reads the requests: those
    that come before there is a tunnel, and those inside of an intercepted one.

    @ivar requests: how many have come.
    """

    factory: ProxyFactory

    def __init__(self, factory: ProxyFactory) -> None:
        super().__init__()
        self.requests = 0
        self._account = Account(self, factory.journal, factory.clock)
        self._splice: Splice | None = None
        self._intercepted: InterceptedTunnel | None = None

    # What a subclass does.

    @abstractmethod
    def _read(self, data: bytes) -> None:
        """Read a piece of the client's requests."""

    @abstractmethod
    def _readEnd(self) -> None:
        """The client sends no more requests."""

    @abstractmethod
    def _takeAhead(self) -> bytes:
        """What has come and was not read yet: it is for somebody else now."""

    @abstractmethod
    def _answer(
        self, answer: Answer, decision: Decision = Decision.REFUSED, origin: Origin | None = None
    ) -> None:
        """Answer a request without an exchange, and come to an end."""

    # ServiceConnection

    def received(self, data: bytes) -> None:
        if self._intercepted is not None:
            self._intercepted.received(data)
        else:
            self.requestsReceived(data)

    def inputEnded(self) -> None:
        if self._intercepted is not None:
            self._intercepted.inputEnded()
        else:
            self.requestsEnded()

    def write(self, data: bytes) -> None:
        if self._intercepted is not None:
            self._intercepted.write(data)
        else:
            super().write(data)

    def endOutput(self) -> None:
        if self._intercepted is not None:
            self._intercepted.end()
        super().endOutput()

    def close(self, outcome: str = "") -> None:
        if self._intercepted is not None:
            self._intercepted.end()
        super().close(outcome)

    def outputFull(self) -> None:
        if self._splice is not None:
            self._splice.outputFull()
        else:
            super().outputFull()

    def outputDrained(self) -> None:
        if self._splice is not None:
            self._splice.outputDrained()
        else:
            super().outputDrained()

    def ended(self, reason: Failure) -> None:
        self._account.closed()
        splice, self._splice = self._splice, None
        if splice is not None:
            splice.ended(reason)
        self.factory.access.closeTunnel(self)

    @property
    def tunnelled(self) -> bool:
        """Whether it is a tunnel that is not looked into, or about to be one."""
        return self._splice is not None

    def _handshakeIsOver(self, now: float) -> bool:
        """Whether the time for TLS in an intercepted tunnel is."""
        interception, tunnel = self.factory.interception, self._intercepted
        if interception is None or tunnel is None or tunnel.handshakeSince is None:
            return False
        return 0 < interception.handshake <= now - tunnel.handshakeSince

    # TunnelEnd: what TLS in an intercepted tunnel comes to. Without such a tunnel it is what came.

    def sendSealed(self, data: bytes) -> None:
        """Send bytes of TLS to the client."""
        super().write(data)

    def requestsReceived(self, data: bytes) -> None:
        """A piece of the client's requests has come."""
        if self._splice is not None:
            self._splice.received(data)
        else:
            self._read(data)

    def requestsEnded(self) -> None:
        """The client sends no more requests."""
        if self._splice is not None:
            self._splice.inputEnded()
        else:
            self._readEnd()

    # How a tunnel is opened.

    def _tunnel(self, head: RequestHead) -> None:
        """Answer a CONNECT request."""
        origin = routeTunnel(head)
        self.factory.policy.checkHost(origin.host)
        ports = self.factory.policy.connectPorts
        if self.factory.target is not None:
            self._answer(refusal(501, "CONNECT is not for a proxy before one origin"))
        elif self._intercepted is not None:
            self._answer(refusal(501, "CONNECT is not for the inside of a tunnel"))
        elif ports and origin.port not in ports:
            self._answer(refusal(403, f"CONNECT to port {origin.port} is not allowed"))
        else:
            self.factory.access.openTunnel(self)
            self._openTunnel(origin)

    def _openTunnel(self, origin: Origin) -> None:
        if (secured := self._securedOrigin(origin)) is not None:
            self._intercept(secured)
        else:
            endpoint = self.factory.connect(origin)
            splice = self._splice = Splice(self, self.factory.clock, self.factory.sockets)
            joined = splice.join(endpoint, self.factory.policy.phases.connect)
            joined.addCallbacks(self._tunnelOpen, self._tunnelFailed, (origin,), errbackArgs=(origin,))
            self._handAhead(splice.received)

    def _securedOrigin(self, tunnel: Origin) -> Origin | None:
        interception = self.factory.interception
        return None if interception is None else interception.origin(tunnel)

    def _intercept(self, origin: Origin) -> None:
        factory = self.factory
        assert factory.interception is not None
        try:
            tunnel = factory.interception.open(self, origin, factory.clock.seconds())
        except ValueError as problem:
            self._answer(refusal(503, str(problem)))
            return
        self.write(_ESTABLISHED)
        self._account.answered(200, Decision.INTERCEPTED, "intercepted", origin)
        self._intercepted = tunnel
        self._handAhead(tunnel.received)

    def _tunnelOpen(self, joined: None, origin: Origin) -> None:
        self._account.opened(200, "not inspected: tunnel", origin, self._account.elapsed)
        self.write(_ESTABLISHED)

    def _tunnelFailed(self, failure: Failure, origin: Origin) -> None:
        self._splice = None
        if self._closing:
            self._account.answered(0, Decision.LEFT, "the client left", origin)
            return
        problem = unreachable(origin, failure)
        self._answer(refusal(problem.status, str(problem)), origin=origin)

    def _switch(self, exchange: Exchange, head: bytes, origin: OriginConnection) -> None:
        """The client and the origin speak another protocol after this head."""
        self._account.opened(exchange.status, exchange.note, exchange.route.origin)
        splice = self._splice = Splice(self, self.factory.clock)
        splice.adopt(origin.handOver(splice))
        if exchange.clientFull:
            splice.outputFull()
        self.write(head)
        self._handAhead(splice.received)

    def _handAhead(self, take: Callable[[bytes], None]) -> None:
        """What has come early is for somebody else."""
        early = self._takeAhead()
        if early:
            take(early)
