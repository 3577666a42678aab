"""
The web client's exchange on a transport in memory.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionAborted
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.net.outcome import ClientError, ExitStatus, explain
from labnet.testing import SlowTransport, doneReason, hangUp, resetReason
from labnet.web.client import Collected
from labnet.web.events import (
    Closed,
    Connected,
    End,
    Event,
    HeadEnded,
    Received,
    RequestBegan,
    RequestSent,
)
from labnet.web.exchange import Exchange
from labnet.web.requests import Manner, Request, encodeHead
from labnet.web.target import parseURL
from labnet.web.wire import LAME

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
OPEN = b"HTTP/1.0 200 OK\r\n\r\nhello"


class World:
    """An exchange, its connection, and what came of it."""

    def __init__(
        self,
        clock: Clock,
        manner: Manner | None = None,
        tell: Callable[[Event], object] | None = None,
        **request: object,
    ) -> None:
        asked = Request(parseURL("http://me:secret@a/"), **request)  # type: ignore[arg-type]
        self.clock = clock
        self.events: list[Event] = []
        self.sink = Collected()
        self.transport = SlowTransport()
        self.exchange = Exchange(
            clock,
            asked,
            encodeHead(asked, b"us"),
            self.sink,
            manner=manner or Manner(timeout=10.0),
            tell=tell or self.events.append,
        )
        self.results: list[object] = []
        self.exchange.done.addBoth(self.results.append)
        self.exchange.makeConnection(self.transport)

    def sent(self) -> bytes:
        """What the peer reads of the request, to its end."""
        data = self.transport.read()
        while self.transport.producer is not None:
            data += self.transport.read()
        return data + self.transport.value()

    def received(self, data: bytes, size: int | None = None) -> None:
        for at in range(0, len(data), size or len(data)):
            self.exchange.dataReceived(data[at : at + (size or len(data))])

    def outcome(self) -> tuple[str, ExitStatus]:
        (failure,) = self.results
        assert isinstance(failure, Failure)
        return explain(failure)

    def closed(self) -> list[str]:
        return [event.how for event in self.events if isinstance(event, Closed)]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_anAnswerThatIsWhole(clock: Clock, size: int) -> None:
    """It is so when the connection is over; the server closes it, as it was asked to."""
    world = World(clock)
    assert world.sent().startswith(b"GET / HTTP/1.1\r\nHost: a\r\n")
    world.received(WHOLE, size)
    assert not world.results
    world.exchange.connectionLost(doneReason())
    assert world.results == [None]
    assert world.sink.body == b"hello"
    assert world.closed() == ["the server closed the connection"]
    assert world.exchange.reader.end is End.LENGTH


def test_aServerThatDoesNotCloseIsNotWaitedForLong(clock: Clock) -> None:
    world = World(clock)
    world.sent()
    world.received(WHOLE)
    clock.advance(Exchange.PARTING)
    assert world.transport.disconnecting
    hangUp(world.exchange)
    assert world.results == [None]
    assert world.closed() == ["we closed the connection"]


def test_whatComesAfterTheEndIsRemarkedOn(clock: Clock) -> None:
    world = World(clock)
    world.sent()
    world.received(WHOLE)
    world.received(b"and more")
    assert world.transport.disconnecting
    world.received(b"and yet more")
    hangUp(world.exchange)
    assert world.results == [None]
    assert (world.sink.body, world.exchange.reader.surplus) == (b"hello", 8)
    assert world.exchange.remarks == ["the server goes on after the end of the body: 8 bytes more"]


def test_theRequestIsToldWithoutSecretsAndWhenItIsSent(clock: Clock) -> None:
    body = bytes(200_000)
    world = World(clock, method=b"POST", body=body)
    head, _, content = world.sent().partition(b"\r\n\r\n")
    assert content == body
    assert max(map(len, world.transport.pieces)) <= 65_536
    connected, began, sent = world.events
    assert isinstance(connected, Connected)
    assert isinstance(began, RequestBegan)
    assert b"Authorization: Basic" in head
    assert b"Authorization: (not shown)\r\n" in began.head
    assert sent == RequestSent(len(head) + 4 + len(body))
    world.received(WHOLE)
    world.exchange.connectionLost(doneReason())


def test_anAnswerThatComesBeforeTheRequestIsSentEndsIt(clock: Clock) -> None:
    world = World(clock, method=b"POST", body=bytes(200_000))
    world.transport.read()
    world.received(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    clock.advance(Exchange.PARTING)
    assert world.transport.disconnecting
    hangUp(world.exchange)
    assert world.results == [None]
    assert not any(isinstance(event, RequestSent) for event in world.events)


@pytest.mark.parametrize(
    ("stream", "reason", "sentence"),
    [
        (b"", doneReason(), "the connection was closed without an answer"),
        (b"", resetReason(), "the connection was reset without an answer"),
        (
            WHOLE[:-1],
            doneReason(),
            "4 of 5 bytes came (Content-Length), then the connection was closed",
        ),
        (
            WHOLE[:-1],
            resetReason(),
            "4 of 5 bytes came (Content-Length), then the connection was reset",
        ),
        (OPEN, resetReason(), "the body may be cut: 5 bytes came, then the connection was reset"),
        (OPEN[:20], resetReason(), "the body may be cut: 1 byte came"),
        (OPEN[:10], doneReason(), "the head is cut: 10 bytes of it came"),
    ],
)
def test_whatIsCutFails(clock: Clock, stream: bytes, reason: Failure, sentence: str) -> None:
    world = World(clock)
    world.received(stream, 7) if stream else None
    world.exchange.connectionLost(reason)
    told, status = world.outcome()
    assert sentence in told
    assert status is ExitStatus.RESET


def test_theEndOfTheConnectionEndsABody(clock: Clock) -> None:
    world = World(clock)
    world.received(OPEN)
    world.exchange.connectionLost(doneReason())
    assert world.results == [None]
    assert world.sink.body == b"hello"


@pytest.mark.parametrize("name", sorted(LAME))
def test_everyLameAnswerEndsWithAClearStatement(clock: Clock, name: str) -> None:
    world = World(clock)
    world.sent()
    for piece in LAME[name].pieces:
        world.received(piece)
        clock.advance(min(LAME[name].pause, 1.0))
    hangUp(world.exchange) if world.transport.disconnecting else world.exchange.connectionLost(doneReason())
    (result,) = world.results
    expected = {"early-close": "the head is cut", "too-long": "the body is cut: 25 of 125"}
    if name in expected:
        assert expected[name] in world.outcome()[0]
    else:
        assert result is None
    if name in ("line-feeds", "too-short"):
        assert len(world.exchange.remarks) == 1


def test_whatIsNotHTTPIsNotUnderstood(clock: Clock) -> None:
    world = World(clock)
    world.received(b"Hello, client! Connection established.")
    hangUp(world.exchange)
    sentence, status = world.outcome()
    assert sentence.startswith("the answer is not understood: this is not HTTP")
    assert status is ExitStatus.NOT_UNDERSTOOD


@pytest.mark.parametrize(
    ("stream", "progress"),
    [
        (b"", "no answer came"),
        (b"HTTP", "4 bytes of the head came"),
        (WHOLE[:-2], "of the body 3 of 5 bytes came"),
        (OPEN, "of the body 5 bytes came"),
    ],
)
def test_silenceIsTimedOut(clock: Clock, stream: bytes, progress: str) -> None:
    """Each piece begins the time anew."""
    world = World(clock)
    for byte in stream:
        clock.advance(9.0)
        world.received(bytes([byte]))
    clock.advance(9.0)
    assert not world.transport.disconnecting
    clock.advance(1.0)
    assert world.transport.disconnecting
    hangUp(world.exchange)
    assert world.outcome() == (f"timed out: nothing came for 10 s; {progress}", ExitStatus.TIMED_OUT)


@pytest.mark.parametrize(
    "stream", [WHOLE[:-5], b"HTTP/1.0 200 OK\r\n\r\n12345", b"HTTP/1.0 200 OK\r\n\r\n1", WHOLE]
)
def test_aBodyMayBeTooLarge(clock: Clock, stream: bytes) -> None:
    """What says so beforehand is not waited for, and of the rest no more than the limit is kept."""
    world = World(clock, Manner(maxSize=4))
    world.received(stream)
    if stream.endswith(b"\n1"):
        world.received(b"2345")
    hangUp(world.exchange)
    assert world.outcome() == ("the body has more than 4 bytes", ExitStatus.ANSWERED_ERROR)
    assert len(world.sink.body) <= 4


def test_whoCancelsEndsTheConnection(clock: Clock) -> None:
    world = World(clock)
    world.exchange.done.cancel()
    assert world.transport.disconnected
    world.exchange.connectionLost(Failure(ConnectionAborted()))
    (failure,) = world.results
    assert isinstance(failure, Failure)
    assert failure.check(CancelledError)


def test_aSinkThatDoesNotTakeItEndsIt(clock: Clock) -> None:
    world = World(clock)

    def refuse(content: bytes) -> None:
        raise ClientError("the disk is full", ExitStatus.USAGE)

    world.sink.write = refuse  # type: ignore[method-assign]
    world.received(WHOLE)
    assert world.transport.disconnected
    hangUp(world.exchange)
    assert world.outcome() == ("the disk is full", ExitStatus.USAGE)


def test_theSinkIsToldWhenItHoldsNobodyBackAnyMore(clock: Clock) -> None:
    world = World(clock)
    told: list[str] = []
    world.sink.detach = lambda: told.append("detached")  # type: ignore[method-assign]
    world.received(WHOLE)
    assert not told
    world.exchange.connectionLost(doneReason())
    assert told == ["detached"]


@pytest.mark.parametrize("kind", [Connected, RequestBegan, RequestSent, Received, HeadEnded, Closed])
def test_whoIsToldAndRaisesEndsIt(clock: Clock, kind: type[Event]) -> None:
    """At whatever event."""

    def tell(event: Event) -> None:
        if isinstance(event, kind):
            raise RuntimeError(kind.__name__)

    world = World(clock, tell=tell)
    world.sent()
    if not world.transport.disconnecting:
        world.received(WHOLE)
    if not world.transport.disconnecting:
        world.exchange.connectionLost(doneReason())
    else:
        hangUp(world.exchange)
    (failure,) = world.results
    assert isinstance(failure, Failure)
    assert str(failure.value) == kind.__name__


def test_aSinkCanHoldItBackForAsLongAsItLikes(clock: Clock) -> None:
    world = World(clock)
    world.exchange.pauseProducing()
    assert not world.transport.reading
    clock.advance(1000.0)
    world.exchange.resumeProducing()
    assert world.transport.reading
    clock.advance(10.0)
    hangUp(world.exchange)
    assert world.outcome()[1] is ExitStatus.TIMED_OUT


def test_whenNobodyReadsItIsABrokenPipe(clock: Clock) -> None:
    world = World(clock)
    world.exchange.stopProducing()
    hangUp(world.exchange)
    assert world.outcome()[1] is ExitStatus.BROKEN_PIPE


def test_whatIsNotWantedIsNotKept(clock: Clock) -> None:
    world = World(clock)
    world.exchange._wanted = lambda head: head.status != 200
    world.received(WHOLE)
    world.exchange.connectionLost(doneReason())
    assert world.results == [None]
    assert not world.sink.body
