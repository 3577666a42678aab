"""
What the greeting says.
"""

from __future__ import annotations

from labnet.greeting.wire import LONGEST_GREETING
from labnet.net.dissection import Direction, Dissector, Script, StreamDissector, allOf, text

__all__ = ["dissector"]


def dissector(detail: str, transport: str) -> Dissector | None:
    """For one connection. What the client says is not looked at."""
    return StreamDissector(None, _greeting)


def _greeting(direction: Direction) -> Script:
    """It ends where the connection does: nothing else says how long it is."""
    direction.message = "greeting"
    greeting = yield from allOf(direction, LONGEST_GREETING)
    if greeting:
        direction.whole(text(greeting))
