"""
What the small services say, and what discard is sent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from itertools import count

from labnet.classic.wire import LONGEST_QUOTE, secondsSince1970
from labnet.net.dissection import Direction, Dissector, Script, StreamDissector, allOf, counted, text
from labnet.net.wants import Exactly, Line

__all__ = ["dissector"]


def dissector(detail: str, transport: str) -> Dissector | None:
    """
    For one connection.

    @param detail: which of the services.
    """
    match detail:
        case "discard":
            return StreamDissector(partial(counted, "input"), None)
        case "daytime":
            return StreamDissector(None, _daytime)
        case "qotd":
            return StreamDissector(None, _quote)
        case "chargen":
            return StreamDissector(None, _noise)
        case "time":
            return StreamDissector(None, _time)
    return None


def _daytime(direction: Direction) -> Script:
    direction.message = "date and time"
    line = yield Line()
    direction.whole(text(line.rstrip()))


def _quote(direction: Direction) -> Script:
    """It ends where the connection does."""
    direction.message = "quote"
    quote = yield from allOf(direction, LONGEST_QUOTE)
    if quote:
        direction.whole(text(quote.rstrip()))


def _noise(direction: Direction) -> Script:
    for number in count(1):
        direction.message = f"line {number}"
        line = yield Line()
        direction.whole(text(line.rstrip(b"\r\n")))


def _time(direction: Direction) -> Script:
    direction.message = "seconds since 1900"
    data = yield Exactly(4)
    seconds = int.from_bytes(data, "big")
    moment = datetime.fromtimestamp(secondsSince1970(seconds), UTC)
    direction.whole(f"{seconds}: {moment:%Y-%m-%d %H:%M:%S} UTC")
