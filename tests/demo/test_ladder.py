"""
The ladder of a conversation, and the page of a demonstration around it.
"""

from __future__ import annotations

import re

import pytest

from labnet.demo import onerecv
from labnet.demo.clienttap import DEMONSTRATIONS
from labnet.demo.demonstration import Demonstration, Measured, Report
from labnet.demo.ladder import ladder, lessons
from labnet.demo.presentation import introduced, listed, presented
from labnet.net.trace import Conversation, Happening, Trace

HERE, THERE = ("127.0.0.1", 9_000), ("127.0.0.1", 4_711)


def conversation(*events: tuple[float, Happening, bytes, str]) -> Conversation:
    trace = Trace()
    recorded = trace.begin("test", "", "tcp", HERE, THERE, 100.0)
    for at, what, data, note in events:
        trace.add(recorded, what, 100.0 + at, data, note)
    return recorded


def test_rungs() -> None:
    """Who, when, how many bytes, which: text as text, the rest in hexadecimal; and what was done to it."""
    rungs = ladder(
        conversation(
            (0.0, Happening.RECEIVED, b"GET /\r\n", ""),
            (0.0124, Happening.FAULT, b"", "out: cuts a piece into 2"),
            (0.0125, Happening.WRITTEN, bytes([0xC5]), ""),
            (0.1, Happening.WRITTEN, b"x" * 100, ""),
            (0.2, Happening.PEER_ENDED, b"", ""),
            (0.3, Happening.CLOSED, b"", "FIN from the peer"),
        ),
        "browser",
        "server",
    )
    assert rungs == [
        '     0.0 ms  browser ──   7 ──▶ server  "GET /\\r\\n"',
        "                        fault: out: cuts a piece into 2",
        "    12.5 ms  browser ◀──   1 ── server  c5",
        f'   100.0 ms  browser ◀── 100 ── server  "{"x" * 40}" ...',
        "   200.0 ms  browser ── FIN ──▶ server",
    ]


def test_whatThereIsToNotice() -> None:
    """In words, of messages where the service is known; a few sentences are enough."""
    trace = Trace()
    recorded = trace.begin("calculator", "struct9", "tcp", HERE, THERE, 100.0)
    trace.add(recorded, Happening.RECEIVED, 100.0, bytes.fromhex("0c000000220000002b"))
    for at, piece in ((100.1, bytes.fromhex("2e000000")), (100.2, bytes.fromhex("0000000052"))):
        trace.add(recorded, Happening.WRITTEN, at, piece)
    assert any(sentence.startswith("Reply 1 left in 2 writes") for sentence in lessons(recorded))
    cut = [
        (number / 10, Happening.WRITTEN, bytes([byte]), "") for number, byte in enumerate("ű".encode() * 9)
    ]
    assert 0 < len(lessons(conversation(*cut))) <= 4


def test_whatAPeerWroteDoesNothingToTheTerminal() -> None:
    (rung,) = ladder(conversation((0.0, Happening.RECEIVED, b"\x1b[2J\x07", "")))
    assert rung.endswith("1b 5b 32 4a 07")
    assert "\x1b" not in rung


def test_aLongLadderIsCutInTheMiddle() -> None:
    many = [(number / 1_000, Happening.RECEIVED, b"%d" % number, "") for number in range(100)]
    rungs = ladder(conversation(*many))
    assert len(rungs) == 13
    assert rungs[10].strip() == "... 88 more ..."
    assert rungs[-1].endswith('"99"')


REPORT = Report(
    (
        Measured("one recv", 10, 8, "struct.error: " + "so much " * 20, conversation()),
        Measured("a loop", 10, 0, cure=True),
    ),
    "seed=7; out: cut=3/1ms",
)


def test_thePageHasEverything() -> None:
    """The trouble, the rates, the network, the ladder, what came of it, and both programs as they ran."""
    page = introduced(onerecv.DEMONSTRATION) + presented(onerecv.DEMONSTRATION, REPORT)
    text = "\n".join(page)
    for expected in (
        "one-recv: One recv for one message",
        "one recv  ████████░░  8 of 10 failed",
        "a loop    ░░░░░░░░░░  0 of 10 failed  cured",
        '--faults "seed=7; out: cut=3/1ms"',
        "what came of it: struct.error",
        "    def naive(server: socket.socket) -> int:",
        "    def receive(server: socket.socket, size: int) -> bytes:",
    ):
        assert expected in text
    assert "\x1b" not in text


def test_thePageFitsItsTerminal() -> None:
    code = max(len(line) for line in presented(onerecv.DEMONSTRATION, REPORT) if line.startswith("    "))
    page = presented(onerecv.DEMONSTRATION, REPORT, width=70)
    assert max(map(len, page)) <= max(70, code)
    assert max(len(line) for line in page if not line.startswith("    ")) <= 70


@pytest.mark.parametrize("shown", DEMONSTRATIONS, ids=lambda shown: shown.name)
def test_theCodeFitsATerminal(shown: Demonstration) -> None:
    """It is shown as it ran, and so has to be narrow enough for the usual one."""
    assert max(map(len, presented(shown, REPORT, width=80))) <= 80


def test_coloursChangeNothingElse() -> None:
    plain = presented(onerecv.DEMONSTRATION, REPORT)
    coloured = presented(onerecv.DEMONSTRATION, REPORT, colour=True)
    assert coloured != plain
    assert [re.sub(r"\x1b\[\d*m", "", line) for line in coloured] == plain


def test_whatShowsIsAFailureAndACureWithoutOne() -> None:
    naive, cure = REPORT.measured
    assert REPORT.shows
    assert not Report((cure,)).shows
    assert not Report((naive, Measured("a loop", 10, 1, cure=True))).shows


def test_theListNamesAll() -> None:
    lines = listed(DEMONSTRATIONS)
    assert len(lines) == len(DEMONSTRATIONS) == 6
    assert all(
        shown.name in line and shown.line in line for shown, line in zip(DEMONSTRATIONS, lines, strict=True)
    )
