"""
TCP transports that write at once, and end their half at once.

Twisted's C{write} queues, asks the poller for the next chance to write, and is called back: two more
system calls and one more turn of the loop for each answer. Here, when nothing is queued, C{write} tries
to send first, and only what the kernel does not take goes the usual way.

This touches attributes of Twisted's transports that are not documented. L{SUPPORTED} says whether they
are there; where they are not, the plain transports are used.
"""

from __future__ import annotations

from socket import socket
from typing import Any, cast

from twisted.internet import main, tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred, execute
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConnector,
    IListeningPort,
    IProducer,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer, providedBy

from labnet.net.accepting import PatientPort

__all__ = [
    "SUPPORTED",
    "DirectClient",
    "DirectPort",
    "DirectServer",
    "DirectServerEndpoint",
    "connectsDirectly",
    "direct",
]

_LARGE_BUFFER = 256 * 1024


def _supported() -> bool:
    """Whether this Twisted has what L{DirectServer} looks at."""
    ofTheClass = (
        *("TLS", "_aborting", "_closeWriteConnection", "_writeDisconnected", "_writeDisconnecting"),
        *("connected", "dataBuffer"),
    )
    ofTheProducer = ("disconnecting", "producer", "streamingProducer")
    ofTheInstance = "_tempDataBuffer"
    return (
        all(hasattr(tcp.Connection, name) for name in (*ofTheClass, *ofTheProducer))
        and ofTheInstance in FileDescriptor.__init__.__code__.co_names
    )


SUPPORTED: bool = _supported()


class _WritesAtOnce(tcp.Connection):
    """
    A connection whose C{write} sends at once if it can.

    The usual way is gone, and the order of what is written kept, when something is queued already, when
    the connection is ending, under TLS, and for a producer that wants to be asked for each piece.

    @ivar bufferSize: bytes read at a time; more, once the peer has filled that.
    """

    # What Twisted sets on each transport; named for the type checker.
    dataBuffer: bytes
    socket: socket

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Found sooner in the instance than in the class, where Twisted has them.
        self.dataBuffer = b""
        self.bufferSize = type(self).bufferSize
        super().__init__(*args, **kwargs)
        self._decide()

    def _decide(self) -> None:
        """Note whether C{write} may send at once while nothing is queued."""
        self._atOnce = bool(
            self.connected
            and not self.disconnecting
            and not self._writeDisconnecting
            and not self._aborting
            and not self.TLS
            and (self.producer is None or self.streamingProducer)
        )

    def write(self, data: bytes) -> None:
        if self._atOnce and not self.dataBuffer and not self._tempDataBuffer:
            try:
                sent = self.socket.send(data)
            except OSError:
                # Whatever it is, the reactor's own try meets it again, where it may end the connection.
                sent = 0
            if sent == len(data):
                return
            data = data[sent:]
        super().write(data)  # type: ignore[no-untyped-call]

    def doRead(self) -> ConnectionLost | ConnectionDone | None:  # type: ignore[override]
        # As the base does it, with one call less for each piece.
        try:
            data = self.socket.recv(self.bufferSize)
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        if not data:
            return main.CONNECTION_DONE
        if len(data) == self.bufferSize:
            self.bufferSize = _LARGE_BUFFER
        self.protocol.dataReceived(data)
        return None

    # Whatever changes the decision.

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        self._atOnce = False  # A producer that is asked for each piece is asked already in the base.
        super().registerProducer(producer, streaming)  # type: ignore[no-untyped-call]
        self._decide()

    def unregisterProducer(self) -> None:
        super().unregisterProducer()  # type: ignore[no-untyped-call]
        self._decide()

    def startTLS(self, contextFactory: object, normal: bool = True) -> None:
        super().startTLS(contextFactory, normal)  # type: ignore[no-untyped-call]
        self._decide()

    def loseConnection(self) -> None:
        super().loseConnection()  # type: ignore[no-untyped-call]
        self._decide()

    def loseWriteConnection(self) -> None:
        if self._atOnce and self.producer is None and not self.dataBuffer and not self._tempDataBuffer:
            # The base would have the poller say first that nothing is in the way.
            self._atOnce = False
            self._writeDisconnecting = self._writeDisconnected = True
            self._closeWriteConnection()
        else:
            super().loseWriteConnection()  # type: ignore[no-untyped-call]
            self._decide()

    def abortConnection(self) -> None:
        super().abortConnection()  # type: ignore[no-untyped-call]
        self._decide()

    def connectionLost(self, reason: Failure) -> None:
        self._atOnce = False
        super().connectionLost(reason)


class DirectServer(_WritesAtOnce, tcp.Server):
    """An accepted connection that writes at once."""


class DirectClient(_WritesAtOnce, tcp.Client):
    """A connection that we made, and that writes at once."""

    def startReading(self) -> None:
        super().startReading()  # type: ignore[no-untyped-call]
        if not self._atOnce:
            # The first thing that is done when it is connected.
            self._decide()


class DirectConnector(tcp.Connector):
    """Makes L{DirectClient}s."""

    def _makeTransport(self) -> DirectClient:
        return DirectClient(self.host, self.port, self.bindAddress, self, self.reactor)


class DirectPort(PatientPort):
    """A listening port whose connections are L{DirectServer}s."""

    transport = DirectServer


@implementer(IStreamServerEndpoint)
class DirectServerEndpoint:
    """
    Listens on a TCP port as one of Twisted's own endpoints does, with transports that write at once.

    @param reactor: a reactor of descriptors.
    @param port: 0 lets the system choose.
    @param backlog: connections that may wait to be accepted.
    @param interface: an address; empty for all of IPv4.
    """

    def __init__(self, reactor: PosixReactorBase, port: int, backlog: int, interface: str) -> None:
        self._reactor = reactor
        self._port = port
        self._backlog = backlog
        self._interface = interface

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        Listen.

        @return: fires with the port, or fails with C{CannotListenError}.
        """
        return execute(self._listen, protocolFactory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        port = DirectPort(self._port, factory, self._backlog, self._interface, self._reactor)
        port.startListening()
        return cast(IListeningPort, port)


class _ConnectsDirectly:
    """A reactor whose C{connectTCP} makes L{DirectClient}s."""

    def __init__(self, reactor: PosixReactorBase) -> None:
        self._reactor = reactor
        directlyProvides(self, providedBy(reactor))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: ClientFactory,
        timeout: float = 30,
        bindAddress: tuple[str, int] | None = None,
    ) -> IConnector:
        connector = DirectConnector(host, port, factory, timeout, bindAddress, self._reactor)
        connector.connect()
        return cast(IConnector, connector)


def connectsDirectly(reactor: Any) -> Any:
    """
    The reactor for endpoints of clients that are to write at once: they connect with the transports that
    do, where there are any.
    """
    return _ConnectsDirectly(reactor) if SUPPORTED and isinstance(reactor, PosixReactorBase) else reactor


def direct(reactor: object, endpoint: IStreamServerEndpoint) -> IStreamServerEndpoint:
    """
    The same endpoint with transports that write at once, or the endpoint itself where there are none:
    for anything but plain TCP, in a reactor in memory, with a Twisted that is L{SUPPORTED} no more.
    """
    if not (SUPPORTED and isinstance(reactor, PosixReactorBase)):
        return endpoint
    if not isinstance(endpoint, (TCP4ServerEndpoint, TCP6ServerEndpoint)):
        return endpoint
    return DirectServerEndpoint(reactor, endpoint._port, endpoint._backlog, endpoint._interface)
