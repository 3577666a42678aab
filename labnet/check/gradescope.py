"""
The report as Gradescope's C{results.json}, for an autograder
(https://gradescope-autograders.readthedocs.io/en/latest/specs/).
"""

from __future__ import annotations

from typing import Any

from labnet.check.display import plain
from labnet.check.score import factor, total
from labnet.check.textreport import explanation, mending, subjectLine, summary
from labnet.check.verdict import Finding, Outcome, Verdict

__all__ = ["asGradescope"]

_STATUS = {Outcome.PASSED: "passed", Outcome.UNSTEADY: "passed"}


def asGradescope(verdict: Verdict) -> dict[str, Any]:
    """The whole report. Each scenario is a test with its points; what is to be mended stands above them."""
    times = factor(verdict)
    return {
        "score": round(total(verdict).earned, 4),
        "execution_time": round(verdict.seconds, 3),
        "output": "\n".join([subjectLine(verdict), "", *mending(verdict), summary(verdict)]),
        "output_format": "text",
        "test_output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [
            _test(number, finding, times, subjectLine(verdict))
            for number, finding in enumerate(verdict.findings, 1)
        ],
    }


def _test(number: int, finding: Finding, times: float, subject: str) -> dict[str, Any]:
    scenario = finding.scenario
    possible = finding.weight * times
    return {
        "number": str(number),
        "name": f"{scenario.topic.title}: {plain(scenario.title)}",
        "score": round(possible if finding.outcome.good else 0.0, 4),
        "max_score": round(possible, 4),
        "status": _STATUS.get(finding.outcome, "failed"),
        "output": "\n".join(explanation(finding) or [plain(scenario.why)]),
        "tags": [scenario.topic.word, *([finding.mistake.id] if finding.mistake is not None else [])],
        "visibility": "visible",
    }
