"""
The command C{labnet echo}: what it says, prints and ends with, over UDP in memory.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from labnet.echo.clienttap import Options, makeService, run
from labnet.net.console import Console
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.service import ClientService
from labnet.testing import DatagramNetwork


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(list(arguments))
    return options


class Typed(Console):
    """A console at which somebody types these lines."""

    def __init__(self, *lines: str) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        super().__init__(self.out, self.err)
        self._typed = iter(lines)

    async def readLine(self) -> str | None:
        return next(self._typed, None)


def command(console: Typed, answer: Callable[[bytes], bytes | None], *arguments: str) -> int:
    """Run the command against a plain program that answers so, and return the exit status."""
    network = DatagramNetwork()
    peer = network.peer(answer)
    host, port = network.addressOf(peer)
    options = parsed("--connect", f"udp:{host}:{port}", "--timeout", "0.1", "--tries", "2", *arguments)
    results: list[int | Failure] = []
    Deferred.fromCoroutine(run(network, options, console)).addBoth(results.append)
    network.pass_(2.0)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    assert isinstance(result, int)
    return result


def test_wordsAreOneMessage() -> None:
    console = Typed()
    assert command(console, bytes.upper, "good", "mörning") == 0
    assert console.out.getvalue() == "GOOD MöRNING\n"


def test_withoutWordsEachLineIsAMessage() -> None:
    console = Typed("one", "", "two")
    assert command(console, lambda data: b"Echo: " + data) == 0
    assert console.out.getvalue() == "Echo: one\nEcho: two\n"


def test_noResponseFromServer() -> None:
    """The sentence of the course, and the status of a time-out."""
    with pytest.raises(ClientError) as caught:
        command(Typed(), lambda data: None, "hello")
    assert str(caught.value) == "No response from server"
    assert caught.value.status is ExitStatus.TIMED_OUT


def test_aLineThatIsNotAnsweredDoesNotEndTheRest() -> None:
    console = Typed("lost", "found")
    assert command(console, lambda data: None if data == b"lost" else data) == ExitStatus.TIMED_OUT
    assert console.out.getvalue() == "found\n"
    assert console.err.getvalue() == "No response from server\n"


def test_whatAPeerSaysDoesNothingToATerminal() -> None:
    console = Typed()
    command(console, lambda data: b"\x1b[2J\x1b]0;t\x07a\x9b\xff\r\n\xe2\x80\xaeb\t", "x")
    assert console.out.getvalue() == "\\x1b[2J\\x1b]0;t\\x07a\\x9b\\xff\n\\u202eb\t\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--connect", "udp:h"], "--connect: 'udp:h' is not of the form udp:HOST:PORT"),
        (["--connect", "tcp:h"], "--connect: 'tcp:h' is not of the form tcp:HOST:PORT"),
        (["--line", "--framed"], "--line and --framed: use one of them"),
        (["--connect", "udp:h:1", "--line"], "--line is for streams, not for udp"),
        (["--connect", "udp:h:1", "--framed"], "--framed is for streams, not for udp"),
        (["--tries", "0"], "--tries: '0' is not a whole number at least 1"),
    ],
)
def test_aMistakeIsOneLine(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(*arguments)
    assert str(caught.value) == sentence


def test_asAServiceItIsAClient() -> None:
    assert isinstance(makeService(parsed("hello")), ClientService)
