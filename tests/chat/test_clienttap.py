"""
The chat's client as a command: a pipe in a room, reconnecting, refusals, and how it ends.
"""

from __future__ import annotations

from collections import deque

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost, ConnectionRefusedError, TimeoutError
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from labnet.chat import clienttap
from labnet.chat.client import ChatClient, NameRefused
from labnet.chat.clienttap import Conversation
from labnet.net.outcome import ExitStatus
from labnet.testing import TCPTransport, doneReason

PROMPT = b"Enter your username: \n"


def parsed(*arguments: str) -> clienttap.Options:
    options = clienttap.Options()
    options.parseOptions(arguments)
    return options


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--connect", "tcp:h"], "--connect: 'tcp:h' is not of the form tcp:HOST:PORT"),
        (["--connect", "udp:127.0.0.1:1"], "--connect: 'udp:127.0.0.1:1'"),
        (["--framing", "x"], "--framing: 'x' is none of auto, plain, line, framed"),
        (["--timeout", "0"], "--timeout: '0' is not a number at least 0.001"),
        (["--retries", "-1"], "--retries: '-1' is not a whole number at least 0"),
        (["hello"], "Wrong number of arguments."),
    ],
)
def test_aMistakeIsOneLine(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(*arguments)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


class Person:
    """Lines in, lines out, all in memory."""

    def __init__(self, *lines: str, ends: bool = True) -> None:
        self.lines = deque(lines)
        self.ends = ends
        self.said: list[str] = []
        self.complained: list[str] = []
        self._waiting: Deferred[str | None] | None = None

    def say(self, line: str) -> None:
        self.said.append(line)

    def complain(self, line: str) -> None:
        self.complained.append(line)

    async def readLine(self) -> str | None:
        if self.lines:
            return self.lines.popleft()
        if self.ends:
            return None
        assert self._waiting is None, "two wait for one line"
        self._waiting = Deferred()
        return await self._waiting

    def type(self, line: str | None) -> None:
        waiting, self._waiting = self._waiting, None
        assert waiting is not None
        waiting.callback(line)


class Session:
    """A conversation with a server that the test plays."""

    def __init__(self, person: Person, *arguments: str, interactive: bool = False) -> None:
        self.reactor = MemoryReactorClock()
        self.person = person
        self.ends: list[object] = []
        conversation = Conversation(self.reactor, parsed(*arguments), person, interactive)
        Deferred.fromCoroutine(conversation.hold()).addBoth(self.ends.append)
        self.connected = 0

    def connect(self, name: str | None = "ann") -> None:
        """The server takes the connection, asks, and lets C{name} in."""
        factory = self.reactor.tcpClients[self.connected][2]
        self.connected += 1
        wrapper = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 9998))
        self.client: ChatClient = wrapper._wrappedProtocol
        self.transport = TCPTransport()
        wrapper.makeConnection(self.transport)
        self.client.dataReceived(PROMPT)
        if name is not None:
            assert self.sent().startswith(name.encode() + b"\n")
            self.client.dataReceived(b"[SERVER] " + name.encode() + b" joined the chat!\n")

    def refuse(self) -> None:
        factory = self.reactor.tcpClients[self.connected][2]
        self.connected += 1
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))

    def sent(self) -> bytes:
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    def lose(self) -> None:
        self.client.connectionLost(Failure(ConnectionLost()))

    @property
    def attempts(self) -> int:
        return len(self.reactor.tcpClients)

    def close(self) -> None:
        assert self.reactor.getDelayedCalls() == []


def test_aPipe() -> None:
    """The first line is the name, the rest is said; then our half ends, and the rest of theirs is heard."""
    session = Session(Person("ann", "one", "", "two"))
    session.connect()
    assert session.sent() == b"one\ntwo\n"
    assert session.transport.halfClosed
    session.client.dataReceived(b"[bob] hi\n")
    assert session.ends == []
    session.client.connectionLost(doneReason())
    assert session.ends == [ExitStatus.OK]
    assert session.person.said == ["[SERVER] ann joined the chat!", "[bob] hi"]
    assert session.person.complained == []
    session.close()


def test_aServerThatKeepsTheConnection() -> None:
    """After our end it has ten seconds."""
    session = Session(Person("hi"), "--name", "ann")
    session.connect()
    session.reactor.advance(10)
    assert session.transport.disconnected
    session.lose()
    assert session.ends == [ExitStatus.OK]
    session.close()


def test_staying() -> None:
    session = Session(Person("hi"), "--name", "ann", "--stay", "--retries", "0")
    session.connect()
    assert not session.transport.halfClosed
    session.client.dataReceived(b"[bob] hi\n")
    session.lose()
    assert session.person.said[-1] == "[bob] hi"
    assert session.ends == [ExitStatus.RESET]
    session.close()


def test_quit() -> None:
    """What follows is not said."""
    session = Session(Person("one", " /quit ", "two"), "--name", "ann")
    session.connect()
    assert session.sent() == b"one\n"
    assert session.transport.disconnecting
    session.client.connectionLost(doneReason())
    assert session.ends == [ExitStatus.OK]
    session.close()


def test_noName() -> None:
    """Nothing at standard input, and nothing to do."""
    session = Session(Person())
    assert session.attempts == 0
    assert session.ends == [ExitStatus.OK]


def test_aRefusedNameInAPipe() -> None:
    """The next line is a message and no second try."""
    session = Session(Person("server", "a message"))
    session.connect(None)
    session.client.dataReceived(b"[SERVER] That name is reserved. Enter your username: \n")
    session.client.connectionLost(doneReason())
    (failure,) = session.ends
    assert isinstance(failure, Failure)
    assert isinstance(failure.value, NameRefused)
    assert session.sent() == b"server\n"
    session.close()


def test_aRefusedNameAtATerminal() -> None:
    """The person is asked for another."""
    session = Session(Person("server", ends=False), interactive=True)
    session.connect(None)
    session.client.dataReceived(b"[SERVER] That name is reserved. Enter your username: \n")
    assert session.person.complained == ["your name?", "That name is reserved.", "your name?"]
    session.person.type("ann")
    assert session.sent() == b"server\nann\n"
    session.client.dataReceived(b"[SERVER] ann joined the chat!\n")
    session.person.type("hello")
    assert session.sent() == b"hello\n"
    session.person.type("/quit")
    session.client.connectionLost(doneReason())
    assert session.ends == [ExitStatus.OK]
    session.close()


def test_quitInsteadOfAName() -> None:
    session = Session(Person("/quit"), interactive=True)
    assert session.ends == [ExitStatus.OK]
    assert session.attempts == 0


def test_nothingListens() -> None:
    """At the beginning that is the end."""
    session = Session(Person("ann"))
    session.refuse()
    (failure,) = session.ends
    assert isinstance(failure, Failure)
    assert failure.check(ConnectionRefusedError)
    session.close()


def test_noQuestionComes() -> None:
    session = Session(Person("ann"), "--timeout", "2")
    factory = session.reactor.tcpClients[0][2]
    wrapper = factory.buildProtocol(None)
    wrapper.makeConnection(TCPTransport())
    session.reactor.advance(2)
    wrapper._wrappedProtocol.connectionLost(doneReason())
    (failure,) = session.ends
    assert isinstance(failure, Failure)
    assert failure.check(TimeoutError)
    session.close()


def test_aLostConnectionIsMadeAgain() -> None:
    """With the same name, later and later, and the line that is being typed is not lost."""
    session = Session(Person(ends=False), "--name", "ann", "--retries", "3")
    session.connect()
    session.lose()
    assert session.person.complained[0] == "connection lost"
    assert session.person.complained[1].startswith("trying again in ")
    waits = []
    for _ in range(3):
        (call,) = session.reactor.getDelayedCalls()
        waits.append(call.getTime() - session.reactor.seconds())
        session.reactor.advance(waits[-1])
        if len(waits) < 3:
            session.refuse()
    assert 0.75 <= waits[0] <= 1.25
    assert 1.5 <= waits[1] <= 2.5
    assert 3 <= waits[2] <= 5
    session.connect()
    session.person.type("still me")
    assert session.sent() == b"still me\n"
    session.lose()
    (call,) = session.reactor.getDelayedCalls()
    assert call.getTime() - session.reactor.seconds() <= 1.25
    call.cancel()


def test_ourOwnGhost() -> None:
    """After a lost connection the name may still be taken, by ourselves: that is tried again, too."""
    session = Session(Person(ends=False), "--name", "ann", interactive=True)
    session.connect()
    session.lose()
    session.reactor.advance(2)
    session.connect(None)
    session.client.dataReceived(b"[SERVER] That name is taken. Enter your username: \n")
    assert session.transport.disconnecting
    session.client.connectionLost(doneReason())
    assert "That name is taken." in session.person.complained
    session.reactor.advance(3)
    session.connect()
    session.person.type("back")
    assert session.sent() == b"back\n"
    session.person.type(None)
    session.client.connectionLost(doneReason())
    session.reactor.advance(10)
    assert session.ends == [ExitStatus.OK]


def test_tooManyTries() -> None:
    """In the end the reason of the last is ours."""
    session = Session(Person(ends=False), "--name", "ann", "--retries", "2")
    session.connect()
    session.lose()
    for _ in range(3):
        session.reactor.advance(40)
        session.refuse()
    (failure,) = session.ends
    assert isinstance(failure, Failure)
    assert failure.check(ConnectionRefusedError)
    session.close()
