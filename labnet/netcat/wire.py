"""
What netcat does to bytes on their way: escapes read, the stream cut into pieces, everything shown in
hexadecimal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["BadEscape", "Chopper", "EscapedLines", "HexDump", "unescape"]

_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.?))", re.DOTALL)
_SINGLE = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}
_PRINTABLE = bytes(byte if 32 <= byte < 127 else ord(".") for byte in range(256))
_ROW = 16


class BadEscape(ValueError):
    """What stands after a backslash, or a line, can not be read; the text is one line for people."""


def unescape(text: bytes) -> bytes:
    r"""
    C{text} with C{\n}, C{\r}, C{\t}, C{\0}, C{\xNN} and C{\\} replaced by the byte they stand for.

    @raise BadEscape: there is another backslash in it.
    """
    return _ESCAPE.sub(_byte, text)


def _byte(match: re.Match[bytes]) -> bytes:
    number, letter = match.groups()
    if number is not None:
        return bytes.fromhex(number.decode("ascii"))
    if letter in _SINGLE:
        return _SINGLE[letter]
    start = match.start()
    given = match.string[start : start + 4] if letter == b"x" else match[0]
    text = given[1:].decode("latin-1").encode("unicode_escape").decode("ascii")
    raise BadEscape(rf"\{text} is none of \n \r \t \0 \xNN \\")


class EscapedLines:
    r"""
    A stream taken apart into lines with escapes. The end of a line only separates: to send one, C{\n} is
    written.

    @cvar LONGEST: bytes that a line may have, so that a stream without line ends does not fill the memory.
    """

    LONGEST = 65_536

    def __init__(self) -> None:
        self._rest = bytearray()
        self._tooLong = False

    def feed(self, data: bytes) -> list[bytes | BadEscape]:
        """What the lines that C{data} completes stand for, or what is wrong with each."""
        first, *others = data.split(b"\n")
        self._extend(first)
        lines = []
        for piece in others:
            lines.append(self._line())
            self._extend(piece)
        return lines

    def end(self) -> list[bytes | BadEscape]:
        """The stream has ended: the last line, if it has no end of its own."""
        return [self._line()] if self._rest else []

    def _extend(self, piece: bytes) -> None:
        self._tooLong |= len(self._rest) + len(piece) > self.LONGEST
        self._rest += piece[: self.LONGEST - len(self._rest)]

    def _line(self) -> bytes | BadEscape:
        line, tooLong = bytes(self._rest).removesuffix(b"\r"), self._tooLong
        self._rest.clear()
        self._tooLong = False
        if tooLong:
            return BadEscape(f"a line of more than {self.LONGEST} bytes")
        try:
            return unescape(line)
        except BadEscape as error:
            return error


class Chopper:
    """
    Cuts a stream into pieces of given sizes, in turn and then from the start again, however it comes in.

    @param sizes: bytes of each piece, 1 at least.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        if not sizes or min(sizes) < 1:
            raise ValueError("there are no pieces of this size")
        self._sizes = tuple(sizes)
        self._turn = 0
        self._rest = b""

    @property
    def pending(self) -> bool:
        """Whether there are bytes that do not make a whole piece yet."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces that are complete now."""
        data = self._rest + data
        pieces, at = [], 0
        while len(data) - at >= (size := self._sizes[self._turn]):
            pieces.append(data[at : at + size])
            at += size
            self._turn = (self._turn + 1) % len(self._sizes)
        self._rest = data[at:]
        return pieces

    def flush(self) -> list[bytes]:
        """What has not made a whole piece, as a piece of its own; the next one is the next in turn."""
        if not self._rest:
            return []
        rest, self._rest = self._rest, b""
        self._turn = (self._turn + 1) % len(self._sizes)
        return [rest]


class HexDump:
    """
    One direction of a conversation in hexadecimal, sixteen bytes a line, counted from its beginning.

    @param mark: what each line begins with: C{">"} for what is sent, C{"<"} for what is received.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self.offset = 0

    def lines(self, data: bytes, head: str = "") -> bytes:
        """One piece as text: a line with its size after C{head}, then its bytes."""
        count = f"{len(data)} byte{'' if len(data) == 1 else 's'}"
        rows = [f"{self._mark} {head}{count}\n"]
        for at in range(0, len(data), _ROW):
            row = data[at : at + _ROW]
            left, right = row[:8].hex(" "), row[8:].hex(" ")
            text = row.translate(_PRINTABLE).decode("ascii")
            rows.append(f"{self._mark} {self.offset + at:08x}  {left:23}  {right:23}  |{text}|\n")
        self.offset += len(data)
        return "".join(rows).encode("ascii")
