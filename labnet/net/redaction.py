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

_STARS = bytes(byte if byte in b" \t\r\n" else ord("*") for byte in range(256))

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


@lru_cache(32)
def _fieldName(fields: tuple[str, ...]) -> re.Pattern[bytes] | None:
    """Finds where a line begins with one of those fields, up to the colon."""
    if not fields:
        return None
    names = b"|".join(re.escape(name.encode("utf-8")) for name in fields)
    return re.compile(rb"(?im)^(?:" + names + rb")[ \t]{0,16}:")


class Hiding:
    """
    Hides in one direction of one stream, piece by piece.
    """

    __slots__ = ("_behind", "_expressions", "_field", "_inside", "_line")

    def __init__(self, redaction: Redaction) -> None:
        self._field = _fieldName(redaction.fields)
        self._expressions = redaction.expressions
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
        wanted, rest = data[:most], data[most:]
        hidden = bytearray(wanted)
        if self._field is not None:
            for start, end in self._values(self._field, wanted):
                # Spaces and line ends stay, so that it can be seen where it is.
                hidden[start:end] = wanted[start:end].translate(_STARS)
            if rest:
                self._pass(self._field, rest)
        before: list[Span] = []
        if self._expressions:
            for start, end in self._found(wanted):
                if end > 0:
                    hidden[max(start, 0) : end] = b"*" * (end - max(start, 0))
                if start < 0:
                    before.append((-start, -min(end, 0)))
            self._behind = (self._behind + data)[-LOOK_BEHIND:]
        return bytes(hidden), before

    # Fields.

    def _values(self, field: re.Pattern[bytes], data: bytes) -> list[Span]:
        """Where in a piece the values of the fields are."""
        spans: list[Span] = []
        at = 0
        if self._inside:
            at = self._endOfValue(data, 0)
            spans.append((0, at))
            if self._inside:
                return spans
        text, shift = self._line + data[at:], at - len(self._line)
        end = 0
        while match := field.search(text, end):
            end = self._endOfValue(text, match.end())
            spans.append((max(match.end() + shift, 0), end + shift))
        self._line = b"" if self._inside else text[text.rfind(b"\n") + 1 :][:_LONGEST_NAME]
        return spans

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

    def _pass(self, field: re.Pattern[bytes], data: bytes) -> None:
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
        self._values(field, data)

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
