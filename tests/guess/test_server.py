"""
The game's server on transports in memory, and as a plugin.
"""

from __future__ import annotations

from random import Random

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.python.usage import UsageError

from labnet.guess import clienttap, tap
from labnet.guess.server import GuessFactory, GuessProtocol
from labnet.guess.wire import Answer, Question, encodeAnswer
from labnet.testing import TCPTransport, hangUp

SEED = 7
FIRST = Random(SEED).randint(1, 100)
RIGHT = Question(b"=", FIRST).encode()
WRONG = Question(b"=", FIRST + 1).encode()
HIGH = Question(b"<", 200).encode()


def connected(factory: GuessFactory) -> tuple[GuessProtocol, TCPTransport]:
    protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
    assert isinstance(protocol, GuessProtocol)
    transport = TCPTransport()
    protocol.makeConnection(transport)
    return protocol, transport


def said(*answers: Answer) -> list[bytes]:
    return [encodeAnswer(answer) for answer in answers]


@pytest.fixture
def factory(clock: Clock) -> GuessFactory:
    return GuessFactory(clock, Random(SEED))


def leave(protocol: GuessProtocol) -> None:
    protocol.readConnectionLost()
    hangUp(protocol)


@pytest.mark.parametrize("size", [1, 3, 8, 24])
def test_questionsInAnyPieces(factory: GuessFactory, size: int) -> None:
    protocol, transport = connected(factory)
    stream = HIGH + Question(b">", 200).encode() + WRONG
    for start in range(0, len(stream), size):
        protocol.dataReceived(stream[start : start + size])
    assert transport.pieces == said(Answer.YES, Answer.NO, Answer.OUT)
    assert transport.halfClosed
    leave(protocol)


def test_whoIsOutIsNotAnsweredAnyMore(factory: GuessFactory) -> None:
    protocol, transport = connected(factory)
    protocol.dataReceived(WRONG + RIGHT)
    protocol.dataReceived(RIGHT)
    assert transport.pieces == said(Answer.OUT)
    assert factory.number == FIRST
    leave(protocol)


def test_allAreToldOnceAndApart(factory: GuessFactory, clock: Clock) -> None:
    """The winner gets Y and V, who is playing gets V, who is out nothing more."""
    (winner, winners), (quiet, quiets), (out, outs) = (connected(factory) for _ in range(3))
    quiet.dataReceived(HIGH)
    out.dataReceived(WRONG)
    winner.dataReceived(RIGHT + RIGHT)
    assert winners.pieces == said(Answer.WON)
    assert quiets.pieces == said(Answer.YES)
    clock.advance(0.02)
    assert winners.pieces == said(Answer.WON, Answer.OVER)
    assert quiets.pieces == said(Answer.YES, Answer.OVER)
    assert outs.pieces == said(Answer.OUT)
    quiet.dataReceived(HIGH)
    assert len(quiets.pieces) == 2
    for protocol in (winner, quiet, out):
        leave(protocol)


def test_theNextQuestionIsAnsweredWithTheEnd(factory: GuessFactory, clock: Clock) -> None:
    winner, _ = connected(factory)
    other, others = connected(factory)
    winner.dataReceived(RIGHT)
    other.dataReceived(HIGH)
    assert others.pieces == said(Answer.OVER)
    clock.advance(0.02)
    assert others.pieces == said(Answer.OVER)
    leave(winner)
    leave(other)


def test_theNextGameBeginsAtOnce(factory: GuessFactory, clock: Clock) -> None:
    random = Random(SEED)
    for _ in range(3):
        assert factory.number == random.randint(1, 100)
        protocol, transport = connected(factory)
        protocol.dataReceived(Question(b"=", factory.number).encode())
        assert transport.pieces == said(Answer.WON)
        clock.advance(0.02)
        leave(protocol)


def test_whoVanishesLeavesNoTimer(factory: GuessFactory, clock: Clock) -> None:
    winner, _ = connected(factory)
    winner.dataReceived(RIGHT)
    winner.drop("vanished")
    hangUp(winner)
    assert factory.connections == set()


def test_aWinnerWhoHasEndedItsHalfIsStillTold(factory: GuessFactory, clock: Clock) -> None:
    winner, transport = connected(factory)
    winner.dataReceived(RIGHT)
    winner.readConnectionLost()
    clock.advance(0.02)
    assert transport.pieces == said(Answer.WON, Answer.OVER)
    clock.pump([0.5] * 6)
    hangUp(winner)


def test_aMistakeIsOneLine() -> None:
    for options, arguments, sentence in (
        (tap.Options(), ["--listen", "udp:0"], "--listen: 'udp:0': it is played over tcp"),
        (tap.Options(), ["--seed", "x"], "--seed: 'x' is not a whole number at least 0"),
        (clienttap.Options(), ["--pause", "-1"], "--pause: '-1' is not a number at least 0.0"),
    ):
        with pytest.raises(UsageError) as caught:
            options.parseOptions(arguments)
        assert str(caught.value) == sentence
