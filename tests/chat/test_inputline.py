"""
The line one types: keys, lines, and the part of it that is seen.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.chat.inputline import InputLine, width

LEFT, RIGHT, UP, DOWN = b"\x1b[D", b"\x1b[C", b"\x1b[A", b"\x1b[B"


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (b"hello", "hello"),
        ("\u00e9t\u00e9 \u4f60\u597d \U0001f44d".encode(), "\u00e9t\u00e9 \u4f60\u597d \U0001f44d"),
        (b"helo" + LEFT + b"l", "hello"),
        (b"hello" + LEFT * 9 + b"x" + RIGHT * 9 + b"y", "xhelloy"),
        (b"hexllo" + LEFT * 3 + b"\x7f", "hello"),
        (b"hellox\x08", "hello"),
        (b"\x7f\x7fhello", "hello"),
        (b"ello\x01h\x05!", "hello!"),
        (b"ello\x1b[Hh\x1b[F!", "hello!"),
        (b"ello\x1bOHh\x1bOF!", "hello!"),
        (b"ello\x1b[1~h\x1b[4~!", "hello!"),
        (b"hexllo" + LEFT * 4 + b"\x1b[3~", "hello"),
        (b"hexllo" + LEFT * 4 + b"\x04", "hello"),
        (b"hello world" + LEFT * 6 + b"\x0b", "hello"),
        (b"xx hello" + LEFT * 5 + b"\x15", "hello"),
        (b"hello big  world\x17\x17", "hello "),
        (b"a\x02b\x06c", "bac"),
        (b"he\x1b[99;5Xllo\x1bz\x1b[200~!", "hello!"),
        (b"a\x00\x07\x1f\x9bb", "a\ufffdb"),
        (b"a\xffb", "a\ufffdb"),
    ],
)
def test_editing(keys: bytes, line: str) -> None:
    """In one read and byte by byte: a key may come in pieces."""
    assert InputLine().feed(keys + b"\r") == [line]
    typed = InputLine()
    entered = [found for byte in keys + b"\n" for found in typed.feed(bytes([byte]))]
    assert entered == [line]


def test_severalLines() -> None:
    assert InputLine().feed(b"one\ntwo\r\nthree") == ["one", "two", ""]


def test_theEndOfTheInput() -> None:
    """Ctrl-D on an empty line; elsewhere it deletes."""
    line = InputLine()
    assert line.feed(b"\x04") == [None]
    assert line.feed(b"ab\x01\x04\r\x04") == ["b", None]


def test_linesBefore() -> None:
    line = InputLine()
    line.feed(b"one\rtwo\r  \r")
    assert line.feed(UP + b"\r") == ["two"]
    assert line.feed(UP * 3 + b"\r") == ["one"]
    assert line.feed(UP * 9 + b"!\r") == ["one!"]
    assert line.feed(UP + DOWN + b"new\r") == ["new"]


def test_theLinesBeforeAreBounded() -> None:
    line = InputLine()
    for number in range(100):
        line.feed(b"%d\r" % number)
    assert line.feed(UP * 1000 + b"\r") == ["50"]


def test_aLineIsBounded() -> None:
    (entered,) = InputLine().feed(b"x" * 5_000 + b"\r")
    assert entered == "x" * 1_000


@pytest.mark.parametrize(
    ("keys", "columns", "seen"),
    [
        (b"", 10, ("", 0)),
        (b"hello", 10, ("hello", 5)),
        (b"0123456789", 10, ("123456789", 9)),
        (b"0123456789abcdef", 10, ("789abcdef", 9)),
        (b"0123456789abcdef\x01", 10, ("012345678", 0)),
        (b"0123456789" + LEFT * 3, 10, ("012345678", 7)),
        ("\u4f60\u597d\u4f60\u597d\u4f60\u597d".encode(), 6, ("\u4f60\u597d", 4)),
        ("e\u0301e\u0301".encode(), 10, ("e\u0301e\u0301", 2)),
    ],
)
def test_whatIsSeen(keys: bytes, columns: int, seen: tuple[str, int]) -> None:
    line = InputLine()
    line.feed(keys)
    assert line.view(columns) == seen


@given(st.binary(max_size=200), st.integers(2, 30))
def test_whateverIsPressed(keys: bytes, columns: int) -> None:
    """Nothing raises, what is seen fits, and no line has a control character in it."""
    line = InputLine()
    for entered in line.feed(keys):
        assert entered is None or not any(ord(character) < 0x20 for character in entered)
    text, column = line.view(columns)
    assert sum(map(width, text)) <= columns
    assert 0 <= column < columns
