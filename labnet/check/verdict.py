"""
What came of the scenarios of an examination.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from labnet.check.evidence import Exhibit, Kind, Step
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Scenario, Side, Topic

__all__ = ["Finding", "Outcome", "Subject", "Verdict", "refined"]


class Outcome(Enum):
    """What is said of a scenario."""

    PASSED = "passed"
    UNSTEADY = "unsteady"
    FAILED = "failed"
    BLOCKED = "not examined"
    BROKEN = "examiner failed"

    @property
    def good(self) -> bool:
        """Whether it earns its points: an unsteady scenario has failed once and then passed."""
        return self in (Outcome.PASSED, Outcome.UNSTEADY)


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What came of one scenario.

    @ivar kind: how it failed, with C{expected} and C{came} in words.
    @ivar exhibit: the bytes that decide.
    @ivar mistake: the likely one.
    @ivar steps: what was said and done before.
    @ivar output: the last lines that the program wrote.
    @ivar attempts: how often it was run.
    """

    scenario: Scenario
    outcome: Outcome
    weight: float = 1.0
    kind: Kind | None = None
    expected: str = ""
    came: str = ""
    exhibit: Exhibit | None = None
    mistake: Mistake | None = None
    steps: tuple[Step, ...] = ()
    output: str = ""
    attempts: int = 1
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Subject:
    """
    Who was examined, and how.

    @ivar what: the endpoint or the command.
    @ivar seed: makes the same run again.
    """

    service: str
    side: Side
    variant: str
    transport: str
    what: str
    seed: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    A whole examination.

    @ivar title: the exercise's, from a teacher's file, or empty.
    @ivar points: what a perfect program gets.
    """

    subject: Subject
    findings: tuple[Finding, ...]
    title: str = ""
    points: float | None = None
    seconds: float = 0.0
    version: str = field(default="")

    @property
    def passed(self) -> bool:
        """Whether there is nothing to mend; what counts nothing is a note."""
        return all(finding.outcome.good or not finding.weight for finding in self.findings)

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """The likely mistakes, those that the first findings show first."""
        return tuple(dict.fromkeys(one.mistake for one in self.findings if one.mistake is not None))


def refined(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """
    The same findings, with what several of them say together.

    Where plain use gives other bytes than it should, that is wrong wherever other bytes come. And who
    fails with two messages in one piece *and* with one message in two has not only called recv too seldom.
    """
    plainly = next((one.mistake for one in findings if _isPlainlyWrong(one)), None)
    named = {finding.mistake for finding in findings}

    def refine(finding: Finding) -> Finding:
        if plainly is not None and finding.kind is Kind.OTHER:
            return replace(finding, mistake=plainly)
        if finding.mistake is Mistake.SHORT_RECV and Mistake.ONE_RECV in named:
            return replace(finding, mistake=Mistake.ONE_RECV)
        return finding

    return tuple(map(refine, findings))


def _isPlainlyWrong(finding: Finding) -> bool:
    return finding.scenario.topic is Topic.PLAIN and finding.kind is Kind.OTHER
