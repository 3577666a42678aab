"""
The calculator's client as a command: what it reads, what it prints, how it ends.
"""

from __future__ import annotations

import struct
from collections import deque

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError, TimeoutError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from labnet.calculator import clienttap
from labnet.calculator.arithmetic import Calculation
from labnet.calculator.clienttap import parseExpression, run
from labnet.net.outcome import ClientError, ExitStatus


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12 + 34", Calculation(12, "+", 34)),
        ("12+34", Calculation(12, "+", 34)),
        ("-5 + 3", Calculation(-5, "+", 3)),
        ("5--3", Calculation(5, "-", -3)),
        ("5 - -3", Calculation(5, "-", -3)),
        ("+5 * +3", Calculation(5, "*", 3)),
        ("1e3 / .5", Calculation(1000.0, "/", 0.5)),
        ("1.5%2.", Calculation(1.5, "%", 2.0)),
        ("1 X 2", Calculation(1, "X", 2)),
        ("\t7\u00d76 ", Calculation(7, "\u00d7", 6)),
    ],
)
def test_expressions(text: str, expected: Calculation) -> None:
    assert parseExpression(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "12", "12345", "1e5", "12 34", "12 3 4", "12 + ", "+ 34", "1 ++ 2 3", "1 + 2 + 3", "(1) + 2",
        "1_000 + 1", "0x10 + 1", "\u0661 + 1", "__import__('os')", "nan + 1", "inf + 1", "1X2",
        "9" * 300 + " + 1", "(" * 199,
    ],
)  # fmt: skip
def test_whatIsNoExpression(text: str) -> None:
    with pytest.raises(ValueError, match="is not of the form NUMBER OPERATOR NUMBER"):
        parseExpression(text)


def parsed(*arguments: str) -> clienttap.Options:
    options = clienttap.Options()
    options.parseOptions(arguments)
    return options


@pytest.mark.parametrize(
    "arguments",
    [
        ("-5", "+", "-3"),
        ("--", "-5", "+", "-3"),
        ("-5 + -3",),
        ("-t", "2", "-5", "+", "-3"),
        ("--timeout=2", "-5+-3"),
        ("-c", "tcp:127.0.0.1:9000", "-p", "int4", "-5", "+", "-3"),
        ("--tries", "2", "--", "-5", "+", "-3"),
    ],
)
def test_aNegativeNumberIsNoOption(arguments: tuple[str, ...]) -> None:
    assert parsed(*arguments).expression == Calculation(-5, "+", -3)


def test_aNegativeNumberMayComeSecond() -> None:
    assert parsed("12", "+", "-5").expression == Calculation(12, "+", -5)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["12"], "'12' is not of the form NUMBER OPERATOR NUMBER"),
        (["--connect", "tcp:h"], "--connect: 'tcp:h' is not of the form tcp:HOST:PORT"),
        (["--connect", "udp:h"], "--connect: 'udp:h' is not of the form udp:HOST:PORT"),
        (["--connect", "tcp:a..b:1"], "--connect: 'tcp:a..b:1': 'a..b' is neither a name nor an address"),
        (["--connect", "x:1"], "--connect: 'x:1': Unknown endpoint type: 'x'"),
        (["--discover", "tcp:h:1"], "--discover: 'tcp:h:1' is not of the form udp:HOST:PORT"),
        (["--connect", "tcp:h:1", "--discover", "udp:h:1"], "use one of them"),
        (["--name", "x"], "--name goes with --discover"),
        (["--timeout", "0"], "--timeout: '0' is not a number at least 0.001"),
        (["--timeout", "inf"], "--timeout: 'inf' is not a number"),
        (["--timeout", "nan"], "--timeout: 'nan' is not a number"),
        (["--timeout", "-5", "1", "+", "1"], "--timeout: '-5' is not a number"),
        (["--tries", "-5", "1", "+", "1"], "--tries: '-5' is not a whole number at least 1"),
        (["--profile", "foo"], "--profile: 'foo' is none of struct9"),
        (["--nonsense"], "option --nonsense not recognized"),
    ],
)
def test_aMistakeIsOneLine(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(*arguments)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


class FakeConsole:
    """Lines in, lines out, all in memory."""

    def __init__(self, *lines: str, broken: bool = False) -> None:
        self.lines = deque(lines)
        self.said: list[str] = []
        self.complained: list[str] = []
        self.open = False
        self.broken = broken
        self._waiting: Deferred[str | None] | None = None

    def say(self, line: str) -> None:
        if self.broken:
            raise BrokenPipeError
        self.said.append(line)

    def complain(self, line: str) -> None:
        self.complained.append(line)

    async def readLine(self) -> str | None:
        if self.lines:
            return self.lines.popleft()
        if not self.open:
            return None
        self._waiting = Deferred()
        return await self._waiting

    def stopReading(self) -> None:
        self.open = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)


class Session:
    """C{run} against a server that the test plays."""

    def __init__(self, console: FakeConsole, *arguments: str) -> None:
        self.reactor = MemoryReactorClock()
        self.console = console
        self.ended: list[object] = []
        self.transport = StringTransport()
        options = parsed("--connect", "tcp:127.0.0.1:9000", *arguments)
        self.done = Deferred.fromCoroutine(run(self.reactor, options, console))
        self.done.addBoth(self.ended.append)

    def connect(self) -> None:
        factory = self.reactor.tcpClients[0][2]
        self.protocol = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 9000))
        self.protocol.makeConnection(self.transport)

    def answer(self, *results: int | bytes) -> None:
        for result in results:
            reply = result if isinstance(result, bytes) else struct.pack("<ii1s", result, 0, b"R")
            self.protocol.dataReceived(reply)

    def lose(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))

    @property
    def failure(self) -> BaseException:
        (failure,) = self.ended
        assert isinstance(failure, Failure)
        return failure.value


ERROR = struct.pack("<ii1s", 0, 0, b"E")


def test_oneExpression() -> None:
    session = Session(FakeConsole(), "12", "+", "34")
    session.connect()
    assert session.transport.value() == struct.pack("<ii1s", 12, 34, b"+")
    session.answer(46)
    assert session.ended == [ExitStatus.OK]
    assert session.console.said == ["46"]
    assert session.transport.disconnecting
    session.lose()


def test_anErrorAnswer() -> None:
    session = Session(FakeConsole(), "1", "/", "0")
    session.connect()
    session.answer(ERROR)
    assert session.ended == [ExitStatus.ANSWERED_ERROR]
    assert session.console.complained == ["1 / 0: the server answered with an error"]
    session.lose()


@pytest.mark.parametrize(
    ("profile", "word", "sentence"),
    [
        ("text", b"div by 0", "division by zero"),
        ("text", b"bad op", "the server does not know this operator"),
        ("text", b"overflow", "the result does not fit"),
        ("json", b'{"error": "bad req"}', "the server does not understand this"),
        ("json", b'{"error": "\\u001b[2J"}', "the server answered with an error"),
    ],
)
def test_theSentencesOfErrors(profile: str, word: bytes, sentence: str) -> None:
    """They are ours, whatever the server says."""
    session = Session(FakeConsole(), "--profile", profile, "1", "/", "0")
    session.connect()
    session.answer(word)
    session.reactor.advance(0.1)
    assert session.ended == [ExitStatus.ANSWERED_ERROR]
    assert session.console.complained == [f"1 / 0: {sentence}"]
    session.lose()


def test_whatDoesNotFitTheProfile() -> None:
    session = Session(FakeConsole(), "1.5", "+", "1")
    session.connect()
    assert session.ended == [ExitStatus.USAGE]
    assert "not a whole number" in session.console.complained[0]
    session.lose()


def test_refused() -> None:
    session = Session(FakeConsole(), "1", "+", "1")
    connector = session.reactor.connectors[0]
    session.reactor.tcpClients[0][2].clientConnectionFailed(connector, Failure(ConnectionRefusedError()))
    assert isinstance(session.failure, ConnectionRefusedError)


def test_noAnswer() -> None:
    session = Session(FakeConsole(), "--timeout", "2", "1", "+", "1")
    session.connect()
    session.reactor.advance(2.1)
    assert isinstance(session.failure, TimeoutError)
    session.lose()
    assert session.reactor.getDelayedCalls() == []


def test_anAnswerThatIsNotUnderstood() -> None:
    session = Session(FakeConsole(), "1", "+", "1")
    session.connect()
    session.answer(b"HTTP/1.1 400")
    assert isinstance(session.failure, ClientError)
    assert session.failure.status is ExitStatus.NOT_UNDERSTOOD
    session.lose()


def test_nobodyReadsTheResult() -> None:
    session = Session(FakeConsole(broken=True), "1", "+", "1")
    session.connect()
    session.answer(2)
    assert isinstance(session.failure, BrokenPipeError)
    session.lose()


def test_linesAreAskedAheadAndAnsweredInOrder() -> None:
    """Empty lines are passed over; a bad one is told and the rest goes on; the last error counts."""
    session = Session(FakeConsole("1 + 1", "", "foo", "2 + 2", "3 / 0"))
    session.connect()
    assert len(session.transport.value()) == 27
    assert session.console.complained == ["'foo' is not of the form NUMBER OPERATOR NUMBER"]
    session.answer(2, 4, ERROR)
    assert session.console.said == ["2", "4"]
    assert session.ended == [ExitStatus.ANSWERED_ERROR]
    session.lose()


def test_notMoreThanSoManyLinesAreAskedAhead() -> None:
    session = Session(FakeConsole(*["1 + 1"] * 1000))
    session.connect()
    assert len(session.transport.value()) == 9 * 256
    session.answer(struct.pack("<ii1s", 2, 0, b"R") * 256)
    assert len(session.transport.value()) == 9 * 512
    while not session.ended:
        session.answer(struct.pack("<ii1s", 2, 0, b"R") * 8)
    assert session.console.said == ["2"] * 1000
    session.lose()


def test_oneLineAtATime() -> None:
    session = Session(FakeConsole("1 + 1", "2 + 2"), "--ahead", "1")
    session.connect()
    assert len(session.transport.value()) == 9
    session.answer(2)
    assert len(session.transport.value()) == 18
    session.answer(4)
    assert session.ended == [ExitStatus.OK]
    session.lose()


def test_aLostConnectionEndsTheWaitForLines() -> None:
    """Also when somebody sits at the keyboard: every question fails, once, and that is told at once."""
    console = FakeConsole("1 + 1", "2 + 2", "3 + 3")
    console.open = True
    session = Session(console)
    session.connect()
    session.answer(2)
    session.lose()
    assert console.said == ["2"]
    assert isinstance(session.failure, ConnectionDone)


def test_aLostConnectionLeavesTheRestUnread() -> None:
    console = FakeConsole(*["1 + 1"] * 300)
    session = Session(console)
    session.connect()
    session.lose()
    assert isinstance(session.failure, ConnectionDone)
    assert len(console.lines) == 300 - 256
