"""
A copy: one run of bytes, up to the end of the stream.
"""

from __future__ import annotations

from functools import partial

from labnet.net.dissection import Dissector, StreamDissector, counted

__all__ = ["dissector"]


def dissector(detail: str, transport: str) -> Dissector | None:
    """For one copy. The server answers nothing."""
    return StreamDissector(partial(counted, "file"), None)
