"""
Lines in, results out.
"""

from __future__ import annotations

import io
import os
import sys
import termios
from pathlib import Path

import pytest
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport

from labnet.net.console import Console, Lines
from labnet.testing import inPieces


def reading() -> tuple[Lines, StringTransport]:
    lines, transport = Lines(), StringTransport()
    lines.makeConnection(transport)
    return lines, transport


def taken(lines: Lines, count: int) -> list[object]:
    got: list[object] = []
    for _ in range(count):
        lines.next().addCallback(got.append)
    return got


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_linesHoweverTheyAreCut(size: int) -> None:
    """LF and CRLF, empty ones, the last without an end, invalid UTF-8; then the end, again and again."""
    lines, _ = reading()
    data = b"one\r\n\ntwo\xff\nthree"
    for piece in inPieces(data, size):
        lines.dataReceived(piece)
    lines.connectionLost()
    assert taken(lines, 6) == ["one", "", "two\ufffd", "three", None, None]


def test_whoWaitsIsTold() -> None:
    lines, _ = reading()
    got = taken(lines, 1)
    assert got == []
    lines.dataReceived(b"late\n")
    assert got == ["late"]


def test_anOverlongLineIsCut() -> None:
    """Memory is bounded, and the reader can see that it was too long; the next line is whole."""
    lines, _ = reading()
    for _ in range(100):
        lines.dataReceived(b"x" * 10_000)
    lines.dataReceived(b"\nnext\n")
    long, following = taken(lines, 2)
    assert len(long) == Lines.LONGEST + 1
    assert following == "next"


def test_aFastFileIsReadOnlyAsFarAsItIsUsed() -> None:
    lines, transport = reading()
    lines.dataReceived(b"x\n" * (Lines.AHEAD + 1))
    assert transport.producerState == "paused"
    taken(lines, Lines.AHEAD)
    assert transport.producerState == "paused"
    taken(lines, 1)
    assert transport.producerState == "producing"


def test_endTellsWhoWaits() -> None:
    lines, _ = reading()
    got = taken(lines, 1)
    lines.end()
    assert got == [None]


class Bytes(Protocol):
    """Keeps what it gets from standard input."""

    def __init__(self) -> None:
        self.got = b""

    def dataReceived(self, data: bytes) -> None:
        self.got += data


def attached(monkeypatch: pytest.MonkeyPatch, *, output: bool = False) -> tuple[Bytes, tuple[int, int]]:
    """A protocol on standard input and output, and the descriptors it was given."""
    given: list[tuple[int, int]] = []

    def standardIO(protocol: Protocol, stdin: int, stdout: int) -> None:
        given.append((stdin, stdout))

    monkeypatch.setattr("labnet.net.console.StandardIO", standardIO)
    protocol = Bytes()
    Console.attach(protocol, output=output)
    return protocol, given[0]


def test_aPipeIsNotMadeNonBlockingForOthers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the descriptor that the protocol has does not block; it is the same pipe."""
    read, write = os.pipe()
    saved = os.dup(0)
    try:
        os.dup2(read, 0)
        _, (stdin, devnull) = attached(monkeypatch)
        os.write(write, b"x")
        assert not os.get_blocking(stdin)
        assert os.get_blocking(0)
        assert os.read(stdin, 10) == b"x"
        assert os.fstat(devnull).st_rdev == os.stat(os.devnull).st_rdev
    finally:
        os.dup2(saved, 0)
        for descriptor in (saved, read, write, stdin, devnull):
            os.close(descriptor)


def test_aFileIsReadFromWhereItIs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Opened anew it would begin from the start: a program before us has read a part of it."""
    tmp_path.joinpath("input").write_bytes(b"read already, rest")
    saved = os.dup(0)
    with tmp_path.joinpath("input").open("rb") as file:
        os.read(file.fileno(), 14)
        try:
            os.dup2(file.fileno(), 0)
            _, (stdin, devnull) = attached(monkeypatch)
            assert os.read(stdin, 100) == b"rest"
        finally:
            os.dup2(saved, 0)
            for descriptor in (saved, stdin, devnull):
                os.close(descriptor)


def test_withoutStandardStreamsThereIsNothingToRead(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the descriptors 0 and 1, which may be anything by now, are left alone."""
    monkeypatch.setattr(sys, "__stdin__", None)
    monkeypatch.setattr(sys, "__stdout__", None)
    _, (stdin, stdout) = attached(monkeypatch, output=True)
    assert os.read(stdin, 10) == b""
    assert os.write(stdout, b"lost") == 4
    os.close(stdin)
    os.close(stdout)


def test_sayAndComplain() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err)
    console.say("46")
    console.complain("what")
    assert (out.getvalue(), err.getvalue()) == ("46\n", "what\n")


def test_onlyATerminalHasAWidth() -> None:
    """As wide as it is now; a pipe and a file take what comes, and so does nobody."""
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as terminal, os.fdopen(master, "rb"):
        termios.tcsetwinsize(terminal.fileno(), (24, 57))
        assert Console(terminal).width == 57
        termios.tcsetwinsize(terminal.fileno(), (0, 0))
        assert Console(terminal).width is None
    assert Console(io.StringIO()).width is None


def test_aBrokenPipe() -> None:
    """Of results it is an error; of complaints there is nobody to tell. Nothing is left in the buffers."""
    for complaint in (False, True):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as stream:
            console = Console(stream, stream)
            if complaint:
                console.complain("x")
            else:
                with pytest.raises(BrokenPipeError):
                    console.say("x")


def test_withoutStreams(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that was started without them."""
    monkeypatch.setattr(sys, "__stdout__", None)
    monkeypatch.setattr(sys, "__stderr__", None)
    console = Console()
    console.say("x")
    console.complain("x")
    console.stopReading()
