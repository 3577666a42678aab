"""
The chat's wire: texts, harmless text, and messages under every segmentation.
"""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.chat.wire import (
    DIALECTS,
    FRAMED,
    LINE,
    PLAIN,
    PLAIN_EXTRAS,
    PROMPT,
    Did,
    Event,
    FramedReader,
    Joined,
    Left,
    LineReader,
    Reader,
    Renamed,
    Said,
    Told,
    clean,
)
from labnet.net.framing import MessageTooLong, TruncatedMessage


@pytest.mark.parametrize(
    ("event", "course", "ours"),
    [
        (Joined("ann"), ["[SERVER] ann joined the chat!"], "[SERVER] ann joined the chat!"),
        (Left("ann"), ["[SERVER] ann left the chat"], "[SERVER] ann left the chat"),
        (Said("ann", "hi"), ["[ann] hi"], "[ann] hi"),
        (Did("ann", "waves"), ["[ann] * waves"], "* ann waves"),
        (Told("no"), ["[SERVER] no"], "[SERVER] no"),
        (
            Renamed("ann", "bob"),
            ["[SERVER] ann left the chat", "[SERVER] bob joined the chat!"],
            "[SERVER] ann is now bob",
        ),
    ],
)
def test_everyEventInEveryDialect(event: Event, course: list[str], ours: str) -> None:
    """The course's words, to the byte, for its clients; for others one line, or a length and its text."""
    assert PLAIN.encode(event) == tuple(text.encode() for text in course)
    assert PLAIN_EXTRAS.encode(event) == (ours.encode(),)
    assert LINE.encode(event) == (ours.encode() + b"\n",)
    assert FRAMED.encode(event) == (len(ours).to_bytes(4, "big") + ours.encode(),)


def test_thePrompt() -> None:
    assert PROMPT.encode() == bytes.fromhex("456e74657220796f757220757365726e616d653a20")
    assert FRAMED.frame(PROMPT)[:4] == bytes([0, 0, 0, 21])


def test_lengthsCountBytes() -> None:
    assert FRAMED.frame("\u00e9") == b"\0\0\0\2\xc3\xa9"


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"hello", "hello"),
        (b"a\tb  ", "a b"),
        (b"  indented", "  indented"),
        ("\u00e9t\u00e9 \u4f60\u597d \U0001f44d".encode(), "\u00e9t\u00e9 \u4f60\u597d \U0001f44d"),
        (b"\x1b[2J\x1b[H", "\u241b[2J\u241b[H"),
        (b"\x1b]0;title\x07", "\u241b]0;title\u2407"),
        (b"\x1b]52;c;aGk=\x07", "\u241b]52;c;aGk=\u2407"),
        ("\x9b31m".encode(), "\\x9b31m"),
        (b"\x9b31m", "\ufffd31m"),
        (b"a\x08b\x7fc\x00d\x07", "a\u2408b\u2421c\u2400d\u2407"),
        (b"a\rb\nc\x0bd\x0ce", "a\u240db\u240ac\u240bd\u240ce"),
        ("a\x85b\u2028c\u2029d".encode(), "a\\x85b\\u2028c\\u2029d"),
        ("\u202eevil\u202c \u2066x\u2069".encode(), "\\u202eevil\\u202c \\u2066x\\u2069"),
        ("a\u200bb\ufeffc\u00add".encode(), "a\\u200bb\\ufeffc\\xadd"),
        ("\U000e0041".encode(), "\\ue0041"),
        (b"\xc0\xaf", "\ufffd\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"\xe2\x82", "\ufffd"),
        (b"%s %n {0} {name.__class__}", "%s %n {0} {name.__class__}"),
    ],
)
def test_harmless(data: bytes, shown: str) -> None:
    assert clean(data) == shown


def test_familiesAndPersianStayWhole() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    persian = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    assert clean(family) == family
    assert clean(persian) == persian


def test_nothingHarmfulIsLeft() -> None:
    """
    Every character there is: no control, no line separator, and of the format characters only the two
    joiners and those that Arabic and its like show as a sign.
    """
    signs = {
        0x200C,
        0x200D,
        *range(0x0600, 0x0606),
        0x06DD,
        0x070F,
        0x0890,
        0x0891,
        0x08E2,
        0x110BD,
        0x110CD,
    }
    left = [
        f"U+{code:04X}"
        for code in range(0x110000)
        if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        and code not in signs
        and clean(f"a{chr(code)}b") == f"a{chr(code)}b"
    ]
    assert left == []


@given(st.binary(max_size=200))
def test_whateverComesIsOneLine(data: bytes) -> None:
    text = clean(data)
    assert len(f"x{text}".splitlines()) == 1
    assert clean(text) == text
    text.encode()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = sorted({place % (len(data) + 1) for place in places})
    return [data[start:end] for start, end in zip([0, *at], [*at, len(data)], strict=True)]


def readAll(reader: Reader, pieces: list[bytes]) -> list[bytes]:
    messages = []
    for piece in pieces:
        reader.feed(piece)
        while (message := reader.next()) is not None:
            messages.append(message)
    return messages


@given(
    st.lists(st.binary(max_size=30).map(lambda data: data.replace(b"\n", b" "))), st.lists(st.integers(0))
)
def test_linesUnderEverySegmentation(messages: list[bytes], places: list[int]) -> None:
    """LF and CRLF; however the stream is cut, the messages are the same and none is lost or doubled."""
    for end in (b"\n", b"\r\n"):
        stream = b"".join(message.rstrip(b"\r") + end for message in messages)
        for reader in (LineReader(100), LineReader(100, pauses=True)):
            read = readAll(reader, cut(stream, places))
            assert read == [message.rstrip(b"\r") for message in messages]
            assert not reader.pending


@given(st.lists(st.binary(max_size=30)), st.lists(st.integers(0)))
def test_lengthsUnderEverySegmentation(messages: list[bytes], places: list[int]) -> None:
    stream = b"".join(len(message).to_bytes(4, "big") + message for message in messages)
    reader = FramedReader(100)
    assert readAll(reader, cut(stream, places)) == messages
    assert not reader.pending
    reader.end()


def test_aMixOfLineEnds() -> None:
    assert readAll(LineReader(100), [b"a\r\nb\nc\r", b"\nd\re\n"]) == [b"a", b"b", b"c", b"d\re"]


def test_silenceEndsAMessageOfThePlainFramingOnly() -> None:
    for dialect, expected in ((PLAIN, b"hal"), (LINE, None), (FRAMED, None)):
        reader = dialect.reader(100)
        reader.feed(b"hal")
        assert reader.next() is None
        assert reader.pending
        reader.pause()
        assert reader.next() == expected
        assert reader.pending is (expected is None)


def test_silenceAfterAWholeMessageIsNoMessage() -> None:
    reader = PLAIN.reader(100)
    assert readAll(reader, [b"one\n"]) == [b"one"]
    reader.pause()
    assert reader.next() is None


def test_theLastLineMayBeWithoutItsEnd() -> None:
    for name in ("plain", "line"):
        reader = DIALECTS[name].reader(100)
        assert readAll(reader, [b"one\ntwo"]) == [b"one"]
        reader.end()
        assert reader.next() == b"two"
        assert reader.next() is None


def test_aLengthWithoutItsMessageIsNone() -> None:
    reader = FramedReader(100)
    assert readAll(reader, [b"\0\0\0\5half"]) == []
    with pytest.raises(TruncatedMessage):
        reader.end()


@pytest.mark.parametrize("tail", [b"", b"\n"])
def test_aLineThatIsTooLong(tail: bytes) -> None:
    """It is found out without its end, and then nothing of it is kept."""
    reader = LineReader(10)
    assert readAll(reader, [b"0123456789\n"]) == [b"0123456789"]
    reader.feed(b"01234567890" + tail)
    with pytest.raises(MessageTooLong):
        reader.next()
    assert not reader.pending


@pytest.mark.parametrize("length", [b"\0\0\0\x0b", b"\xff\xff\xff\xff", b"\x80\0\0\0"])
def test_aLengthThatIsTooLong(length: bytes) -> None:
    """What came before is read first."""
    reader = FramedReader(10)
    reader.feed(b"\0\0\0\2ok" + length + b"x" * 20)
    assert reader.next() == b"ok"
    with pytest.raises(MessageTooLong):
        reader.next()
    reader.feed(b"more")
    with pytest.raises(MessageTooLong):
        reader.next()
