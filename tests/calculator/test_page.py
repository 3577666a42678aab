"""
The page of the protocol is true: its bytes are those that the code sends and answers.
"""

from __future__ import annotations

import re

import pytest

from labnet.calculator.arithmetic import Calculation, Division, Fault, evaluate
from labnet.calculator.wire import PROFILES
from tests.documents import ROOT

PAGE = ROOT.joinpath("docs", "protocols", "calculator.md").read_text("utf-8")


def rows(title: str) -> list[list[str]]:
    """The cells of the table whose head begins with C{title}."""
    table = PAGE[PAGE.index(f"| {title}") :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table]


def octets(cell: str) -> bytes:
    """The bytes in the last code of a cell: hexadecimal, or JSON as it is."""
    code = re.findall(r"`([^`]*)`", cell)[-1]
    return code.encode() if code.startswith("{") else bytes.fromhex(code)


def named(cell: str) -> list[str]:
    return [name for name in re.findall(r"`([\w-]+)`", cell) if name in PROFILES]


def test_theTableOfProfiles() -> None:
    """Names, in order, and the lengths of requests and replies."""
    table = rows("profile | request, field by field")
    assert [named(row[0])[0] for row in table] == list(PROFILES)
    for row in table:
        profile = PROFILES[named(row[0])[0]]
        request = profile.requests.encode(Calculation(12, "+", 34))
        if row[2].isdigit():
            assert len(request) == int(row[2])
        longest = max(
            len(profile.replies.encode(result))
            for result in (46, -(2**31), -1.7976931348623157e308, 1 / 3)
            if isinstance(result, int) or profile.replies.fractions
        )
        assert longest <= int(row[4].removeprefix("up to "))


def test_theBytesOfTwelveAndThirtyFour() -> None:
    table = rows("profile | request | reply")
    assert [named(row[0])[0] for row in table] == list(PROFILES)
    for row in table:
        profile = PROFILES[named(row[0])[0]]
        assert profile.requests.encode(Calculation(12, "+", 34)) == octets(row[1])
        assert profile.replies.encode(46) == octets(row[2])


def test_theBytesOfErrors() -> None:
    told = {name: row[1] for row in rows("profile | the reply") for name in named(row[0])}
    assert set(told) == set(PROFILES)
    for name, cell in told.items():
        reply = PROFILES[name].replies.encode(Fault.DIVISION_BY_ZERO)
        if "a word" in cell:
            assert b"div by 0" in reply
        else:
            assert reply == octets(cell)


def test_theWordsOfErrors() -> None:
    words = {row[0].strip("`") for row in rows("word | why")}
    assert words == {fault.value for fault in Fault} - {Fault.UNTOLD.value}


@pytest.mark.parametrize("row", rows("profile | over TCP"), ids=lambda row: row[0])
def test_whatDivisionMeans(row: list[str]) -> None:
    profile = PROFILES[row[0].strip("`")]
    assert (profile.division, profile.datagramDivision) == (
        Division(row[1].strip("`")),
        Division(row[2].strip("`")),
    )


def test_theTableOfDivisions() -> None:
    for row in rows("| `floor` | `trunc` | `true`")[:-1]:
        a, operator, b = row[0].split()
        for cell, division in zip(row[1:], (Division.FLOOR, Division.TRUNC, Division.TRUE), strict=True):
            result = evaluate(Calculation(int(a), operator, int(b)), division, modulo=True)
            assert result == float(cell)
