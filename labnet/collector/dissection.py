"""
What the collector is sent: pieces, which is what it is about.
"""

from __future__ import annotations

from labnet.net.dissection import Dissector, StreamDissector, pieces

__all__ = ["dissector"]


def dissector(detail: str, transport: str) -> Dissector | None:
    """For one connection. The collector answers nothing."""
    return StreamDissector(pieces, None)
