"""
What is expected is found in any pieces, and what can not become it is told at its first wrong byte.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.check.display import hexadecimal, lines, plain, rows
from labnet.check.evidence import Exhibit, decisive
from labnet.check.expectation import Expectation, Mismatch, aNumber, exactly, matching, oneOf


def found(wanted: Expectation, data: bytes, ended: bool = False) -> int | str | None:
    """What L{Expectation.look} says; for a mismatch its offset, as text."""
    try:
        return wanted.look(data, ended)
    except Mismatch as mismatch:
        return f"at {mismatch.offset}"


def growing(wanted: Expectation, data: bytes) -> list[int | str | None]:
    """What it says byte after byte."""
    return [found(wanted, data[:size]) for size in range(len(data) + 1)]


def test_exactly() -> None:
    assert growing(exactly(b"abc"), b"abcd") == [None, None, None, 3, 3]
    assert growing(exactly(b"abc"), b"abX") == [None, None, None, "at 2"]


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_whatIsTakenIsWhatWasExpected(expected: bytes, came: bytes) -> None:
    taken = found(exactly(expected), came)
    if isinstance(taken, int):
        assert came[:taken] == expected
    elif taken is None:
        assert expected.startswith(came)
    else:
        assert taken == f"at {decisive(expected, came)}"


@pytest.mark.parametrize("text", [b"46", b"46.0", b" 46\n", b"+46", b"4.6e1", b"46."])
def test_aNumberInAnySpelling(text: bytes) -> None:
    assert found(aNumber(46), text) == len(text)


@pytest.mark.parametrize("text", [b"x", b"46 47", b"div by 0", b"\xff", b"1" * 100])
def test_whatIsNoNumber(text: bytes) -> None:
    assert isinstance(found(aNumber(46), text), str)


def test_anotherNumberMayStillGrow() -> None:
    """Until the end: 4 is the beginning of 46."""
    assert found(aNumber(46), b"4") is None
    assert found(aNumber(46), b"4", ended=True) == "at 1"


def test_matching() -> None:
    wanted = matching(rb"OK\d+;", "OK and a number", b"OK1;", limit=10)
    assert growing(wanted, b"OK12;x")[4:] == [None, 5, 5]
    assert isinstance(found(wanted, b"OK" + b"1" * 20), str)
    assert isinstance(found(wanted, b"OK12", ended=True), str)


def test_oneOf() -> None:
    wanted = oneOf(exactly(b"yes"), exactly(b"no"))
    assert growing(wanted, b"no") == [None, None, 2]
    assert found(wanted, b"yex") == "at 2"
    assert wanted.text == "3 bytes or 2 bytes"


# How bytes are shown


@given(st.text(), st.integers(0, 50))
def test_plainTextIsHarmless(text: str, limit: int) -> None:
    shown = plain(text, limit)
    assert shown.isprintable()
    assert shown.isascii() or all(letter.isprintable() for letter in shown)


@pytest.mark.parametrize(
    "evil", ["\x1b[31m", "\x9b31m", "\u202e", "\r\n", "\0", "\ufffe", "\ud800", "\x7f"]
)
def test_nothingColoursATerminalOrBreaksALine(evil: str) -> None:
    assert plain(evil).isascii()
    assert all(line.isprintable() for line in lines(f"a{evil}b\tc"))


def test_bytesAreShownAsTextWhereTheyAreText() -> None:
    assert hexadecimal(b'GET "x"\r\n') == '"GET \\"x\\"\\r\\n"'
    assert hexadecimal(b"\x00\xff") == "00 ff"
    assert hexadecimal(b"ab", 1) == '"a" and 1 more'
    assert hexadecimal(b"") == ""


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_theDecisiveByteIsMarked(expected: bytes, came: bytes) -> None:
    """Once on each side, on that byte, or behind the last one where there is none."""
    offset = decisive(expected, came)
    shown = rows(Exhibit(expected, came, offset))
    for label, data in (("expected", expected), ("came", came)):
        marked = [row for row in shown if row.label == label and row.mark is not None]
        assert len(marked) == 1
        row, mark = marked[0], marked[0].mark
        assert mark is not None
        assert row.offset + mark == offset
        if offset < len(data):
            assert row.digits[mark] == f"{data[offset]:02x}"
        else:
            assert mark == len(row.digits)
