"""
A thousand members in memory: what each costs, and what a message costs.
"""

from __future__ import annotations

import gc
import tracemalloc

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from labnet.chat.server import ChatConnection, ChatFactory, ChatLimits, LiveRoom
from labnet.chat.wire import FRAMED, LINE, PLAIN
from labnet.net.limits import Limits
from labnet.testing import doneReason

ADDRESS = IPv4Address("TCP", "192.0.2.1", 4711)


class Socket:
    """The least that is a transport: it counts what is written, and remembers the last of it."""

    disconnecting = False

    def __init__(self) -> None:
        self.writes = 0
        self.size = 0
        self.last = b""

    def write(self, data: bytes) -> None:
        self.writes += 1
        self.size += len(data)
        self.last = data

    def getPeer(self) -> IPv4Address:
        return ADDRESS

    def registerProducer(self, producer: object, streaming: bool) -> None:
        pass

    def unregisterProducer(self) -> None:
        pass


def crowd(clock: Clock, size: int) -> tuple[LiveRoom, list[tuple[ChatConnection, Socket]]]:
    """That many members, a third of each kind."""
    live = LiveRoom(clock, limits=ChatLimits(rate=0, joins=0))
    ways = [ChatFactory(clock, live, each, limits=Limits(idleTimeout=0)) for each in (LINE, FRAMED, PLAIN)]
    members = []
    for number in range(size):
        factory = ways[number % 3]
        connection = factory.buildProtocol(ADDRESS)
        assert isinstance(connection, ChatConnection)
        socket = Socket()
        connection.makeConnection(socket)  # type: ignore[arg-type]
        connection.dataReceived(factory.dialect.frame(f"guest {number}"))
        members.append((connection, socket))
    clock.advance(0.02)
    clock.advance(0)
    assert len(live.room) == size
    return live, members


def disperse(clock: Clock, members: list[tuple[ChatConnection, Socket]]) -> None:
    for connection, _ in members:
        connection.connectionLost(doneReason())
    clock.advance(0)


def test_aThousandBusyMembers(clock: Clock) -> None:
    """
    All of them talk in one turn: each of the line and framed members gets one write with the 999 messages
    of the others, each of the plain ones 999; and the same bytes serve all who said nothing.
    """
    _, members = crowd(clock, 1_000)
    before = [(socket.writes, socket.size) for _, socket in members]
    for connection, _ in members:
        connection.dataReceived(connection.dialect.frame("hello"))
    clock.advance(0.02)
    clock.advance(0)
    for (connection, socket), (writes, size) in zip(members, before, strict=True):
        per = len(connection.dialect.frame(f"[{connection.name}] hello"))
        joined = connection.dialect.joins
        assert socket.writes - writes <= (2 if joined else 999)
        assert socket.size - size > 990 * (per - 4)
    speaker, _ = members[0]
    speaker.dataReceived(b"once\n")
    clock.advance(0)
    for start in (0, 1, 2):
        assert len({id(socket.last) for _, socket in members[3 + start :: 3]}) == 1
    disperse(clock, members)


def test_aThousandIdleMembers(clock: Clock) -> None:
    """Each costs less than 5 KiB, the test's own part of it included; those who left cost nothing."""
    left = []
    tracemalloc.start()
    for _ in range(3):
        live, members = crowd(clock, 1_000)
        gc.collect()
        used, _ = tracemalloc.get_traced_memory()
        assert used / 1_000 < 5 * 1_024
        disperse(clock, members)
        assert len(live.room) == 0
        del live, members
        gc.collect()
        left.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert left[2] - left[1] < 50_000
