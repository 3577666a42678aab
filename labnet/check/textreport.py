"""
The report for a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from labnet.check.display import ROW, hexadecimal, lines, plain, rows
from labnet.check.evidence import Exhibit, Step
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Scenario, Topic
from labnet.check.score import Score, byTopic, total
from labnet.check.verdict import Finding, Outcome, Verdict

__all__ = [
    "WIDTH",
    "asText",
    "counted",
    "explanation",
    "listing",
    "mending",
    "points",
    "shortened",
    "stepLine",
    "subjectLine",
    "summary",
]

#: Columns that lines of words have at the most.
WIDTH = 100
_MOST_STEPS = 12
_WORDS = {
    Outcome.PASSED: "ok",
    Outcome.UNSTEADY: "unsteady",
    Outcome.FAILED: "FAILED",
    Outcome.BLOCKED: "not run",
    Outcome.BROKEN: "BROKEN",
}
_COLOURS = {
    Outcome.PASSED: "32",
    Outcome.UNSTEADY: "33",
    Outcome.FAILED: "31;1",
    Outcome.BLOCKED: "2",
    Outcome.BROKEN: "35;1",
}


def asText(verdict: Verdict, *, colour: bool = False, detailed: bool = True, width: int = WIDTH) -> str:
    """
    The whole report.

    @param colour: whether the outcomes are coloured, for a terminal.
    @param detailed: whether it says of what failed what was said before.
    @param width: of the terminal; what programs have printed may be wider.
    """
    text = [subjectLine(verdict), ""]
    for topic, score in byTopic(verdict).items():
        text.append(f"{topic.title:<40}{points(score)}")
        for finding in verdict.findings:
            if finding.scenario.topic is topic:
                text += _finding(finding, colour, detailed, width)
        text.append("")
    text += mending(verdict, width)
    text.append(summary(verdict))
    return "\n".join(text)


def subjectLine(verdict: Verdict) -> str:
    """Who was examined, in one line."""
    subject = verdict.subject
    title = f"{plain(verdict.title)}: " if verdict.title else ""
    variant = f", {subject.variant}" if subject.variant else ""
    return (
        f"{title}{subject.service} {subject.side.value}{variant}, {subject.transport}: "
        f"{plain(subject.what)} (seed {subject.seed})"
    )


def summary(verdict: Verdict) -> str:
    """The score, in one line."""
    score = total(verdict)
    return (
        f"{score.passed} of {counted(score.scenarios, 'scenario')} passed, "
        f"{points(score)} points ({score.percent:.0f} %), in {verdict.seconds:.1f} s"
    )


def points(score: Score) -> str:
    """What was earned of what could be: C{3 of 4}, C{2.5 of 10}."""
    return f"{_short(score.earned)} of {_short(score.possible)}"


def counted(number: int, one: str) -> str:
    """So many of them."""
    return f"{number} {one}{'' if number == 1 else 's'}"


def listing(scenarios: Iterable[Scenario], width: int = WIDTH) -> str:
    """The scenarios with their topics, for C{--list}."""
    scenarios = list(scenarios)
    names = max((len(scenario.name) for scenario in scenarios), default=0) + 2
    text: list[str] = []
    topic: Topic | None = None
    for scenario in scenarios:
        if scenario.topic is not topic:
            topic = scenario.topic
            text += [*([""] if text else []), f"{topic.title} ({topic.word})"]
        text.append(f"  {scenario.name:<{names}}{scenario.title}")
        text += (f"  {'':<{names}}{line}" for line in wrap(scenario.why, width - names - 2))
    return "\n".join(text)


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _finding(finding: Finding, colour: bool, detailed: bool, width: int) -> list[str]:
    word = f"{_WORDS[finding.outcome]:<10}"
    if colour:
        word = f"\x1b[{_COLOURS[finding.outcome]}m{word}\x1b[0m"
    scenario = finding.scenario
    text = [f"  {word}{plain(scenario.title)}  [{plain(scenario.name)}]"]
    about = explanation(finding, colour=colour, detailed=detailed, width=width - 12)
    return text + [f"{'':12}{line}".rstrip() for line in about] + ([""] if about else [])


def explanation(
    finding: Finding, *, colour: bool = False, detailed: bool = True, width: int = WIDTH - 12
) -> list[str]:
    """What is to be said of a scenario that did not simply pass; nothing of others."""
    if finding.outcome is Outcome.PASSED:
        return []
    if finding.outcome is Outcome.BLOCKED:
        return [plain(finding.came)] if finding.came else []
    if finding.outcome is Outcome.BROKEN:
        return lines(finding.came)
    about = [
        *_labelled("why", plain(finding.scenario.why), width),
        *_labelled("expected", plain(finding.expected), width),
        *_labelled("came", plain(finding.came), width),
    ]
    if finding.outcome is Outcome.UNSTEADY:
        about += _labelled(
            "", "That was the first run. The second one passed: does it depend on chance?", width
        )
    if finding.exhibit is not None:
        about += ["", *_exhibit(finding.exhibit, colour, width)]
    if detailed and finding.steps:
        about += ["", "before", *_steps(finding.steps, width)]
    if finding.output:
        about += ["", "output", *(f"  | {line}" for line in lines(finding.output, 12))]
    if finding.mistake is not None:
        about += ["", *_labelled("likely", f"{finding.mistake.sentence} [{finding.mistake.id}]", width)]
    return about


def _steps(steps: Sequence[Step], width: int) -> Iterator[str]:
    for step in shortened(steps):
        yield from wrap(
            stepLine(step),
            width,
            initial_indent="  ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )


def _labelled(label: str, words: str, width: int) -> list[str]:
    first, *rest = wrap(words, width - 10) or [""]
    return [f"{label:<10}{first}", *(f"{'':10}{line}" for line in rest)]


def _exhibit(exhibit: Exhibit, colour: bool, width: int) -> list[str]:
    """Hexadecimal and text, with the decisive byte marked in both."""
    text: list[str] = []
    # A byte takes four columns, and there are 17 beside them.
    each = ROW if width >= 17 + 4 * ROW else ROW // 2
    digits = 3 * each - 1
    for row in rows(exhibit, each):
        text.append(f"{row.label:<10}{row.offset:04x}  {' '.join(row.digits):<{digits}}  {row.letters}")
        if row.mark is not None and row.label == "came":
            caret = f"{'':16}{'':{3 * row.mark}}^^{'':{digits - 2 - 3 * row.mark}}  {'':{row.mark}}^"
            text.append(f"\x1b[31;1m{caret}\x1b[0m" if colour else caret)
    return text


def shortened(steps: Sequence[Step]) -> list[Step]:
    """The first and the last ones; in between it is said that there were others."""
    if len(steps) <= _MOST_STEPS:
        return list(steps)
    half = _MOST_STEPS // 2
    return [*steps[:half], Step("", f"{len(steps) - 2 * half} more"), *steps[-half:]]


def stepLine(step: Step) -> str:
    """Something that was said or done, in one line."""
    if not step.who:
        return f"... {step.what}"
    said = f": {hexadecimal(step.data, 24)}" if step.data else ""
    size = f" {counted(step.size, 'byte')}" if step.size else ""
    return f"the {plain(step.who)} {plain(step.what)}{size}{said}"


def mending(verdict: Verdict, width: int = WIDTH) -> list[str]:
    """What to mend, each mistake once."""
    if not verdict.mistakes:
        return []
    text = ["What to mend", ""]
    for number, mistake in enumerate(verdict.mistakes, 1):
        text += _mistake(number, mistake, verdict, width)
    return text


def _mistake(number: int, mistake: Mistake, verdict: Verdict, width: int) -> list[str]:
    seen = ", ".join(finding.scenario.name for finding in verdict.findings if finding.mistake is mistake)
    first = f"  {number}. {mistake.sentence} [{mistake.id}]"
    text = wrap(first, width, subsequent_indent="     ", break_on_hyphens=False)
    for words in (mistake.explanation, mistake.cure, f"Seen in: {seen}."):
        text += (f"     {line}" for line in wrap(words, width - 5))
    return [*text, ""]
