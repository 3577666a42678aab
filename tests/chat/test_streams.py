"""
The streams of the chat's page: they break and come back, their readers are slow, and they end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock

from labnet.chat.room import Room
from labnet.chat.server import ChatLimits, LiveRoom, Member
from labnet.chat.web import PING
from labnet.testing import doneReason
from tests.chat.browsers import Tab, World


@pytest.fixture
def world(clock: Clock) -> Iterator[World]:
    world = World(clock)
    yield world
    world.close()


# Streams that break, and readers that are slow


def test_aStreamThatComesBack(world: World) -> None:
    """What was said meanwhile comes then; nobody else noticed."""
    bob = world.house.enter("bob")
    ann = world.enter(b"ann")
    bob.heard()
    assert ann.stream is not None
    ann.stream.connection.connectionLost(doneReason())
    bob.send(b"one\n")
    world.clock.advance(PING - 1)
    bob.send(b"two\n")
    events = ann.listen().events()
    assert [event.get("text") for event in events[:-1]] == ["one", "two"]
    assert events[-1]["kind"] == "people"
    world.clock.advance(PING)
    assert bob.heard() == b""


def test_aStreamThatDoesNotComeBack(world: World) -> None:
    bob = world.house.enter("bob")
    ann = world.enter(b"ann")
    bob.heard()
    assert ann.stream is not None
    ann.stream.connection.connectionLost(doneReason())
    world.clock.advance(PING)
    assert bob.lines() == ["[SERVER] ann left the chat"]
    assert ann.post(b"/say", b"hello").status == 410


@pytest.mark.parametrize(
    "text",
    ['"' * 4_000, "\U0001f642" * 1_000, "\x01" * 4_000, "a"],
    ids=["quotes", "faces", "controls", "short"],
)
def test_theHistoryIsNotWhatMakesAReaderSlow(clock: Clock, text: str) -> None:
    """However its messages are escaped: as much as there is comes, and the member stays."""
    world = World(clock, ChatLimits(rate=0, joins=0))
    bob = world.house.enter("bob")
    for _ in range(100):
        bob.send(text.encode() + b"\n")
    ann = world.open()
    assert ann.post(b"/join", b"ann").status == 200
    world.clock.advance(0)
    told, *events = ann.listen().events()
    said = [event for event in events if event["kind"] == "said"]
    assert told["text"] == f"{len(said)} earlier messages:"
    assert 4 < len(said) <= 50
    world.close()


def test_aPageThatNeverListens(world: World) -> None:
    """To join is not enough to keep a name."""
    ann = world.open()
    ann.post(b"/join", b"ann")
    world.clock.advance(PING)
    assert len(world.live.room) == 0


def test_aSecondStreamTakesThePlaceOfTheFirst(world: World) -> None:
    bob = world.house.enter("bob")
    ann = world.enter(b"ann")
    first = ann.stream
    assert first is not None
    second = ann.listen()
    second.heard()
    assert first.heard().endswith(b"0\r\n\r\n")
    bob.send(b"hi\n")
    assert first.heard() == b""
    assert [event["text"] for event in second.events()] == ["hi"]
    world.clock.advance(2 * PING)
    assert len(world.live.room) == 2


def test_signsOfLife(world: World) -> None:
    ann = world.enter(b"ann")
    assert ann.stream is not None
    world.clock.advance(PING)
    assert b": ping\n\n" in ann.stream.heard()


@pytest.mark.parametrize("attached", [True, False])
def test_aSlowBrowserIsDropped(world: World, attached: bool) -> None:
    """Whether its stream is not read, or is not there: what waits for it is bounded."""
    bob = world.house.enter("bob")
    ann = world.enter(b"ann")
    bob.heard()
    assert ann.stream is not None
    if attached:
        ann.stream.connection.pauseProducing()
    else:
        ann.stream.connection.connectionLost(doneReason())
    for _ in range(90):
        bob.send(b"x" * 4_000 + b"\n")
        world.clock.advance(0.1)
    assert bob.lines() == ["[SERVER] ann left the chat"]
    assert ann.stream.transport.disconnected is attached
    assert len(ann.stream.heard()) < 400_000


def test_aBrowserThatHasStoppedForGood(world: World) -> None:
    ann = world.enter(b"ann")
    assert ann.stream is not None
    ann.stream.connection.pauseProducing()
    world.clock.pump([1.0] * 59)
    assert not ann.stream.transport.disconnected
    world.clock.pump([1.0] * 15)
    assert ann.stream.transport.disconnected
    assert len(world.live.room) == 0


def test_manyPeople(world: World) -> None:
    """The list at the beginning of a stream is bounded."""
    room: Room[Member] = world.live.room
    for number in range(600):
        room.join(object(), f"guest {number}")  # type: ignore[arg-type]
    page = world.factory.page
    event = json.loads(page.people("guest 1").decode().removeprefix("data: "))
    assert len(event["names"]) == 500
    assert event["total"] == 600
    for member in tuple(room):
        room.leave(member)


def test_theServiceStops(clock: Clock) -> None:
    """Streams end, and no timer is left for tabs that might come back."""
    world = World(clock)
    ann = world.enter(b"ann")
    stopped: list[object] = []
    world.factory.finish().addCallback(stopped.append)
    clock.pump([0.002] * 3)
    assert ann.stream is not None
    assert ann.stream.transport.disconnecting
    for line in world.lines:
        if line.connection in world.factory.connections:
            line.connection.connectionLost(doneReason())
    assert stopped == [None]
    assert len(world.live.room) == 0
    clock.advance(0)
    assert clock.getDelayedCalls() == []


def test_theLog(world: World, loggedLines: list[str]) -> None:
    ann = world.enter("\u00e9va".encode())
    ann.post(b"/say", b"secret")
    ann.post(b"/leave")
    assert [line for line in loggedLines if "browser" in line] == [
        'chat browser 127.0.0.1: "\\xe9va", 1 message; left'
    ]
    assert "secret" not in "".join(loggedLines)


def test_liveRoomsAreApart(clock: Clock) -> None:
    """A token of one page is nothing to another."""
    one, two = World(clock), World(clock)
    tab = one.open()
    assert Tab(two, tab.cookie, tab.token).post(b"/join", b"ann").status == 403
    assert isinstance(one.live, LiveRoom)
    one.close()
    two.close()
