"""
Points: by scenario, by topic, and in all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from labnet.check.scenario import Topic
from labnet.check.verdict import Finding, Verdict

__all__ = ["Score", "byTopic", "factor", "total"]


@dataclass(frozen=True, slots=True)
class Score:
    """
    What was earned of what could be.

    @ivar passed: scenarios that earned their points, of C{scenarios}.
    """

    earned: float
    possible: float
    passed: int
    scenarios: int

    @property
    def percent(self) -> float:
        """From 0 to 100; 100 where there was nothing to earn."""
        return 100.0 * self.earned / self.possible if self.possible else 100.0


def factor(verdict: Verdict) -> float:
    """What a weight is multiplied by to get points."""
    weights = sum(finding.weight for finding in verdict.findings)
    return verdict.points / weights if verdict.points is not None and weights else 1.0


def total(verdict: Verdict) -> Score:
    """The score of the whole examination."""
    return _score(verdict.findings, factor(verdict))


def byTopic(verdict: Verdict) -> dict[Topic, Score]:
    """The score of each topic that was examined, in their order."""
    times = factor(verdict)
    topics = {
        topic: [finding for finding in verdict.findings if finding.scenario.topic is topic]
        for topic in Topic
    }
    return {topic: _score(findings, times) for topic, findings in topics.items() if findings}


def _score(findings: Iterable[Finding], times: float) -> Score:
    findings = list(findings)
    good = [finding for finding in findings if finding.outcome.good]
    return Score(
        sum(finding.weight for finding in good) * times,
        sum(finding.weight for finding in findings) * times,
        len(good),
        len(findings),
    )
