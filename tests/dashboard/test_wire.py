"""
What the page is told: JSON in which nothing of a peer's is anything but text.
"""

from __future__ import annotations

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from labnet.dashboard.wire import addressOf, event, plain, row, serverSent
from labnet.net.dissection import Field
from labnet.net.trace import Event, Happening
from tests.dashboard.traces import IN, OUT, begin, talk, traced


@given(st.text(st.characters(), max_size=60))
def test_aTextIsPrintable(text: str) -> None:
    """Whatever it is, and what was printable stays as it is."""
    shown = plain(text)
    assert shown.isprintable()
    assert shown == text or not text.isprintable()
    shown.encode("utf-8")


def test_directionsAndLineEndsAreEscaped() -> None:
    assert plain("a\u202eb\nc\x1b[31m") == "a\\u202eb\\nc\\x1b[31m"
    assert plain("x" * 400) == "x" * 299 + "…"


def test_addresses() -> None:
    assert addressOf("127.0.0.1", 80) == "127.0.0.1:80"
    assert addressOf("::1", 80) == "[::1]:80"
    assert addressOf("/run/\n", 0) == "/run/\\n"


def test_aRow() -> None:
    trace = traced()
    conversation = begin(trace, detail="net\x07")
    talk(trace, conversation, (IN, b"123"), (IN, b"4"), (OUT, b"12345"))
    trace.add(conversation, Happening.CLOSED, 101.5, note="FIN from the peer")
    assert row(conversation) == {
        "id": 1,
        "service": "calculator",
        "detail": "net\\x07",
        "transport": "tcp",
        "secure": False,
        "outgoing": False,
        "peer": "127.0.0.1:50000",
        "local": "127.0.0.1:9000",
        "opened": 100.0,
        "closed": 101.5,
        "outcome": "FIN from the peer",
        "bytes": [4, 5],
        "pieces": [2, 1],
    }


def test_aPiece() -> None:
    """All bytes there are, as base64, and what they mean."""
    data = bytes(range(256))
    told = event(Event(7, 100.5, IN, data, 300), 9, 2, [Field(9, 13, "a\n", "<b>", 1)], 3)
    assert base64.b64decode(str(told.pop("data"))) == data
    assert told == {
        "n": 7,
        "at": 100.5,
        "what": "received",
        "offset": 9,
        "piece": 2,
        "size": 300,
        "fields": [[9, 13, "a\\n", "<b>", 1]],
        "omitted": 3,
    }
    assert event(Event(1, 100.0, Happening.FAULT, note="cut\r\ninto 3"), 0, 0, []) == {
        "n": 1,
        "at": 100.0,
        "what": "fault",
        "note": "cut\\r\\ninto 3",
    }


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3))
def test_aMessageIsOneLine(message: dict[str, str]) -> None:
    """Neither ends early nor runs into the next; lone surrogates are the only thing that is lost."""
    sent = serverSent(message)
    assert sent.startswith(b"data: ")
    assert sent.endswith(b"\n\n")
    assert b"\n" not in sent[:-2]
    assert b"\r" not in sent
    json.loads(sent[6:])
