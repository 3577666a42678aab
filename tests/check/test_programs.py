"""
The examiner on purpose-made wrong programs, one typical mistake each, and on correct ones: all mistakes are
named, and all correct programs pass. The wrong programs of a service are examined together, when the first
of them is asked for, and so are the correct ones.

C{--check-repeat 50} examines all of them fifty times, with other dice each time.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from labnet.check.collection import contractFor, contracts
from labnet.check.mistakes import mistakeCalled
from labnet.check.scenario import Side
from tests.check.ours import OURS
from tests.check.programs import Case, reports, rows, students
from tests.documents import ROOT

CASES = [*students(), *OURS]
WRONG = [case for case in CASES if case.mistake]
CORRECT = [case for case in CASES if not case.mistake]


@pytest.fixture(scope="session")
def seeds(pytestconfig: pytest.Config) -> tuple[int, ...]:
    """What the dice are thrown with, each time."""
    return tuple(range(1, pytestconfig.getoption("check_repeat") + 1))


def told(report: dict[str, Any]) -> str:
    """What went wrong, for the message of a failed test."""
    return "\n".join(
        f"{one['name']}: {one['outcome']}: expected {one['expected']}; {one['came']} "
        f"[{one['mistake']}]\n{one['output']}"
        for one in report["scenarios"]
        if one["outcome"] != "passed"
    )


def named(report: dict[str, Any]) -> list[str]:
    """The mistakes that a report names, the first one first."""
    return [mistake["id"] for mistake in report["mistakes"]]


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("case", WRONG, ids=str)
def test_theMistakeIsNamed(case: Case, seeds: tuple[int, ...]) -> None:
    """It is found by the examiner, and named."""
    assert mistakeCalled(case.mistake)
    for seed in seeds:
        report = reports(case.service, True, seeds)[str(case), seed]
        assert case.mistake in named(report), f"seed {seed}: {named(report)}\n{told(report)}"


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("service", contracts())
def test_theMistakeIsNamedFirst(service: str, seeds: tuple[int, ...]) -> None:
    """
    The student reads that one first. It is so for four of five of a service's wrong programs at least: one
    can be wrong in yet another way when its threads take turns as they seldom do.
    """
    wrong = [case for case in WRONG if case.service == service]
    for seed in seeds:
        found = reports(service, True, seeds)
        others = [str(case) for case in wrong if named(found[str(case), seed])[:1] != [case.mistake]]
        assert 5 * len(others) <= len(wrong), f"seed {seed}: {others}"


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("case", CORRECT, ids=str)
def test_aCorrectProgramPasses(case: Case, seeds: tuple[int, ...]) -> None:
    """Every scenario, at the first attempt."""
    for seed in seeds:
        report = reports(case.service, False, seeds)[str(case), seed]
        assert report["passed"], f"seed {seed}:\n{told(report)}"
        assert {one["outcome"] for one in report["scenarios"]} == {"passed"}


@pytest.mark.parametrize("service", contracts())
def test_thereAreProgramsForEachContract(service: str) -> None:
    """
    Six wrong servers and four wrong clients at least, and correct ones of both kinds. A service without
    clients of its own has none.
    """
    wrong = Counter(case.side for case in WRONG if case.service == service)
    correct = Counter(case.side for case in CORRECT if case.service == service and case.command)
    assert wrong["server"] >= 6
    assert correct["server"] >= 1
    if any(scenario.side is Side.CLIENT for scenario in contractFor(service).scenarios):
        assert wrong["client"] >= 4
        assert correct["client"] >= 1


def test_thePageTellsOfProgramsThatThereAre() -> None:
    """Each row is what C{python -m tests.check.programs} prints."""
    text = ROOT.joinpath("docs", "check-programs.md").read_text("utf-8")
    table = text.partition("<!-- programs -->\n")[2].partition("<!-- end -->")[0]
    assert set(table.splitlines()[2:]) <= set(rows())
