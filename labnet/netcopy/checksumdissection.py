"""
What the checksum server is asked and answers, field by field.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from itertools import count

from labnet.net.dissection import Direction, Dissector, Script, StreamDissector, passOver, sized, text
from labnet.net.wants import Exactly, NotUnderstood, OneOf, Peek, StreamEnded, UpTo, Want, find
from labnet.netcopy.wire import LONGEST_CHECKSUM, LONGEST_ID, STORED, isIdentifier

__all__ = ["dissector"]

_Reads = Generator[Want, bytes, None]

_ANNOUNCEMENT, _LOOKUP = b"BE|", b"KI|"
_VERBS = (_ANNOUNCEMENT, _LOOKUP)
_BAR = re.compile(rb"\|")
_END_OF_LOOKUP = re.compile(rb"[|\r\n]")
_NO_END_OF_LINE = re.compile(rb"[^\r\n]")
_NEXT = Peek()


def dissector(detail: str, transport: str) -> Dissector | None:
    """For one connection."""
    return StreamDissector(_requests, _answers)


def _requests(direction: Direction) -> Script:
    for number in count(1):
        direction.message = f"request {number}"
        yield from passOver(direction, _NO_END_OF_LINE)
        verb = yield OneOf(_VERBS, "neither BE nor KI")
        direction.add(direction.began, direction.began + 2, "verb", text(verb[:2]))
        if verb == _LOOKUP:
            yield from _lookup(direction)
        else:
            yield from _announcement(direction)


def _announcement(direction: Direction) -> _Reads:
    identifier = (yield UpTo(_BAR, LONGEST_ID + 1, "an identifier"))[:-1]
    _identified(direction, identifier, 1)
    seconds = yield from _number(direction, "seconds", 9)
    length = yield from _number(direction, "length", 4)
    if not 1 <= length <= LONGEST_CHECKSUM:
        raise NotUnderstood(f"a checksum of {sized(length)}")
    direction.part("checksum", text((yield Exactly(length))))
    direction.whole(f"keep the checksum of {text(identifier, 60)} for {seconds} s")


def _lookup(direction: Direction) -> _Reads:
    try:
        taken = yield _Identifier()
    except StreamEnded as ended:
        if not ended.rest:
            raise
        taken = ended.rest
    identifier = taken.rstrip(b"\r\n")
    _identified(direction, identifier, len(taken) - len(identifier))
    direction.whole(f"which is the checksum of {text(identifier, 60)}?")


def _identified(direction: Direction, identifier: bytes, after: int) -> None:
    if not isIdentifier(identifier):
        raise NotUnderstood("this is no identifier")
    end = direction.position - after
    direction.add(end - len(identifier), end, "identifier", text(identifier))


def _number(direction: Direction, name: str, digits: int) -> Generator[Want, bytes, int]:
    number = (yield UpTo(_BAR, digits + 1, "a number"))[:-1]
    if not number.isdigit():
        raise NotUnderstood(f"{name} is no number")
    end = direction.position - 1
    direction.add(end - len(number), end, name, text(number))
    return int(number)


class _Identifier(Want):
    """
    The identifier of a lookup, which nothing ends but silence: a line may end behind it, or another request
    begin, whose word stands before the next bar.
    """

    def __init__(self) -> None:
        self._searched = 0

    def take(self, buffer: bytearray, at: int) -> tuple[int, bytes | None]:
        longest = LONGEST_ID + 3
        end = find(_END_OF_LOOKUP, buffer, at + self._searched, at + longest)
        if end < 0:
            self._searched = len(buffer) - at
            if self._searched >= longest:
                raise NotUnderstood(f"an identifier of over {LONGEST_ID} bytes", longest)
            return at, None
        if buffer[end] != ord("|"):
            return end + 1, bytes(buffer[at : end + 1])
        if bytes(buffer[max(at, end - 2) : end + 1]) not in _VERBS:
            raise NotUnderstood("KI with more than an identifier", end + 1 - at)
        return end - 2, bytes(buffer[at : end - 2])


def _answers(direction: Direction) -> Script:
    for number in count(1):
        direction.message = f"answer {number}"
        if (yield _NEXT) == STORED[:1]:
            direction.part("status", text((yield OneOf([STORED], "neither OK nor a checksum"))))
            direction.whole("it is kept")
            continue
        length = yield from _number(direction, "length", 4)
        if length > LONGEST_CHECKSUM:
            raise NotUnderstood(f"a checksum of {sized(length)}")
        if not length:
            direction.whole("none is kept")
            continue
        checksum = yield Exactly(length)
        direction.part("checksum", text(checksum))
        direction.whole(text(checksum))
