"""
What people and machines are shown of a run.
"""

from __future__ import annotations

import json

from labnet.proxyselftest.client import Trial
from labnet.proxyselftest.report import COLUMNS, LISTED, asJSON, listing, rows, summary, transcript
from labnet.proxyselftest.verdict import Ending, Finding, Outcome, Received
from tests.proxyselftest.world import by

FINDINGS = [
    Finding(by("gzip"), Outcome.THROUGH, "the word arrived", 200),
    Finding(by("br"), Outcome.BLOCKED, "answered 404", 404),
    Finding(by("clean"), Outcome.BROKEN, "nothing came", 0),
]


def test_aSubjectStandsInItsFirstRow() -> None:
    found = rows(FINDINGS)
    assert [row[:3] for row in found] == [
        ("Codings", "gzip", "GOT THROUGH"),
        ("", "br", "blocked"),
        ("Pieces", "clean", "BROKEN"),
    ]
    assert {len(row) for row in found} == {len(COLUMNS)}


def test_theListSaysWhatTheOriginDoes() -> None:
    assert listing([by("br")]) == [("Codings", "br", "brotli")]
    assert LISTED == ("SUBJECT", "SCENARIO", "WHAT THE ORIGIN SENT")


def test_theSummaryCounts() -> None:
    assert summary(FINDINGS) == "3 scenarios: 1 got through, 1 broken, 1 blocked"
    assert summary(FINDINGS[:1]) == "1 scenario: 1 got through"


def test_theObject() -> None:
    given = json.loads(json.dumps(asJSON(FINDINGS, "http://127.0.0.1:8080", "SzamHalo", 1.23456)))
    assert given["counts"] == {
        "got through": 1, "broken": 1, "blocked": 1, "right": 0, "note": 0, "could not tell": 0,
    }  # fmt: skip
    assert (given["proxy"], given["word"], given["seconds"]) == ("http://127.0.0.1:8080", "SzamHalo", 1.235)
    assert given["scenarios"][0] == {
        "subject": "Codings",
        "name": "gzip",
        "line": "gzip",
        "expect": "the word must not get through",
        "outcome": "got through",
        "status": 200,
        "happened": "the word arrived",
    }


def test_aTranscriptHasEverythingAndIsHarmless() -> None:
    """Peer bytes can neither break a line nor colour a terminal; long ones are cut."""
    received = Received(
        (), b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n\x1b[31m" + bytes(5_000), Ending.CLOSED
    )
    trial = Trial(FINDINGS[0], (received,), (b"GET /page HTTP/1.1\r\n\r\n",), (b"x",) * 300)
    lines = transcript(trial).split("\n")
    assert lines[0] == "gzip: got through: the word arrived"
    assert lines[1] == '  the client to the proxy: "GET / HTTP/1.1\\r\\n\\r\\n"'
    assert lines[2] == '  the proxy to the origin: "GET /page HTTP/1.1\\r\\n\\r\\n"'
    assert lines[3:103] == ['  the origin to the proxy: "x"'] * 100
    assert lines[103] == "  the origin to the proxy: 200 pieces more"
    assert lines[104].startswith('  the proxy to the client: "HTTP/1.1 200 OK\\r\\n\\r\\n\\x1b[31m\\x00')
    assert lines[104].endswith('\\x00" and 3024 more')
    assert len(lines) == 105
