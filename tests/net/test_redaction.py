"""
What is hidden in a trace, in however many pieces it comes.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.net.redaction import LOOK_BEHIND, BadExpression, Redaction

HEAD = (
    b"GET / HTTP/1.1\r\nHost: a\r\nCookie: id=secret; b\r\nauthorization : Basic c2VjcmV0\r\n"
    b"X-Cookie: seen\r\nSet-Cookie: secret\r\n\tsecret\r\n \r\nAccept: */*\r\n\r\nCookie"
)
HIDDEN = (
    b"GET / HTTP/1.1\r\nHost: a\r\nCookie: ********** *\r\nauthorization : ***** ********\r\n"
    b"X-Cookie: seen\r\nSet-Cookie: ******\r\n\t******\r\n \r\nAccept: */*\r\n\r\nCookie"
)


def hidden(redaction: Redaction, pieces: list[bytes], most: int = 1 << 20) -> list[bytes]:
    hiding = redaction.begin()
    return [hiding.hide(piece, most)[0] for piece in pieces]


@given(st.lists(st.integers(0, len(HEAD)), max_size=12))
def test_fieldsInAnyPieces(cuts: list[int]) -> None:
    """Values are hidden to the last byte, with the lines that go on with them, and nothing else is."""
    at = [0, *sorted(cuts), len(HEAD)]
    pieces = [HEAD[start:end] for start, end in pairwise(at) if start < end]
    assert b"".join(hidden(Redaction(), pieces)) == HIDDEN


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_anyBytesKeepTheirLength(pieces: list[bytes]) -> None:
    """Nothing raises, and nothing becomes longer or shorter."""
    redaction = Redaction.of([r"\w+", "a(b)?", ""])
    assert [len(piece) for piece in hidden(redaction, pieces)] == [len(piece) for piece in pieces]


@pytest.mark.parametrize("between", [b"x" * 5_000, b"line\n" * 1_000, b"\r\n", b"Cookie:" + b"\n a" * 500])
def test_whatIsNotKeptIsReadAllTheSame(between: bytes) -> None:
    """A field that begins in the cut end of a piece is hidden in the next."""
    piece = b"POST /\r\n" + between + b"\nCookie: sec"
    assert hidden(Redaction(), [piece, b"ret\r\nB: 1\r\n"], 8) == [b"POST /\r\n", b"***\r\nB: "]


def test_expressions() -> None:
    """Groups are hidden, or everything where there is none."""
    redaction = Redaction.of([r"pass=(\w+)", "h.llo"], fields=())
    assert hidden(redaction, [b"hello pass=abc Cookie: 1"]) == [b"***** pass=*** Cookie: 1"]
    assert hidden(redaction, [b"pass=ab", b"cd e"]) == [b"pass=**", b"** e"]


def test_whatWasBeforeIsNamed() -> None:
    """The part of a secret that has gone by is told, from where to where before this piece."""
    hiding = Redaction.of([r"\d{4}"]).begin()
    assert hiding.hide(b"a12", 10) == (b"a12", [])
    assert hiding.hide(b"34b", 10) == (b"**b", [(2, 0)])


def test_lookingBehindIsBounded() -> None:
    """So far, and no farther."""
    hiding = Redaction.of(["a+b"]).begin()
    hiding.hide(b"a" * 10_000, 100_000)
    assert hiding.hide(b"b", 10) == (b"*", [(LOOK_BEHIND, 0)])


def test_nothingToHide() -> None:
    """It is false then, and a mistaken expression is told in one line."""
    assert not Redaction(())
    assert Redaction()
    with pytest.raises(BadExpression, match=r"'\('.*unterminated"):
        Redaction.of(["("])
