"""
Members of a room on transports in memory.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from labnet.chat.room import Room
from labnet.chat.server import ChatConnection, ChatFactory, ChatLimits, LiveRoom, Member
from labnet.chat.wire import FRAMED, LINE, PLAIN, PLAIN_EXTRAS, Dialect
from labnet.net.limits import Limits
from labnet.testing import TCPTransport, doneReason

__all__ = ["Guest", "House"]


class Guest:
    """
    Somebody at the other end of a connection.

    @ivar transport: what the server writes to.
    """

    def __init__(
        self,
        factory: ChatFactory,
        clock: Clock,
        host: str = "192.0.2.1",
        transport: TCPTransport | None = None,
    ) -> None:
        address = IPv4Address("TCP", host, 4711)
        connection = factory.buildProtocol(address)
        assert isinstance(connection, ChatConnection)
        self.connection = connection
        self.transport = transport or TCPTransport()
        self.transport.peerAddr = address
        self._clock = clock
        connection.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        """A piece of the stream; then what is due."""
        self.connection.dataReceived(data)
        self._clock.advance(0)

    def heard(self) -> bytes:
        """What came since the last time."""
        self._clock.advance(0)
        data: bytes = self.transport.value()
        self.transport.clear()
        self.transport.pieces.clear()
        return data

    def texts(self) -> list[str]:
        """What came since the last time as messages, whatever the framing."""
        self._clock.advance(0)
        pieces = list(self.transport.pieces)
        data = self.heard()
        dialect = self.connection.dialect
        if not dialect.joins:
            return [piece.decode() for piece in pieces]
        texts: list[str] = []
        while data:
            if dialect is FRAMED:
                end = 4 + int.from_bytes(data[:4], "big")
                texts.append(data[4:end].decode())
            else:
                end = data.index(b"\n") + 1
                texts.append(data[: end - 1].decode())
            data = data[end:]
        return texts

    def lines(self) -> list[str]:
        """The same as lines."""
        return self.heard().decode().splitlines()

    def end(self) -> None:
        """The connection ends, as both sides wanted or as the peer did."""
        self.connection.connectionLost(doneReason())
        self._clock.advance(0)

    @property
    def gone(self) -> bool:
        """Whether the server has ended it."""
        return bool(self.transport.disconnecting)


class House:
    """A room with a way into it for each dialect."""

    def __init__(
        self,
        clock: Clock,
        limits: ChatLimits | None = None,
        *,
        history: int = 50,
        mostMembers: int = 10_000,
        service: Limits | None = None,
    ) -> None:
        self.clock = clock
        room: Room[Member] = Room(history=history, mostMembers=mostMembers)
        self.live = LiveRoom(clock, room, limits)
        self.factories = {
            dialect: ChatFactory(clock, self.live, dialect, limits=service or Limits(idleTimeout=0))
            for dialect in (PLAIN, PLAIN_EXTRAS, LINE, FRAMED)
        }
        self.guests: list[Guest] = []

    def connect(self, dialect: Dialect = LINE, host: str = "192.0.2.1") -> Guest:
        """Somebody who has not said a name, and has read the question."""
        guest = Guest(self.factories[dialect], self.clock, host)
        self.guests.append(guest)
        return guest

    def enter(self, name: str, dialect: Dialect = LINE, host: str = "192.0.2.1") -> Guest:
        """Somebody in the room who has read everything so far."""
        guest = self.connect(dialect, host)
        guest.send(dialect.frame(name))
        if not dialect.joins:
            self.clock.advance(0.02)
        for other in self.guests:
            other.heard()
        return guest

    def close(self) -> None:
        """Everybody's connection ends."""
        for guest in self.guests:
            if guest.connection in guest.connection.factory.connections:
                guest.end()
        self.clock.advance(0)
