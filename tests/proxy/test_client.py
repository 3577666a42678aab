"""
The pool of connections to origins.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from labnet.proxy.body import BodyReader
from labnet.proxy.client import OriginConnection, OriginPool
from labnet.proxy.target import Origin
from labnet.proxy.wire import (
    Fields,
    ResponseHead,
)
from tests.proxy.world import Attempt, Side, ok

ORIGIN = Origin("o.example", 80)


class Receiver:
    """Somebody who asks, and keeps what comes."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def responseInformational(self, head: ResponseHead) -> None:
        self.events.append(head.status)

    def responseStarted(self, head: ResponseHead, body: BodyReader) -> None:
        self.events.append(head.status)

    def responseReceived(self, content: bytes) -> None:
        self.events.append(content)

    def responseEnded(self, trailers: Fields) -> None:
        self.events.append("ended")

    def responseFailed(self, why: str, silent: bool) -> None:
        self.events.append(("failed", silent))

    def originFull(self) -> None:
        self.events.append("full")

    def originDrained(self) -> None:
        self.events.append("drained")


class Pool:
    """A pool whose endpoints accept at once."""

    def __init__(self, clock: Clock, **options: float) -> None:
        self.sides: list[Side] = []
        self.pool = OriginPool(clock, self._endpoint, **options)

    def _endpoint(self, origin: Origin) -> object:
        outer = self

        class Endpoint:
            def connect(self, factory: object) -> Deferred[object]:
                attempt = Attempt(origin, factory)
                outer.sides.append(attempt.accept())
                return attempt.made

        return Endpoint()

    def get(self, origin: Origin = ORIGIN, fresh: bool = False) -> OriginConnection:
        waiting = None if fresh else self.pool.take(origin)
        if waiting is not None:
            return waiting
        made: list[OriginConnection] = []
        Deferred.fromCoroutine(self.pool.make(origin)).addCallback(made.append)
        return made[0]

    def exchange(self, connection: OriginConnection) -> Receiver:
        """Ask and get a whole answer."""
        receiver = Receiver()
        connection.ask(receiver, b"GET")
        connection.write(b"GET / HTTP/1.1\r\n\r\n")
        connection.requestSent()
        connection.dataReceived(ok(b"hi"))
        return receiver


def test_aConnectionIsUsedAgain(clock: Clock) -> None:
    """After a whole exchange the same connection serves the next one, unless a fresh one is wanted."""
    pool = Pool(clock)
    first = pool.get()
    assert pool.exchange(first).events == [200, b"hi", "ended"]
    assert len(pool.pool) == 1
    assert pool.get() is first
    assert len(pool.pool) == 0
    pool.exchange(first)
    assert pool.get(fresh=True) is not first
    assert pool.get(Origin("other.example", 80)) is not first
    pool.pool.close()


def test_thePoolIsBounded(clock: Clock) -> None:
    """One more than the most pushes out the one that waited longest."""
    pool = Pool(clock, mostIdle=2)
    used = [pool.get(Origin(f"o{n}.example", 80)) for n in range(3)]
    for connection in used:
        pool.exchange(connection)
        clock.advance(1)
    assert len(pool.pool) == 2
    assert pool.sides[0].closed
    assert not pool.sides[1].closed
    pool.pool.close()


def test_anEndedConnectionIsForgotten(clock: Clock) -> None:
    """An origin that closes while it waits is not given out any more."""
    pool = Pool(clock)
    connection = pool.get()
    pool.exchange(connection)
    pool.sides[0].leaves()
    assert len(pool.pool) == 0
    assert pool.get() is not connection
    pool.pool.close()


def test_aClosedPoolKeepsNothing(clock: Clock) -> None:
    """Closing ends what waits, and what comes back later."""
    pool = Pool(clock)
    waiting, busy = pool.get(), pool.get()
    pool.exchange(waiting)
    pool.pool.close()
    assert pool.sides[0].aborted
    pool.exchange(busy)
    assert pool.sides[1].aborted


def test_anExchangeThatIsCancelledHearsNothing(clock: Clock) -> None:
    """After cancel the receiver is left alone, and the connection is gone."""
    pool = Pool(clock)
    connection = pool.get()
    receiver = Receiver()
    connection.ask(receiver, b"GET")
    connection.cancel()
    assert pool.sides[0].aborted
    pool.sides[0].breaks()
    assert receiver.events == []


def test_aRequestThatWasNotSentWhole(clock: Clock) -> None:
    """A connection whose request is not complete is not used again."""
    pool = Pool(clock)
    connection = pool.get()
    receiver = Receiver()
    connection.ask(receiver, b"POST")
    connection.dataReceived(ok(b"early"))
    assert receiver.events == [200, b"early", "ended"]
    assert pool.sides[0].closed
    assert len(pool.pool) == 0


def test_silentAndNot(clock: Clock) -> None:
    """The receiver learns whether the origin ended without a single byte."""
    pool = Pool(clock)
    for said, silent in ((b"", True), (b"HTTP/1.1 20", False)):
        connection = pool.get()
        receiver = Receiver()
        connection.ask(receiver, b"GET")
        if said:
            connection.dataReceived(said)
        pool.sides[-1].leaves()
        assert receiver.events == [("failed", silent)]
