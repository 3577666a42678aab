"""
Escapes, pieces and hexadecimal: what comes out, however the stream goes in.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.netcat.wire import BadEscape, Chopper, EscapedLines, HexDump, unescape

segments = st.lists(st.binary(max_size=40), max_size=20)
sizes = st.lists(st.integers(1, 9), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (rb"plain", b"plain"),
        (rb"\n\r\t\0\\", b"\n\r\t\0\\"),
        (rb"\x00\xff\xAbc", b"\x00\xff\xabc"),
        (rb"\\n", rb"\n"),
        (b"\xc3\xa9\xff", b"\xc3\xa9\xff"),
        (b"", b""),
    ],
)
def test_whatEscapesStandFor(text: bytes, data: bytes) -> None:
    assert unescape(text) == data


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (rb"\q", r"\q"),
        (rb"ok\x", r"\x"),
        (rb"\x1", r"\x1"),
        (rb"\xg0", r"\xg0"),
        (rb"\x+1", r"\x+1"),
        (rb"\x 1", r"\x 1"),
        (b"end\\", "\\"),
        (b"\\\xff", r"\\xff"),
        (b"\\\x1b[2J", r"\\x1b"),
    ],
)
def test_whatIsNoEscape(text: bytes, shown: str) -> None:
    """It is shown as it was written, without what would move a terminal's cursor."""
    with pytest.raises(BadEscape) as caught:
        unescape(text)
    assert str(caught.value) == rf"{shown} is none of \n \r \t \0 \xNN \\"


@given(st.binary(max_size=300))
def test_everythingCanBeWrittenWithEscapes(data: bytes) -> None:
    text = b"".join(rb"\x%02x" % byte for byte in data)
    assert unescape(text) == data


@given(segments)
def test_linesAreTheSameHoweverTheyAreCut(pieces: list[bytes]) -> None:
    """And they are the lines of the whole; what is wrong in one is wrong nowhere else."""

    def told(lines: list[bytes | BadEscape]) -> list[object]:
        return [str(line) if isinstance(line, BadEscape) else line for line in lines]

    whole, cut = EscapedLines(), EscapedLines()
    expected = told(whole.feed(b"".join(pieces)) + whole.end())
    got: list[object] = []
    for piece in pieces:
        got += told(cut.feed(piece))
    assert got + told(cut.end()) == expected


def test_theEndOfALineIsNotSent() -> None:
    lines = EscapedLines()
    assert lines.feed(b"one\r\n\ntwo\\n\nthr") == [b"one", b"", b"two\n"]
    assert lines.end() == [b"thr"]


def test_aLineWithoutAnEndIsNotKept() -> None:
    """Of 10 MiB without a line end one complaint is left, and the next line is whole."""
    lines = EscapedLines()
    for _ in range(160):
        assert lines.feed(bytes(65_536)) == []
    assert len(lines._rest) == EscapedLines.LONGEST
    first, second = lines.feed(b"\nnext\n")
    assert isinstance(first, BadEscape)
    assert str(first) == "a line of more than 65536 bytes"
    assert second == b"next"


@given(segments, sizes)
def test_piecesAreTheSameHoweverTheStreamComes(pieces: list[bytes], sizes: list[int]) -> None:
    chopper = Chopper(sizes)
    got = [piece for data in pieces for piece in chopper.feed(data)]
    whole = all(len(piece) == sizes[turn % len(sizes)] for turn, piece in enumerate(got))
    assert whole
    got += chopper.flush()
    assert b"".join(got) == b"".join(pieces)
    assert not chopper.pending


def test_aFlushedPieceHasHadItsTurn() -> None:
    chopper = Chopper((4, 1))
    assert chopper.feed(b"abcdefg") == [b"abcd", b"e"]
    assert chopper.pending
    assert chopper.flush() == [b"fg"]
    assert chopper.flush() == []
    assert chopper.feed(b"hijkl") == [b"h", b"ijkl"]


@pytest.mark.parametrize("sizes", [(), (0,), (4, -1)])
def test_thereAreNoSuchPieces(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="no pieces of this size"):
        Chopper(sizes)


def test_hexadecimal() -> None:
    dump = HexDump(">")
    assert dump.lines(b"Hello, w\x00rld!\x1b[\xffmore", "0.5 s, ") == (
        b"> 0.5 s, 20 bytes\n"
        b"> 00000000  48 65 6c 6c 6f 2c 20 77  00 72 6c 64 21 1b 5b ff  |Hello, w.rld!.[.|\n"
        b"> 00000010  6d 6f 72 65                                       |more|\n"
    )
    assert dump.lines(b"x") == (
        b"> 1 byte\n> 00000014  78                                                |x|\n"
    )  # fmt: skip
    assert dump.lines(b"") == b"> 0 bytes\n"


@given(st.lists(st.binary(max_size=70), max_size=5))
def test_hexadecimalCanBeReadBack(pieces: list[bytes]) -> None:
    """Every byte is there, in its place, and what is written is printable."""
    dump = HexDump("<")
    text = b"".join(map(dump.lines, pieces))
    assert all(byte == 10 or 32 <= byte < 127 for byte in text)
    rows = [line for line in text.decode().splitlines() if "|" in line]
    assert bytes.fromhex("".join(row[12:60] for row in rows)) == b"".join(pieces)
    at = 0
    for row in rows:
        assert int(row[2:10], 16) == at
        at += len(bytes.fromhex(row[12:60]))
