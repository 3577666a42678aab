"""
What the echoes hear and say, taken apart.
"""

from __future__ import annotations

from labnet.echo.wire import STREAM_ACK, Frames, Lines, Pieces, Style
from labnet.net.dissection import Field
from labnet.net.framing import LengthPrefixed
from tests.dissections import IN, OUT, dissect, made, rows


def wholes(fields: list[Field]) -> list[tuple[str, str]]:
    return [(field.name, field.value) for field in fields if field.level == 0]


def test_pieces() -> None:
    """Without anything that ends a message, what one read delivered is one."""
    turns = []
    echo = Pieces(Style.PREFIX)
    for piece in (b"hello", b"you"):
        turns += [(IN, piece), *((OUT, answer) for answer in echo.feed(piece))]
    heard, said = dissect(made("echo", "prefix"), turns)
    assert wholes(heard) == [("piece 1", "hello"), ("piece 2", "you")]
    assert rows(said)[:3] == [
        (0, 11, "piece 1", "Echo: hello"),
        (0, 6, "  prefix", "Echo: "),
        (6, 11, "  text", "hello"),
    ]


def test_lines() -> None:
    heard, said = dissect(
        made("echo", "prefix, lines"),
        [(IN, b"a\r\n\nlast"), *((OUT, answer) for answer in Lines(Style.PREFIX).feed(b"a\r\n\n"))],
    )
    assert rows(heard) == [
        (0, 3, "message 1", "a"),
        (1, 3, "  end of line", ""),
        (3, 4, "message 2", ""),
        (3, 4, "  end of line", ""),
        (4, 8, "message 3", "last"),
    ]
    assert wholes(said) == [("answer 1", "Echo: a"), ("answer 2", "Echo: ")]


def test_frames() -> None:
    stream = LengthPrefixed(10).encode(b"hello") + LengthPrefixed(10).encode(b"")
    heard, said = dissect(made("echo", "framed"), [(IN, stream), (OUT, b"".join(Frames().feed(stream)))])
    assert rows(heard) == [
        (0, 9, "message 1", "5 bytes: hello"),
        (0, 4, "  length", "5"),
        (4, 9, "  payload", "hello"),
        (9, 13, "message 2", "0 bytes: "),
        (9, 13, "  length", "0"),
    ]
    assert wholes(said) == [("answer 1", "5 bytes: hello"), ("answer 2", "0 bytes: ")]


def test_aLongFrameIsNotKept() -> None:
    dissector = made("echo", "framed")
    fields = dissector.received((1 << 20).to_bytes(4, "big") + b"x" * (1 << 20))
    assert [len(field.value) < 201 for field in fields] == [True] * 3
    refused = dissector.received((1 << 21).to_bytes(4, "big"))
    assert wholes(refused) == [("not understood", "a length of 2097152, allowed are 0 to 1048576")]


def test_theAcknowledgementIsTheLastWord() -> None:
    _, said = dissect(made("echo", "ack"), [(OUT, STREAM_ACK), (OUT, b"!")])
    assert wholes(said) == [
        ("answer", "Message received!"),
        ("not understood", "the stream goes on, and nothing is expected here"),
    ]


def test_datagrams() -> None:
    dissector = made("echo", "ack", "udp")
    assert wholes(dissector.received(b"hello")) == [("message 1", "hello")]
    assert rows(dissector.written(b"ACK: Message received!")) == [
        (0, 22, "answer 1", "ACK: Message received!"),
        (0, 22, "  acknowledgement", "ACK: Message received!"),
    ]
