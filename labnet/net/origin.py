"""
The far side of a stream that is passed on: a connection to an origin, driven by the connection it is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Protocol as Interface

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.net.connection import Transport
from labnet.net.sockets import SocketOptions

__all__ = ["Downstream", "Origin", "OriginFactory"]


class Downstream(Interface):
    """The client's side, as its L{Origin} sees it. None of these may raise."""

    def originReceived(self, data: bytes) -> None:
        """The origin has sent something."""

    def originEnded(self) -> None:
        """The origin has ended its half of the stream."""

    def originFull(self) -> None:
        """The origin reads too slowly: nothing more should be sent to it."""

    def originDrained(self) -> None:
        """The origin reads again."""

    def originLost(self, reason: Failure) -> None:
        """The connection to the origin is gone."""


@implementer(IHalfCloseableProtocol, IPushProducer)
class Origin(Protocol):
    """
    The connection to the origin of one client.

    @param clock: the reactor, or a C{Clock} in a test.
    @param downstream: whose origin this is.
    @param sockets: the TCP options.
    """

    #: Seconds that the origin gets to read what is left for it after the client has gone.
    LINGER = 30.0

    transport: Transport

    def __init__(
        self, clock: IReactorTime, downstream: Downstream, sockets: SocketOptions | None = None
    ) -> None:
        self._clock = clock
        self._downstream = downstream
        self._sockets = sockets or SocketOptions()
        self._linger: IDelayedCall | None = None
        self._isProducer = False
        self._inputEnded = False
        self._ending = False

    # What the client's side does.

    def write(self, data: bytes) -> None:
        """Send to the origin."""
        self.transport.write(data)

    def pause(self) -> None:
        """Do not read from the origin."""
        if not self._inputEnded and not self._ending:
            self.transport.pauseProducing()

    def resume(self) -> None:
        """Read from the origin again."""
        if not self._inputEnded and not self._ending:
            self.transport.resumeProducing()

    def endOutput(self) -> None:
        """End our half once everything written has been sent. TLS has no halves: it is closed."""
        if self._ending:
            return
        if ISSLTransport.providedBy(self.transport):
            self.finish()
        else:
            self._unregister()
            self.transport.loseWriteConnection()

    def finish(self) -> None:
        """Close once everything written has been sent, at the latest in L{LINGER} seconds."""
        if not self._ending:
            self._ending = True
            self._linger = self._clock.callLater(self.LINGER, self._lingered)
            self._unregister()
            self.transport.loseConnection()

    def abort(self) -> None:
        """Close at once; the origin sees a reset."""
        self._ending = True
        self.transport.abortConnection()

    # IProtocol and IHalfCloseableProtocol

    def connectionMade(self) -> None:
        self._sockets.apply(self.transport)
        self._isProducer = True
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        if not self._ending:
            self._downstream.originReceived(data)

    def readConnectionLost(self) -> None:
        if not self._inputEnded:
            self._inputEnded = True
            self._downstream.originEnded()

    def writeConnectionLost(self) -> None:
        """Our half is ended; the origin's goes on."""

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:
        self._ending = True
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        self._downstream.originLost(reason)

    # IPushProducer: the transport asks us to pause when the origin does not read.

    def pauseProducing(self) -> None:
        """The origin reads too slowly."""
        self._downstream.originFull()

    def resumeProducing(self) -> None:
        """The origin reads again."""
        self._downstream.originDrained()

    def stopProducing(self) -> None:
        """The transport is gone; L{connectionLost} follows."""

    def _lingered(self) -> None:
        self.transport.abortConnection()

    def _unregister(self) -> None:
        """A transport keeps a connection, or its half of it, open for as long as it has a producer."""
        if self._isProducer:
            self._isProducer = False
            self.transport.unregisterProducer()


if TYPE_CHECKING:
    _Factory = Factory[Origin]
else:
    _Factory = Factory


class OriginFactory(_Factory):
    """
    Builds the origin of one client; its parameters are L{Origin}'s.
    """

    noisy = False

    def __init__(
        self, clock: IReactorTime, downstream: Downstream, sockets: SocketOptions | None = None
    ) -> None:
        self._clock = clock
        self._downstream = downstream
        self._sockets = sockets

    def buildProtocol(self, addr: IAddress | None) -> Origin:
        return Origin(self._clock, self._downstream, self._sockets)
