"""
The calculator's clients on a transport in memory.
"""

from __future__ import annotations

import struct

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, TimeoutError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from labnet.calculator.arithmetic import Calculation, Fault
from labnet.calculator.client import CalculatorClient, CalculatorClientFactory
from labnet.calculator.wire import PROFILES, ReplyNotUnderstood
from labnet.testing import inPieces


def reply(result: int, mark: bytes = b"R") -> bytes:
    return struct.pack("<ii1s", result, 0, mark)


class Client:
    """A client, its transport, and what came of its questions."""

    def __init__(self, clock: Clock, profile: str = "struct9", timeout: float = 5.0) -> None:
        self.protocol = CalculatorClient(clock, PROFILES[profile], timeout)
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)
        self.results: list[object] = []

    def ask(self, a: int, operator: str = "+", b: int = 0) -> Deferred[object]:
        answer = self.protocol.calculate(Calculation(a, operator, b))
        answer.addBoth(lambda result: self.results.append(result))
        return answer

    def lose(self, reason: Exception | None = None) -> None:
        self.protocol.connectionLost(Failure(reason or ConnectionDone()))

    def failures(self) -> list[type[BaseException]]:
        return [result.type for result in self.results if isinstance(result, Failure)]


def test_questionsArePipelined(clock: Clock) -> None:
    """They are all sent at once, and answers are given to them in order, however they are cut."""
    client = Client(clock)
    for a in (1, 2, 3):
        client.ask(a)
    assert len(client.transport.value()) == 27
    for byte in inPieces(reply(1) + reply(2, b"E") + reply(3), 1):
        client.protocol.dataReceived(byte)
    assert client.results == [1, Fault.UNTOLD, 3]
    client.lose()


@pytest.mark.parametrize("profile", ["text", "ici-text", "fcf"])
def test_textProfilesAskOneAtATime(clock: Clock, profile: str) -> None:
    """A reply ends with a pause; only then the next question goes out."""
    client = Client(clock, profile)
    for a in (1, 2, 3):
        client.ask(a)
    size = len(PROFILES[profile].requests.encode(Calculation(1, "+", 0)))
    assert len(client.transport.value()) == size
    client.protocol.dataReceived(b"4")
    clock.advance(0.01)
    client.protocol.dataReceived(b"6")
    clock.advance(0.015)
    assert client.results == []
    clock.advance(0.01)
    assert client.results == [46]
    assert len(client.transport.value()) == 2 * size
    client.protocol.dataReceived(b"bad op")
    clock.advance(0.02)
    assert client.results == [46, Fault.UNKNOWN_OPERATOR]
    client.protocol.dataReceived(b"-1")
    client.lose()
    assert client.results == [46, Fault.UNKNOWN_OPERATOR, -1]


def test_jsonAsksOneAtATime(clock: Clock) -> None:
    """A server that reads once for each request takes two objects for a broken one."""
    client = Client(clock, "json")
    client.ask(1)
    client.ask(2)
    assert client.transport.value().count(b"oper1") == 1
    client.protocol.dataReceived(b'{"result"')
    assert client.transport.value().count(b"oper1") == 1
    client.protocol.dataReceived(b": 1}")
    assert client.transport.value().count(b"oper1") == 2
    client.protocol.dataReceived(b'{"result": 2}')
    assert client.results == [1, 2]
    client.lose()


def test_theEndOfTheStreamEndsATextReply(clock: Clock) -> None:
    """And whoever still waits is told that the connection is gone; nothing more is sent."""
    client = Client(clock, "text")
    client.ask(1)
    client.ask(2)
    sent = client.transport.value()
    client.protocol.dataReceived(b"46")
    client.lose()
    assert client.results[0] == 46
    assert client.failures() == [ConnectionDone]
    assert client.transport.value() == sent


@pytest.mark.parametrize("profile", ["struct9", "text"])
@pytest.mark.parametrize("reason", [ConnectionDone(), ConnectionLost()])
def test_everythingPendingFailsWithTheConnection(clock: Clock, profile: str, reason: Exception) -> None:
    client = Client(clock, profile)
    for a in range(3):
        client.ask(a)
    client.lose(reason)
    assert client.failures() == [type(reason)] * 3
    client.ask(4)
    assert client.failures() == [type(reason)] * 4


def test_partOfAReplyIsNoReply(clock: Clock) -> None:
    client = Client(clock)
    client.ask(1)
    client.protocol.dataReceived(reply(1)[:8])
    client.lose()
    assert client.failures() == [ConnectionDone]


def test_timeout(clock: Clock) -> None:
    """It is counted from each question; then everything fails, for the stream can not be trusted."""
    client = Client(clock, timeout=5.0)
    client.ask(1)
    clock.advance(3)
    client.ask(2)
    client.protocol.dataReceived(reply(1))
    clock.advance(4.9)
    assert client.results == [1]
    clock.advance(0.2)
    assert client.failures() == [TimeoutError]
    assert client.transport.disconnected or client.transport.disconnecting
    client.ask(3)
    assert client.failures() == [TimeoutError] * 2
    client.protocol.dataReceived(reply(9))
    client.lose()
    assert client.results[0] == 1


def test_timeoutOfAnswersThatTrickle(clock: Clock) -> None:
    """A byte now and then does not put it off."""
    client = Client(clock, timeout=2.0)
    client.ask(1)
    for byte in reply(1)[:3]:
        clock.advance(0.9)
        client.protocol.dataReceived(bytes([byte]))
    assert client.failures() == [TimeoutError]
    client.lose()


def test_aCancelledQuestionDoesNotShiftTheAnswers(clock: Clock) -> None:
    client = Client(clock)
    client.ask(1)
    cancelled = client.ask(2)
    client.ask(3)
    cancelled.cancel()
    client.protocol.dataReceived(reply(1) + reply(2) + reply(3))
    assert client.failures() == [CancelledError]
    assert [result for result in client.results if isinstance(result, int)] == [1, 3]
    client.lose()


def test_aCancelledQuestionThatWasNotSentIsNotSent(clock: Clock) -> None:
    client = Client(clock, "text")
    client.ask(1)
    client.ask(2).cancel()
    client.ask(3)
    client.protocol.dataReceived(b"1")
    clock.advance(0.1)
    assert client.transport.value().count(struct.pack("<i", 2)) == 0
    client.protocol.dataReceived(b"3")
    clock.advance(0.1)
    assert client.results[1:] == [1, 3]
    client.lose()


@pytest.mark.parametrize("profile", ["struct9", "int4", "text", "json", "net"])
def test_aReplyThatNobodyAskedForIsNotKeptForTheNextQuestion(clock: Clock, profile: str) -> None:
    """Neither a whole one nor a byte of one."""
    for unasked in (PROFILES[profile].replies.encode(7), PROFILES[profile].replies.encode(7)[:1]):
        client = Client(clock, profile)
        client.protocol.dataReceived(unasked)
        client.ask(1)
        assert client.failures() == [ReplyNotUnderstood]
        client.lose()


@pytest.mark.parametrize("profile", ["text", "json"])
def test_aNewlineAfterAReplyIsNothing(clock: Clock, profile: str) -> None:
    """Even when it comes late, by itself, or in front of the next reply."""
    client = Client(clock, profile)
    for number in (1, 2, 3):
        client.ask(number)
        client.protocol.dataReceived(b"\r\n" + PROFILES[profile].replies.encode(number))
        clock.advance(0.1)
        client.protocol.dataReceived(b"\n")
        clock.advance(0.1)
    assert client.results == [1, 2, 3]
    client.lose()


@pytest.mark.parametrize("extra", [1, 4, 5, 8])
def test_aReplyWithTooMuchIsGivenAndTheConnectionIsNotUsedAgain(clock: Clock, extra: int) -> None:
    client = Client(clock, "int4")
    client.ask(1)
    client.protocol.dataReceived(struct.pack("<i", 1) + bytes(extra))
    assert client.results == [1]
    client.ask(2)
    assert client.failures() == [ReplyNotUnderstood]
    client.lose()


def test_aReplyThatIsNoneFailsEverything(clock: Clock) -> None:
    client = Client(clock)
    client.ask(1)
    client.ask(2)
    client.protocol.dataReceived(reply(1) + b"x" * 9 + reply(3))
    assert client.failures() == [ReplyNotUnderstood] * 2
    client.lose()


def test_aQuestionThatDoesNotFitFailsAlone(clock: Clock) -> None:
    client = Client(clock)
    client.ask(2**31)
    client.ask(10**400)
    client.ask(1)
    client.protocol.dataReceived(reply(1))
    assert client.failures() == [ValueError, ValueError]
    assert client.results[-1] == 1
    client.lose()


def test_anAnswerMayBringTheNextQuestion(clock: Clock) -> None:
    """Asked from within the callback, in both kinds of profiles."""
    for profile, bytes_ in (("struct9", reply(1)), ("text", b"1")):
        client = Client(clock, profile)
        client.protocol.calculate(Calculation(1, "+", 0)).addCallback(lambda _, c=client: c.ask(2))
        client.protocol.dataReceived(bytes_)
        clock.advance(0.05)
        client.protocol.dataReceived(bytes_)
        clock.advance(0.05)
        assert client.results == [1]
        client.lose()


def test_closing(clock: Clock) -> None:
    """What is not answered by then fails, and no timer is left."""
    client = Client(clock)
    client.ask(1)
    client.protocol.close()
    assert client.transport.disconnecting
    client.lose()
    assert client.failures() == [ConnectionDone]


def test_theFactoryBuildsClients(clock: Clock) -> None:
    client = CalculatorClientFactory(clock, PROFILES["int4"], 1.0).buildProtocol(None)
    client.makeConnection(StringTransport())
    answers: list[object] = []
    client.calculate(Calculation(1, "+", 1)).addBoth(answers.append)
    client.dataReceived(struct.pack("<i", 2))
    assert answers == [2]
    client.connectionLost(Failure(ConnectionDone()))
