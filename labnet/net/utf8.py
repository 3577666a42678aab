"""
Characters of a text in UTF-8 that are cut by the pieces in which it comes.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

__all__ = ["CutCharacter", "CutCharacters"]

_LINES = re.compile(r"[\t\r\n]")


@dataclass(frozen=True, slots=True)
class CutCharacter:
    """
    A character over several pieces.

    @ivar data: its bytes.
    @ivar pieces: the numbers of the pieces, as they were given.
    """

    character: str
    data: bytes
    pieces: tuple[int, ...]


class CutCharacters:
    """
    Watches one direction of a stream for as long as it is text: UTF-8, with nothing in it that can not be
    seen but ends of lines and tabs.
    """

    def __init__(self) -> None:
        self._decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        self._open: tuple[int, ...] = ()

    def feed(self, number: int, data: bytes) -> CutCharacter | None:
        """
        Take a piece.

        @return: the character that began in an earlier one and ends in this.
        """
        if self._decoder is None or not data:
            return None
        waiting, began = self._decoder.getstate()[0], self._open
        try:
            text = self._decoder.decode(data)
        except UnicodeDecodeError:
            text = "\0"
        if not (text.isprintable() or _LINES.sub("", text).isprintable()):
            self._decoder = None
            return None
        left = self._decoder.getstate()[0]
        if left:
            self._open = (*began, number) if len(left) > len(data) else (number,)
        if not waiting or not text:
            return None
        return CutCharacter(text[0], text[0].encode("utf-8"), (*began, number))
