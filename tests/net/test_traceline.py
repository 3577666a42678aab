"""
What a trace looks like, line by line.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.net.trace import Conversation, Happening, Trace
from labnet.net.traceline import TraceLines, excerpt
from labnet.testing import LoggedFailures

HERE, THERE = ("127.0.0.1", 9000), ("127.0.0.1", 40_000)
WHERE = "127.0.0.1:40000, to 127.0.0.1:9000"


class Shown:
    """The lines of a trace, as they come."""

    def __init__(self, lines: TraceLines) -> None:
        self.trace = Trace()
        self.lines: list[str] = []
        self.trace.subscribe(
            lambda conversation, event: self.lines.extend(lines.lines(conversation, event))
        )

    def begin(self, service: str, detail: str = "", **more: object) -> Conversation:
        return self.trace.begin(service, detail, "tcp", HERE, THERE, 1_000.0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "size", "expected"),
    [
        (b"GET /\r\n", 7, r'"GET /\r\n"'),
        ("sz\u00e1m\u0142".encode(), 7, '"sz\u00e1m\u0142"'),
        (b'"\\"', 3, r'"\"\\\""'),
        (b"\x0c\0\0\0+", 5, "0c 00 00 00 2b  |....+|"),
        (b"\x1b[31m", 5, "1b 5b 33 31 6d  |.[31m|"),
        ("\u202e".encode(), 3, "e2 80 ae  |...|"),
        (b"0123456789", 10, '"01234567" and 2 more'),
        (b"012345\xc3\xa1\xc3\xa1", 10, '"012345\u00e1" and 2 more'),
        (b"0123456\xc3\xa1", 9, '"0123456" and 1 more'),
        (b"\xff" * 9, 9, "ff ff ff ff ff ff ff ff  |........| and 1 more"),
        (b"abc", 300, '"abc" and 297 more'),
    ],
)
def test_excerpts(data: bytes, size: int, expected: str) -> None:
    """Text where it is text, and nothing that a terminal would obey."""
    assert excerpt(data, size, 8) == expected


@given(st.binary(max_size=80), st.integers(0, 20))
def test_anExcerptIsOneLine(data: bytes, most: int) -> None:
    """Printable, and bounded, whatever the bytes are."""
    shown = excerpt(data, len(data), most)
    assert shown.isprintable()
    assert len(shown) <= 4 * most + 20


def test_aConversation() -> None:
    """A line for each event, one for what has become whole with it, and one for what to notice."""
    shown = Shown(TraceLines())
    trace, conversation = shown.trace, shown.begin("calculator", "struct9")
    trace.add(conversation, Happening.RECEIVED, 1_000.5, b"\x0c\0\0\0")
    trace.add(conversation, Happening.RECEIVED, 1_001.0, b"\x22\0\0\0+" + b"\x01\0\0\0\x01\0\0\0+")
    trace.add(conversation, Happening.WRITTEN, 1_001.25, b"\x2e\0\0\0\0\0\0\0R")
    trace.add(conversation, Happening.FAULT, 1_002.0, note="held 40 ms")
    trace.add(conversation, Happening.NOTE, 1_002.0, note="something")
    trace.add(conversation, Happening.PEER_ENDED, 1_003.0)
    trace.add(conversation, Happening.WE_ENDED, 1_003.0, note="our half")
    trace.add(conversation, Happening.CLOSED, 1_003.0, note="FIN from the peer")
    assert shown.lines == [
        f"calculator #1   0.0000 - connected from {WHERE}, over TCP, at 00:16:40 UTC",
        "calculator #1   0.5000 < 4 bytes  0c 00 00 00  |....|",
        "calculator #1          = operand a 12",
        'calculator #1   1.0000 < 14 bytes  22 00 00 00 2b 01 00 00 00 01 00 00 00 2b  |"...+........+|',
        "calculator #1          = request 1: 12 + 34 (operand b 34, operator +)",
        "calculator #1          = request 2: 1 + 1 (operand a 1, operand b 1, operator +)",
        "calculator #1          * Request 1 came in 2 pieces in 0.5 s: one message can take several reads.",
        "calculator #1          * One piece had the end of request 1 and the whole of request 2.",
        "calculator #1   1.2500 > 9 bytes  2e 00 00 00 00 00 00 00 52  |........R|",
        "calculator #1          = reply 1: 46 (result 46, unused 0, mark R)",
        "calculator #1          * Reply 1 left in one write. That does not mean that it is read as one.",
        "calculator #1   2.0000 ! fault: held 40 ms",
        "calculator #1   2.0000 - something",
        "calculator #1   3.0000 < FIN: the peer ends its half",
        "calculator #1   3.0000 > we end our half",
        "calculator #1   3.0000 - the end: FIN from the peer; in 18 bytes, 2 pieces; out 9 bytes, 1 piece",
    ]


def test_otherConversations() -> None:
    """One that we made, one over TLS, datagrams, and a service that nobody knows."""
    shown = Shown(TraceLines())
    shown.begin("relay", outgoing=True)
    conversation = shown.begin("", secure=True)
    shown.trace.add(conversation, Happening.PEER_ENDED, 999.0)
    datagrams = shown.trace.begin("mine", "", "udp", ("::1", 9), ("", 0), 1_000.0)
    shown.trace.add(datagrams, Happening.RECEIVED, 1_000.0)
    shown.trace.begin("mine", "", "udp", ("::", 9), ("::1", 8), 1_000.0, outgoing=True)
    assert shown.lines == [
        "relay #1   0.0000 - connected to 127.0.0.1:40000, from 127.0.0.1:9000, over TCP, at 00:16:40 UTC",
        f"tcp #2   0.0000 - connected from {WHERE}, over TCP with TLS, at 00:16:40 UTC",
        "tcp #2   0.0000 < close_notify: the peer ends its half",
        "mine #3   0.0000 - datagrams from nowhere, to [::1]:9, over UDP, at 00:16:40 UTC",
        "mine #3   0.0000 < 0 bytes",
        "mine #3          * A datagram without a byte: UDP can send nothing, and it is a message.",
        "mine #4   0.0000 - datagrams to [::1]:8, from [::]:9, over UDP, at 00:16:40 UTC",
    ]


def test_manyMessagesInOnePiece() -> None:
    """So many are told, and the rest is counted; a long line is cut."""
    shown = Shown(TraceLines())
    conversation = shown.begin("calculator", "struct9")
    shown.trace.add(conversation, Happening.RECEIVED, 1_000.0, b"\x01\0\0\0\x01\0\0\0+" * 20)
    assert len(shown.lines) == 2 + 8 + 2
    assert shown.lines[-2].endswith("= and 12 messages more")
    shown.trace.add(conversation, Happening.RECEIVED, 1_000.0, b"?" * 16_384)
    assert max(map(len, shown.lines)) < 400


def test_aCutPieceKeepsItsPlace() -> None:
    """What was not kept of a piece is counted, so that offsets stay right."""
    shown = Shown(TraceLines(4))
    conversation = shown.begin("calculator", "struct9")
    shown.trace.add(conversation, Happening.RECEIVED, 1_000.0, b"\x01\0\0\0\x01\0\0\0+" * 10_000)
    assert "< 90000 bytes  01 00 00 00  |....| and 89996 more" in shown.lines[1]


def test_aDissectorThatFails(loggedFailures: LoggedFailures) -> None:
    """The bytes are shown all the same, and it is asked no more."""

    class Failing:
        def received(self, data: bytes, missing: int = 0) -> list[object]:
            raise ZeroDivisionError

    shown = Shown(TraceLines(8, lambda *conversation: Failing()))  # type: ignore[arg-type, return-value]
    conversation = shown.begin("mine")
    for _ in range(2):
        shown.trace.add(conversation, Happening.RECEIVED, 1_000.0, b"ab")
    assert shown.lines[1:] == ['mine #1   0.0000 < 2 bytes  "ab"'] * 2
    assert len(loggedFailures.flush(ZeroDivisionError)) == 1
