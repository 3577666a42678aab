"""
Connections in memory, for the tests of every room.
"""

from __future__ import annotations

from typing import ClassVar

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPullProducer, ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer


@implementer(ITCPTransport)
class TCPTransport(StringTransport):
    """
    A C{StringTransport} with halves, that keeps the pieces in which it was written to.

    @ivar pieces: what each C{write} wrote.
    @ivar halfClosed: whether our half was ended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.halfClosed = False

    def write(self, data: bytes) -> None:
        assert not self.halfClosed, "written after its end"
        self.pieces.append(data)
        super().write(data)

    def loseWriteConnection(self) -> None:
        assert self.producer is None, "a producer keeps the connection open"
        self.halfClosed = True

    def loseConnection(self) -> None:
        assert self.producer is None or self.disconnected, "a producer keeps the connection open"
        super().loseConnection()

    @property
    def reading(self) -> bool:
        return self.producerState == "producing"

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.noDelay = enabled

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.keepAlive = enabled

    def getTcpNoDelay(self) -> bool:
        return self.noDelay

    def getTcpKeepAlive(self) -> bool:
        return self.keepAlive


class SlowTransport(TCPTransport):
    """A transport whose peer reads when the test says so, and which says when it is full."""

    #: What a transport of Twisted keeps before it asks its producer to pause.
    BUFFER: ClassVar[int] = 65_536

    def __init__(self) -> None:
        super().__init__()
        self.asked = False

    def write(self, data: bytes) -> None:
        super().write(data)
        if len(self.value()) > self.BUFFER and self.streaming and not self.asked:
            self.asked = True
            self.producer.pauseProducing()

    def registerProducer(self, producer: object, streaming: bool) -> None:
        super().registerProducer(producer, streaming)
        self.asked = False

    def read(self) -> bytes:
        """The peer reads everything that is there."""
        data: bytes = self.value()
        self.clear()
        if IPullProducer.providedBy(self.producer):
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


def done() -> Failure:
    return Failure(ConnectionDone())


def reset() -> Failure:
    return Failure(ConnectionLost("reset"))


def hangUp(protocol: Protocol) -> None:
    """Report the end that the protocol itself has asked its transport for, as a reactor would."""
    transport = protocol.transport
    assert transport.disconnecting
    protocol.connectionLost(Failure(ConnectionAborted()) if transport.disconnected else done())


def lingered(protocol: Protocol) -> None:
    """The peer ends its half after the protocol's last words, and so the connection ends."""
    assert protocol.transport.halfClosed
    assert not protocol.transport.disconnecting
    protocol.readConnectionLost()
    hangUp(protocol)
