"""
The report as a JSON object; C{docs/check.md} lists its keys.
"""

from __future__ import annotations

from typing import Any

from labnet.check.evidence import Exhibit, Step
from labnet.check.mistakes import Mistake
from labnet.check.score import Score, byTopic, factor, total
from labnet.check.verdict import Finding, Verdict

__all__ = ["asObject"]

_MOST_BYTES = 4_096


def asObject(verdict: Verdict) -> dict[str, Any]:
    """The whole report. Bytes are strings of hexadecimal digits."""
    subject, times = verdict.subject, factor(verdict)
    return {
        "format": 1,
        "labnet": verdict.version,
        "title": verdict.title,
        "service": subject.service,
        "side": subject.side.value,
        "variant": subject.variant,
        "transport": subject.transport,
        "what": subject.what,
        "seed": subject.seed,
        "passed": verdict.passed,
        "seconds": round(verdict.seconds, 3),
        "score": _score(total(verdict)),
        "topics": {topic.word: _score(score) for topic, score in byTopic(verdict).items()},
        "mistakes": [_mistake(mistake) for mistake in verdict.mistakes],
        "scenarios": [_finding(finding, times) for finding in verdict.findings],
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "earned": round(score.earned, 4),
        "possible": round(score.possible, 4),
        "passed": score.passed,
        "scenarios": score.scenarios,
    }


def _mistake(mistake: Mistake) -> dict[str, str]:
    return {
        "id": mistake.id,
        "sentence": mistake.sentence,
        "explanation": mistake.explanation,
        "cure": mistake.cure,
    }


def _finding(finding: Finding, times: float) -> dict[str, Any]:
    scenario = finding.scenario
    return {
        "name": scenario.name,
        "title": scenario.title,
        "topic": scenario.topic.word,
        "why": scenario.why,
        "outcome": finding.outcome.value,
        "points": round(finding.weight * times if finding.outcome.good else 0.0, 4),
        "possible": round(finding.weight * times, 4),
        "attempts": finding.attempts,
        "seconds": round(finding.seconds, 3),
        "kind": finding.kind.name.lower() if finding.kind is not None else None,
        "expected": finding.expected,
        "came": finding.came,
        "exhibit": _exhibit(finding.exhibit),
        "mistake": finding.mistake.id if finding.mistake is not None else None,
        "steps": [_step(step) for step in finding.steps],
        "output": finding.output,
    }


def _exhibit(exhibit: Exhibit | None) -> dict[str, Any] | None:
    if exhibit is None:
        return None
    return {
        "expected": exhibit.expected[:_MOST_BYTES].hex(),
        "came": exhibit.came[:_MOST_BYTES].hex(),
        "offset": exhibit.offset,
    }


def _step(step: Step) -> dict[str, Any]:
    return {"who": step.who, "what": step.what, "data": step.data.hex(), "size": step.size}
