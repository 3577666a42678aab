"""
The line somebody types at the bottom of the chat: keys in, lines out, and what it looks like.
"""

from __future__ import annotations

import codecs
import unicodedata

__all__ = ["InputLine", "width"]

_LONGEST = 1_000
_REMEMBERED = 50


def width(character: str) -> int:
    """How many columns of a terminal a character takes: none, one or two."""
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class InputLine:
    """
    One line with a cursor, and the lines before it.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._escape = ""
        self._text: list[str] = []
        self._at = 0
        self._before: list[str] = []
        self._recalled = 0

    def feed(self, data: bytes) -> list[str | None]:
        """
        Keys were pressed.

        @return: the lines that were entered with them; L{None} for the end of the input.
        """
        entered: list[str | None] = []
        for character in self._decoder.decode(data):
            if self._escape:
                self._sequence(character)
            elif character == "\x1b":
                self._escape = character
            elif character in "\r\n":
                entered.append(self._enter())
            elif character == "\x04" and not self._text:
                entered.append(None)
            elif character < " " or character == "\x7f":
                self._control(character)
            elif character.isprintable() or width(character) == 0:
                self._insert(character)
        return entered

    def view(self, columns: int) -> tuple[str, int]:
        """
        The part of the line that fits, around the cursor, and the column of the cursor in it.

        @param columns: how much place there is.
        """
        start, room = self._at, max(1, columns - 1)
        while start and room - width(self._text[start - 1]) >= 0:
            start -= 1
            room -= width(self._text[start])
        column = sum(map(width, self._text[start : self._at]))
        end, used = self._at, column
        while end < len(self._text) and used + width(self._text[end]) < columns:
            used += width(self._text[end])
            end += 1
        return "".join(self._text[start:end]), column

    def _enter(self) -> str:
        line = "".join(self._text)
        self._set("")
        if line.strip():
            self._before = [*self._before, line][-_REMEMBERED:]
        self._recalled = len(self._before)
        return line

    def _insert(self, character: str) -> None:
        if len(self._text) < _LONGEST:
            self._text.insert(self._at, character)
            self._at += 1

    def _set(self, line: str) -> None:
        self._text = list(line)
        self._at = len(self._text)

    def _control(self, character: str) -> None:
        match character:
            case "\x7f" | "\x08" if self._at:
                self._at -= 1
                del self._text[self._at]
            case "\x01":
                self._at = 0
            case "\x05":
                self._at = len(self._text)
            case "\x02":
                self._at = max(0, self._at - 1)
            case "\x06":
                self._at = min(len(self._text), self._at + 1)
            case "\x04":
                del self._text[self._at : self._at + 1]
            case "\x0b":
                del self._text[self._at :]
            case "\x15":
                del self._text[: self._at]
                self._at = 0
            case "\x17":
                self._word()
            case "\x10":
                self._recall(-1)
            case "\x0e":
                self._recall(1)

    def _word(self) -> None:
        start = self._at
        while start and self._text[start - 1].isspace():
            start -= 1
        while start and not self._text[start - 1].isspace():
            start -= 1
        del self._text[start : self._at]
        self._at = start

    def _recall(self, step: int) -> None:
        self._recalled = max(0, min(len(self._before), self._recalled + step))
        self._set(self._before[self._recalled] if self._recalled < len(self._before) else "")

    def _sequence(self, character: str) -> None:
        """An escape sequence goes on: ESC [ ... letter, ESC O letter, or ESC and one character."""
        self._escape += character
        if len(self._escape) == 2 and character in "[O":
            return
        if len(self._escape) > 2 and not "@" <= character <= "~" and len(self._escape) < 20:
            return
        keys = {
            "D": "\x02", "C": "\x06", "A": "\x10", "B": "\x0e", "H": "\x01", "F": "\x05",
            "1~": "\x01", "7~": "\x01", "4~": "\x05", "8~": "\x05", "3~": "\x04",
        }  # fmt: skip
        key, self._escape = keys.get(self._escape[2:]), ""
        if key is not None:
            self._control(key)
