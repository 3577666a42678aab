"""
One side of a connection in memory: a protocol under test, and a test in the place of its peer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from io import BytesIO
from typing import Any, ClassVar

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IProtocol,
    IPushProducer,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = [
    "RecordingProducer",
    "SlowTransport",
    "TCPTransport",
    "doneReason",
    "hangUp",
    "lingered",
    "resetReason",
]


@implementer(ITCPTransport)
class TCPTransport(StringTransport):
    """
    A C{StringTransport} with halves, which keeps the pieces in which it was written to, and through which
    a test can say what a peer says: L{connect} a protocol, then L{deliver}, L{end} and L{reset}.

    It fails the test that writes after its end, or that ends while a producer is registered: a real
    transport would stay open for as long as the producer has it.

    @ivar protocol: who is connected, if L{connect} was used.
    @ivar pieces: what each C{write} wrote.
    @ivar halfClosed: whether the protocol has ended its half.
    @ivar disconnecting: whether it has asked for the end of the connection.
    @ivar disconnected: whether it has asked for a reset.
    @ivar lost: why the connection ended, once it has, if L{connect} was used.
    """

    def __init__(
        self,
        hostAddress: IAddress | None = None,
        peerAddress: IAddress | None = None,
        lenient: bool = False,
    ) -> None:
        super().__init__(hostAddress, peerAddress, lenient)  # type: ignore[no-untyped-call]
        self.protocol: IProtocol | None = None
        self.producer: Any
        self.pieces: list[bytes] = []
        self.halfClosed = False
        self.lost: Failure | None = None
        self.noDelay = False
        self.keepAlive = False
        #: What has come and is not delivered; None stands for the end of the peer's half.
        self._waiting: deque[bytes | None] = deque()
        self._peerEnded = False
        self._delivering = False

    def value(self) -> bytes:
        """What was written since L{clear}."""
        return self.io.getvalue()

    def clear(self) -> None:
        """Forget what was written; the C{pieces} stay."""
        self.io = BytesIO()

    # What the peer does.

    def connect(self, protocol: IProtocol) -> None:
        """The connection is made."""
        self.protocol = protocol
        protocol.makeConnection(self)

    def deliver(self, *pieces: bytes) -> None:
        """
        The peer has sent these pieces, and each arrives in a C{dataReceived} of its own. While the
        protocol has paused, they wait; they come with the first C{deliver()}, of something or of nothing,
        after it has resumed. What comes after the protocol has closed is thrown away, as by a reactor.
        """
        assert not self._peerEnded, "the peer has ended its half"
        self._waiting += filter(None, pieces)
        self._deliverWaiting()

    def end(self) -> None:
        """
        The peer has ended its half, after everything that waits. A protocol that is an
        C{IHalfCloseableProtocol} may go on to write; for any other the connection is over.
        """
        assert not self._peerEnded, "the peer has ended its half"
        self._peerEnded = True
        self._waiting.append(None)
        self._deliverWaiting()

    def reset(self) -> None:
        """The peer resets the connection; what waits is lost."""
        self.lose(resetReason())

    def hangUp(self) -> None:
        """The end that the protocol has asked for has come."""
        assert self.disconnecting, "the protocol has not closed the connection"
        self.lose(_askedFor(self))

    def lose(self, reason: Failure) -> None:
        """The connection is over, for that reason; a producer is stopped first."""
        assert self.lost is None, "the connection is over already"
        self.lost = reason
        self.connected = False
        self._waiting.clear()
        if self.producer is not None:
            producer, self.producer = self.producer, None
            producer.stopProducing()
        self._protocol().connectionLost(reason)

    @property
    def waiting(self) -> int:
        """How many bytes the peer has sent that are not delivered."""
        return sum(len(piece) for piece in self._waiting if piece is not None)

    @property
    def reading(self) -> bool:
        """Whether the protocol wants to be told what comes: it has not paused."""
        return bool(self.producerState == "producing")

    def _protocol(self) -> IProtocol:
        assert self.protocol is not None, "connect() a protocol first"
        return self.protocol

    def _deliverWaiting(self) -> None:
        if self._delivering:
            return  # What a protocol does meanwhile is taken up by the loop below.
        self._delivering = True
        try:
            while self._waiting and self.reading and self.lost is None and not self.disconnecting:
                self.take(self._waiting.popleft())
        finally:
            self._delivering = False
        if self.disconnecting:
            self._waiting.clear()

    def take(self, piece: bytes | None) -> None:
        """Give the protocol one piece, or the end of the peer's half."""
        protocol = self._protocol()
        if piece is not None:
            protocol.dataReceived(piece)
        elif IHalfCloseableProtocol.providedBy(protocol):
            protocol.readConnectionLost()
        else:
            self.lose(doneReason())

    # ITCPTransport and IConsumer

    def write(self, data: bytes) -> None:
        assert not self.halfClosed, "written after its end"
        self.pieces.append(data)
        super().write(data)  # type: ignore[no-untyped-call]

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseWriteConnection(self) -> None:
        assert self.producer is None, "a producer keeps the connection open"
        self.halfClosed = True

    def loseConnection(self) -> None:
        assert self.producer is None or self.disconnected, "a producer keeps the connection open"
        super().loseConnection()  # type: ignore[no-untyped-call]

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.noDelay = enabled

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.keepAlive = enabled

    def getTcpNoDelay(self) -> bool:
        return self.noDelay

    def getTcpKeepAlive(self) -> bool:
        return self.keepAlive


class SlowTransport(TCPTransport):
    """
    A transport whose peer reads when the test says so, by L{read}, and which asks its producer to pause
    when it is full.
    """

    #: What a transport of Twisted keeps before it asks its producer to pause, in bytes.
    BUFFER: ClassVar[int] = 65_536

    def __init__(self) -> None:
        super().__init__()
        #: Whether the producer was asked to pause.
        self.asked = False

    def write(self, data: bytes) -> None:
        super().write(data)
        if len(self.value()) > self.BUFFER and self.streaming and not self.asked:
            self.asked = True
            self.producer.pauseProducing()

    def registerProducer(self, producer: object, streaming: bool) -> None:
        super().registerProducer(producer, streaming)  # type: ignore[no-untyped-call]
        self.asked = False

    def read(self) -> bytes:
        """The peer reads everything that is there."""
        data = self.value()
        self.clear()
        if self.producer is not None and not self.streaming:
            self.producer.resumeProducing()
        elif self.asked:
            self.asked = False
            self.producer.resumeProducing()
        return data

    def readAll(self) -> bytes:
        """The peer reads until nothing more comes."""
        data = b""
        while piece := self.read():
            data += piece
        return data


@implementer(IPushProducer)
class RecordingProducer:
    """
    A producer that does nothing but to note what a transport asks of it.

    @ivar calls: C{"pause"}, C{"resume"} and C{"stop"}, in order.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


# Ends of connections, for protocols that are told of them by a test.


def doneReason() -> Failure:
    """The reason of an end in good order."""
    return Failure(ConnectionDone())


def resetReason() -> Failure:
    """The reason of an end by the peer's reset."""
    return Failure(ConnectionLost("reset"))


def _askedFor(transport: StringTransport) -> Failure:
    return Failure(ConnectionAborted()) if transport.disconnected else doneReason()


def hangUp(protocol: Protocol) -> None:
    """Report the end that the protocol itself has asked its transport for, as a reactor would."""
    transport = protocol.transport
    assert isinstance(transport, StringTransport)
    assert transport.disconnecting
    protocol.connectionLost(_askedFor(transport))


def lingered(protocol: Protocol) -> None:
    """The peer ends its half after the protocol's last words, and so the connection ends."""
    transport = protocol.transport
    assert isinstance(transport, TCPTransport)
    assert transport.halfClosed
    assert not transport.disconnecting
    assert IHalfCloseableProtocol.providedBy(protocol)
    protocol.readConnectionLost()
    hangUp(protocol)
