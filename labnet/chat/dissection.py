"""
What goes on in the chat, message by message.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import count

from labnet.chat.wire import PROMPT
from labnet.net.dissection import (
    Direction,
    Dissector,
    Script,
    StreamDissector,
    lengthPrefixed,
    pieces,
    text,
)
from labnet.net.wants import Line, Piece, StreamEnded
from labnet.proxy import dissection as http

__all__ = ["dissector"]

#: Bytes of a message, whatever C{--max-message} says, and of what the room says of one.
_LONGEST_HEARD = 65_536
_LONGEST_SAID = 1 << 20

_FROM = re.compile(rb"\[([^\]\r\n]*)\] ")
_QUESTION = PROMPT.strip().encode()


def dissector(detail: str, transport: str) -> Dissector | None:
    """
    For one member.

    @param detail: C{plain}, C{line}, C{framed}, or C{web} for the page.
    """
    match detail:
        case "web":
            return http.dissector(detail, transport)
        case "line":
            return StreamDissector(partial(_lines, _heard), partial(_lines, _said))
        case "framed":
            return StreamDissector(
                partial(_frames, _heard, _LONGEST_HEARD), partial(_frames, _said, _LONGEST_SAID)
            )
        case "plain":
            return StreamDissector(pieces, _pieces)
    return None


#: Notes what a message is, given its bytes, where they begin, and the number of the message.
_Notes = Callable[[Direction, bytes, int, int], None]


def _lines(notes: _Notes, direction: Direction) -> Script:
    for number in count(1):
        direction.message = f"message {number}"
        try:
            line = yield Line(_LONGEST_SAID)
        except StreamEnded as ended:
            # The last one may be without its newline.
            if not ended.rest:
                raise
            line = ended.rest
        message = line.rstrip(b"\r\n")
        notes(direction, message, direction.began, number)
        if len(message) < len(line):
            direction.add(direction.began + len(message), direction.position, "end of line")
        direction.whole(text(message))


def _frames(notes: _Notes, longest: int, direction: Direction) -> Script:
    for number in count(1):
        direction.message = f"message {number}"
        _, message = yield from lengthPrefixed(direction, longest)
        notes(direction, message, direction.began + 4, number)
        direction.whole(text(message))


def _pieces(direction: Direction) -> Script:
    """Each message is a write of its own, and nothing else tells them apart."""
    for number in count(1):
        direction.message = f"piece {number}"
        piece = yield Piece()
        _said(direction, piece, direction.began, number)
        direction.whole(text(piece))


def _heard(direction: Direction, message: bytes, start: int, number: int) -> None:
    """What a member says: a name first, then messages and commands."""
    end = start + len(message)
    if message.startswith(b"/") and not message.startswith(b"//"):
        word = message.partition(b" ")[0]
        direction.add(start, start + len(word), "command", text(word))
    elif number == 1:
        direction.add(start, end, "name", text(message))


def _said(direction: Direction, message: bytes, start: int, number: int) -> None:
    """What the room says: its question, its notices, and who said what."""
    if message.strip().endswith(_QUESTION) and number == 1:
        direction.add(start, start + len(message), "question", text(message))
        return
    who = _FROM.match(message)
    if who is not None:
        direction.add(start + who.start(1), start + who.end(1), "from", text(who[1]))
