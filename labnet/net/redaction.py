"""
What a trace hides: passwords, cookies, and what its user names.

Each hidden byte becomes C{*}, so that sizes and offsets stay as they were.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["FIELDS", "LOOK_BEHIND", "BadExpression", "Hiding", "Redaction", "Span"]

#: The fields of HTTP whose values are hidden unless somebody says otherwise.
FIELDS = ("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie")

#: Bytes of the pieces before that a regular expression is shown again with each piece.
LOOK_BEHIND = 256

#: Of a line that is not complete, what is remembered: a field's name is shorter.
_LONGEST_NAME = 128

_NEWLINE = ord("\n")
_STARS = bytes(byte if byte in b" \t\r\n" else ord("*") for byte in range(256))

#: Stands for the beginning of a line that is none of a field.
_NO_FIELD = b"\0"

#: From where to where.
Span = tuple[int, int]


class BadExpression(ValueError):
    """A regular expression that is none; the text is one line for people."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """
    What to hide. False when that is nothing.

    @ivar fields: names of fields whose values are hidden, wherever a line begins with one and a colon.
    @ivar expressions: regular expressions of bytes, and what they find is hidden: their groups, if they
        have any, else everything.
    """

    fields: tuple[str, ...] = FIELDS
    expressions: tuple[re.Pattern[bytes], ...] = ()

    @classmethod
    def of(cls, expressions: Sequence[str], fields: Sequence[str] = FIELDS) -> Redaction:
        """
        The same from text; C{\\xff} in an expression is a byte.

        @raise BadExpression: one of them can not be read.
        """
        compiled = []
        for expression in expressions:
            try:
                compiled.append(re.compile(expression.encode("utf-8")))
            except (re.error, OverflowError, RecursionError) as error:
                raise BadExpression(f"{expression!r} is no regular expression: {error}") from error
        return cls(tuple(fields), tuple(compiled))

    def __bool__(self) -> bool:
        return bool(self.fields or self.expressions)

    def begin(self) -> Hiding:
        """For one direction of one stream, or for one datagram."""
        return Hiding(self)


_COLON = re.compile(rb"[ \t]{0,16}:")


@lru_cache(32)
def _lowered(fields: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(name.encode("utf-8").lower() for name in fields)


def _beginnings(names: tuple[bytes, ...], text: bytes) -> list[int]:
    """Where values begin: behind each of the names at the beginning of a line, and its colon."""
    if b":" not in text:
        return []
    # A regular expression for all of it takes twenty times as long.
    lowered = text.lower()
    found = []
    for name in names:
        at = lowered.find(name)
        while at >= 0:
            if at == 0 or lowered[at - 1] == _NEWLINE:
                colon = _COLON.match(lowered, at + len(name))
                if colon is not None:
                    found.append(colon.end())
            at = lowered.find(name, at + 1)
    return sorted(found)


class Hiding:
    """
    Hides in one direction of one stream, piece by piece.
    """

    __slots__ = ("_behind", "_expressions", "_inside", "_line", "_names")

    def __init__(self, redaction: Redaction) -> None:
        self._names = _lowered(redaction.fields)
        self._expressions = redaction.expressions
        self.again()

    def again(self) -> None:
        """What comes next has nothing to do with what has been."""
        # The line that the next piece goes on with, if that may be a field; and whether it is inside the
        # value of one: b"\n" where that goes on only if the next line begins with a space.
        self._line = b""
        self._inside = b""
        self._behind = b""

    def hide(self, data: bytes, most: int) -> tuple[bytes, list[Span]]:
        """
        The next piece.

        @param most: only so many bytes of it are wanted.
        @return: they, and what of the pieces before should have been hidden: from where to where, in bytes
            before the beginning of this piece.
        """
        wanted = data[:most]
        spans = self._values(wanted) if self._names else []
        if len(data) > most and self._names:
            self._pass(data[most:])
        if not (spans or self._expressions):
            return wanted, []
        hidden, before = bytearray(wanted), []
        for start, end in spans:
            # Spaces and line ends stay, so that it can be seen where it is.
            hidden[start:end] = wanted[start:end].translate(_STARS)
        for start, end in self._found(wanted):
            if end > 0:
                hidden[max(start, 0) : end] = b"*" * (end - max(start, 0))
            if start < 0:
                before.append((-start, -min(end, 0)))
        self._behind = (self._behind + data)[-LOOK_BEHIND:]
        return bytes(hidden), before

    # Fields.

    def _values(self, data: bytes) -> list[Span]:
        """Where in a piece the values of the fields are."""
        if self._line is _NO_FIELD and b"\n" not in data:
            return []
        spans: list[Span] = []
        at = 0
        if self._inside:
            at = self._endOfValue(data, 0)
            spans.append((0, at))
            if self._inside:
                return spans
        text, shift = self._line + data[at:], at - len(self._line)
        end = 0
        for begin in _beginnings(self._names, text):
            if begin >= end:
                end = self._endOfValue(text, begin)
                spans.append((max(begin + shift, 0), end + shift))
        self._line = b"" if self._inside else self._lastLine(text)
        return spans

    def _lastLine(self, text: bytes) -> bytes:
        """What to remember of a line that the next piece may go on with."""
        start = text.rfind(b"\n") + 1
        line = text[start : start + _LONGEST_NAME]
        if line and not any(name.startswith(line[: len(name)].lower()) for name in self._names):
            return _NO_FIELD
        return line

    def _endOfValue(self, data: bytes, at: int) -> int:
        """
        Where the value ends that goes on at C{at}: before a line end that no line with a space at its
        beginning follows. C{_inside} is then whether that is still to be found.
        """
        if self._inside == b"\n" and not data.startswith((b" ", b"\t"), at):
            self._inside = b""
            return at
        while (newline := data.find(b"\n", at)) >= 0:
            at = newline + 1
            if at == len(data):
                self._inside = b"\n"
                return at
            if not data.startswith((b" ", b"\t"), at):
                self._inside = b""
                return newline
        self._inside = b" "
        return len(data)

    def _pass(self, data: bytes) -> None:
        """Nobody wants to see these bytes, but a field may begin in them."""
        start = self._endOfValue(data, 0) if self._inside else 0
        if self._inside:
            return
        newline = max(start, len(data) - 2 * _LONGEST_NAME)
        while (newline := data.rfind(b"\n", start, newline)) >= 0:
            if not data.startswith((b" ", b"\t"), newline + 1):
                self._line = b""
                start = newline + 1
                break
        data = data[start:]
        self._values(data)

    # Regular expressions.

    def _found(self, data: bytes) -> list[Span]:
        """Where something is to be hidden; what is negative is in the pieces before."""
        text, shift = self._behind + data, len(self._behind)
        spans: list[Span] = []
        for expression in self._expressions:
            groups = range(1, expression.groups + 1) or (0,)
            for match in expression.finditer(text):
                spans += [match.span(group) for group in groups]
        return [(start - shift, end - shift) for start, end in spans if start < end]
