"""
Reports: rows, sums, JSON; and that a scanned host can write nothing into them.
"""

from __future__ import annotations

import json
from ipaddress import ip_address

from labnet.scan.report import asJSON, heading, rows, summary
from labnet.scan.verdict import ScannedHost, Verdict
from labnet.scan.wire import Identity
from tests.scan.network import host

HOSTILE = b'\x1b[2J\x1b]52;c;eA==\x07\r\n22  open  connected  ssh\x9b31m"}]\xe2\x80\xae'


def named(port: int) -> str:
    return {22: "ssh", 80: "http"}.get(port, "")


def scanned() -> ScannedHost:
    found = host(22, 80, 443, 8000, 9000)
    found.verdicts[:] = [Verdict.CONNECTED, Verdict.REFUSED, Verdict.NO_ANSWER, Verdict.RESET,
                         Verdict.HOST_UNREACHABLE]  # fmt: skip
    return found


def test_openAndFilteredPortsHaveRows() -> None:
    assert [row[:4] for row in rows(scanned(), named, {})] == [
        ("22", "open", "connected", "ssh"),
        ("443", "filtered", "no answer", ""),
        ("8000", "open", "connected, then reset", ""),
        ("9000", "filtered", "host unreachable", ""),
    ]


def test_manyFilteredPortsAreSummedUp() -> None:
    found = host(*range(1, 101))
    found.verdicts[:] = bytes([Verdict.CONNECTED] + [Verdict.NO_ANSWER] * 99)
    assert len(rows(found, named, {})) == 1
    assert summary(found) == "1 open (connected), 99 filtered (no answer)"


def test_aHostIsHeadedByWhatWasAskedFor() -> None:
    assert heading(host(1)) == "10.0.0.1"
    assert heading(ScannedHost("printer", ip_address("10.0.0.9"), (1,))) == "printer (10.0.0.9)"


def test_theObject() -> None:
    who = {(ip_address("10.0.0.1"), 22): Identity("ssh", "", (b"SSH-2.0-x",))}
    assert asJSON([scanned()], named, who, seconds=1.23456, attempts=9) == {
        "hosts": [
            {
                "target": "10.0.0.1",
                "address": "10.0.0.1",
                "open": [
                    {
                        "port": 22,
                        "reason": "connected",
                        "service": "ssh",
                        "answers": {"service": "ssh", "detail": "", "said": ['"SSH-2.0-x"']},
                    },
                    {"port": 8000, "reason": "connected, then reset", "service": ""},
                ],
                "closed": {"refused": "80"},
                "filtered": {"no answer": "443", "host unreachable": "9000"},
            }
        ],
        "seconds": 1.235,
        "attempts": 9,
    }


def test_aScannedHostWritesNothingIntoTheReport() -> None:
    """Neither an escape sequence, nor another line, nor more than a few characters."""
    who = {(ip_address("10.0.0.1"), 22): Identity("unknown", said=(HOSTILE * 50,))}
    cells = [cell for row in rows(scanned(), named, who) for cell in row]
    text = json.dumps(asJSON([scanned()], named, who, seconds=1.0, attempts=1))
    assert all(cell.isascii() and cell.isprintable() for cell in cells)
    assert text.isascii()
    assert text.isprintable()
    assert "\\u001b" not in text
    assert max(map(len, cells)) < 400
