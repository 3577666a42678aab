"""
The client: what it asks, when it has heard enough, and that one scenario does not hold up the others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock

from labnet.net.outcome import ClientError, ExitStatus
from labnet.proxyselftest import client
from labnet.proxyselftest.client import Conversation, Trial, attempt, requestBytes, run
from labnet.proxyselftest.scenario import Ask, Scenario, Unbuildable, response
from labnet.proxyselftest.scenarios import SCENARIOS
from labnet.proxyselftest.verdict import Ending, Outcome, Received, untold
from labnet.testing import TCPTransport, doneReason, resetReason
from tests.proxyselftest.world import NOWHERE, by

ANSWER = response(b"hello")


class World:
    """A conversation in memory."""

    def __init__(self, clock: Clock, *asks: Ask, inside: bytes = b"") -> None:
        self.clock = clock
        self.heard = 0
        self.results: list[Received] = []
        self.transport = TCPTransport()
        self.conversation = Conversation(clock, asks or (Ask(),), b"first", inside, 10.0, self._heard)
        self.conversation.makeConnection(self.transport)
        self.conversation.done.addCallback(self.results.append)

    def _heard(self) -> None:
        self.heard += 1

    def ended(self) -> tuple[Ending, bytes]:
        (result,) = self.results
        return result.ending, result.raw


def test_aRequestToAProxy() -> None:
    ask = Ask(b"page", b"POST", (b"Content-Length: 1",), b"x", keeps=True)
    assert requestBytes(ask, b"h:1", NOWHERE) == (
        b"POST http://h:1/page HTTP/1.1\r\nHost: h:1\r\nContent-Length: 1\r\n\r\nx"
    )
    known = replace(NOWHERE, credentials=b"ann:secret")
    assert requestBytes(Ask(), b"h:1", known) == (
        b"GET http://h:1/page HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n"
        b"Proxy-Authorization: Basic YW5uOnNlY3JldA==\r\n\r\n"
    )


def test_aRequestToTheSite() -> None:
    """Inside a tunnel, where the credentials are none of the site's business, or before one origin."""
    expected = b"GET /page HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n\r\n"
    assert requestBytes(Ask(), b"h:1", replace(NOWHERE, reverse=True)) == expected
    assert requestBytes(Ask(), b"h:1", replace(NOWHERE, credentials=b"a:b"), tunnelled=True) == expected


def test_itListensToTheEnd(clock: Clock) -> None:
    """What comes behind an answer belongs to it as long as the connection is open."""
    world = World(clock)
    assert world.transport.value() == b"first"
    world.conversation.dataReceived(ANSWER)
    world.conversation.dataReceived(b"more")
    world.conversation.connectionLost(doneReason())
    assert world.ended() == (Ending.CLOSED, ANSWER + b"more")
    assert world.heard == 2


def test_aResetIsNoEnd(clock: Clock) -> None:
    world = World(clock)
    world.conversation.connectionLost(resetReason())
    assert world.ended() == (Ending.RESET, b"")


def test_whoDoesNotCloseIsLeftWhenTheAnswersAreComplete(clock: Clock) -> None:
    world = World(clock, Ask(b"first", keeps=True), Ask(b"second"))
    world.conversation.dataReceived(ANSWER)
    clock.advance(1.0)
    assert not world.results
    world.conversation.dataReceived(ANSWER)
    clock.advance(0.1)
    assert not world.results
    clock.advance(0.2)
    assert world.ended() == (Ending.ANSWERED, ANSWER + ANSWER)
    assert world.transport.disconnected


def test_whatTakesTooLong(clock: Clock) -> None:
    world = World(clock)
    world.conversation.dataReceived(ANSWER[:-1])
    clock.advance(9.9)
    assert not world.results
    clock.advance(0.2)
    assert world.ended() == (Ending.LATE, ANSWER[:-1])
    world.conversation.dataReceived(b"late")
    world.conversation.connectionLost(doneReason())


def test_anEndlessAnswerIsBounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_MOST_RECEIVED", 100)
    world = World(clock)
    world.conversation.dataReceived(bytes(101))
    assert world.ended()[0] is Ending.FULL


def test_throughATunnel(clock: Clock) -> None:
    """The request goes in when the tunnel is there; its answer alone is kept."""
    world = World(clock, inside=b"second")
    world.conversation.dataReceived(b"HTTP/1.1 200 Connection Established\r\n")
    assert world.transport.value() == b"first"
    world.conversation.dataReceived(b"\r\n")
    assert world.transport.value() == b"firstsecond"
    world.conversation.dataReceived(ANSWER)
    world.conversation.connectionLost(doneReason())
    assert world.ended() == (Ending.CLOSED, ANSWER)


def test_aTunnelThatIsRefused(clock: Clock) -> None:
    world = World(clock, inside=b"second")
    refusal = response(b"no", status=b"403 Forbidden")
    world.conversation.dataReceived(refusal)
    assert world.transport.value() == b"first"
    clock.advance(0.2)
    assert world.ended() == (Ending.ANSWERED, refusal)


def test_anUpgradeIsAnAnswer(clock: Clock) -> None:
    world = World(clock)
    world.conversation.dataReceived(b"HTTP/1.1 101 Switching Protocols\r\n\r\nframe")
    clock.advance(0.2)
    assert world.ended()[0] is Ending.ANSWERED


def test_whoeverIsAskedToStopStops(clock: Clock) -> None:
    """No verdict comes of it."""
    world = World(clock)
    failures: list[Any] = []
    world.conversation.done.addErrback(failures.append)
    world.conversation.done.cancel()
    failures[0].trap(CancelledError)
    assert world.transport.disconnected
    world.conversation.connectionLost(resetReason())
    assert not world.results[1:]


class Endpoint:
    """Answers every attempt to connect in the same way."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.attempts = 0

    def connect(self, factory: Any) -> Deferred[Any]:
        self.attempts += 1
        return fail(self.error)


def outcome(coroutine: Any) -> Any:
    results: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    (result,) = results
    return result


def test_whereNobodyListensItEndsAtOnce() -> None:
    """With one sentence, and not one for each scenario."""
    endpoint = Endpoint(ConnectionRefusedError())
    settings = replace(NOWHERE, proxy=cast(Any, endpoint))
    failure = outcome(run(MemoryReactorClock(), SCENARIOS, settings))
    failure.trap(ClientError)
    assert str(failure.value) == "the proxy: connection refused: nothing listens there"
    assert failure.value.status is ExitStatus.REFUSED
    assert endpoint.attempts == 1


def test_aBugIsNoVerdict() -> None:
    settings = replace(NOWHERE, proxy=cast(Any, Endpoint(ZeroDivisionError())))
    outcome(attempt(MemoryReactorClock(), by("plain"), settings)).trap(ZeroDivisionError)


def test_whatCanNotBeBuiltIsNotRun() -> None:
    def build(marker: object) -> Any:
        raise Unbuildable("not with this word")

    trial = outcome(attempt(MemoryReactorClock(), Scenario("x", "X", "x", build), NOWHERE))
    assert (trial.finding.outcome, trial.finding.sentence) == (Outcome.UNTOLD, "not with this word")


def hanging(monkeypatch: pytest.MonkeyPatch) -> dict[str, Deferred[Trial]]:
    """In place of attempts, those that the test ends; the first has ended."""
    attempts: dict[str, Deferred[Trial]] = {}

    async def attempted(reactor: object, scenario: Scenario, settings: object) -> Trial:
        waiting = attempts[scenario.name] = Deferred() if attempts else succeed(trialOf(scenario))
        return await waiting

    monkeypatch.setattr(client, "attempt", attempted)
    return attempts


def trialOf(scenario: Scenario) -> Trial:
    return Trial(untold(scenario, "nothing"))


@pytest.mark.parametrize(("port", "expected"), [(0, 3), (8000, 1)])
def test_aFewAtATime(monkeypatch: pytest.MonkeyPatch, port: int, expected: int) -> None:
    """One at a time where all have the same port. One that hangs holds up none of the others."""
    attempts = hanging(monkeypatch)
    reached: list[int] = []
    settings = replace(NOWHERE, port=port)
    running = Deferred.fromCoroutine(
        run(MemoryReactorClock(), SCENARIOS[:6], settings, atOnce=3, progress=reached.append)
    )
    results: list[list[Trial]] = []
    running.addCallback(results.append)
    assert len(attempts) == 1 + expected
    waiting = list(SCENARIOS[1:6])
    if not port:
        waiting.append(waiting.pop(0))
    for scenario in waiting:
        attempts[scenario.name].callback(trialOf(scenario))
    assert [trial.finding.scenario for trial in results[0]] == list(SCENARIOS[:6])
    assert reached == [1, 2, 3, 4, 5, 6]


def test_aBugEndsThemAll(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = hanging(monkeypatch)
    running = Deferred.fromCoroutine(run(MemoryReactorClock(), SCENARIOS[:3], NOWHERE))
    failures: list[Any] = []
    running.addErrback(failures.append)
    attempts[SCENARIOS[1].name].errback(ZeroDivisionError())
    failures[0].trap(ZeroDivisionError)
    assert attempts[SCENARIOS[2].name].called


def test_nothingToDo() -> None:
    assert outcome(run(MemoryReactorClock(), [], NOWHERE)) == []
