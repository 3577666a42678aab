"""
Lines in, results out.
"""

from __future__ import annotations

import io
import os
import sys

import pytest
from twisted.internet.testing import StringTransport

from labnet.net.console import Console, Lines


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
    for at in range(0, len(data), size):
        lines.dataReceived(data[at : at + size])
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


def test_sayAndComplain() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err)
    console.say("46")
    console.complain("what")
    assert (out.getvalue(), err.getvalue()) == ("46\n", "what\n")


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
