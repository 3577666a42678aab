"""
The report as one page of HTML, with everything in it: no script, no other file, dark and light, and for
print.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from html import escape

from labnet.check.display import Row, lines, plain, rows
from labnet.check.score import Score, byTopic, total
from labnet.check.textreport import counted, points, shortened, stepLine, subjectLine
from labnet.check.verdict import Finding, Outcome, Verdict

__all__ = ["asHTML"]

_WORDS = {
    Outcome.PASSED: "passed",
    Outcome.UNSTEADY: "unsteady",
    Outcome.FAILED: "failed",
    Outcome.BLOCKED: "not examined",
    Outcome.BROKEN: "examiner failed",
}

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fff; --quiet: #5b6675; --line: #d8dee6;
  --good: #1a7f37; --bad: #b3261e; --warn: #8a5a00; --mark: #ffd7d5; --box: #f5f7fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9f0; --paper: #14181f; --quiet: #9aa6b5;
  --line: #313a46; --good: #57c974; --bad: #ff8a80; --warn: #e0b04c; --mark: #6d2420; --box: #1c222b; } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
p { margin: .3rem 0; overflow-wrap: anywhere } .quiet { color: var(--quiet) }
code, pre, .bytes { font: .85rem/1.45 ui-monospace, monospace }
.score { display: flex; align-items: baseline; gap: .75rem; margin: 1rem 0 .25rem }
.score strong { font-size: 2.2rem; line-height: 1; white-space: nowrap }
meter { width: 100%; height: .8rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .6rem .3rem 0;
  border-bottom: 1px solid var(--line) } td.number, th.number { text-align: right; white-space: nowrap }
ol.mend { padding-left: 1.3rem } ol.mend li { margin: .8rem 0 }
details, .scenario { border: 1px solid var(--line); border-radius: .4rem; padding: .5rem .8rem; margin:
.4rem 0 } summary { cursor: pointer } .word { display: inline-block; min-width: 6.5rem; font-weight: 600 }
.passed .word { color: var(--good) } .failed .word, .broken .word { color: var(--bad) }
.unsteady .word { color: var(--warn) } .blocked .word { color: var(--quiet) }
dl { display: grid; grid-template-columns: 6.5rem 1fr; gap: .2rem .5rem; margin: .6rem 0 }
dt { color: var(--quiet) } dd { margin: 0; overflow-wrap: anywhere }
.bytes, pre { background: var(--box); border-radius: .3rem; padding: .5rem .7rem; overflow-x: auto; margin:
.5rem 0 } .bytes div { white-space: pre } .bytes mark { background: var(--mark); color: inherit;
border-radius: .15rem;
  outline: 2px solid var(--bad); outline-offset: -1px }
pre { white-space: pre-wrap; overflow-wrap: anywhere }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr } dt { margin-top: .3rem } }
@media print { details > * { display: block } body { max-width: none } }
"""


_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>"""


def asHTML(verdict: Verdict) -> str:
    """The whole report."""
    score = total(verdict)
    title = escape(plain(verdict.title) or f"{verdict.subject.service} {verdict.subject.side.value}")
    percent = f"{score.percent:.0f} %"
    scenarios = f"{score.passed} of {counted(score.scenarios, 'scenario')} passed"
    body = [
        f"<h1>{title}</h1>",
        f'<p class="quiet">{escape(subjectLine(replace(verdict, title="")))}</p>',
        f'<p class="score"><strong>{percent}</strong><span>{points(score)} points, {scenarios}</span></p>',
        f'<meter min="0" max="100" value="{score.percent:.1f}" aria-label="score">{percent}</meter>',
        *_mending(verdict),
        "<h2>By topic</h2>",
        *_table(verdict),
        *_topics(verdict),
        f'<p class="quiet">labnet {escape(verdict.version)}, {verdict.seconds:.1f} s</p>',
    ]
    return "\n".join([_HEAD.format(title=title, style=_STYLE), *body, "</body>", "</html>"])


def _mending(verdict: Verdict) -> list[str]:
    if not verdict.mistakes:
        return []
    text = ["<h2>What to mend</h2>", '<ol class="mend">']
    for mistake in verdict.mistakes:
        seen = ", ".join(
            f'<a href="#{escape(plain(finding.scenario.name))}">{escape(plain(finding.scenario.title))}</a>'
            for finding in verdict.findings
            if finding.mistake is mistake
        )
        text += [
            f"<li><strong>{escape(mistake.sentence)}</strong> <code>{escape(mistake.id)}</code>",
            f"<p>{escape(mistake.explanation)}</p><p>{escape(mistake.cure)}</p>",
            f'<p class="quiet">Seen in: {seen}</p></li>',
        ]
    return [*text, "</ol>"]


def _table(verdict: Verdict) -> list[str]:
    def row(title: str, score: Score) -> str:
        scenarios = f'<td class="number">{score.passed} of {score.scenarios}</td>'
        return f'<tr><td>{escape(title)}</td>{scenarios}<td class="number">{points(score)}</td></tr>'

    return [
        '<table><thead><tr><th>Topic</th><th class="number">Scenarios</th>',
        '<th class="number">Points</th></tr></thead><tbody>',
        *(row(topic.title, score) for topic, score in byTopic(verdict).items()),
        "</tbody></table>",
    ]


def _topics(verdict: Verdict) -> Iterable[str]:
    for topic in byTopic(verdict):
        yield f"<h2>{escape(topic.title)}</h2>"
        for finding in verdict.findings:
            if finding.scenario.topic is topic:
                yield _scenario(finding)


def _scenario(finding: Finding) -> str:
    scenario, outcome = finding.scenario, finding.outcome
    about = "" if outcome in (Outcome.PASSED, Outcome.BLOCKED) else _about(finding)
    name, opened = escape(plain(scenario.name)), " open" if about else ""
    return (
        f'<details class="{outcome.name.lower()}" id="{name}"{opened}>'
        f'<summary><span class="word">{_WORDS[outcome]}</span> {escape(plain(scenario.title))}</summary>'
        f'<p class="quiet">{escape(plain(scenario.why))}</p>{about}</details>'
    )


def _about(finding: Finding) -> str:
    if finding.outcome is Outcome.BROKEN:
        return _block(lines(finding.came))
    told = [("expected", finding.expected), ("came", finding.came)]
    if finding.outcome is Outcome.UNSTEADY:
        told.append(("but", "That was the first run. The second one passed: does it depend on chance?"))
    if finding.mistake is not None:
        told.append(("likely", f"{finding.mistake.sentence} [{finding.mistake.id}]"))
    text = (
        "<dl>" + "".join(f"<dt>{key}</dt><dd>{escape(plain(value))}</dd>" for key, value in told) + "</dl>"
    )
    if finding.exhibit is not None:
        shown = "".join(f"<div>{_row(row)}</div>" for row in rows(finding.exhibit))
        text += f'<div class="bytes" tabindex="0">{shown}</div>'
    if finding.steps:
        text += "<p>What was said before</p>" + _block(stepLine(step) for step in shortened(finding.steps))
    if finding.output:
        text += "<p>Its last lines</p>" + _block(lines(finding.output))
    return text


def _row(row: Row) -> str:
    """Hexadecimal and text, with the decisive byte marked in both."""
    mark = row.mark if row.label == "came" else None
    digits = [*row.digits, *(["  "] * (16 - len(row.digits)))]
    letters = [escape(letter) for letter in row.letters.ljust(16)]
    if mark is not None and mark < 16:
        digits[mark] = f"<mark>{digits[mark]}</mark>"
        letters[mark] = f"<mark>{letters[mark]}</mark>"
    return f"{row.label:<10}{row.offset:04x}  {' '.join(digits)}  {''.join(letters)}"


def _block(text: Iterable[str]) -> str:
    return "<pre>" + escape("\n".join(text)) + "</pre>"
