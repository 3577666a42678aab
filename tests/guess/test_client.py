"""
The game's client on transports in memory.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, TimeoutError
from twisted.internet.task import Clock

from labnet.guess.client import GuessClient, play
from labnet.guess.wire import Answer, AnswerNotUnderstood, Question, encodeAnswer
from labnet.net.outcome import ClientError, ExitStatus
from labnet.testing import TCPTransport, doneReason

ASKED = Question(b"<", 51)


class Endpoint:
    """An endpoint that is connected at once."""

    def __init__(self) -> None:
        self.transport = TCPTransport()

    def connect(self, factory: object) -> Deferred[GuessClient]:
        self.protocol = factory.buildProtocol(None)  # type: ignore[attr-defined]
        self.protocol.makeConnection(self.transport)
        connected: Deferred[GuessClient] = Deferred()
        connected.callback(self.protocol)
        return connected


@pytest.fixture
def client(clock: Clock) -> GuessClient:
    client = GuessClient(clock, 5.0)
    client.makeConnection(TCPTransport())
    return client


def failed(deferred: Deferred[Answer], kind: type[Exception]) -> None:
    problems: list[object] = []
    deferred.addErrback(problems.append)
    assert problems[0].check(kind)  # type: ignore[attr-defined]


def test_anAnswerInPieces(client: GuessClient) -> None:
    answers: list[Answer] = []
    client.ask(ASKED).addCallback(answers.append)
    assert client.transport.pieces == [ASKED.encode()]
    for byte in encodeAnswer(Answer.NO):
        assert answers == []
        client.dataReceived(bytes([byte]))
    assert answers == [Answer.NO]


def test_theEndOfTheGameThatCameWithAnAnswerIsTheNextAnswer(client: GuessClient) -> None:
    answers: list[Answer] = []
    client.ask(ASKED).addCallback(answers.append)
    client.dataReceived(encodeAnswer(Answer.NO) + encodeAnswer(Answer.OVER))
    client.connectionLost(doneReason())
    client.ask(ASKED).addCallback(answers.append)
    assert answers == [Answer.NO, Answer.OVER]
    failed(client.ask(ASKED), ConnectionDone)


def test_silenceAndTheUnknownAndTheEnd(clock: Clock, client: GuessClient) -> None:
    waiting = client.ask(ASKED)
    clock.advance(5.0)
    failed(waiting, TimeoutError)
    waiting = client.ask(ASKED)
    client.dataReceived(b"?" + bytes(7))
    failed(waiting, AnswerNotUnderstood)
    waiting = client.ask(ASKED)
    client.connectionLost(doneReason())
    failed(waiting, ConnectionDone)


def test_aFloodIsNotKept(client: GuessClient) -> None:
    for _ in range(100):
        client.dataReceived(bytes(1000))
    assert len(client._buffer) <= 32


def test_whoGivesUpLeavesNothing(clock: Clock) -> None:
    endpoint = Endpoint()
    playing = Deferred.fromCoroutine(play(clock, endpoint))
    playing.cancel()
    playing.addErrback(lambda failure: None)
    assert endpoint.transport.disconnected


def test_aServerThatAlwaysSaysNoIsFound(clock: Clock) -> None:
    """The game ends, whatever it answers."""
    endpoint = Endpoint()
    problems: list[ClientError] = []
    playing = Deferred.fromCoroutine(play(clock, endpoint))
    playing.addErrback(lambda failure: problems.append(failure.value))
    for _ in range(20):
        endpoint.protocol.dataReceived(encodeAnswer(Answer.NO))
    assert problems[0].status is ExitStatus.NOT_UNDERSTOOD
    assert len(endpoint.transport.pieces) == 8
    assert endpoint.transport.disconnected


def test_thePauseIsBetweenTwoQuestions(clock: Clock) -> None:
    endpoint, told = Endpoint(), []
    playing = Deferred.fromCoroutine(
        play(clock, endpoint, pause=2.0, told=lambda question, answer: told.append((question, answer)))
    )
    endpoint.protocol.dataReceived(encodeAnswer(Answer.YES))
    assert len(endpoint.transport.pieces) == 1
    clock.advance(2.0)
    assert endpoint.transport.pieces[1] == Question(b"<", 26).encode()
    endpoint.protocol.dataReceived(encodeAnswer(Answer.OVER))
    assert playing.result is Answer.OVER
    assert told == [(ASKED, Answer.YES), (Question(b"<", 26), Answer.OVER)]
    assert endpoint.transport.disconnecting
