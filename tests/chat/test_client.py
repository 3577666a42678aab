"""
The chat's client on a transport in memory, against a server that the test plays.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, TimeoutError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.chat.client import ChatClient, ChatClientFactory, NameRefused
from labnet.chat.wire import DIALECTS, FRAMED, LINE, PLAIN, PROMPT, Dialect
from labnet.net.outcome import ClientError, ExitStatus
from labnet.testing import TCPTransport, doneReason, inPieces

everyDialect = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)


class Session:
    """A client and the bytes around it."""

    def __init__(self, clock: Clock, framing: str | None = None) -> None:
        self.clock = clock
        self.texts: list[str] = []
        client = ChatClientFactory(clock, self.texts.append, framing).buildProtocol(None)
        self.client: ChatClient = client
        self.transport = TCPTransport()
        client.makeConnection(self.transport)
        self.ends: list[object] = []
        client.ended.addBoth(self.ends.append)

    def introduce(self, name: str = "ann") -> list[object]:
        results: list[object] = []
        self.client.introduce(name).addBoth(results.append)
        return results

    def say(self, text: str) -> list[object]:
        results: list[object] = []
        self.client.say(text).addBoth(results.append)
        return results

    def hear(self, data: bytes, pause: float = 0.02) -> None:
        self.client.dataReceived(data)
        self.clock.advance(pause)

    def sent(self) -> bytes:
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    def lose(self) -> None:
        self.client.connectionLost(doneReason())


def failureOf(results: list[object]) -> BaseException:
    (result,) = results
    assert isinstance(result, Failure)
    return result.value


def inside(clock: Clock, dialect: Dialect, framing: str | None = None) -> Session:
    """A client in the room."""
    session = Session(clock, framing)
    results = session.introduce()
    session.hear(dialect.frame(PROMPT))
    assert session.sent() == dialect.frame("ann")
    session.hear(dialect.frame("[SERVER] ann joined the chat!"), 0.05)
    assert results == [None]
    assert session.texts == ["[SERVER] ann joined the chat!"]
    session.texts.clear()
    return session


@everyDialect
@pytest.mark.parametrize("told", [True, False])
def test_intoTheRoom(clock: Clock, dialect: Dialect, told: bool) -> None:
    """Whether it is told the framing or sees it from the question."""
    session = inside(clock, dialect, dialect.name if told else None)
    assert session.say("h\u00e9llo") == [None]
    assert session.sent() == dialect.frame("h\u00e9llo")
    session.hear(dialect.frame("[bob] hi"))
    assert session.texts == ["[bob] hi"]
    session.lose()
    clock.advance(0.05)
    assert session.ends == [None]


@everyDialect
def test_byteByByte(clock: Clock, dialect: Dialect) -> None:
    session = Session(clock)
    results = session.introduce()
    for byte in inPieces(dialect.frame(PROMPT), 1):
        session.hear(byte, 0.001)
    clock.advance(0.02)
    assert session.sent() == dialect.frame("ann")
    for byte in inPieces(dialect.frame("[SERVER] ann joined the chat!"), 1):
        session.hear(byte, 0.001)
    clock.advance(0.02)
    assert results == [None]
    session.lose()


@everyDialect
def test_aRefusedName(clock: Clock, dialect: Dialect) -> None:
    """The sentence comes without the server's mark and question, and another name may be tried."""
    session = Session(clock)
    results = session.introduce("server")
    session.hear(dialect.frame(PROMPT))
    session.sent()
    session.hear(dialect.frame(f"[SERVER] That name is reserved. {PROMPT}"), 0.05)
    refusal = failureOf(results)
    assert isinstance(refusal, NameRefused)
    assert str(refusal) == "That name is reserved."
    assert refusal.status is ExitStatus.ANSWERED_ERROR
    results = session.introduce("ann")
    assert session.sent() == dialect.frame("ann")
    session.hear(dialect.frame("[SERVER] ann joined the chat!"))
    assert results == [None]
    assert session.texts == ["[SERVER] ann joined the chat!"]
    session.lose()


def test_aNameThatComesAfterTheQuestion(clock: Clock) -> None:
    session = Session(clock)
    session.hear(b"Enter your username: ")
    assert session.sent() == b""
    session.introduce()
    assert session.sent() == b"ann"
    session.lose()
    clock.advance(0.05)


def test_plainMessagesGoOutOneByOne(clock: Clock) -> None:
    """A server that reads once for a message gets each; whoever says more waits."""
    session = inside(clock, PLAIN)
    results = [session.say(text) for text in ("one", "two", "three")]
    assert session.sent() == b"one"
    assert results == [[None], [], []]
    clock.advance(0.05)
    assert session.sent() == b"two"
    clock.advance(0.05)
    assert session.sent() == b"three"
    assert results == [[None]] * 3
    clock.advance(0.05)
    session.lose()


def test_aMessageIsOneLine(clock: Clock) -> None:
    session = inside(clock, LINE)
    session.say("one\ntwo\r\nthree")
    assert session.sent() == b"one two three\n"
    session.lose()


def test_whatAServerSaysIsHarmless(clock: Clock) -> None:
    session = inside(clock, LINE)
    session.hear(b"\x1b[2J\x9b[bob] hi\xe2\x80\xae\x07\r\n")
    assert session.texts == ["\u241b[2J\ufffd[bob] hi\\u202e\u2407"]
    session.lose()


def test_noQuestion(clock: Clock) -> None:
    session = Session(clock)
    results = session.introduce()
    clock.advance(5)
    problem = failureOf(results)
    assert isinstance(problem, TimeoutError)
    assert "no question" in str(problem)
    assert session.transport.disconnected
    session.lose()


def test_noAnswerToTheName(clock: Clock) -> None:
    session = Session(clock)
    results = session.introduce()
    session.hear(b"Enter your username: ")
    clock.advance(5)
    assert "no answer to the name" in str(failureOf(results))
    session.lose()


def test_aServerThatNeverEndsItsMessage(clock: Clock) -> None:
    """What is kept is bounded, before and after it is known how the server speaks."""
    for framing in (None, "line", "framed"):
        session = Session(clock, framing)
        results = session.introduce()
        for _ in range(17):
            if not session.transport.disconnected:
                session.client.dataReceived(b"\x01" * 65_536)
        problem = failureOf(results)
        assert isinstance(problem, ClientError)
        assert problem.status is ExitStatus.NOT_UNDERSTOOD
        assert session.transport.disconnected
        session.lose()


def test_theConnectionIsLost(clock: Clock) -> None:
    """Whoever waits is told, and so is whoever comes later."""
    session = Session(clock)
    results = session.introduce()
    session.lose()
    assert isinstance(failureOf(results), ConnectionDone)
    assert isinstance(failureOf(session.say("hi")), ConnectionDone)
    assert isinstance(failureOf(session.introduce()), ConnectionDone)
    session = inside(clock, PLAIN)
    results = [*session.say("one"), *session.say("two")]
    waiting = session.say("three")
    session.lose()
    assert isinstance(failureOf(waiting), ConnectionDone)


def test_theLastMessageMayBeWithoutItsEnd(clock: Clock) -> None:
    for dialect in (PLAIN, LINE):
        session = inside(clock, dialect)
        session.client.dataReceived(b"[bob] bye")
        session.lose()
        assert session.texts == ["[bob] bye"]


def test_theServerEndsItsHalf(clock: Clock) -> None:
    session = inside(clock, LINE)
    session.client.readConnectionLost()
    assert session.transport.disconnecting
    session.lose()


def test_finish(clock: Clock) -> None:
    """What is said goes out first; then our half ends, and what comes is still heard."""
    session = inside(clock, PLAIN)
    session.say("one")
    session.say("two")
    session.client.finish()
    assert not session.transport.halfClosed
    clock.pump([0.05, 0.05])
    assert session.sent() == b"onetwo"
    assert session.transport.halfClosed
    session.hear(b"[bob] hi")
    assert session.texts == ["[bob] hi"]
    session.lose()
    assert session.ends == [None]


def test_aServerThatDoesNotRead(clock: Clock) -> None:
    """Whoever says something waits until it does."""
    session = inside(clock, FRAMED)
    session.client.pauseProducing()
    waiting = session.say("one")
    assert waiting == []
    session.client.resumeProducing()
    assert waiting == [None]
    session.client.pauseProducing()
    waiting = session.say("two")
    session.lose()
    assert isinstance(failureOf(waiting), ConnectionDone)


def test_givingUp(clock: Clock) -> None:
    """Cancelled, it leaves no timer."""
    session = Session(clock)
    answer: Deferred[None] = session.client.introduce("ann")
    answer.addErrback(lambda failure: None)
    answer.cancel()
    assert clock.getDelayedCalls() == []
    session.client.leave()
    assert session.transport.disconnecting
    session.lose()
