"""
What came of a scenario, judged by the bytes that the client got.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from labnet.proxyselftest.reading import Message, content, messages, renderings, together
from labnet.proxyselftest.scenario import Ask, Expect, Marker, Plan, Scenario

__all__ = ["Ending", "Finding", "Outcome", "Received", "judge", "untold"]

_SILENCE = "the connection was ended without an answer"


class Ending(Enum):
    """How a connection of the client ended."""

    CLOSED = "closed"
    RESET = "reset"
    ANSWERED = "answered"
    LATE = "late"
    FULL = "full"
    UNREACHED = "unreached"


class Outcome(Enum):
    """What is said of a scenario."""

    THROUGH = "got through"
    BROKEN = "broken"
    BLOCKED = "blocked"
    RIGHT = "right"
    NOTE = "note"
    UNTOLD = "could not tell"

    @property
    def bad(self) -> bool:
        """Whether the proxy has failed."""
        return self in (Outcome.THROUGH, Outcome.BROKEN)


@dataclass(frozen=True, slots=True)
class Received:
    """
    What the client got on one connection.

    @ivar asks: the requests on it.
    @ivar sent: their bytes.
    @ivar raw: what came, after the answer to a CONNECT.
    @ivar problem: for L{Ending.UNREACHED}, why.
    @ivar status: and the exit status that says so.
    """

    asks: tuple[Ask, ...]
    sent: bytes
    raw: bytes
    ending: Ending
    problem: str = ""
    status: int = 0

    @property
    def messages(self) -> list[Message]:
        """The final answers, as a correct client reads them."""
        methods = [ask.method for ask in self.asks]
        return messages(self.raw, methods, self.ending is Ending.CLOSED)


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What came of a scenario.

    @ivar sentence: what happened, in plain words.
    @ivar status: of the last answer; 0 if there was none.
    """

    scenario: Scenario
    outcome: Outcome
    sentence: str
    status: int = 0


def untold(scenario: Scenario, why: str) -> Finding:
    """A scenario that came to nothing."""
    return Finding(scenario, Outcome.UNTOLD, why)


def judge(
    scenario: Scenario, plan: Plan, marker: Marker, received: Sequence[Received], asked: int
) -> Finding:
    """
    Judge by what the client got.

    @param received: for each connection.
    @param asked: how many requests reached the origin.
    """
    proof = plan.proof or marker.text
    answers = [message for one in received for message in one.messages]
    status = answers[-1].status if answers else 0
    outcome, sentence = (
        _ofWord(proof, marker, received, answers, asked)
        if scenario.expect is Expect.WORD
        else _ofCut(plan, received, answers, asked)
        if scenario.expect is Expect.CUT
        else _ofClean(plan, received, answers)
    )
    if scenario.note and outcome is Outcome.THROUGH:
        outcome = Outcome.NOTE
    return Finding(scenario, outcome, sentence, status)


def _ofWord(
    proof: bytes, marker: Marker, received: Sequence[Received], answers: Sequence[Message], asked: int
) -> tuple[Outcome, str]:
    how = next(_found(proof, received), None)
    if how is not None:
        return Outcome.THROUGH, f"the word arrived {how}"
    failed = _notAnswered(received)
    if failed is not None:
        return failed
    if not asked:
        return Outcome.UNTOLD, f"the origin was not asked: {_last(answers)}"
    if not answers:
        return Outcome.BLOCKED, _SILENCE
    last = answers[-1]
    if not last.complete:
        return Outcome.BLOCKED, f"cut off after {len(last.body)} bytes of the body"
    if marker.nonce in content(last):
        return Outcome.BLOCKED, f"{_last(answers)}, the page without the word"
    return Outcome.BLOCKED, _last(answers) + (", nothing of the word" if last.status < 400 else "")


def _ofCut(
    plan: Plan, received: Sequence[Received], answers: Sequence[Message], asked: int
) -> tuple[Outcome, str]:
    failed = _notAnswered(received)
    if failed is not None:
        return failed
    if not asked:
        return Outcome.UNTOLD, f"the origin was not asked: {_last(answers)}"
    if not answers:
        return Outcome.RIGHT, _SILENCE
    last = answers[-1]
    if not last.complete:
        return Outcome.RIGHT, "the client sees that it is not whole"
    if 200 <= last.status < 300 and plan.content.startswith(content(last)[:100]):
        return Outcome.BROKEN, f"{len(last.body)} bytes of {len(plan.content)} were passed on as the whole"
    return Outcome.RIGHT, _last(answers)


def _ofClean(plan: Plan, received: Sequence[Received], answers: Sequence[Message]) -> tuple[Outcome, str]:
    failed = _notAnswered(received)
    if failed is not None:
        return failed
    if not answers:
        return Outcome.BROKEN, _SILENCE
    last = answers[-1]
    wanted = sum(len(one.asks) for one in received)
    if last.status >= 300:
        return Outcome.BROKEN, f"a clean page was refused: {_last(answers)}"
    got = b"".join(content(message) for message in answers)
    if len(answers) < wanted or not last.complete:
        return Outcome.BROKEN, f"{len(got)} bytes of {len(plan.content)} arrived"
    if got != plan.content:
        return Outcome.BROKEN, f"other {len(got)} bytes arrived than the {len(plan.content)} that were sent"
    return Outcome.RIGHT, f"{len(got)} bytes arrived as they were sent"


def _found(proof: bytes, received: Sequence[Received]) -> Iterator[str]:
    """In what ways the proof is found."""
    for one in received:
        for how, text in renderings(one.raw):
            if proof in text:
                yield how
    if proof in together([one.raw for one in received]):
        yield "in parts, to be put together"


def _notAnswered(received: Sequence[Received]) -> tuple[Outcome, str] | None:
    """What is said where there was no end to it, whatever was asked."""
    for one in received:
        if one.ending is Ending.UNREACHED:
            return Outcome.BROKEN, f"the proxy takes no connection: {one.problem}"
        if one.ending is Ending.LATE:
            what = f"{len(one.raw)} bytes, and then nothing" if one.raw else "nothing"
            return Outcome.BROKEN, f"{what} came in time, though the origin had said everything"
        if one.ending is Ending.FULL:
            return Outcome.BROKEN, f"over {len(one.raw)} bytes came, more than the origin has sent"
    return None


def _last(answers: Sequence[Message]) -> str:
    return f"answered {answers[-1].status}" if answers else _SILENCE
