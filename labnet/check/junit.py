"""
The report as JUnit XML, which every system for continuous integration reads: a suite for each topic.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as XML

from labnet.check.display import plain
from labnet.check.scenario import Topic
from labnet.check.textreport import explanation, subjectLine
from labnet.check.verdict import Finding, Outcome, Verdict

__all__ = ["asJUnit"]


def asJUnit(verdict: Verdict) -> str:
    """The whole report. Text is L{plain} before it goes in, so that all of it is what XML allows."""
    root = XML.Element("testsuites", name=subjectLine(verdict))
    _count(root, verdict.findings)
    for topic in Topic:
        findings = [finding for finding in verdict.findings if finding.scenario.topic is topic]
        if findings:
            suite = XML.SubElement(root, "testsuite", name=topic.title)
            _count(suite, findings)
            for finding in findings:
                _case(suite, finding, verdict)
    XML.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + XML.tostring(root, encoding="unicode")


def _count(element: XML.Element, findings: Iterable[Finding]) -> None:
    outcomes = [finding.outcome for finding in findings]
    element.set("tests", str(len(outcomes)))
    element.set("failures", str(outcomes.count(Outcome.FAILED)))
    element.set("errors", str(outcomes.count(Outcome.BROKEN)))
    element.set("skipped", str(outcomes.count(Outcome.BLOCKED)))
    element.set("time", f"{sum(finding.seconds for finding in findings):.3f}")


def _case(suite: XML.Element, finding: Finding, verdict: Verdict) -> None:
    subject, scenario = verdict.subject, finding.scenario
    case = XML.SubElement(
        suite,
        "testcase",
        classname=".".join(filter(None, (subject.service, subject.side.value, subject.variant))),
        name=plain(scenario.name),
        time=f"{finding.seconds:.3f}",
    )
    text = "\n".join(explanation(finding))
    if finding.outcome is Outcome.FAILED:
        short = finding.mistake.sentence if finding.mistake is not None else plain(finding.came)
        kind = finding.mistake.id if finding.mistake is not None else "failed"
        XML.SubElement(case, "failure", message=short, type=kind).text = text
    elif finding.outcome is Outcome.BROKEN:
        XML.SubElement(case, "error", message="the examiner failed").text = text
    elif finding.outcome is Outcome.BLOCKED:
        XML.SubElement(case, "skipped", message="plain use has to work first")
    elif finding.outcome is Outcome.UNSTEADY:
        XML.SubElement(case, "system-out").text = text
