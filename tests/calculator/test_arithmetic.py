"""
The arithmetic: every division, every overflow, and floats as IEEE 754 has them.
"""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.calculator.arithmetic import (
    INT32_MAX,
    INT32_MIN,
    Calculation,
    Division,
    Fault,
    evaluate,
)

FLOOR, TRUNC, TRUE = Division.FLOOR, Division.TRUNC, Division.TRUE
int32 = st.integers(INT32_MIN, INT32_MAX)
doubles = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)


def calculate(a: float, operator: str, b: float, division: Division = FLOOR) -> object:
    return evaluate(Calculation(a, operator, b), division, modulo=True)


@pytest.mark.parametrize(
    ("a", "b", "floor", "trunc", "true"),
    [
        (7, 2, 3, 3, 3.5),
        (-7, 2, -4, -3, -3.5),
        (7, -2, -4, -3, -3.5),
        (-7, -2, 3, 3, 3.5),
        (-1, 2, -1, 0, -0.5),
        (6, 3, 2, 2, 2.0),
        (0, -5, 0, 0, 0.0),
        (INT32_MIN, 1, INT32_MIN, INT32_MIN, float(INT32_MIN)),
        (INT32_MAX, INT32_MIN, -1, 0, INT32_MAX / INT32_MIN),
    ],
)
def test_divisionOfIntegers(a: int, b: int, floor: int, trunc: int, true: float) -> None:
    for division, expected in ((FLOOR, floor), (TRUNC, trunc), (TRUE, true)):
        result = calculate(a, "/", b, division)
        assert result == expected
        assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("a", "b", "floor", "trunc"),
    [(7, 2, 1, 1), (-7, 2, 1, -1), (7, -2, -1, 1), (-7, -2, -1, -1), (INT32_MIN, -1, 0, 0)],
)
def test_remainderFollowsTheDivision(a: int, b: int, floor: int, trunc: int) -> None:
    assert calculate(a, "%", b, FLOOR) == floor
    assert calculate(a, "%", b, TRUE) == floor
    assert calculate(a, "%", b, TRUNC) == trunc


@pytest.mark.parametrize("division", list(Division))
@pytest.mark.parametrize("operator", ["/", "%"])
@pytest.mark.parametrize("a", [1, 0, -1, INT32_MIN, 1.0, 0.0, -0.0, math.inf, math.nan])
@pytest.mark.parametrize("zero", [0, 0.0, -0.0])
def test_divisionByEveryZeroIsAFault(division: Division, operator: str, a: float, zero: float) -> None:
    assert calculate(a, operator, zero, division) is Fault.DIVISION_BY_ZERO


@pytest.mark.parametrize(
    ("a", "operator", "b"),
    [
        (INT32_MAX, "+", 1),
        (INT32_MIN, "-", 1),
        (INT32_MIN, "+", -1),
        (INT32_MAX, "*", INT32_MAX),
        (INT32_MIN, "*", INT32_MIN),
        (INT32_MIN, "*", -1),
        (0, "-", INT32_MIN),
        (INT32_MIN, "/", -1),
    ],
)
@pytest.mark.parametrize("division", [FLOOR, TRUNC])
def test_whatDoesNotFitInt32IsAFault(a: int, operator: str, b: int, division: Division) -> None:
    assert calculate(a, operator, b, division) is Fault.OUT_OF_RANGE


@pytest.mark.parametrize(
    "operator", ["", "x", "\0", "\xff", "**", "//", "<<", "R", "E", "X", "++", "\ud800", "%"]
)
def test_everyOtherOperatorIsUnknown(operator: str) -> None:
    """Also C{%}, as long as it is not switched on."""
    assert evaluate(Calculation(1, operator, 2), FLOOR) is Fault.UNKNOWN_OPERATOR


def test_floatsFollowIEEE754() -> None:
    """NaN and infinities are values, zero keeps its sign, denormals are exact, overflow is infinity."""
    assert calculate(1e308, "*", 10.0) == math.inf
    assert calculate(5e-324, "+", 0.0) == 5e-324
    assert math.isnan(calculate(math.inf, "-", math.inf))  # type: ignore[arg-type]
    assert math.isnan(calculate(math.nan, "+", 1.0))  # type: ignore[arg-type]
    assert math.copysign(1, calculate(-0.0, "+", -0.0)) == -1  # type: ignore[arg-type]
    assert math.copysign(1, calculate(-1.0, "/", 2.0, TRUNC)) == -1  # type: ignore[arg-type]
    assert calculate(-7.5, "/", 2.0, TRUNC) == -3.0
    assert calculate(-7.5, "/", 2.0, FLOOR) == -4.0
    assert calculate(math.inf, "/", 2.0, TRUNC) == math.inf


@pytest.mark.parametrize("division", list(Division))
def test_theRemainderOfInfinityIsNoNumber(division: Division) -> None:
    assert math.isnan(calculate(math.inf, "%", 2.0, division))  # type: ignore[arg-type]
    assert calculate(5.0, "%", math.inf, division) == 5.0


@given(int32, st.sampled_from("+-*/%"), int32, st.sampled_from(Division))
def test_integersGiveAnInt32OrAFault(a: int, operator: str, b: int, division: Division) -> None:
    """Whatever is asked: the result fits the wire."""
    result = calculate(a, operator, b, division)
    if isinstance(result, int):
        struct.pack("<i", result)
    else:
        assert isinstance(result, Fault) or (division is TRUE and isinstance(result, float))


@given(doubles, st.sampled_from("+-*/%"), doubles, st.sampled_from(Division))
def test_floatsGiveAFloatOrAFault(a: float, operator: str, b: float, division: Division) -> None:
    assert isinstance(calculate(a, operator, b, division), (float, Fault))


@given(int32, int32.filter(bool))
def test_quotientAndRemainderBelongTogether(a: int, b: int) -> None:
    """C{a == (a / b) * b + a % b} for both integer divisions, with the remainder's sign as documented."""
    for division in (FLOOR, TRUNC):
        quotient, remainder = calculate(a, "/", b, division), calculate(a, "%", b, division)
        assert isinstance(remainder, int)
        if isinstance(quotient, int):
            assert quotient * b + remainder == a
        sign = b if division is FLOOR else a
        assert remainder == 0 or (remainder < 0) == (sign < 0)


def test_theWordsOfErrorsHaveNotTheLengthOfARequest() -> None:
    """At most ten bytes, and not 9, 12 or 13: an error that comes back is never taken for a request."""
    for fault in Fault:
        assert len(fault.value) <= 10
        assert len(fault.value) not in (9, 12, 13)
        assert fault.value.isascii()
