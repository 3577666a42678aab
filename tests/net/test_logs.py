"""
What the log says.
"""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger, LogPublisher
from twisted.python.failure import Failure

from labnet.net.logs import Tally, counted, jsonLogObserver, openLog, shown


@given(st.one_of(st.binary(), st.text()))
def test_shownIsPrintableASCII(data: bytes | str) -> None:
    """No control byte, no line end, nothing that colours a terminal, and a bounded length."""
    text = shown(data)
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 60 * 10 + 40


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"abc", '"abc"'),
        (b'a"b\\', r'"a\"b\\"'),
        (b"\x1b[2J\r\n\x00\x9b", r'"\x1b[2J\r\n\x00\x9b"'),
        ("\u202e\ud800", r'"\u202e\ud800"'),
        (b"x" * 70, '"' + "x" * 60 + '" and 10 more'),
        (b"", '""'),
    ],
)
def test_shown(data: bytes | str, text: str) -> None:
    assert shown(data) == text


def logged() -> tuple[Logger, list[LogEvent]]:
    events: list[LogEvent] = []
    return Logger(observer=LogPublisher(events.append)), events


def test_aTallyWritesOneLineForMany(clock: Clock) -> None:
    log, events = logged()
    tally = Tally(log, "things", clock, 10.0)
    for _ in range(1000):
        tally.add("red")
    tally.add("blue")
    clock.advance(9.9)
    assert events == []
    clock.advance(0.2)
    assert [(event["count"], event["reasons"]) for event in events] == [(1001, "1000 red, 1 blue")]
    clock.advance(100)
    assert len(events) == 1
    tally.add("red")
    tally.flush()
    assert [event["count"] for event in events] == [1001, 1]
    assert tally.total == 1002


def test_jsonLines() -> None:
    """One object a line, whatever the values; fields that are no numbers or text are left out."""
    stream = io.StringIO()
    log = Logger("here", observer=LogPublisher(jsonLogObserver(stream)))
    log.info("a {what}", what="line\nwith \x1b", number=3, bad=float("nan"), thing=object(), none=None)
    try:
        raise ValueError("x")
    except ValueError:
        log.failure("bug", Failure())
    first, second = [
        json.loads(line, parse_constant=pytest.fail) for line in stream.getvalue().splitlines()
    ]
    assert first["text"] == "a line\nwith \x1b"
    assert (first["level"], first["source"], first["number"]) == ("info", "here", 3)
    assert (first["none"], first["bad"]) == (None, "nan")
    assert "thing" not in first
    assert "ValueError" in second["failure"]
    assert "\x1b" not in stream.getvalue()


def test_openLog(tmp_path: object) -> None:
    import sys

    assert openLog(None) is sys.stdout
    assert openLog("-") is sys.stdout
    for _ in range(2):
        with openLog(f"{tmp_path}/log") as stream:
            stream.write("line\n")
    with open(f"{tmp_path}/log") as stream:
        assert stream.read() == "line\n" * 2


def test_oneIsNotSeveral() -> None:
    assert [counted(number, "byte") for number in (0, 1, 2)] == ["0 bytes", "1 byte", "2 bytes"]
    assert [counted(number, "reply", "replies") for number in (1, 2)] == ["1 reply", "2 replies"]
