"""
What a trace keeps, counts and forgets, and whom it tells.
"""

from __future__ import annotations

import pytest

from labnet.net.redaction import Redaction
from labnet.net.trace import EVENT_COST, Bounds, Conversation, Event, Happening, Trace
from labnet.testing import LoggedFailures

HERE, THERE = ("127.0.0.1", 9000), ("127.0.0.1", 40_000)


def begun(trace: Trace, at: float = 1.0) -> Conversation:
    return trace.begin("calculator", "net", "tcp", HERE, THERE, at)


def pieces(conversation: Conversation) -> list[bytes]:
    return [event.data for event in conversation.events if event.size]


def test_aConversationFromItsBeginningToItsEnd() -> None:
    """Events have numbers and times; totals are counted; the end has a word, and nothing comes after it."""
    trace = Trace()
    conversation = begun(trace)
    trace.add(conversation, Happening.RECEIVED, 1.5, b"12 + ")
    trace.add(conversation, Happening.RECEIVED, 1.6, b"34\n")
    trace.add(conversation, Happening.WRITTEN, 2.0, b"46\n")
    trace.add(conversation, Happening.CLOSED, 3.0, note="FIN from the peer")
    trace.add(conversation, Happening.WRITTEN, 4.0, b"too late")
    assert [(event.number, event.what) for event in conversation.events] == [
        (1, Happening.OPENED),
        (2, Happening.RECEIVED),
        (3, Happening.RECEIVED),
        (4, Happening.WRITTEN),
        (5, Happening.CLOSED),
    ]
    assert pieces(conversation) == [b"12 + ", b"34\n", b"46\n"]
    assert (conversation.bytesIn, conversation.piecesIn) == (8, 2)
    assert (conversation.bytesOut, conversation.piecesOut) == (3, 1)
    assert (conversation.openedAt, conversation.closedAt) == (1.0, 3.0)
    assert conversation.outcome == "FIN from the peer"
    assert list(trace.conversations.values()) == [conversation]


def test_aLongPieceIsCut() -> None:
    """Of a piece its beginning is kept, and its size."""
    trace = Trace(Bounds(pieceBytes=4))
    conversation = begun(trace)
    trace.add(conversation, Happening.RECEIVED, 1.0, b"abcdefgh")
    event = conversation.events[-1]
    assert (event.data, event.size) == (b"abcd", 8)
    assert conversation.bytesIn == 8


def test_ofAConversationTheOldestGoesFirst() -> None:
    """Neither events nor bytes pile up; what is gone is counted, and numbers go on."""
    trace = Trace(Bounds(events=3, conversationBytes=10))
    conversation = begun(trace)
    for at in range(5):
        trace.add(conversation, Happening.RECEIVED, at, b"%d" % at)
    assert pieces(conversation) == [b"2", b"3", b"4"]
    assert (conversation.forgotten, conversation.events[0].number) == (3, 4)
    trace.add(conversation, Happening.RECEIVED, 9.0, b"123456789")
    assert pieces(conversation) == [b"4", b"123456789"]
    assert conversation.bytesIn == 14


def test_endedConversationsAreForgotten() -> None:
    """So many that have ended are kept; those that last are not counted."""
    trace = Trace(Bounds(conversations=2))
    lasting = begun(trace)
    for _ in range(5):
        trace.add(begun(trace), Happening.CLOSED, 2.0, note="closed by us")
    assert list(trace.conversations) == [lasting.id, 5, 6]
    trace.clear()
    assert list(trace.conversations) == [lasting.id]


def test_allTogetherHaveABound() -> None:
    """First the ended give, then the longest quiet; the event that has just come is always there."""
    trace = Trace(Bounds(totalBytes=6 * EVENT_COST + 300))
    ended, talking, quiet = begun(trace), begun(trace), begun(trace)
    trace.add(ended, Happening.RECEIVED, 1.0, b"x" * 100)
    trace.add(ended, Happening.CLOSED, 1.0, note="closed by us")
    trace.add(quiet, Happening.RECEIVED, 1.0, b"x" * 100)
    trace.add(talking, Happening.RECEIVED, 1.0, b"x" * 200)
    assert ended.id not in trace.conversations
    for _ in range(20):
        trace.add(talking, Happening.RECEIVED, 1.0, b"x" * 100)
    assert not quiet.events
    assert quiet.forgotten == 2
    kept = sum(len(event.data) + EVENT_COST for event in talking.events)
    assert 3 * EVENT_COST < kept <= trace.bounds.totalBytes
    trace.add(quiet, Happening.RECEIVED, 2.0, b"here again")
    assert pieces(quiet) == [b"here again"]
    trace.add(quiet, Happening.RECEIVED, 2.0, b"x" * 5_000)
    assert len(quiet.events) == 1


def test_onlookersAreToldInOrder() -> None:
    """Each event once, when it is there; no more after the end."""
    trace = Trace()
    told: list[tuple[int, Happening]] = []

    def look(conversation: Conversation, event: Event) -> None:
        assert conversation.events[-1] is event
        told.append((conversation.id, event.what))

    stop, stopOther = trace.subscribe(look), trace.subscribe(look)
    stopOther()
    conversation = begun(trace)
    trace.add(conversation, Happening.NOTE, 1.0, note="here")
    stop()
    stop()
    trace.add(conversation, Happening.CLOSED, 1.0)
    assert told == [(1, Happening.OPENED), (1, Happening.NOTE)]


def test_anOnlookerThatFailsIsToldNoMore(loggedFailures: LoggedFailures) -> None:
    """The others are, and the service does not notice."""
    trace = Trace()
    told: list[Event] = []

    def fail(conversation: Conversation, event: Event) -> None:
        raise ZeroDivisionError

    trace.subscribe(fail)
    trace.subscribe(lambda conversation, event: told.append(event))
    trace.add(begun(trace), Happening.CLOSED, 1.0)
    assert len(told) == 2
    assert len(loggedFailures.flush(ZeroDivisionError)) == 1


def test_secretsAreNotKept() -> None:
    """Neither direction's, and not when the two alternate in the middle of a field."""
    trace = Trace()
    conversation = begun(trace)
    trace.add(conversation, Happening.RECEIVED, 1.0, b"GET / HTTP/1.1\r\nAuthor")
    trace.add(conversation, Happening.WRITTEN, 1.0, b"Set-Cookie: a=b\r\nServer: x\r\n")
    trace.add(conversation, Happening.RECEIVED, 1.0, b"ization: Basic dXNlc")
    trace.add(conversation, Happening.RECEIVED, 1.0, b"jpw\r\n\r\n")
    assert pieces(conversation) == [
        b"GET / HTTP/1.1\r\nAuthor",
        b"Set-Cookie: ***\r\nServer: x\r\n",
        b"ization: ***** *****",
        b"***\r\n\r\n",
    ]


def test_whatTurnsOutToBeASecretIsHiddenAfterwards() -> None:
    """A number of which the first half was kept already."""
    trace = Trace(redaction=Redaction.of([r"\d{8}"]))
    conversation = begun(trace)
    trace.add(conversation, Happening.RECEIVED, 1.0, b"card 12")
    trace.add(conversation, Happening.WRITTEN, 1.0, b"go on")
    trace.add(conversation, Happening.RECEIVED, 1.0, b"34")
    trace.add(conversation, Happening.RECEIVED, 1.0, b"5678.")
    assert pieces(conversation) == [b"card **", b"go on", b"**", b"****."]


def test_aDatagramIsNoStream() -> None:
    """A datagram that ends inside of a field has no effect on the next."""
    trace = Trace()
    conversation = trace.begin("echo", "", "udp", HERE, THERE, 1.0)
    for _ in range(2):
        trace.add(conversation, Happening.RECEIVED, 1.0, b"Cookie: 1")
    trace.add(conversation, Happening.RECEIVED, 1.0, b"hello")
    assert pieces(conversation) == [b"Cookie: *", b"Cookie: *", b"hello"]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_anyKindOfBytes(kind: type) -> None:
    """A buffer that is used again does not change what is kept."""
    trace = Trace(redaction=Redaction(()))
    conversation = begun(trace)
    trace.add(conversation, Happening.WRITTEN, 1.0, kind(b"abc"))
    assert type(conversation.events[-1].data) is bytes
