"""
What the echoes hear and say, field by field.

Where an echo answers what one read delivered, the pieces are all the messages there are.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from itertools import count

from labnet.echo.wire import DATAGRAM_ACK, LONGEST_FRAME, LONGEST_LINE, PREFIX, STREAM_ACK, Style
from labnet.net.dissection import (
    DatagramDissector,
    Direction,
    Dissector,
    Script,
    StreamDissector,
    allOf,
    lengthPrefixed,
    pieces,
    sized,
    text,
)
from labnet.net.wants import Line, OneOf, Piece, StreamEnded, Want

__all__ = ["dissector"]

#: An answer has a few bytes more than its line.
_LONGEST = LONGEST_LINE + len(PREFIX) + 2


def dissector(detail: str, transport: str) -> Dissector | None:
    """
    For one conversation of an echo.

    @param detail: the style, C{"framed"}, or the style and C{", lines"}.
    """
    style, _, lines = detail.partition(", ")
    if transport == "udp":
        return DatagramDissector(partial(_datagram, "message"), partial(_datagram, "answer"))
    if style == "framed":
        return StreamDissector(partial(_frames, "message"), partial(_frames, "answer"))
    if lines:
        return StreamDissector(partial(_lines, "message"), partial(_lines, "answer"))
    if style == Style.ACK.value:
        return StreamDissector(pieces, _acknowledgement)
    return StreamDissector(pieces, _answers if style == Style.PREFIX.value else pieces)


def _datagram(what: str, direction: Direction, number: int) -> Script:
    direction.message = f"{what} {number}"
    data = yield from allOf(direction)
    if what == "answer":
        _lead(direction, 0, len(data), data)
    direction.whole(text(data))


def _lead(direction: Direction, start: int, end: int, data: bytes) -> None:
    """Note what an echo puts before its answer, or says in place of it; C{data} is how that begins."""
    if data.startswith(PREFIX):
        direction.add(start, start + len(PREFIX), "prefix", text(PREFIX))
        direction.add(start + len(PREFIX), end, "text", text(data[len(PREFIX) :]))
    elif data in (STREAM_ACK, DATAGRAM_ACK):
        direction.add(start, end, "acknowledgement", text(data))


def _frames(what: str, direction: Direction) -> Script:
    for number in count(1):
        direction.message = f"{what} {number}"
        length, payload = yield from lengthPrefixed(direction, LONGEST_FRAME)
        direction.whole(f"{sized(length)}: {text(payload, 100)}")


def _lines(what: str, direction: Direction) -> Script:
    for number in count(1):
        direction.message = f"{what} {number}"
        line = yield from _line()
        body = line.removesuffix(b"\n").removesuffix(b"\r")
        if what == "answer":
            _lead(direction, direction.began, direction.began + len(body), body)
        if len(body) < len(line):
            direction.add(direction.began + len(body), direction.position, "end of line")
        direction.whole(text(body))


def _line() -> Generator[Want, bytes, bytes]:
    """A line; a last one without an end is a line, too."""
    try:
        return (yield Line(_LONGEST))
    except StreamEnded as ended:
        if not ended.rest:
            raise
        return ended.rest


def _acknowledgement(direction: Direction) -> Script:
    direction.message = "answer"
    acknowledgement = yield OneOf([STREAM_ACK], "this is no acknowledgement")
    direction.part("acknowledgement", text(acknowledgement))
    direction.whole(text(acknowledgement))


def _answers(direction: Direction) -> Script:
    for number in count(1):
        direction.message = f"piece {number}"
        piece = yield Piece()
        _lead(direction, direction.began, direction.position, piece)
        direction.whole(text(piece))
