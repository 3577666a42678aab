"""
Where the members of a JSON object stand in its text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Member", "members"]

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Member:
    """
    One member.

    @ivar start: the offset of the quotation mark before its name, in bytes.
    @ivar end: the offset behind its value.
    @ivar raw: the value as it stands there.
    @ivar value: the value.
    """

    start: int
    end: int
    name: str
    raw: str
    value: object


def members(data: bytes) -> list[Member] | None:
    """
    The members of an object, in their order; those that come twice are there twice.

    @param data: the text, in UTF-8, from its brace on.
    @return: L{None} when it is no object.
    """
    try:
        text = data.decode("utf-8")
        return list(_members(text))
    except (ValueError, RecursionError):
        return None


def _members(text: str) -> Iterator[Member]:
    short = text.isascii()
    # The characters up to here are so many bytes.
    characters = size = 0

    def offset(place: int) -> int:
        nonlocal characters, size
        if short:
            return place
        size += len(text[characters:place].encode("utf-8"))
        characters = place
        return size

    at = _past(text, 0, "{")
    if text.startswith("}", at):
        return
    while True:
        start = at
        name, at = _DECODER.raw_decode(text, at)
        if not isinstance(name, str):
            raise ValueError("a name is a text")
        begin = _past(text, at, ":")
        value, at = _DECODER.raw_decode(text, begin)
        yield Member(offset(start), offset(at), name, text[begin:at], value)
        at = _space(text, at)
        if text.startswith("}", at):
            return
        at = _past(text, at, ",")


def _past(text: str, at: int, mark: str) -> int:
    at = _space(text, at)
    if not text.startswith(mark, at):
        raise ValueError(f"{mark} is missing")
    return _space(text, at + 1)


def _space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()
