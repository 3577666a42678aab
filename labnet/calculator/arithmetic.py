"""
What a calculator may compute, and nothing that could hurt it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

__all__ = ["INT32_MAX", "INT32_MIN", "Calculation", "Division", "Fault", "Number", "evaluate"]

INT32_MIN = -(2**31)
INT32_MAX = 2**31 - 1

Number = int | float


class Division(Enum):
    """What C{/} means: towards minus infinity, towards zero, or with a fraction."""

    FLOOR = "floor"
    TRUNC = "trunc"
    TRUE = "true"


class Fault(Enum):
    """
    Why there is no result. The value is the word in the text dialects: at most ten bytes, and of no
    length that a request has, so that no error can be taken for a request.
    """

    DIVISION_BY_ZERO = "div by 0"
    UNKNOWN_OPERATOR = "bad op"
    OUT_OF_RANGE = "overflow"
    MALFORMED = "bad req"
    #: Only a relay says so.
    NO_REPLY = "no reply"
    #: Only a client sees this one: the reply says that there is no result, and not why.
    UNTOLD = "error"


@dataclass(frozen=True, slots=True)
class Calculation:
    """
    One request.

    @ivar operator: one character; any, for it is the peer's.
    """

    a: Number
    operator: str
    b: Number

    def __str__(self) -> str:
        return f"{self.a} {self.operator} {self.b}"


def evaluate(calculation: Calculation, division: Division, modulo: bool = False) -> Number | Fault:
    """
    The result, or why there is none.

    The result of integers is an integer within int32, or, with true division, a float. Floats follow
    IEEE 754 in double precision: NaN and infinities go in and come out. Everything takes constant time
    and memory.

    @param division: what C{/} means, and with it C{%}: the sign of the remainder is the divisor's for
        floor and true division, the dividend's for truncation.
    @param modulo: whether C{%} is an operator.
    """
    a, b = calculation.a, calculation.b
    result: Number
    try:
        match calculation.operator:
            case "+":
                result = a + b
            case "-":
                result = a - b
            case "*":
                result = a * b
            case "/":
                result = _divide(a, b, division)
            case "%" if modulo:
                result = _remainder(a, b, division)
            case _:
                return Fault.UNKNOWN_OPERATOR
    except ZeroDivisionError:
        return Fault.DIVISION_BY_ZERO
    except (OverflowError, ValueError):
        return Fault.OUT_OF_RANGE
    if isinstance(result, int) and not INT32_MIN <= result <= INT32_MAX:
        return Fault.OUT_OF_RANGE
    return result


def _divide(a: Number, b: Number, division: Division) -> Number:
    if division is Division.TRUE:
        return a / b
    if division is Division.FLOOR:
        return a // b
    if isinstance(a, int) and isinstance(b, int):
        quotient = abs(a) // abs(b)
        return quotient if (a < 0) == (b < 0) else -quotient
    exact = a / b
    # copysign, for math.trunc forgets the sign of a zero.
    return math.copysign(math.trunc(exact), exact) if math.isfinite(exact) else exact


def _remainder(a: Number, b: Number, division: Division) -> Number:
    if division is not Division.TRUNC:
        return a % b
    if isinstance(a, int) and isinstance(b, int):
        remainder = abs(a) % abs(b)
        return -remainder if a < 0 else remainder
    if b == 0:
        raise ZeroDivisionError
    return math.nan if math.isinf(a) else math.fmod(a, b)
