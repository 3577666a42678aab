"""
What a run has found, for people and for machines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from labnet.net.logs import shown
from labnet.proxyselftest.client import Trial
from labnet.proxyselftest.scenario import Scenario
from labnet.proxyselftest.verdict import Finding, Outcome

__all__ = ["COLUMNS", "LISTED", "asJSON", "listing", "rows", "summary", "transcript"]

COLUMNS = ("SUBJECT", "SCENARIO", "OUTCOME", "WHAT THE ORIGIN SENT", "WHAT HAPPENED")
LISTED = COLUMNS[:2] + COLUMNS[3:4]

#: Bytes of one piece that a transcript shows, and pieces of the origin's.
_LONGEST_PIECE = 2_000
_MOST_PIECES = 100


def rows(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    """The rows of the table; a subject stands in its first row only."""
    found: list[tuple[str, ...]] = []
    before = ""
    for finding in findings:
        scenario = finding.scenario
        subject = "" if scenario.subject == before else scenario.subject
        before = scenario.subject
        outcome = finding.outcome.value.upper() if finding.outcome.bad else finding.outcome.value
        found.append((subject, scenario.name, outcome, scenario.line, finding.sentence))
    return found


def listing(scenarios: Iterable[Scenario]) -> list[tuple[str, ...]]:
    """The rows of the table of scenarios: subject, name, and what the origin does."""
    return [(scenario.subject, scenario.name, scenario.line) for scenario in scenarios]


def summary(findings: Sequence[Finding]) -> str:
    """One line: how many there are of each outcome."""
    counts = Counter(finding.outcome for finding in findings)
    told = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome if counts[outcome])
    return f"{len(findings)} scenario{'' if len(findings) == 1 else 's'}: {told}"


def transcript(trial: Trial) -> str:
    """Everything that was said in a scenario, a line for each piece, as far as it can be read."""
    finding, pieces = trial.finding, trial.said[:_MOST_PIECES]
    said: list[tuple[str, bytes]] = [("the client to the proxy", one.sent) for one in trial.received]
    said += [("the proxy to the origin", head) for head in trial.heard]
    said += [("the origin to the proxy", piece) for piece in pieces]
    lines = [f"  {who}: {shown(piece, _LONGEST_PIECE)}" for who, piece in said]
    if len(pieces) < len(trial.said):
        lines.append(f"  the origin to the proxy: {len(trial.said) - len(pieces)} pieces more")
    lines += [f"  the proxy to the client: {shown(one.raw, _LONGEST_PIECE)}" for one in trial.received]
    return "\n".join([f"{finding.scenario.name}: {finding.outcome.value}: {finding.sentence}", *lines])


def asJSON(findings: Sequence[Finding], proxy: str, word: str, seconds: float) -> dict[str, Any]:
    """
    The same as an object for C{json}; C{docs/selftest.md} lists its keys.

    @param proxy: its URL without a password.
    @param seconds: how long it took.
    """
    counts = Counter(finding.outcome for finding in findings)
    return {
        "proxy": proxy,
        "word": word,
        "seconds": round(seconds, 3),
        "counts": {outcome.value: counts[outcome] for outcome in Outcome},
        "scenarios": [
            {
                "subject": finding.scenario.subject,
                "name": finding.scenario.name,
                "line": finding.scenario.line,
                "expect": finding.scenario.expect.value,
                "outcome": finding.outcome.value,
                "status": finding.status,
                "happened": finding.sentence,
            }
            for finding in findings
        ],
    }
