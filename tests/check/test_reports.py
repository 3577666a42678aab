"""
The reports: what they say, what they count, and that nothing in them can break their format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.check.clienttap import FORMATS
from labnet.check.evidence import Exhibit, Kind, Step
from labnet.check.gradescope import asGradescope
from labnet.check.htmlreport import asHTML
from labnet.check.jsonreport import asObject
from labnet.check.junit import asJUnit
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Scenario, Side, Topic
from labnet.check.score import byTopic, total
from labnet.check.textreport import asText, listing
from labnet.check.verdict import Finding, Outcome, Subject, Verdict, refined


async def play(peer: object) -> None:
    """Nothing."""


def scenario(
    name: str = "byte-by-byte", topic: Topic = Topic.SEGMENTATION, title: str = "bytes"
) -> Scenario:
    return Scenario(name, title, topic, Side.SERVER, "TCP keeps no boundaries.", play)


def failed(
    came: bytes = b"\x2e\0",
    mistake: Mistake | None = Mistake.SHORT_RECV,
    weight: float = 1.0,
    text: str = "",
) -> Finding:
    return Finding(
        scenario(),
        Outcome.FAILED,
        weight,
        Kind.PART,
        f"the answer 46{text}",
        f"only 2 bytes came{text}",
        Exhibit(b"\x2e\0\0\0", came, 2),
        mistake,
        (Step("examiner", "sends", b"\x0c\0", 2), Step("program", f"ends{text}")),
        f"Traceback{text}",
    )


def verdict(*findings: Finding, points: float | None = None, what: str = "tcp:127.0.0.1:9000") -> Verdict:
    return Verdict(
        Subject("calculator", Side.SERVER, "struct9", "tcp", what, 7), findings, "", points, 1.5, "1.0"
    )


PASSED = Finding(scenario("plain", Topic.PLAIN, "one calculation"), Outcome.PASSED)
BLOCKED = Finding(scenario("later"), Outcome.BLOCKED, attempts=0)


# What is said


def test_theTextForATerminal() -> None:
    """The whole of it, as a student sees it."""
    assert (
        asText(verdict(PASSED, failed()))
        == """\
calculator server, struct9, tcp: tcp:127.0.0.1:9000 (seed 7)

Plain use                               1 of 1
  ok        one calculation  [plain]

Segmentation                            0 of 1
  FAILED    bytes  [byte-by-byte]
            why       TCP keeps no boundaries.
            expected  the answer 46
            came      only 2 bytes came

            expected  0000  2e 00 00 00                                      ....
            came      0000  2e 00                                            ..
                                  ^^                                           ^

            before
              the examiner sends 2 bytes: 0c 00
              the program ends

            output
              | Traceback

            likely    You called recv(n) once, and took what it returned for n bytes. [short-recv]


What to mend

  1. You called recv(n) once, and took what it returned for n bytes. [short-recv]
     recv(n) returns what is there: at least one byte, and at most n. A message may come in pieces.
     Call recv in a loop until all n bytes are there, or until it returns b'', which is the end.
     Seen in: byte-by-byte.

1 of 2 scenarios passed, 1 of 2 points (50 %), in 1.5 s"""
    )


def test_coloursAreForTerminals() -> None:
    assert "\x1b[31;1mFAILED" in asText(verdict(failed()), colour=True)


def test_aTerminalOfTheUsualWidth() -> None:
    """Words are folded, and fewer bytes are in a row; none of them is lost."""
    came = bytes(range(40))
    finding = failed(came=came, text=" of a student" * 8)
    long = replace(finding, exhibit=Exhibit(came[:20] + b"\xff" + came[21:], came, 20))
    text = asText(verdict(long), width=80).splitlines()
    assert max(len(line) for line in text if "  | " not in line) <= 80
    assert any("0010  10 11 12 13 14 15 16 17  ........" in line for line in text)
    (caret,) = (line for line in text if line.strip().startswith("^^"))
    (row,) = (line for line in text if line.lstrip().startswith("came") and "0010" in line)
    assert [match.start() for match in re.finditer(r"\^+", caret)] == [row.index("14 15"), len(row) - 4]


def test_theListOfScenarios() -> None:
    """Names stand in a column that is as wide as they are."""
    lines = listing([scenario("a"), scenario("the-end-in-the-middle-of-an-answer", title="the end")], 80)
    names = lines.splitlines()
    assert "  the-end-in-the-middle-of-an-answer  the end" in names
    assert f"  {'a':<36}bytes" in names


def test_aPageNamesTheExerciseOnce() -> None:
    page = asHTML(replace(verdict(PASSED), title="Exercise 3"))
    assert page.partition("</head>")[2].count("Exercise 3") == 1


def test_theObject() -> None:
    report = asObject(verdict(PASSED, failed(), BLOCKED, points=6.0))
    assert report["score"] == {"earned": 2.0, "possible": 6.0, "passed": 1, "scenarios": 3}
    assert report["passed"] is False
    assert [one["outcome"] for one in report["scenarios"]] == ["passed", "failed", "not examined"]
    assert report["scenarios"][1]["exhibit"] == {"expected": "2e000000", "came": "2e00", "offset": 2}
    assert [mistake["id"] for mistake in report["mistakes"]] == ["short-recv"]


def test_forGradescope() -> None:
    report = asGradescope(verdict(PASSED, failed(weight=3.0), points=8.0))
    assert report["score"] == 2.0
    assert [(test["score"], test["max_score"], test["status"]) for test in report["tests"]] == [
        (2.0, 2.0, "passed"),
        (0.0, 6.0, "failed"),
    ]
    assert "What to mend" in report["output"]
    assert report["tests"][1]["tags"] == ["segmentation", "short-recv"]


def test_forContinuousIntegration() -> None:
    unsteady = Finding(scenario("chance"), Outcome.UNSTEADY, came="nothing came")
    broken = Finding(scenario("ours"), Outcome.BROKEN, came="Traceback")
    root = ElementTree.fromstring(asJUnit(verdict(PASSED, failed(), BLOCKED, unsteady, broken)))
    counts = {key: root.get(key) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "5", "failures": "1", "errors": "1", "skipped": "1"}
    (failure,) = root.iter("failure")
    assert failure.get("type") == "short-recv"
    assert "the answer 46" in (failure.text or "")
    assert next(root.iter("testcase")).get("name") == "plain"


# What is counted


def test_pointsAreSharedByWeight() -> None:
    score = total(verdict(PASSED, failed(weight=3.0), points=10.0))
    assert (score.earned, score.possible, score.percent) == (2.5, 10.0, 25.0)
    topics = byTopic(verdict(PASSED, failed(weight=3.0)))
    assert {topic: (one.earned, one.possible) for topic, one in topics.items()} == {
        Topic.PLAIN: (1.0, 1.0),
        Topic.SEGMENTATION: (0.0, 3.0),
    }


def test_whatCountsNothingFailsNobody() -> None:
    note = verdict(PASSED, failed(weight=0.0))
    assert note.passed
    assert total(note).percent == 100.0
    assert total(verdict(failed(weight=0.0), points=5.0)).percent == 100.0


def test_whatIsUnsteadyGetsItsPoints() -> None:
    assert verdict(Finding(scenario(), Outcome.UNSTEADY)).passed
    assert not verdict(BLOCKED).passed


def test_twoMistakesThatAreOne() -> None:
    """Who fails with two messages in a piece as well has not only forgotten a loop."""

    def named(findings: Sequence[Finding]) -> list[Mistake | None]:
        return [finding.mistake for finding in refined(findings)]

    short, one = failed(), failed(mistake=Mistake.ONE_RECV)
    assert named([short, short]) == [Mistake.SHORT_RECV] * 2
    assert named([short, one, PASSED]) == [Mistake.ONE_RECV, Mistake.ONE_RECV, None]


# What can not be broken


class Tags(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.add(tag)
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "strong", "span", "meter", "a", "ol",
    "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "dl", "dt", "dd", "div", "mark",
    "li", "code", "pre",
}  # fmt: skip
EVIL = "<script>alert(1)</script>\x1b[2J\0]]>&\ud800\ufffe\u202e\"'--><!--\r\n"


@pytest.mark.parametrize("form", FORMATS)
@given(came=st.binary(max_size=60), text=st.text(max_size=40) | st.just(EVIL))
def test_noByteOfAProgramBreaksAFormat(form: str, came: bytes, text: str) -> None:
    report = FORMATS[form](verdict(PASSED, failed(came, text=text), what=f"python {text}"))
    assert all(letter == "\n" or letter.isprintable() for letter in report)
    report.encode("utf-8")
    if form in ("json", "gradescope"):
        json.loads(report)
    elif form == "junit":
        ElementTree.fromstring(report)
    elif form == "html":
        tags = Tags()
        tags.feed(report)
        tags.close()
        assert tags.open == []
        assert tags.found <= ALLOWED
