"""
Members of a chat that do not read, or say too much: what they cost is bounded, and nobody waits for them.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock

from labnet.chat.server import ChatLimits
from labnet.chat.wire import FRAMED, LINE, PLAIN, Dialect
from labnet.testing import SlowTransport
from tests.chat.members import Guest, House

LIMITS = ChatLimits(rate=0, joins=0)


@pytest.fixture
def house(clock: Clock) -> Iterator[House]:
    house = House(clock, LIMITS)
    yield house
    house.close()


# Slow readers


def test_aSlowReaderIsDroppedAndNobodyWaits(house: House, clock: Clock) -> None:
    """50 MiB go to a member that has stopped reading: memory stays flat, and the others have everything."""
    slow, ear, ann = house.enter("slow"), house.enter("ear"), house.enter("ann")
    message = b"x" * 4_000 + b"\n"
    slow.connection.pauseProducing()
    got, sent, said = 0, 0, len(b"[ann] ") + len(message)
    tracemalloc.start()
    try:
        while sent < 50 << 20:
            ann.send(message * 16)
            sent += 16 * len(message)
            got += len(ear.heard())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20
    assert slow.transport.disconnected
    assert len(slow.transport.value()) <= LIMITS.backlog + 2 * 65_536
    assert got == sent // len(message) * said + len(b"[SERVER] slow left the chat\n")
    slow.end()
    assert slow.connection.outcome.startswith("reads too slowly: is more than 262144 bytes behind")
    assert "slow" not in [house.live.room.nameOf(member) for member in house.live.room]


def test_aReaderThatIsSlowForAWhileStays(house: House, clock: Clock) -> None:
    slow, ann = house.enter("slow"), house.enter("ann")
    for _ in range(10):
        slow.connection.pauseProducing()
        ann.send((b"x" * 4_000 + b"\n") * 40)
        slow.connection.resumeProducing()
    assert not slow.gone
    assert len(slow.heard()) > 10 * 40 * 4_000


def test_aReaderThatHasStoppedForGood(house: House, clock: Clock) -> None:
    """Also when little waits for it: after a minute it is gone. It is not read from meanwhile."""
    slow = house.enter("slow")
    slow.connection.pauseProducing()
    assert not slow.transport.reading
    clock.pump([1.0] * 59)
    assert not slow.gone
    clock.pump([1.0] * 3)
    assert slow.transport.disconnected
    slow.end()
    assert slow.connection.outcome == "reads too slowly: has not read for 60 s"


def test_aFloodOfQuestions(house: House, clock: Clock) -> None:
    """
    Each gets an answer a thousand times as long, for nobody else: the answers leave while they are made,
    and whoever does not read them is not asked for more, and goes.
    """
    for number in range(100):
        house.enter(f"{number:02} has a name of 32 characters"[:32])
    asker = Guest(house.factories[LINE], clock, transport=SlowTransport())
    house.guests.append(asker)
    asker.send(b"asker\n")
    tracemalloc.start()
    try:
        asker.connection.dataReceived(b"/who\n" * 13_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 << 20
    assert asker.transport.disconnected
    asker.end()


@pytest.mark.parametrize("dialect", [PLAIN, LINE, FRAMED], ids=lambda dialect: dialect.name)
def test_aByteAMinute(clock: Clock, dialect: Dialect) -> None:
    """Before the name there is a limit. In the room it costs nothing, and in the end it is a message."""
    house = House(clock, ChatLimits())
    ear = house.enter("ear")
    slow = house.connect(dialect)
    slow.send(b"\0")
    clock.pump([1.0] * 61)
    assert slow.gone
    slow.end()
    slow = house.enter("slow", dialect)
    for byte in dialect.frame("hi") + (b"" if dialect is FRAMED else b"\n"):
        slow.send(bytes((byte,)))
        clock.advance(60)
    assert not slow.gone
    # Whose messages end with a silence has ended one with each byte.
    assert ear.lines() == (["[slow] h", "[slow] i"] if dialect is PLAIN else ["[slow] hi"])
    house.close()


def test_aMemberThatQuitsAndDoesNotRead(house: House, clock: Clock) -> None:
    """It is out of the room at once, and its connection is not kept for longer than a minute."""
    slow, ear = house.enter("slow"), house.enter("ear")
    slow.heard()
    slow.send(b"/quit\n")
    assert ear.lines() == ["[SERVER] slow left the chat"]
    assert not slow.transport.disconnected
    clock.pump([1.0] * 62)
    assert slow.transport.disconnected


# Floods


def test_aFloodOfMessagesIsFair(clock: Clock) -> None:
    """
    10,000 in a second from one member: it is heard as often as everybody may be, it is not read from
    in between, what is kept of it is one read, and another member is heard at once.
    """
    house = House(clock, ChatLimits(rate=20, burst=100))
    ear, flood, ann = house.enter("ear"), house.enter("flood"), house.enter("ann")
    ear.heard()
    sent = 0
    heard: list[str] = []
    for tick in range(100):
        if flood.transport.reading:
            flood.send(b"flood\n" * 100)
            sent += 100
        if tick == 50:
            ann.send(b"hi\n")
            assert ear.lines()[-1] == "[ann] hi"
        clock.advance(0.01)
        heard += ear.lines()
    assert sent <= 200
    assert 100 <= len(heard) <= 121
    house.close()


def test_aFloodOfPeople(clock: Clock) -> None:
    """A thousand joins in a second from one address: a hundred and fifty come in; others can, too."""
    house = House(clock)
    for number in range(1000):
        guest = house.connect()
        guest.send(b"guest %d\n" % number)
        guest.end()
        clock.advance(0.001)
    assert len(house.live.room) == 0
    come = sum(bool(guest.connection.name) for guest in house.guests)
    assert 100 <= come <= 151
    other = house.connect(host="192.0.2.77")
    other.send(b"other\n")
    assert other.connection.name == "other"
    house.close()


def test_aFloodOfNames(house: House, clock: Clock) -> None:
    """Changing one's name over and over is as slow as talking, and leaves nothing behind."""
    house = House(clock, ChatLimits(rate=20, burst=10))
    ear, ann = house.enter("ear"), house.enter("ann")
    ear.heard()
    ann.send(b"".join(b"/nick ann%d\n" % number for number in range(5_000)))
    assert len(ear.lines()) == 10
    assert len(house.live.room) == 2
    house.enter("ann0")
    house.close()


def test_thereIsOneRoom(house: House) -> None:
    """No command makes another."""
    ann = house.enter("ann")
    for command in (b"/join x", b"/create x", b"/topic x"):
        ann.send(command + b"\n")
        assert b"There is no " in ann.heard()
