"""
What a relay does to what passes through it: remembers answers, and changes operands.

Without input or output; time is given.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from labnet.calculator.arithmetic import Calculation, Fault, Number
from labnet.calculator.wire import Profile, ReplyNotUnderstood

__all__ = ["AnswerCache", "Change", "Tampering", "isError", "parseTampering"]


class AnswerCache:
    """
    Answers to requests, each for a limited time.

    Memory is bounded: beyond C{most} answers the oldest is forgotten, and what is longer than
    L{LONGEST} is not kept at all.

    @param ttl: seconds that an answer is good for, from when it came; being asked for does not renew it.
    @param most: how many answers are kept.
    """

    #: The longest request and the longest answer that are kept, in bytes.
    LONGEST = 4_096

    def __init__(self, ttl: float, most: int = 1_024) -> None:
        self._ttl = ttl
        self._most = most
        # All live equally long, so the order in which they came is the order in which they end.
        self._answers: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, request: bytes, now: float) -> bytes | None:
        """The answer to these very bytes, or L{None} when there is none, or none any more."""
        self._forget(now)
        kept = self._answers.get(request)
        return kept[1] if kept is not None else None

    def put(self, request: bytes, answer: bytes, now: float) -> None:
        """Keep an answer that came at C{now} (seconds)."""
        self._forget(now)
        if len(request) <= self.LONGEST and len(answer) <= self.LONGEST:
            self._answers[request] = (now + self._ttl, answer)
            self._answers.move_to_end(request)
            if len(self._answers) > self._most:
                self._answers.popitem(last=False)

    def _forget(self, now: float) -> None:
        while self._answers:
            request, (until, _) = next(iter(self._answers.items()))
            if until > now:
                break
            del self._answers[request]


def isError(profile: Profile, reply: bytes) -> bool:
    """
    Whether a reply is an error in this profile, or could be one, or is nothing that the profile knows.
    In C{int4} and C{ici} a 0 could be one.
    """
    if any(reply == profile.replies.encode(fault) for fault in Fault):
        return True
    try:
        result = profile.replies.decodeDatagram(reply)
    except ReplyNotUnderstood:
        return True
    return isinstance(result, Fault) or (isinstance(result, float) and math.isnan(result))


@dataclass(frozen=True, slots=True)
class Change:
    """
    One change to a request.

    @ivar field: C{a}, C{b} or C{op}.
    @ivar how: C{+}, C{-} or C{*} what was there, or C{=} for something else in its place.
    @ivar value: the number to change it by, or what takes its place.
    """

    field: str
    how: str
    value: Number | str

    def apply(self, calculation: Calculation) -> Calculation:
        """The calculation with this change."""
        if isinstance(self.value, str):
            return replace(calculation, operator=self.value)
        if self.field == "a":
            return replace(calculation, a=self._changed(calculation.a, self.value))
        return replace(calculation, b=self._changed(calculation.b, self.value))

    def _changed(self, operand: Number, value: Number) -> Number:
        match self.how:
            case "+":
                return operand + value
            case "-":
                return operand - value
            case "*":
                return operand * value
        return value


@dataclass(frozen=True, slots=True)
class Tampering:
    """
    What is changed in every request.

    @ivar changes: one after the other.
    """

    changes: tuple[Change, ...]

    def apply(self, profile: Profile, calculation: Calculation) -> tuple[Calculation, bytes] | None:
        """
        The changed request and its bytes, or L{None} when they would not fit the profile: then the
        request is left as it is.
        """
        changed = calculation
        try:
            for change in self.changes:
                changed = change.apply(changed)
            return changed, profile.requests.encode(changed)
        except (ValueError, OverflowError):
            return None


_FORM = (
    "a=VALUE, b=VALUE or op=CHARACTER, several with commas between them; "
    "VALUE is a number to put there, or +N, -N or *N to change what is there, or =N for a negative number"
)
_NUMBER = r"\d{1,12}(?:\.\d{1,12})?"
_OPERAND = re.compile(rf"([-+*]?)({_NUMBER})|(=)(-?{_NUMBER})", re.ASCII)


def parseTampering(spec: str) -> Tampering:
    """
    Read C{a=+1}, C{b=*2}, C{op=-}, C{a=7}, C{a==-7}, or several of them with commas between them, at
    most one for each field.

    @raise ValueError: it is not of that form; one line for people.
    """
    changes: dict[str, Change] = {}
    for part in spec.split(","):
        field, equals, text = part.strip().partition("=")
        reader = _FIELDS.get(field)
        if reader is None or not equals:
            raise ValueError(f"{part.strip()!r} is not of the form {_FORM}")
        if field in changes:
            raise ValueError(f"{field} is changed twice")
        changes[field] = reader(field, text)
    return Tampering(tuple(changes.values()))


def _operandChange(field: str, text: str) -> Change:
    match = _OPERAND.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no VALUE for {field}: a number, +N, -N, *N or =N")
    how, digits = (match[1] or "=", match[2]) if match[3] is None else ("=", match[4])
    return Change(field, how, float(digits) if "." in digits else int(digits))


def _operatorChange(field: str, text: str) -> Change:
    if len(text) != 1 or not "!" <= text <= "~":
        raise ValueError(f"{text!r} is no CHARACTER for op: one printable ASCII character")
    return Change(field, "=", text)


_FIELDS: dict[str, Callable[[str, str], Change]] = {
    "a": _operandChange,
    "b": _operandChange,
    "op": _operatorChange,
}
