"""
What a person sees of an answer, line by line, and when it was.
"""

from __future__ import annotations

import pytest

from labnet.proxy.wire import BadMessage
from labnet.web.events import (
    Asking,
    Closed,
    Connected,
    Connecting,
    Ended,
    Event,
    HeadEnded,
    LookedUp,
    LookingUp,
    NotConnected,
    Received,
    RequestBegan,
    RequestSent,
    Secured,
    TunnelReady,
)
from labnet.web.response import ResponseReader
from labnet.web.timing import Phase, Timing
from labnet.web.trace import Trace, timetable


def traced(pieces: list[bytes], most: int = 12, width: int = 60) -> list[str]:
    """The lines that tell of these pieces, each a tenth of a second after the last."""
    trace, reader = Trace(width, most), ResponseReader(b"GET")
    lines: list[str] = []
    try:
        for number, piece in enumerate(pieces, 1):
            lines += trace.lines(number / 10, Received(piece))
            for told in reader.feed(piece):
                lines += trace.lines(number / 10, told)
        for told in reader.finish():
            lines += trace.lines(len(pieces) / 10, told)
    except BadMessage:
        pass
    return lines


def test_aWholeConversation() -> None:
    trace = Trace(60)
    events: list[tuple[float, Event]] = [
        (0.0, Asking("http://localhost/")),
        (0.0, LookingUp("localhost")),
        (0.001, LookedUp("localhost", ("::1", "127.0.0.1"))),
        (0.001, Connecting("[::1]:80")),
        (0.002, NotConnected("[::1]:80", "connection refused")),
        (0.003, Connected("tcp:127.0.0.1:9", "tcp:127.0.0.1:80")),
        (0.004, Secured("TLSv1.3", "AES", True)),
        (0.005, RequestBegan(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 7)),
        (1234.5, RequestSent(34)),
        (1234.5, TunnelReady("a:443")),
        (1234.5, Closed("the server closed the connection")),
    ]
    lines = [line for seconds, event in events for line in trace.lines(seconds, event)]
    assert "\n".join(lines) == (
        "   0.000 s === http://localhost/\n"
        "   0.000 s --- looking up localhost\n"
        "   0.001 s --- localhost is ::1, 127.0.0.1\n"
        "   0.001 s --- connecting to [::1]:80\n"
        "   0.002 s --- not connected to [::1]:80: connection refused\n"
        "   0.003 s --- connected, from tcp:127.0.0.1:9 to\n"
        "               tcp:127.0.0.1:80\n"
        "   0.004 s --- TLS is agreed on: TLSv1.3, AES\n"
        "           --- the certificate is good, and the host's\n"
        "   0.005 s >>> request, then 7 bytes of body\n"
        "           > GET / HTTP/1.1\n"
        "           > Host: a\n"
        "           >\n"
        "1234.500 s --- request sent, 34 bytes\n"
        "1234.500 s --- the proxy has made a tunnel to a:443\n"
        "1234.500 s --- the server closed the connection; 0 bytes\n"
        "               received in 0 pieces"
    )


def test_piecesHeadsAndChunks() -> None:
    """A line that the piece cuts is gone on with after a colon."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert "\n".join(traced([head[:20], head[20:] + b"5\r\nhe", b"llo\r\n0\r\nT: u\r\n\r\n"])) == (
        "   0.100 s <<< piece 1, 20 bytes\n"
        "      head < HTTP/1.1 200 OK\n"
        "           < Tra\n"
        "   0.200 s <<< piece 2, 32 bytes\n"
        "      head : nsfer-Encoding: chunked\n"
        "           <\n"
        "           --- head complete, 47 bytes\n"
        "           --- chunked: the body ends with its last chunk\n"
        '           --- a chunk of 5 bytes: "5"\n'
        "      body < he\n"
        "   0.300 s <<< piece 3, 16 bytes\n"
        "      body : llo\n"
        "           --- end of the chunk of 5 bytes\n"
        '           --- the last chunk: "0"\n'
        "           --- trailers:\n"
        "           < T: u\n"
        "   0.300 s --- body complete, 5 bytes; known by the last\n"
        "               chunk"
    )


@pytest.mark.parametrize(
    ("stream", "line"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
            "body complete, 1 byte; known by its Content-Length",
        ),
        (b"HTTP/1.0 200 OK\r\n\r\na", "known by the end of the connection alone"),
        (b"HTTP/1.1 204 No\r\n\r\n", "answer complete, without a body"),
    ],
)
def test_itSaysHowTheEndWasKnown(stream: bytes, line: str) -> None:
    assert line in traced([stream], width=200)[-1]


def test_whatDoesSomethingToATerminalIsAnEscape() -> None:
    lines = traced([b"HTTP/1.0 200 OK\r\n\r\n\x1b[2Jred\x07 \xff \xe2\x80\xae\r\n"])
    assert "      body < \\x1b[2Jred\\x07 \\xff \\u202e" in lines
    assert all(line.isprintable() for line in lines)


def test_longLinesAreFoldedAndLongPiecesCut() -> None:
    body = b"x" * 100 + b"\n" + b"line\n" * 20
    lines = traced([b"HTTP/1.0 200 OK\r\n\r\n" + body], most=5)
    assert lines[6:12] == [
        "      body < " + "x" * 47,
        "           : " + "x" * 47,
        "           : " + "x" * 6,
        "           < line",
        "           < line",
        "           < ... 18 more lines of this piece",
    ]
    assert sum("line" in line for line in traced([b"HTTP/1.0 200 OK\r\n\r\n" + body], most=0)) == 20
    assert max(map(len, lines)) <= 60


def test_whatIsNotUnderstoodIsShown() -> None:
    assert traced([b"SSH-2.0\n"]) == ["   0.100 s <<< piece 1, 8 bytes", "        ?? < SSH-2.0"]


def test_whatFollowsTheEndIsShown() -> None:
    lines = traced([b"HTTP/1.1 204 No\r\n\r\nmore"], width=80)
    assert lines[-2:] == [
        "   0.100 s !!! the server goes on after the end of the body: 4 bytes more",
        "      more < more",
    ]


HEAD_ENDED = next(
    event
    for event in ResponseReader(b"GET").feed(b"HTTP/1.0 200 OK\r\n\r\n")
    if isinstance(event, HeadEnded)
)


def test_phasesFollowEachOther() -> None:
    timing = Timing()
    connected = Connected("a", "b")
    for seconds, event in [
        (1.0, Asking("u")),
        (1.5, LookedUp("h", ("1",))),
        (2.0, connected),
        (2.25, Received(b"x")),
        (2.25, RequestSent(1)),
        (2.5, Received(b"y")),
        (3.0, HEAD_ENDED),
        (5.0, Ended(HEAD_ENDED.end, 1)),
    ]:
        timing.note(seconds, event)
    assert timing.phases == (
        Phase("look-up", 1.0, 1.5),
        Phase("connect", 1.5, 2.0),
        Phase("request sent", 2.0, 2.25),
        Phase("first byte", 2.25, 2.25),
        Phase("head complete", 2.25, 3.0),
        Phase("whole body", 3.0, 5.0),
    )
    assert timing.total == 4.0


def test_aTunnelIsAPhaseOfItsOwn() -> None:
    timing = Timing()
    for seconds, event in [
        (1.0, Connected("a", "b")),
        (2.0, Received(b"x")),
        (2.0, HEAD_ENDED),
        (2.0, TunnelReady("c:443")),
        (3.0, Secured("v", "c", True)),
        (4.0, Received(b"y")),
    ]:
        timing.note(seconds, event)
    assert [(phase.name, phase.ended) for phase in timing.phases] == [
        ("connect", 1.0),
        ("tunnel", 2.0),
        ("TLS", 3.0),
        ("first byte", 4.0),
    ]


def test_anotherPlaceIsTimedAnew() -> None:
    timing = Timing()
    timing.note(1.0, Connected("a", "b"))
    timing.note(2.0, Asking("u"))
    assert (timing.phases, timing.total) == ((), 0.0)
    assert timetable(timing) == []
    timing.note(3.0, Connected("a", "b"))
    assert timing.phases == (Phase("connect", 2.0, 3.0),)


def test_theTimetable() -> None:
    timing = Timing()
    timing.note(1.0, Connected("a", "b"))
    timing.note(1.0001, RequestSent(1))
    timing.note(2.0, HEAD_ENDED)
    assert timetable(timing, 61) == [
        "phase                took       until",
        "connect         1000.0 ms   1000.0 ms  ==========",
        "request sent       0.1 ms   1000.1 ms            =",
        "head complete    999.9 ms   2000.0 ms            ==========",
    ]
