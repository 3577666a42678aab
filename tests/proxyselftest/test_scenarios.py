"""
The scenarios: each shows what it is there to show, with any word, and can be found by its name.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import pytest

from labnet.proxyselftest.scenario import Expect, Marker, Pause, Scenario, Unbuildable
from labnet.proxyselftest.scenarios import SCENARIOS, UnknownScenario, chosen
from labnet.proxyselftest.verdict import Outcome, judge
from tests.proxyselftest.world import MARKER, found, received

every = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)

BLOCK_PAGE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 16\r\n\r\nSzamHalo blocked"


def test_thereAreMany() -> None:
    assert len(SCENARIOS) >= 100
    assert not [name for name, times in Counter(one.name for one in SCENARIOS).items() if times > 1]


def test_aWordIsEitherAScenarioOrASubject() -> None:
    assert not {one.name for one in SCENARIOS} & {one.subject.lower() for one in SCENARIOS}


def test_subjectsStandTogether() -> None:
    """Each subject is one group of the table."""
    subjects = [one.subject for one in SCENARIOS]
    changes = [
        subject for subject, before in zip(subjects, [None, *subjects], strict=False) if subject != before
    ]
    assert len(changes) == len(set(subjects))


@every
def test_withoutAProxyEverythingArrives(scenario: Scenario) -> None:
    """A word that nobody blocks is found, whatever it wears; so a proxy that lets it pass is caught."""
    finding = found(scenario)
    if scenario.expect is Expect.WORD:
        assert finding.outcome is (Outcome.NOTE if scenario.note else Outcome.THROUGH), finding.sentence
    else:
        assert finding.outcome is Outcome.RIGHT, finding.sentence


@every
def test_aBlockPageIsNotTakenForThePage(scenario: Scenario) -> None:
    """A proxy that answers 404 to everything lets nothing through, though its page names the word."""
    finding = found(scenario, lambda answer: BLOCK_PAGE)
    expected = {Expect.WORD: Outcome.BLOCKED, Expect.CLEAN: Outcome.BROKEN, Expect.CUT: Outcome.RIGHT}
    assert finding.outcome is expected[scenario.expect], finding.sentence
    assert finding.status == 404


@every
def test_theProxyCanNotKnowTheWordFromTheRequest(scenario: Scenario) -> None:
    plan = scenario.build(MARKER)
    asked = repr(plan.connections)
    assert "SzamHalo" not in asked


@every
@pytest.mark.parametrize("word", ["hálózat", "xy", "слово", "a b"])
def test_otherWords(scenario: Scenario, word: str) -> None:
    """With any word a scenario shows the same, or says that it can not."""
    marker = Marker(word.encode(), b"0123abcd-")
    try:
        plan = scenario.build(marker)
    except Unbuildable:
        return
    finding = judge(scenario, plan, marker, received(plan), asked=1)
    assert finding.outcome in (Outcome.THROUGH, Outcome.NOTE, Outcome.RIGHT), finding.sentence


def test_mostScenariosTakeAnyWord() -> None:
    """Guards the one above, which passes over those that can not be made."""
    marker = Marker("слово".encode(), b"0123abcd-")
    unbuildable = []
    for scenario in SCENARIOS:
        with suppress(Unbuildable):
            scenario.build(marker)
            continue
        unbuildable.append(scenario.name)
    assert unbuildable == [
        "iso-8859-2", "windows-1252", "iso-2022-jp", "iso-2022-jp-meta", "field-name", "other-case",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["segments", "bytes", "two-chunks", "chunk-bytes", "gzip-members", "range-halves"]
)
def test_theWordIsReallyApart(name: str) -> None:
    """No piece of these has the word in it."""
    (scenario,) = chosen([name])
    plan = scenario.build(MARKER)
    pieces = [step for reply in plan.replies for step in reply.steps if isinstance(step, bytes)]
    if name == "range-halves":
        pieces = pieces[:2]
    assert pieces
    assert not [piece for piece in pieces if MARKER.word in piece]


@pytest.mark.parametrize(
    "name",
    [
        "gzip",
        "gzip-chunks",
        "deflate",
        "deflate-raw",
        "br",
        "zstd",
        "zstd-frames",
        "gzip-gzip",
        "two-fields",
    ],
)
def test_theWordIsReallyCoded(name: str) -> None:
    """A coder leaves what is short as it is: then the scenario would show nothing."""
    (scenario,) = chosen([name])
    (reply,) = scenario.build(MARKER).replies
    assert not [step for step in reply.steps if isinstance(step, bytes) and MARKER.word in step]


def test_piecesHavePausesBetweenThem() -> None:
    (scenario,) = chosen(["bytes"])
    steps = scenario.build(MARKER).replies[0].steps
    assert steps.count(Pause.PAUSE) == len(MARKER.text)


def test_someByNameAndBySubject() -> None:
    assert [one.name for one in chosen(["gzip", " Ranges"])] == [
        "gzip", "range-halves", "if-range", "request-range", "multipart",
    ]  # fmt: skip
    assert chosen([]) == SCENARIOS
    with pytest.raises(UnknownScenario, match="'gzib'"):
        chosen(["gzip", "gzib"])
