"""
What a rule looks for when it is not one byte string: a text in whatever case, or a regular expression,
each in the charsets of L{labnet.proxy.charsets}.

All of it becomes regular expressions over bytes. In UTF-16 and UTF-32 a text is spelt out as it stands
there; somebody's own expression is searched for in what is left without the zero bytes, and that is
ISO-8859-1 as far as all letters have codes below 256.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

from labnet.proxy.charsets import STATELESS
from labnet.proxy.searchtime import SearchTime

__all__ = ["BadExpression", "Expression", "Steps", "foldedText", "regularExpression"]

#: A text as what may stand in the place of each of its letters, in one charset.
Steps = tuple[tuple[bytes, ...], ...]

_WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_NOT_ZERO = re.compile(rb"[^\0]")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
#: What in an expression is not simply a letter of ASCII: what is escaped, a class, another letter.
_TOKEN = re.compile(r"\\(?:[^\x00-\x7f]|.)|\[\^?\]?(?:\\.|[^\]\\])*\]|[^\x00-\x7f]", re.DOTALL)


class BadExpression(ValueError):
    """It is no expression that can be used; the text is one line for people."""


@dataclass(frozen=True, slots=True)
class Expression:
    """
    A regular expression over bytes.

    @ivar compiled: it.
    @ivar charset: the encoding in which it is what the rule says; empty where it is so in most.
    @ivar zeros: whether only content with zero bytes can match.
    @ivar strips: whether content with zero bytes is looked at without them, too.
    @ivar steps: what it stands for, if that is a text; nothing for any other expression.
    """

    compiled: re.Pattern[bytes]
    charset: str = ""
    zeros: bool = False
    strips: bool = False
    steps: Steps = ()

    @property
    def width(self) -> int:
        """The most bytes that the text has; 0 for any other expression."""
        return sum(max(map(len, options)) for options in self.steps)

    def first(
        self, data: bytes | bytearray, start: int = 0, time: SearchTime | None = None
    ) -> tuple[int, int] | None:
        """
        Where it matches first, from C{start} on: from where to where. No spelling of a text has another
        inside of it, so that of a text this is also the match that is complete first.

        @param time: what is left for looking, unless it is a text: that takes no longer than its content is
            long.
        @raise TooSlow: it is over.
        """
        if time is None or self.steps:
            match = self.compiled.search(data, start)
        else:
            match = time.search(self.compiled, data, start)
        return None if match is None else match.span()

    def unfinished(self, data: bytes) -> int:
        """How many bytes at the end of C{data} are the beginning of the text, which may still come."""
        for start in range(max(0, len(data) - self.width + 1), len(data)):
            if _begins(self.steps, data, start):
                return len(data) - start
        return 0

    def firstStripped(
        self, data: bytes | bytearray, start: int = 0, time: SearchTime | None = None
    ) -> tuple[int, int] | None:
        """The same in C{data} without its zero bytes; the places are those in C{data} with them."""
        before = start - data.count(0, 0, start)
        span = self.first(data.replace(b"\0", b""), before, time)
        if span is None:
            return None
        places = islice(_NOT_ZERO.finditer(data), span[0], max(span[1], span[0] + 1))
        inside = [match.start() for match in places] or [len(data)]
        return inside[0], inside[-1] + 1


def foldedText(text: str) -> tuple[Expression, ...]:
    """A text in whatever case, in every charset in which it can be written; where it is the same, once."""
    found: dict[Steps, Expression] = {}
    for charset in (*STATELESS, *_WIDE):
        steps = _steps(text, charset)
        if steps and steps not in found:
            zeros = any(all(0 in option for option in options) for options in steps)
            compiled = re.compile(b"".join(map(_oneOf, steps)))
            name = charset if found else ""
            found[steps] = Expression(
                compiled, name.replace("-le", "le").replace("-be", "be"), zeros, False, steps
            )
    return tuple(found.values())


def regularExpression(text: str, ignoreCase: bool) -> tuple[Expression, ...]:
    """
    Somebody's own expression, in the syntax of L{re} for bytes. A letter beyond ASCII stands for itself in
    every charset, as one letter; it can not stand in a class, whose members are single bytes.

    @raise BadExpression: it is wrong, or matches the empty string, which is everywhere.
    """
    flags = re.IGNORECASE if ignoreCase else 0
    charsets = STATELESS if _BEYOND_ASCII.search(text) else STATELESS[:1]
    found: dict[bytes, Expression] = {}
    for charset in charsets:
        encoded = _encodedExpression(text, charset, ignoreCase)
        if encoded is None or encoded in found:
            continue
        try:
            compiled = re.compile(encoded, flags)
            empty = compiled.search(b"") is not None
        except (re.error, ValueError, RecursionError, OverflowError) as error:
            raise BadExpression(f"{text!r}: {error}") from error
        if empty:
            raise BadExpression(f"{text!r} matches the empty string, which is everywhere")
        found[encoded] = Expression(compiled, charset if found else "", strips=True)
    return tuple(found.values())


def _begins(steps: Steps, data: bytes, start: int) -> bool:
    places = {start}
    for options in steps:
        following: set[int] = set()
        for place in places:
            rest = data[place:]
            if any(option.startswith(rest) and option != rest for option in options):
                return True
            following.update(place + len(option) for option in options if rest.startswith(option))
        places = following
    return False


def _cases(letter: str) -> tuple[str, ...]:
    return letter, letter.lower(), letter.upper(), letter.title(), letter.upper().lower()


def _steps(text: str, charset: str) -> Steps:
    """What may stand for each letter in a charset; nothing if the text can not be written in it."""
    steps = []
    for letter in text:
        options: dict[bytes, None] = {}
        for case in _cases(letter):
            try:
                options[case.encode(charset)] = None
            except UnicodeEncodeError:
                continue
        if not options:
            return ()
        steps.append(tuple(options))
    return tuple(steps)


def _oneOf(options: tuple[bytes, ...]) -> bytes:
    escaped = b"|".join(map(re.escape, options))
    return escaped if len(options) == 1 else b"(?:" + escaped + b")"


def _encodedExpression(text: str, charset: str, ignoreCase: bool) -> bytes | None:
    """The expression with its letters beyond ASCII as they are in a charset; L{None} if one is not."""
    parts: list[bytes] = []
    at = 0
    for token in _TOKEN.finditer(text):
        parts.append(text[at : token.start()].encode("ascii"))
        at = token.end()
        letter = token[0][-1] if token[0][0] != "[" else ""
        if not _BEYOND_ASCII.search(token[0]):
            parts.append(token[0].encode("ascii"))
        elif not letter:
            raise BadExpression(f"{text!r}: {token[0]!r} has a letter beyond ASCII; write (á|é), not [áé]")
        else:
            steps = _steps(letter, charset) if ignoreCase else _plainStep(letter, charset)
            if not steps:
                return None
            parts.append(b"(?:" + b"|".join(map(re.escape, steps[0])) + b")")
    return b"".join([*parts, text[at:].encode("ascii")])


def _plainStep(letter: str, charset: str) -> Steps:
    try:
        return ((letter.encode(charset),),)
    except UnicodeEncodeError:
        return ()
