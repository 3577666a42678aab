"""
What goes through a relay: the calculator's requests where it has to know them, and any bytes elsewhere.
"""

from __future__ import annotations

from labnet.calculator import dissection as calculator
from labnet.net.dissection import Dissector

__all__ = ["dissector"]


def dissector(detail: str, transport: str) -> Dissector | None:
    """
    For one client of a relay, or for whom the relay asks.

    @param detail: the profile, then where to; without a profile any bytes are relayed, and there is none.
    """
    return calculator.dissector(detail.partition(" ")[0], transport)
