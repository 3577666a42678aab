"""
What pages are told while they are open: everything at first, then what changes; never more than they
read, and nothing is done while there are none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.task import Clock

from labnet.dashboard.rates import SECONDS
from labnet.dashboard.viewers import MOST_ROWS, STALL, TICK
from labnet.net.trace import Happening
from tests.dashboard.pages import Line, World
from tests.dashboard.traces import IN, OUT, begin, talk


@pytest.fixture
def world(clock: Clock) -> Iterator[World]:
    world = World(clock)
    yield world
    world.close()


def ids(messages: list[dict[str, Any]]) -> list[int]:
    """The conversations in them, in order."""
    return [row["id"] for message in messages for row in message.get("rows", [])]


def ofRows(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for message in messages if "rows" in message]


def test_everythingThenWhatChanges(world: World) -> None:
    conversation = begin(world.trace)
    talk(world.trace, conversation, (IN, b"123"))
    page = world.watch()
    (first,) = page.messages()
    assert first["kind"] == "state"
    assert ids([first]) == [1]
    assert (first["more"], first["now"]) == (0, world.clock.seconds())
    world.clock.advance(TICK)
    assert ofRows(page.messages()) == []
    talk(world.trace, conversation, (IN, b"4"), (OUT, b"5"))
    begin(world.trace)
    assert page.messages() == []
    world.clock.advance(TICK)
    (change,) = ofRows(page.messages())
    assert (change["kind"], ids([change])) == ("change", [2, 1])
    assert change["rows"][1]["bytes"] == [4, 1]
    world.clock.advance(TICK)
    assert ofRows(page.messages()) == []


def test_onlyWhatIsSelected(world: World) -> None:
    """A conversation that is selected no more is gone."""
    conversation = begin(world.trace)
    begin(world.trace, "echo")
    page = world.watch("?service=calculator&state=open")
    assert ids(page.messages()) == [1]
    begin(world.trace, "echo")
    world.clock.advance(TICK)
    assert page.messages() == []
    begin(world.trace)
    world.trace.add(conversation, Happening.CLOSED, world.clock.seconds())
    world.clock.advance(TICK)
    (change,) = ofRows(page.messages())
    assert (ids([change]), change["gone"]) == ([4], [1])


def test_aThousandConnections(world: World) -> None:
    """The newest are told of, and how many more there are; however much happens, a few times a second."""
    for _ in range(1_000):
        begin(world.trace)
    page = world.watch()
    (first,) = page.messages()
    assert ids([first]) == list(range(1_000, 1_000 - MOST_ROWS, -1))
    assert first["more"] == 1_000 - MOST_ROWS
    for _ in range(10):
        for conversation in world.trace.conversations.values():
            world.trace.add(conversation, IN, world.clock.seconds(), b"x")
    world.clock.advance(TICK)
    (change,) = ofRows(page.messages())
    assert len(change["rows"]) == MOST_ROWS
    newer = [begin(world.trace).id for _ in range(50)]
    world.clock.advance(TICK)
    (change,) = ofRows(page.messages())
    assert sorted(ids([change])) == newer
    assert change["gone"] == list(range(801, 851))
    assert change["more"] == 850


def test_rates(world: World) -> None:
    """What was before, as far as it is kept; then each second once, when it is over."""
    talk(world.trace, begin(world.trace, at=world.clock.seconds() - 10), (IN, b"123"))
    page = world.watch()
    (first,) = page.messages()
    assert first["second"] == 1000 - SECONDS
    assert len(first["rates"]) == SECONDS
    assert first["rates"][-10] == [1, 3, 0]
    talk(world.trace, begin(world.trace, at=world.clock.seconds()), (OUT, b"12345"))
    world.clock.pump([TICK] * 8)
    later = [message for message in page.messages() if "rates" in message]
    assert [(message["second"], message["rates"]) for message in later] == [
        (1000, [[1, 0, 5]]),
        (1001, [[0, 0, 0]]),
    ]


def test_ratesOfWhatIsSelected(world: World) -> None:
    talk(world.trace, begin(world.trace, at=world.clock.seconds() - 10), (IN, b"123"))
    talk(world.trace, begin(world.trace, "echo", at=world.clock.seconds() - 10), (IN, b"12345"))
    (first,) = world.watch("?service=echo").messages()
    assert first["rates"][-10] == [1, 5, 0]


def test_whoDoesNotReadGetsLess(world: World) -> None:
    """Nothing while it is behind, then summaries for a while, then everything anew."""
    for _ in range(MOST_ROWS):
        conversation = begin(world.trace, detail="x" * 100, peer=("2001:db8::1:2:3:4:5", 50000))
    page = world.watch()
    for _ in range(100):
        for conversation in world.trace.conversations.values():
            world.trace.add(conversation, IN, world.clock.seconds(), b"x")
        world.clock.advance(TICK)
    assert len(page.transport.value()) < 200_000
    assert [message["kind"] for message in page.messages()] == ["state"]
    world.clock.pump([TICK] * 8)
    summaries = page.messages()
    assert {message["kind"] for message in summaries} == {"summary"}
    assert [len(message["rates"]) for message in summaries] == [25, 1, 1]
    assert all("rates" in message and "services" in message for message in summaries)
    world.clock.pump([TICK] * 20)
    assert [message["kind"] for message in ofRows(page.messages())] == ["state"]


def test_whoDoesNotReadAtAllIsDisconnected(world: World) -> None:
    for _ in range(MOST_ROWS):
        begin(world.trace, detail="x" * 100, peer=("2001:db8::1:2:3:4:5", 50000))
    page = world.watch()
    for _ in range(8):
        for conversation in world.trace.conversations.values():
            world.trace.add(conversation, IN, world.clock.seconds(), b"x")
        world.clock.advance(TICK)
    world.clock.pump([1.0] * int(STALL + 1))
    assert page.transport.disconnected
    assert page.connection.outcome == "reads too slowly: has not read for 60 s"
    page.leave()
    assert len(world.viewers) == 0


def test_whileNobodyLooksNothingIsDone(world: World) -> None:
    """No timer, no subscription; with the last page everything that was computed is gone."""
    assert world.clock.getDelayedCalls() == []
    assert world.trace._lookers == ()
    pages = [world.watch(), world.watch()]
    assert len(world.trace._lookers) == 1
    pages[0].leave()
    assert len(world.trace._lookers) == 1
    pages[1].leave()
    assert world.trace._lookers == ()
    assert world.clock.getDelayedCalls() == []
    looked = world.looked
    begin(world.trace)
    world.clock.advance(100)
    assert world.looked == looked
    assert ids(world.watch().messages()) == [1]


def test_onlySoManyPages(clock: Clock) -> None:
    """One more is told so, and may come when another has gone."""
    world = World(clock, most=2)
    pages = [world.watch(), world.watch()]
    answer = world.ask("/events")
    assert answer.status == 503
    assert answer.json["error"] == "2 pages are open; that is the most."
    pages[0].leave()
    assert isinstance(world.watch(), Line)
    assert len(world.viewers) == 2
    world.close()


def test_twoPagesAreToldTheSame(world: World) -> None:
    one, other = world.watch(), world.watch("?service=calculator")
    one.messages()
    other.messages()
    begin(world.trace)
    world.clock.advance(TICK)
    assert ofRows(one.messages()) == ofRows(other.messages())


def test_theServiceStops(world: World) -> None:
    """A stream has no end of its own, so it is ended."""
    page = world.watch()
    finished = world.factory.finish()
    world.clock.pump([0.01] * 10)
    assert page.transport.disconnecting
    page.leave()
    assert finished.called
