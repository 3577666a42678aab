"""
Which conversations are shown: each part of a filter, what it reads from a URL, the newest first.
"""

from __future__ import annotations

import pytest

from labnet.dashboard.selection import EVERYTHING, Selection, newest, whereOf
from labnet.net.trace import Happening
from tests.dashboard.traces import begin, traced


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (EVERYTHING, [3, 2, 1]),
        (Selection(service="echo"), [3, 2]),
        (Selection(service="ech"), []),
        (Selection(where="udp:7007"), [3]),
        (Selection(where="tcp:7007"), [2]),
        (Selection(text="10.0.0.7"), [2]),
        (Selection(text=":50000"), [3, 1]),
        (Selection(text="struct"), [1]),
        (Selection(text="reset"), [1]),
        (Selection(text="#2"), [2]),
        (Selection(text="#"), []),
        (Selection(state="open"), [3, 2]),
        (Selection(state="ended"), [1]),
        (Selection(service="echo", state="ended"), []),
    ],
)
def test_eachPart(selection: Selection, expected: list[int]) -> None:
    trace = traced()
    first = begin(trace)
    begin(trace, "echo", "raw", "tcp", 7007, ("10.0.0.7", 1))
    begin(trace, "echo", "raw", "udp", 7007)
    trace.add(first, Happening.CLOSED, 101.0, note="Reset by the peer")
    found, more = newest(trace.conversations.values(), selection, 10)
    assert [conversation.id for conversation in found] == expected
    assert more == 0


def test_theNewestFirstAndTheRestCounted() -> None:
    trace = traced()
    for _ in range(7):
        begin(trace)
    begin(trace, "echo")
    found, more = newest(trace.conversations.values(), Selection(service="calculator"), 3)
    assert [conversation.id for conversation in found] == [7, 6, 5]
    assert more == 4


def test_fromAURL() -> None:
    """What it does not know is left out, and nothing is too long."""
    assert Selection.read({}) == EVERYTHING
    given = {
        b"service": [b"echo", b"web"],
        b"where": [b"tcp:1"],
        b"text": [b" ReSet "],
        b"state": [b"open"],
    }
    assert Selection.read(given) == Selection("echo", "tcp:1", "reset", "open")
    assert Selection.read({b"state": [b"?"], b"text": [b"\xff"], b"service": []}) == Selection(
        text="\ufffd"
    )
    assert len(Selection.read({b"text": [b"x" * 1_000]}).text) == 100


def test_aUnixSocketIsKnownByItsPath() -> None:
    assert whereOf("unix", ("/run/x", 0)) == "unix:/run/x"
    assert whereOf("tcp", ("127.0.0.1", 9000)) == "tcp:9000"
