"""
The examiner's end of a connection, and the stage that it stands on: what is waited for, and what ends that.
"""

from __future__ import annotations

from collections.abc import Coroutine
from random import Random
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from labnet.check.connection import Connection
from labnet.check.evidence import Failed, Kind
from labnet.check.expectation import aNumber
from labnet.check.mistakes import Mistake
from labnet.check.stage import Limits, Stage
from labnet.testing.transport import TCPTransport


class Scene:
    """A connection over a transport of memory."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.stage = Stage(clock, Limits(wait=5.0, idle=1.0), Random(1))
        self.connection = Connection(self.stage)
        self.transport = TCPTransport()
        self.transport.connect(self.connection)

    def begin(self, doing: Coroutine[Any, Any, Any]) -> list[object]:
        """Start it; its result, or its failure, is put into the list when it is there."""
        results: list[object] = []
        Deferred.fromCoroutine(doing).addBoth(
            lambda result: results.append(getattr(result, "value", result))
        )
        return results

    def passes(self, seconds: float) -> None:
        """Time goes by."""
        self.clock.pump([0.05] * round(seconds / 0.05))


@pytest.fixture
def scene(clock: Clock) -> Scene:
    return Scene(clock)


def failureOf(results: list[object]) -> Failed:
    (failed,) = results
    assert isinstance(failed, Failed)
    return failed


def test_whatIsExpectedMayComeInPieces(scene: Scene) -> None:
    results = scene.begin(scene.connection.expect(b"abc"))
    scene.transport.deliver(b"a", b"b")
    assert results == []
    scene.transport.deliver(b"cd")
    assert results == [b"abc"]
    assert scene.begin(scene.connection.expect(b"d")) == [b"d"]


def test_whatIsThereIsFoundAtOnce(scene: Scene) -> None:
    scene.transport.deliver(b"abc")
    assert scene.begin(scene.connection.receive(2)) == [b"ab"]
    assert scene.begin(scene.connection.more()) == [True]
    assert scene.begin(scene.connection.anything()) == [b"c"]


def test_somethingElse(scene: Scene) -> None:
    """The byte that decides is the first that differs; what is sent just then is shown with it."""
    results = scene.begin(scene.connection.expect(b"abcd", words="the answer"))
    scene.transport.deliver(b"aX")
    scene.transport.deliver(b"cd")
    failed = failureOf(results)
    assert (failed.kind, failed.expected) == (Kind.OTHER, "the answer")
    assert failed.exhibit is not None
    assert (failed.exhibit.came, failed.exhibit.offset) == (b"aXcd", 1)


def test_nothing(scene: Scene) -> None:
    results = scene.begin(scene.connection.expect(b"abc", signs={Kind.SILENCE: Mistake.ONE_CLIENT}))
    scene.passes(4.8)
    assert results == []
    scene.passes(0.5)
    failed = failureOf(results)
    assert (failed.kind, failed.mistake, failed.came) == (Kind.SILENCE, Mistake.ONE_CLIENT, "nothing came")


def test_onlyAPart(scene: Scene) -> None:
    results = scene.begin(scene.connection.expect(b"abc"))
    scene.transport.deliver(b"ab")
    scene.passes(5.5)
    assert failureOf(results).kind is Kind.PART


@pytest.mark.parametrize(
    ("ending", "kind", "came"),
    [
        ("end", Kind.ENDED, "the connection was ended without an answer"),
        ("reset", Kind.RESET, "the connection was broken off"),
    ],
)
def test_theEndInPlaceOfAnAnswer(scene: Scene, ending: str, kind: Kind, came: str) -> None:
    results = scene.begin(scene.connection.expect(b"abc"))
    getattr(scene.transport, ending)()
    assert (failureOf(results).kind, failureOf(results).came) == (kind, came)


def test_theVeryBytesNameTheMistake(scene: Scene) -> None:
    signs = {b"\0\1": Mistake.BYTE_ORDER, Kind.OTHER: Mistake.FORMAT}
    results = scene.begin(scene.connection.expect(b"\1\0", signs=signs))
    scene.transport.deliver(b"\0\1")
    assert failureOf(results).mistake is Mistake.BYTE_ORDER


def test_aNumberEndsWithTheStream(scene: Scene) -> None:
    results = scene.begin(scene.connection.expect(aNumber(46)))
    scene.transport.deliver(b"4")
    assert results == []
    scene.transport.end()
    assert failureOf(results).kind is Kind.OTHER or failureOf(results).exhibit is not None


def test_theEndAndNothingBefore(scene: Scene) -> None:
    results = scene.begin(scene.connection.expectEnd())
    scene.transport.end()
    assert results == [None]


def test_theEndDoesNotCome(scene: Scene) -> None:
    results = scene.begin(scene.connection.expectEnd(signs={Kind.STAYED: Mistake.IGNORES_END}))
    scene.passes(5.5)
    assert failureOf(results).mistake is Mistake.IGNORES_END


def test_moreThanTheEnd(scene: Scene) -> None:
    results = scene.begin(scene.connection.expectEnd())
    scene.transport.deliver(b"\n")
    assert (failureOf(results).kind, failureOf(results).mistake) == (Kind.EXTRA, Mistake.EXTRA)


def test_piecesGoOutOneAfterTheOther(scene: Scene) -> None:
    """Nobody tells here whether they are read: then there is a short pause between them."""
    results = scene.begin(scene.connection.send(b"abc", pieces=1))
    assert scene.transport.value() == b"a"
    scene.passes(1.0)
    assert (scene.transport.value(), results) == (b"abc", [None])
    assert [(step.what, step.data) for step in scene.stage.steps] == [("sends, in 3 pieces,", b"abc")]


def test_aPeerThatHasGoneIsSentNothingMore(scene: Scene) -> None:
    results = scene.begin(scene.connection.send(b"abc", cuts=[1]))
    scene.transport.reset()
    scene.passes(1.0)
    assert results == [None]
    assert scene.transport.value() == b"a"


def test_floodsAreBounded(scene: Scene) -> None:
    waiting = scene.begin(scene.connection.receive(100 * 2**20))
    for _ in range(140):
        scene.transport.deliver(bytes(2**16))
    failed = failureOf(waiting)
    assert failed.kind is Kind.EXTRA
    assert "MiB" in failed.came


class Sleeper:
    """A program of which one can see what it does."""

    def __init__(self) -> None:
        self.state: object | None = "asleep"

    def doing(self) -> object | None:
        return self.state


def test_aProgramThatSleepsCountsAsHung(clock: Clock) -> None:
    """After the time for that, and not while it works, or while something comes."""
    scene = Scene(clock)
    program = Sleeper()
    scene.stage.program = program  # type: ignore[assignment]
    program.state = None
    results = scene.begin(scene.connection.expect(b"abc"))
    scene.passes(2.0)
    assert results == []
    program.state = "asleep"
    scene.passes(0.7)
    scene.transport.deliver(b"a")
    scene.passes(0.7)
    assert results == []
    scene.passes(0.7)
    assert failureOf(results).kind is Kind.PART


def test_whoseSleepSaysNothing(clock: Clock) -> None:
    """Where a program may wait for a time of its own, only the limit ends the wait."""
    scene = Scene(clock)
    scene.stage.program = Sleeper()  # type: ignore[assignment]
    results = scene.begin(scene.stage.until(lambda: False, asleep=False))
    scene.passes(4.8)
    assert results == []
    scene.passes(0.5)
    assert results == [False]


def test_whoWasKeptFromLookingBlamesNobody(clock: Clock) -> None:
    """A machine so busy that our own process stands still is no proof that the other one has hung."""
    scene = Scene(clock)
    results = scene.begin(scene.connection.expect(b"abc"))
    clock.advance(100.0)
    assert results == []
    scene.transport.deliver(b"abc")
    assert results == [b"abc"]


def test_theSceneIsLeftInGoodOrder(scene: Scene) -> None:
    """The connection is ended, and broken off only if the program does not go along."""
    results = scene.begin(scene.stage.leave())
    assert scene.transport.disconnecting
    scene.passes(1.0)
    assert results == [None]


def test_whatIsSaidIsBounded(scene: Scene) -> None:
    for _ in range(1_000):
        scene.transport.deliver(bytes(4_096))
    assert len(scene.stage.steps) <= 400
    assert sum(len(step.data) for step in scene.stage.steps) <= 400 * 512
    assert scene.stage.steps[0].size == 4_096
