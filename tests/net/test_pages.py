"""
The pages about framing and datagrams are true.
"""

from __future__ import annotations

import re

from labnet.net.framing import LengthPrefixed
from labnet.net.limits import DatagramLimits
from tests.documents import ROOT, blocks

PROTOCOLS = ROOT / "docs" / "protocols"


def test_theExampleOfFraming() -> None:
    (example,) = [block for block in blocks(PROTOCOLS / "framing.md") if block.language == "python"]
    exec(compile(example.text, "framing.md", "exec"), {})


def test_theBytesOfFraming() -> None:
    text = (PROTOCOLS / "framing.md").read_text("utf-8")
    shown = [
        bytes.fromhex(match) for match in re.findall(r"^    ((?:[0-9a-f]{2} +)+) ", text, re.MULTILINE)
    ]
    assert shown == [LengthPrefixed(9).encode(b"hello"), LengthPrefixed(9).encode(b"")]


def test_everyReasonToDropADatagramIsOnThePage() -> None:
    source = (ROOT / "labnet" / "net" / "datagram.py").read_text("utf-8")
    page = (PROTOCOLS / "datagrams.md").read_text("utf-8")
    reasons = re.findall(r'(?:self\.drop\(|return )"([^"]+)"', source)
    assert len(reasons) == 6
    for reason in reasons:
        assert f"| `{reason}` |" in page


def test_theNumbersOnThePageAreTheDefaults() -> None:
    page = (PROTOCOLS / "datagrams.md").read_text("utf-8")
    limits = DatagramLimits()
    for number in (limits.perSource, limits.total, limits.sources):
        assert f"{number:,.0f}" in page
