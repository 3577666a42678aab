"""
Traces with something in them, for the dashboard's tests.
"""

from __future__ import annotations

import struct

from labnet.net.trace import Bounds, Conversation, Happening, Trace, TransportName

__all__ = ["IN", "OUT", "REPLY", "REQUEST", "begin", "talk", "traced"]

IN = Happening.RECEIVED
OUT = Happening.WRITTEN
REQUEST = struct.pack("<ii1s", 12, 34, b"+")
REPLY = struct.pack("<ii1s", 46, 0, b"R")


def traced(**bounds: int) -> Trace:
    return Trace(Bounds(**bounds))


def begin(
    trace: Trace,
    service: str = "calculator",
    detail: str = "struct9",
    transport: TransportName = "tcp",
    port: int = 9000,
    peer: tuple[str, int] = ("127.0.0.1", 50000),
    at: float = 100.0,
) -> Conversation:
    return trace.begin(service, detail, transport, ("127.0.0.1", port), peer, at)


def talk(trace: Trace, conversation: Conversation, *pieces: tuple[Happening, bytes]) -> None:
    """These pieces, a hundredth of a second apart."""
    at = conversation.openedAt
    for what, data in pieces:
        at += 0.01
        trace.add(conversation, what, at, data)
