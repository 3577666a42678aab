"""
What is said of a scenario: by the bytes, whatever the proxy calls them.
"""

from __future__ import annotations

import pytest

from labnet.proxyselftest.scenario import page, response
from labnet.proxyselftest.verdict import Ending, Finding, Outcome, Received, judge, untold
from tests.proxyselftest.world import MARKER, by, found, received

GOT = page(MARKER.text)


def after(name: str, raw: bytes, ending: Ending = Ending.CLOSED, asked: int = 1) -> Finding:
    """What is said when the client of a scenario gets these bytes on its first connection."""
    scenario = by(name)
    plan = scenario.build(MARKER)
    first = Received(plan.connections[0], b"", raw, ending)
    return judge(scenario, plan, MARKER, [first], asked)


def told(finding: Finding) -> tuple[Outcome, str]:
    return finding.outcome, finding.sentence


def test_theWordInAnErrorsPageHasGotThrough() -> None:
    """What counts is that the client has it."""
    assert told(after("plain", response(GOT, status=b"502 Bad Gateway"))) == (
        Outcome.THROUGH,
        "the word arrived in the bytes as they came",
    )


def test_thePageWithoutTheWord() -> None:
    """A proxy may take the word out."""
    raw = response(page(MARKER.nonce + b"********"))
    assert told(after("plain", raw)) == (Outcome.BLOCKED, "answered 200, the page without the word")


def test_anEmptyAnswer() -> None:
    assert told(after("plain", response(b""))) == (Outcome.BLOCKED, "answered 200, nothing of the word")


def test_whatIsCutOff() -> None:
    raw = response(GOT).partition(MARKER.word)[0]
    kind, sentence = told(after("plain", raw))
    assert kind is Outcome.BLOCKED
    assert sentence.startswith("cut off after ")


@pytest.mark.parametrize(
    ("name", "outcome"),
    [("plain", Outcome.BLOCKED), ("clean", Outcome.BROKEN), ("cut-length", Outcome.RIGHT)],
)
def test_aConnectionThatEndsWithoutAnAnswer(name: str, outcome: Outcome) -> None:
    assert told(after(name, b"")) == (outcome, "the connection was ended without an answer")


@pytest.mark.parametrize("name", ["plain", "cut-length"])
def test_whenTheOriginIsNotAskedNothingIsKnown(name: str) -> None:
    finding = after(name, response(b"", status=b"403 Forbidden"), asked=0)
    assert told(finding) == (Outcome.UNTOLD, "the origin was not asked: answered 403")
    assert not finding.outcome.bad


@pytest.mark.parametrize("name", ["plain", "clean", "cut-length"])
@pytest.mark.parametrize(
    ("ending", "raw", "sentence"),
    [
        (Ending.LATE, b"", "nothing came in time, though the origin had said everything"),
        (Ending.LATE, b"HTTP/1.1", "8 bytes, and then nothing came in time, though the origin had said "
         "everything"),
        (Ending.FULL, b"xx", "over 2 bytes came, more than the origin has sent"),
    ],
)  # fmt: skip
def test_whatHasNoEndIsBroken(name: str, ending: Ending, raw: bytes, sentence: str) -> None:
    assert told(after(name, raw, ending)) == (Outcome.BROKEN, sentence)


def test_aProxyThatIsGoneIsBroken() -> None:
    scenario = by("plain")
    plan = scenario.build(MARKER)
    gone = Received(plan.connections[0], b"", b"", Ending.UNREACHED, "connection refused")
    assert told(judge(scenario, plan, MARKER, [gone], 0)) == (
        Outcome.BROKEN,
        "the proxy takes no connection: connection refused",
    )


def test_aWordThatCameBeforeAHangHasGotThrough() -> None:
    assert after("plain", response(GOT)[:-5], Ending.LATE).outcome is Outcome.THROUGH


def test_aHalfPageThatPassesForWhole() -> None:
    """The origin's page stops early; the client must be able to see that."""
    kind, sentence = told(found(by("cut-length"), lambda raw: response(raw.partition(b"\r\n\r\n")[2])))
    assert kind is Outcome.BROKEN
    assert sentence == "1401 bytes of 1601 were passed on as the whole"


def test_aHalfPageUpToTheEndOfTheConnection() -> None:
    """That has no length at all: it passes for whole, unless the connection is reset."""

    def delimitedByItsEnd(raw: bytes) -> bytes:
        return b"HTTP/1.1 200 OK\r\n\r\n" + raw.partition(b"\r\n\r\n")[2]

    assert found(by("cut-length"), delimitedByItsEnd).outcome is Outcome.BROKEN
    reset = found(by("cut-length"), delimitedByItsEnd, Ending.RESET)
    assert told(reset) == (Outcome.RIGHT, "the client sees that it is not whole")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda raw: raw[:-100], "1501 bytes of 1601 arrived"),
        (
            lambda raw: raw.replace(b"clean", b"green"),
            "other 1601 bytes arrived than the 1601 that were sent",
        ),
        (lambda raw: raw.replace(b"200 OK", b"404 Not Found"), "a clean page was refused: answered 404"),
        (lambda raw: raw.replace(b"200 OK", b"302 Found"), "a clean page was refused: answered 302"),
    ],
)
def test_aCleanPageThatDoesNotArrive(change: object, sentence: str) -> None:
    assert callable(change)
    assert told(found(by("clean"), change)) == (Outcome.BROKEN, sentence)


def test_anAnswerThatIsMissing() -> None:
    """Three were asked for."""
    scenario = by("clean-pipelined")
    plan = scenario.build(MARKER)
    (all_,) = received(plan)
    two = Received(all_.asks, b"", all_.raw[: all_.raw.rindex(b"HTTP/1.1")], Ending.CLOSED)
    assert told(judge(scenario, plan, MARKER, [two], 3)) == (Outcome.BROKEN, "190 bytes of 285 arrived")


def test_whatIsOnlyNotedIsNotBad() -> None:
    finding = found(by("tunnel"))
    assert finding.outcome is Outcome.NOTE
    assert not finding.outcome.bad


def test_whatCanNotBeTold() -> None:
    assert told(untold(by("br"), "no brotli here")) == (Outcome.UNTOLD, "no brotli here")
