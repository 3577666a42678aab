"""
The echo's bytes: every style, however the stream is cut.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.echo.wire import (
    DATAGRAM_ACK,
    LONGEST_FRAME,
    LONGEST_LINE,
    PREFIX,
    STREAM_ACK,
    Echo,
    Frames,
    LineReader,
    Lines,
    Pieces,
    Style,
    answers,
    datagramAnswer,
    upper,
)
from labnet.testing import inPieces

#: Text with letters of one to four bytes, one that grows in upper case, and what is no UTF-8.
HARD = "aß é ŉ ΐ 語 𐐨z".encode() + b"\xc0\xaf \xed\xa0\x80 \xe2\x82 \xff"


def cuts(data: bytes, points: Iterable[int]) -> list[bytes]:
    """C{data} cut at some points."""
    places = sorted({0, len(data), *(point % (len(data) + 1) for point in points)})
    return [data[start:end] for start, end in pairwise(places)]


def said(echo: Echo, pieces: Iterable[bytes]) -> list[bytes]:
    """All that an echo says to a stream of these pieces."""
    replies = [reply for piece in pieces for reply in echo.feed(piece)]
    return replies + echo.end()


# A piece for each read


def test_eachStyleAnswersWhatEachReadDelivered() -> None:
    pieces = [b"one", b"two\n"]
    assert said(Pieces(Style.PREFIX), pieces) == [b"Echo: one", b"Echo: two\n"]
    assert said(Pieces(Style.UPPER), pieces) == [b"ONE", b"TWO\n"]
    assert said(Pieces(Style.ACK), pieces) == [b"Message received!"]
    assert said(Pieces(Style.RAW), pieces) == pieces


def test_anAcknowledgementIsTheLastWord() -> None:
    echo = Pieces(Style.ACK)
    assert not echo.over
    assert echo.feed(b"x") == [STREAM_ACK]
    assert echo.over
    assert echo.feed(b"more") == []


@pytest.mark.parametrize("at", range(len(HARD) + 1))
def test_upperInTwoPieces(at: int) -> None:
    """Wherever the stream is cut, also within a character, the upper case is that of the whole."""
    assert b"".join(said(Pieces(Style.UPPER), [HARD[:at], HARD[at:]])) == upper(HARD)


def test_upperByteByByte() -> None:
    echo = Pieces(Style.UPPER)
    assert b"".join(said(echo, inPieces(HARD, 1))) == upper(HARD)


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)))
def test_upperOfAnythingInAnyPieces(data: bytes, points: list[int]) -> None:
    assert b"".join(said(Pieces(Style.UPPER), cuts(data, points))) == upper(data)


@given(st.text(max_size=40))
def test_upperOfTextIsPythons(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    if not any(0xD800 <= ord(letter) < 0xE000 for letter in text):
        assert upper(data).decode() == text.upper()


def test_whatIsNoTextPassesThrough() -> None:
    """Overlong forms, surrogates, cut sequences, NUL: the same bytes come out, in the same places."""
    bad = b"\x00\xc0\xaf\xed\xa0\x80\xff\xe2\x82"
    assert upper(b"a" + bad + b"b") == b"A" + bad + b"B"
    assert b"".join(said(Pieces(Style.UPPER), [b"a" + bad])) == b"A" + bad


def test_aCutCharacterIsHeldUntilItIsWhole() -> None:
    """Held are at most three bytes, and they come when the stream ends without the rest."""
    echo = Pieces(Style.UPPER)
    assert echo.feed(b"a\xc3") == [b"A"]
    assert echo.pending
    assert echo.feed(b"\xa9") == ["É".encode()]
    assert not echo.pending
    assert echo.feed(b"\xf0\x90\x90") == []
    assert echo.end() == [b"\xf0\x90\x90"]
    assert not echo.pending


# Lines


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_aLineEndsAsItCame(ending: bytes) -> None:
    stream = b"one" + ending + ending + b"two" + ending
    assert said(Lines(Style.RAW), [stream]) == [b"one" + ending, ending, b"two" + ending]
    assert said(Lines(Style.PREFIX), [stream])[0] == b"Echo: one" + ending
    assert said(Lines(Style.UPPER), [stream])[2] == b"TWO" + ending
    assert said(Lines(Style.ACK), [stream]) == [STREAM_ACK + ending]


def test_aLastLineNeedsNoEnd() -> None:
    echo = Lines(Style.PREFIX)
    assert echo.feed(b"one\ntwo") == [b"Echo: one\n"]
    assert echo.pending
    assert echo.end() == [b"Echo: two"]
    assert said(Lines(Style.RAW), [b"one\n"]) == [b"one\n"]


@given(st.lists(st.binary(max_size=9)), st.lists(st.integers(0, 90)), st.sampled_from(Style))
def test_linesInAnyPieces(lines: list[bytes], points: list[int], style: Style) -> None:
    stream = b"\n".join(lines)
    assert said(Lines(style), cuts(stream, points)) == said(Lines(style), [stream])


def test_lineReaderIsPythonsSplit() -> None:
    """NULs and CRs in a line are a part of it."""
    reader = LineReader()
    assert reader.feed(b"a\rb\0\r\n\r\r\n\n") == [(b"a\rb\0", b"\r\n"), (b"\r", b"\r\n"), (b"", b"\n")]


@pytest.mark.parametrize("size", [1, 100, 1 << 20])
def test_aLineThatNeverEnds(size: int) -> None:
    """It is given up at the limit: what is kept is bounded, and nothing more is answered."""
    echo = Lines(Style.RAW, longest=1000)
    fed = 0
    while not echo.problem:
        assert echo.feed(b"x" * size) == []
        fed += size
        assert fed <= 1000 + size + 1
    assert echo.problem == "a line of more than 1000 bytes"
    assert not echo.pending
    assert echo.feed(b"short\n") == []
    assert echo.end() == []


def test_theLongestLine() -> None:
    longest = b"x" * LONGEST_LINE
    for ending in (b"\n", b"\r\n"):
        assert said(Lines(Style.RAW), [longest, ending]) == [longest + ending]
        echo = Lines(Style.RAW)
        assert echo.feed(b"ok\n" + longest + b"x" + ending) == [b"ok\n"]
        assert echo.problem


# Lengths in front


def frame(payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + payload


@given(st.lists(st.binary(max_size=9)), st.lists(st.integers(0, 90)))
def test_framesInAnyPieces(payloads: list[bytes], points: list[int]) -> None:
    frames = [frame(payload) for payload in payloads]
    assert said(Frames(), cuts(b"".join(frames), points)) == frames


def test_theLongestFrame() -> None:
    """1 MiB is answered; one byte more is refused by its length alone, after what came before it."""
    longest = frame(b"x" * LONGEST_FRAME)
    assert said(Frames(), [longest]) == [longest]
    echo = Frames()
    assert echo.feed(frame(b"ok") + struct.pack(">I", LONGEST_FRAME + 1)) == [frame(b"ok")]
    assert "length 1048577" in echo.problem
    assert echo.feed(frame(b"ok")) == []


@pytest.mark.parametrize("length", [LONGEST_FRAME + 1, 2**31, 2**32 - 1])
def test_aLengthThatLies(length: int) -> None:
    echo = Frames()
    assert echo.feed(struct.pack(">I", length)) == []
    assert str(length) in echo.problem
    assert not echo.pending


# Datagrams


def test_eachStyleAnswersADatagram() -> None:
    assert datagramAnswer(Style.PREFIX)(b"hello") == b"Echo: hello"
    assert datagramAnswer(Style.UPPER)("héllo".encode()) == "HÉLLO".encode()
    assert datagramAnswer(Style.ACK)(b"hello") == b"ACK: Message received!"
    assert datagramAnswer(Style.RAW)(b"hello\0\xff") == b"hello\0\xff"
    assert datagramAnswer(Style.PREFIX)(b"") == b"Echo: "
    assert datagramAnswer(Style.RAW)(b"") == b""


def test_anAnswerOfItsOwnIsNotAnswered() -> None:
    """Nor is it in another case, as an echo in upper case returns it."""
    for own in (b"Echo: x", b"ECHO: X", b"echo: ", PREFIX):
        assert datagramAnswer(Style.PREFIX)(own) is None
    for own in (DATAGRAM_ACK, DATAGRAM_ACK.upper(), b"Echo: " + DATAGRAM_ACK, DATAGRAM_ACK + b"\n"):
        assert datagramAnswer(Style.ACK)(own) is None
    assert datagramAnswer(Style.PREFIX)(b"I said Echo: x") == b"Echo: I said Echo: x"
    assert datagramAnswer(Style.ACK)(b"ACK") == DATAGRAM_ACK


@given(st.text(max_size=20).map(str.encode) | st.binary(max_size=20), st.sampled_from(Style))
def test_noAnswerAmplifies(datagram: bytes, style: Style) -> None:
    """An answer is not longer than its datagram, but for the six bytes and the text of the course."""
    answer = datagramAnswer(style)(datagram) or b""
    allowance = {Style.PREFIX: len(PREFIX), Style.ACK: len(DATAGRAM_ACK)}.get(style, 0)
    assert len(answer) <= len(datagram) + allowance


def test_lettersThatGrowStaySmallInADatagram() -> None:
    """Unless what others lose makes up for it."""
    assert datagramAnswer(Style.UPPER)("aΐb".encode()) == "AΐB".encode()
    assert datagramAnswer(Style.UPPER)("ß".encode()) == b"SS"
    assert datagramAnswer(Style.UPPER)(b"\xffa" + "ΐ".encode()) == b"\xffA" + "ΐ".encode()


def test_whatTheStylesSay() -> None:
    assert answers(b"hi") == {b"hi", b"HI", b"Echo: hi", b"Message received!"}
