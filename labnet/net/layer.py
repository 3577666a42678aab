"""
A layer between a connection and its protocol, or between a port and its datagram protocol, that changes
nothing: what looks on, or breaks something, is made from it.

To the protocol it is the transport, with all that the one below can do; to that it is the protocol.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IProtocol,
    IProtocolFactory,
)
from twisted.internet.protocol import DatagramProtocol, Protocol, connectionDone
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from zope.interface import directlyProvides, providedBy

if TYPE_CHECKING:
    from labnet.net.connection import Transport

__all__ = ["DatagramLayer", "Layer", "LayerFactory", "innermost"]

#: What a transport asks its protocol for, and so a layer must not promise more than its protocol does.
_OF_THE_PROTOCOL = (IHalfCloseableProtocol, IHandshakeListener)


class Layer(Protocol):
    """
    The layer of one connection.

    @ivar transport: below.
    @ivar wrapped: above; what calls it in a subclass goes through C{super()}.
    """

    transport: Transport

    def __init__(self, wrapped: IProtocol) -> None:
        self.wrapped = wrapped
        self._promised = tuple(promise for promise in _OF_THE_PROTOCOL if promise.providedBy(wrapped))
        # Twisted's client endpoints look before there is a transport.
        directlyProvides(self, *self._promised)

    def __getattr__(self, name: str) -> Any:
        """Whatever else the transport can do: TLS's certificates, a socket's options."""
        if name == "transport":
            raise AttributeError(name)  # There is none yet.
        return getattr(self.transport, name)

    # What the transport does.

    def makeConnection(self, transport: Any) -> None:
        self.connected = 1
        self.transport = transport
        self._adopt()
        self.wrapped.makeConnection(self)  # type: ignore[arg-type]

    def _adopt(self) -> None:
        below = providedBy(self.transport)
        for promise in _OF_THE_PROTOCOL:
            # Another layer below is a protocol, too, and its promises are not ours.
            if promise in below:
                below = below - promise
        directlyProvides(self, *self._promised, below)

    def dataReceived(self, data: bytes) -> None:
        self.wrapped.dataReceived(data)

    def readConnectionLost(self) -> None:
        """The peer's half has ended; called if the protocol takes that."""
        cast(IHalfCloseableProtocol, self.wrapped).readConnectionLost()

    def writeConnectionLost(self) -> None:
        """Our half has ended; likewise."""
        cast(IHalfCloseableProtocol, self.wrapped).writeConnectionLost()

    def handshakeCompleted(self) -> None:
        """TLS is agreed on."""
        told = getattr(self.wrapped, "handshakeCompleted", None)
        if told is not None:
            told()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = 0
        self.wrapped.connectionLost(reason)

    # What the protocol does.

    def write(self, data: bytes) -> None:
        """Send."""
        self.transport.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send pieces as one."""
        self.write(b"".join(data))

    def loseWriteConnection(self) -> None:
        """End our half when all is sent."""
        self.transport.loseWriteConnection()

    def loseConnection(self) -> None:
        """End the connection when all is sent."""
        self.transport.loseConnection()

    def abortConnection(self) -> None:
        """End it at once."""
        self.transport.abortConnection()

    def startTLS(self, contextFactory: object, *normal: bool) -> None:
        """Have TLS below from now on."""
        cast(Any, self.transport).startTLS(contextFactory, *normal)
        self._adopt()

    def logPrefix(self) -> str:
        """What Twisted's own log lines begin with: as without the layer."""
        return _prefixOf(self.wrapped)

    @property
    def disconnecting(self) -> bool:
        """Whether the end was asked for."""
        return bool(getattr(self.transport, "disconnecting", False))


class LayerFactory(WrappingFactory):  # type: ignore[type-arg, unused-ignore]
    """
    Puts a L{Layer} below each protocol of another factory.

    @param wrappedFactory: whose; what it does not build gets no layer.
    """

    noisy = False

    def __init__(self, wrappedFactory: IProtocolFactory) -> None:
        super().__init__(wrappedFactory)  # type: ignore[no-untyped-call]
        # For TLS below: what may be spoken above.
        self.applicationProtocols = getattr(wrappedFactory, "applicationProtocols", ())

    def buildProtocol(self, addr: IAddress | None) -> Any:
        protocol = self.wrappedFactory.buildProtocol(addr)
        return None if protocol is None else self.layer(protocol)

    def logPrefix(self) -> str:
        return _prefixOf(self.wrappedFactory)

    def layer(self, protocol: IProtocol) -> Layer:
        """The layer of one connection."""
        return Layer(protocol)


class DatagramLayer(DatagramProtocol):
    """
    The layer of one port.

    @ivar transport: the port.
    @ivar wrapped: the protocol above.
    """

    noisy = False
    transport: Any

    def __init__(self, wrapped: DatagramProtocol) -> None:
        self.wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        """Whatever else the port can do."""
        if name == "transport":
            raise AttributeError(name)
        return getattr(self.transport, name)

    # What the port does.

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        directlyProvides(self, providedBy(transport))
        self.wrapped.makeConnection(self)  # type: ignore[arg-type]

    def doStop(self) -> None:
        self.wrapped.doStop()
        self.transport = None

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        self.wrapped.datagramReceived(datagram, addr)

    def connectionRefused(self) -> None:
        self.wrapped.connectionRefused()

    def logPrefix(self) -> str:
        return _prefixOf(self.wrapped)

    # What the protocol does.

    def write(self, datagram: bytes, addr: tuple[str, int] | None = None) -> None:
        """Send."""
        self.transport.write(datagram, addr)

    def connect(self, host: str, port: int) -> None:
        """Have to do with one peer only."""
        self.transport.connect(host, port)


def innermost(protocol: IProtocol) -> IProtocol:
    """The protocol above all layers."""
    while isinstance(protocol, Layer):
        protocol = protocol.wrapped
    return protocol


def _prefixOf(wrapped: Any) -> str:
    prefix = getattr(wrapped, "logPrefix", None)
    return str(prefix()) if prefix is not None else type(wrapped).__name__
