"""
A session with its streams and peers in memory.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from labnet.net.limits import Limits
from labnet.netcat.server import PeerConnection, PeerFactory
from labnet.netcat.session import Manner, Session
from labnet.testing import TCPTransport


class Standard(StringTransport):
    """Standard input and output. Closed, it reports so once a test says that all is written."""

    def __init__(self) -> None:
        super().__init__(lenient=True)

    @property
    def reading(self) -> bool:
        return self.producerState == "producing"


class World:
    """
    A session, its standard streams, and the peers that a test lets come.

    @ivar told: what the session has told a person, line by line.
    @ivar results: what it ended with, if it is C{watched}: if nobody else waits for it.
    """

    def __init__(
        self,
        clock: Clock,
        manner: Manner | None = None,
        *,
        interactive: bool = False,
        idleTimeout: float = 0.0,
        listening: bool = False,
        watched: bool = True,
    ) -> None:
        self.clock = clock
        self.told: list[str] = []
        self.results: list[object] = []
        self.standard = Standard()
        self.session = Session(clock, manner or Manner(), self.told.append, interactive)
        if watched:
            self.session.done.addBoth(self.results.append)
        limits = Limits(idleTimeout=idleTimeout)
        self.factory = PeerFactory(clock, self.session, listening=listening, limits=limits)
        self.session.makeConnection(self.standard)

    def peer(self) -> PeerConnection:
        """Somebody comes."""
        connection = self.factory.buildProtocol(None)
        assert isinstance(connection, PeerConnection)
        connection.makeConnection(TCPTransport())
        return connection

    def type(self, data: bytes) -> None:
        """Something on standard input; it must be read from."""
        assert self.standard.reading, "standard input is held back"
        self.session.dataReceived(data)

    @property
    def out(self) -> bytes:
        return self.standard.value()

    def written(self) -> object:
        """All of standard output has been read. The result."""
        assert self.standard.disconnecting, "the session goes on"
        assert self.standard.producer is None, "a producer keeps standard output open"
        self.session.connectionLost(Failure(ConnectionDone()))
        return self.results[0] if self.results else None


def transportOf(connection: PeerConnection) -> TCPTransport:
    assert isinstance(connection.transport, TCPTransport)
    return connection.transport


def sent(connection: PeerConnection) -> bytes:
    """What has been sent to this peer."""
    return transportOf(connection).value()


def fin(connection: PeerConnection) -> None:
    """The peer ends its half."""
    connection.readConnectionLost()


def gone(connection: PeerConnection) -> None:
    """The connection has ended as we wanted it to."""
    transport = transportOf(connection)
    assert transport.disconnecting, "it is open"
    connection.connectionLost(Failure(ConnectionAborted() if transport.disconnected else ConnectionDone()))


def reset(connection: PeerConnection) -> None:
    """The peer resets the connection."""
    connection.connectionLost(Failure(ConnectionLost()))
