"""
The web client as a library, in a reactor in memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from labnet.net.outcome import ExitStatus, explain
from labnet.proxy.wire import parseRequestHead
from labnet.testing import SlowTransport, doneReason, hangUp
from labnet.web.client import Collected, Manner, Response, get
from labnet.web.events import Asking, Event
from labnet.web.exchange import Exchange
from labnet.web.requests import Request
from labnet.web.target import BadURL, parseURL


class World:
    """A reactor in memory, what was asked in it, and who answers."""

    def __init__(self) -> None:
        self.reactor = MemoryReactorClock()
        self.events: list[tuple[float, Event]] = []
        self.results: list[Response | Failure] = []
        self.asking: Deferred[Response] | None = None
        self._answered = 0

    def get(self, what: str | Request, manner: Manner | None = None, sink: Collected | None = None) -> None:
        coroutine = get(
            self.reactor, what, manner=manner, sink=sink, tell=lambda *event: self.events.append(event)
        )
        self.asking = Deferred.fromCoroutine(coroutine)
        self.asking.addBoth(self.results.append)

    def connect(self) -> tuple[Exchange, SlowTransport]:
        """Accept the next connection."""
        factory = self.reactor.tcpClients[self._answered][2]
        self._answered += 1
        protocol, transport = factory.buildProtocol(None), SlowTransport()
        protocol.makeConnection(transport)
        return factory._wrappedFactory._make(), transport

    def answer(self, response: bytes) -> bytes:
        """Accept the next connection, answer, and close it. Returns what was asked."""
        exchange, transport = self.connect()
        transport.read()
        asked = transport.read()
        exchange.dataReceived(response)
        exchange.connectionLost(doneReason())
        return asked

    def failure(self) -> Failure:
        (failure,) = self.results
        assert isinstance(failure, Failure)
        return failure

    def response(self) -> Response:
        (response,) = self.results
        assert isinstance(response, Response)
        return response


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    assert not world.reactor.getDelayedCalls()


def sentTo(place: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {place}\r\nContent-Length: 4\r\n\r\ngone".encode()


WHOLE = b"HTTP/1.1 404 Not Found\r\nX: y\r\nContent-Length: 5\r\n\r\nhello"


def test_get(world: World) -> None:
    """Whatever the status is, the answer is an answer."""
    world.get("http://192.0.2.1:8000/x")
    assert world.reactor.tcpClients[0][:2] == ("192.0.2.1", 8000)
    head = parseRequestHead(world.answer(WHOLE))
    assert (head.method, head.target) == (b"GET", b"/x")
    response = world.response()
    assert (response.head.status, response.body, response.size) == (404, b"hello", 5)
    assert response.rawHead == WHOLE[:-5]
    assert response.head.fields.values(b"x") == [b"y"]
    assert not response.remarks
    assert [phase.name for phase in response.timing.phases][-1] == "whole body"


def test_aSinkGetsTheBody(world: World) -> None:
    sink = Collected()
    world.get("http://192.0.2.1/", sink=sink)
    world.answer(WHOLE)
    assert (sink.body, world.response().body) == (b"hello", b"")


def test_whatIsNoURL(world: World) -> None:
    world.get("http://a b/")
    assert world.failure().check(BadURL)


def test_redirectionsAreFollowedSoManyTimes(world: World) -> None:
    """Only the last body is kept."""
    world.get("http://192.0.2.1/", Manner(follow=2))
    world.answer(sentTo("/second"))
    world.answer(sentTo("http://192.0.2.2/third"))
    assert parseRequestHead(world.answer(WHOLE)).target == b"/third"
    response = world.response()
    assert response.body == b"hello"
    assert str(response.request.url) == "http://192.0.2.2/third"
    assert [event.url for _, event in world.events if isinstance(event, Asking)] == [
        "http://192.0.2.1/",
        "http://192.0.2.1/second",
        "http://192.0.2.2/third",
    ]


def test_aRedirectionIsAnAnswerWhenNoneIsToBeFollowed(world: World) -> None:
    world.get("http://192.0.2.1/")
    world.answer(sentTo("ftp://nowhere/"))
    assert (world.response().head.status, world.response().body) == (302, b"gone")


def test_aCircleEnds(world: World) -> None:
    sink = Collected()
    world.get("http://192.0.2.1/", Manner(follow=2), sink)
    for _ in range(3):
        world.answer(sentTo("/again"))
    assert not sink.body
    sentence, status = explain(world.failure())
    assert sentence == "sent elsewhere more than 2 times, at last to http://192.0.2.1/again"
    assert status is ExitStatus.ANSWERED_ERROR
    assert len(world.reactor.tcpClients) == 3


def test_aRedirectionToWhereNothingCanBeAsked(world: World) -> None:
    world.get("http://192.0.2.1/", Manner(follow=2))
    exchange, transport = world.connect()
    exchange.dataReceived(sentTo("ftp://nowhere/"))
    hangUp(exchange)
    assert transport.disconnected
    assert explain(world.failure())[1] is ExitStatus.NOT_UNDERSTOOD


def test_credentialsAreNotTakenElsewhere(world: World) -> None:
    """To the same origin they go again; to the proxy they never were for."""
    world.get("http://me:secret@192.0.2.1/", Manner(follow=2))
    first = parseRequestHead(world.answer(sentTo("/x")))
    second = parseRequestHead(world.answer(sentTo("http://192.0.2.2/")))
    third = parseRequestHead(world.answer(WHOLE))
    assert b"authorization" in first.fields
    assert b"authorization" in second.fields
    assert b"authorization" not in third.fields


def test_throughAProxy(world: World) -> None:
    proxy = parseURL("http://you:yours@192.0.2.9:8080")
    world.get("http://origin.example/x", Manner(proxy=proxy))
    assert world.reactor.tcpClients[0][:2] == ("192.0.2.9", 8080)
    head = parseRequestHead(world.answer(WHOLE))
    assert head.target == b"http://origin.example/x"
    assert head.fields.values(b"host") == [b"origin.example"]
    assert b"proxy-authorization" in head.fields


def test_thereIsATimeForEverything(world: World) -> None:
    """However busy the server is."""
    world.get("http://192.0.2.1/", Manner(maxTime=3.0, timeout=2.0))
    exchange, transport = world.connect()
    exchange.dataReceived(WHOLE[:-4])
    for _ in range(3):
        assert not world.results
        world.reactor.advance(1.0)
        exchange.dataReceived(b"") if transport.connected else None
    hangUp(exchange)
    assert explain(world.failure()) == (
        "timed out: not complete in 3 s; of the body 1 of 5 bytes came",
        ExitStatus.TIMED_OUT,
    )


def test_thereIsATimeForConnecting(world: World) -> None:
    world.get("http://192.0.2.1/", Manner(maxTime=3.0))
    world.reactor.advance(3.0)
    assert explain(world.failure())[1] is ExitStatus.TIMED_OUT


def test_whoCancelsEndsIt(world: World) -> None:
    world.get("http://192.0.2.1/")
    exchange, transport = world.connect()
    assert world.asking is not None
    world.asking.cancel()
    assert world.failure().check(CancelledError)
    assert transport.disconnected
    hangUp(exchange)
