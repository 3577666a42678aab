"""
What the assertions about segmentations find, and how they say it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.protocols.basic import LineReceiver

from labnet.testing import TCPTransport, assertSameForAnySegmentation, assertSameInAnyPieces

STREAM = b"hello\r\nworld\r\n"


class Lines(LineReceiver):
    """Answers each line in upper case, and C{bye} with the end."""

    def lineReceived(self, line: bytes) -> None:
        self.sendLine(line.upper())
        if line == b"bye":
            self.transport.loseConnection()


class OnePieceIsOneLine(Protocol):
    """The mistake of every beginner."""

    def dataReceived(self, data: bytes) -> None:
        for line in data.splitlines():
            self.transport.write(line.upper() + b"\r\n")


def test_aCorrectProtocolPasses() -> None:
    """And what it did is returned."""
    assert repr(assertSameForAnySegmentation(Lines, STREAM)) == "wrote b'HELLO\\r\\nWORLD\\r\\n'"
    ended = assertSameForAnySegmentation(Lines, b"bye\r\nmore\r\n")
    assert repr(ended) == "wrote b'BYE\\r\\n', and closed the connection"


def test_theMessage() -> None:
    """One cut is enough, so one is shown: where, the bytes with a mark, what should come, and what came."""
    with pytest.raises(AssertionError) as raised:
        assertSameForAnySegmentation(OnePieceIsOneLine, STREAM)
    assert str(raised.value).splitlines() == [
        "not the same when the 14 bytes are cut after byte 1",
        r"    hello\r\nworld\r\n",
        r"     ^",
        r"expected: wrote b'HELLO\r\nWORLD\r\n'",
        r"but came: wrote b'H\r\nELLO\r\nWORLD\r\n'",
        r"                   ^",
    ]


def test_theFewestCutsAreFound() -> None:
    """Where only many cuts make a difference, those that make none are left out, and the rest is marked."""

    class Impatient(Protocol):
        pieces = 0

        def dataReceived(self, data: bytes) -> None:
            self.pieces += 1
            if self.pieces == 5:
                raise ValueError("too many")

    with pytest.raises(AssertionError) as raised:
        assertSameForAnySegmentation(Impatient, bytes(100))
    first, *_, expected, came, _ = str(raised.value).splitlines()
    assert re.fullmatch(r"not the same when the 100 bytes are cut after bytes \d+, \d+, \d+, \d+", first)
    assert (expected, came) == ("expected: wrote b''", "but came: raised ValueError('too many')")


def test_cutsFarApartHaveALineEach() -> None:
    """Of long streams only what is beside the cuts is shown, and of long outcomes where they differ."""
    data = bytes(range(65, 91)) * 40

    def read(pieces: Sequence[bytes]) -> bytes:
        return b"x" * 1000 + b"ab"[len(pieces) == 3 and pieces[0][-1:] == b"A" :]

    with pytest.raises(AssertionError) as raised:
        assertSameInAnyPieces(read, data, pairs=2000, seed=1)
    lines = str(raised.value).splitlines()
    assert max(map(len, lines)) < 230
    assert lines[-3].endswith("xab'")
    assert lines[-2].endswith("xb'")
    assert lines[-3][: lines[-1].index("^")] == lines[-2][: lines[-1].index("^")].replace(
        "but came", "expected"
    )
    marked = [(line, mark) for line, mark in pairwise(lines) if mark.strip() == "^"][:2]
    assert marked[0][0][marked[0][1].index("^") - 1] == "A"


def test_whatIsExpectedCanBeSaid() -> None:
    """Then one piece must do it, too."""
    assert assertSameInAnyPieces(b"".join, STREAM, expected=STREAM) == STREAM
    with pytest.raises(AssertionError, match="not what was expected, in one piece"):
        assertSameInAnyPieces(b"".join, STREAM, expected=b"hello")


def test_whatAProtocolDidCanBeObservedOtherwise() -> None:
    def received(protocol: Protocol, transport: TCPTransport) -> int:
        return len(transport.pieces)

    assert assertSameForAnySegmentation(Lines, STREAM, observe=received) == 2


def test_theEndOfThePeersHalfIsGiven() -> None:
    """After the last byte, however the bytes came."""

    class Counter(Protocol):
        count = 0

        def dataReceived(self, data: bytes) -> None:
            self.count += len(data)

        def connectionLost(self, reason: object = None) -> None:
            self.ended = self.count

    def counted(protocol: Counter, transport: TCPTransport) -> int:
        return protocol.ended

    assert assertSameForAnySegmentation(Counter, STREAM, observe=counted, end=True) == len(STREAM)


def test_aProtocolThatAnswersLaterAndPauses(clock: Clock) -> None:
    """It is given its turns, and what waited while it paused; its connections leave no timers."""

    class Later(LineReceiver):
        def lineReceived(self, line: bytes) -> None:
            self.pauseProducing()
            self.answering = clock.callLater(0, self.answer, line)

        def answer(self, line: bytes) -> None:
            self.sendLine(line)
            self.resumeProducing()

    done = assertSameForAnySegmentation(Later, STREAM, clock=clock)
    assert repr(done) == r"wrote b'hello\r\nworld\r\n'"
    with pytest.raises(AssertionError, match="half-closed"):
        assertSameForAnySegmentation(HalfOfTwo, b"ab")


class HalfOfTwo(Protocol):
    """Ends its half after the second piece."""

    pieces = 0

    def dataReceived(self, data: bytes) -> None:
        self.pieces += 1
        if self.pieces == 2:
            self.transport.loseWriteConnection()


def test_whatIsRaisedInOnePieceIsTheCallers() -> None:
    """It is no matter of segmentation."""

    class Broken(Protocol):
        def dataReceived(self, data: bytes) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        assertSameForAnySegmentation(Broken, STREAM)
