"""
A conversation as a ladder: where each piece is in its stream, what became clear with it, and what can
not be told any more.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.dashboard.ladder import MOST_BYTES, MOST_FIELDS, MOST_RUNGS, Ladder, Ladders
from labnet.net.capture import dissected
from labnet.net.dissection import Field
from labnet.net.trace import Conversation, Happening
from tests.dashboard.traces import IN, OUT, REPLY, REQUEST, begin, talk, traced


def ladderOf(conversation: Conversation) -> Ladder:
    return Ladder(conversation, dissected(conversation))


def rungs(ladder: Ladder, after: int = 0) -> list[dict[str, Any]]:
    answer: dict[str, Any] = ladder.page(after)
    found: list[dict[str, Any]] = answer["rungs"]
    return found


def messages(told: list[dict[str, Any]]) -> list[tuple[int, str, str]]:
    """Whole messages, with the event that made them so."""
    return [
        (rung["n"], name, value)
        for rung in told
        for _, _, name, value, level in rung.get("fields", [])
        if level == 0
    ]


def test_aConversation() -> None:
    trace = traced()
    conversation = begin(trace)
    talk(trace, conversation, (IN, REQUEST), (OUT, REPLY), (IN, REQUEST[:5]), (IN, REQUEST[5:]))
    trace.add(conversation, Happening.CLOSED, 101.0, note="closed by us")
    told = rungs(ladderOf(conversation))
    assert [(rung["n"], rung["what"], rung.get("offset"), rung.get("piece")) for rung in told] == [
        (1, "opened", None, None),
        (2, "received", 0, 1),
        (3, "written", 0, 1),
        (4, "received", 9, 2),
        (5, "received", 14, 3),
        (6, "closed", None, None),
    ]
    assert told[-1]["note"] == "closed by us"
    assert messages(told) == [
        (2, "request 1", "12 + 34"),
        (3, "reply 1", "46"),
        (5, "request 2", "12 + 34"),
    ]


@given(st.lists(st.integers(1, 26), max_size=8))
def test_itDoesNotMatterWhenItIsRead(cuts: list[int]) -> None:
    """The fields are the same, read piece by piece or all at once, and after any of the events."""
    trace = traced()
    conversation = begin(trace)
    stream = REQUEST * 3
    bounds = [0, *sorted(set(cuts)), len(stream)]
    slowly = ladderOf(conversation)
    told = rungs(slowly)
    for start, end in pairwise(bounds):
        talk(trace, conversation, (IN, stream[start:end]))
        told += rungs(slowly, told[-1]["n"])
    assert told == rungs(ladderOf(conversation))
    assert len(messages(told)) == 3


def test_datagramsAreEachTheirOwn() -> None:
    """Offsets are in the datagram."""
    trace = traced()
    conversation = begin(trace, transport="udp", port=9001)
    talk(trace, conversation, (IN, REQUEST), (OUT, REPLY), (IN, REQUEST))
    told = rungs(ladderOf(conversation))[1:]
    assert [(rung["offset"], rung["piece"]) for rung in told] == [(0, 1), (0, 1), (0, 2)]
    assert [min(found[0] for found in rung["fields"]) for rung in told] == [0, 0, 0]


def test_inPages() -> None:
    """Bounded in number and in bytes; together they are the whole."""
    trace = traced(pieceBytes=MOST_BYTES)
    conversation = begin(trace, "echo", "raw")
    talk(
        trace,
        conversation,
        *[(IN, b"x")] * (MOST_RUNGS + 5),
        (OUT, b"y" * (MOST_BYTES - 10)),
        (IN, b"z" * 20),
    )
    ladder, numbers, sizes, after = ladderOf(conversation), [], [], 0
    while True:
        answer: dict[str, Any] = ladder.page(after)
        numbers += [rung["n"] for rung in answer["rungs"]]
        sizes.append(sum(rung.get("size", 0) for rung in answer["rungs"]))
        after = numbers[-1]
        if not answer["more"]:
            break
    assert numbers == list(range(1, MOST_RUNGS + 9))
    assert len(sizes) == 3
    assert max(sizes) <= MOST_BYTES
    assert rungs(ladder, after) == []
    assert rungs(ladder, after + 1_000) == []


def test_aPieceThatIsLargerThanAPageComesAlone() -> None:
    trace = traced(pieceBytes=2 * MOST_BYTES, conversationBytes=10 * MOST_BYTES)
    conversation = begin(trace, "echo", "raw")
    talk(trace, conversation, (IN, b"x" * (MOST_BYTES + 1)), (IN, b"y"))
    ladder = ladderOf(conversation)
    assert [rung["n"] for rung in rungs(ladder)] == [1]
    assert [rung["n"] for rung in rungs(ladder, 1)] == [2]
    assert [rung["n"] for rung in rungs(ladder, 2)] == [3]


def test_whatIsForgottenHasItsPlaceAllTheSame() -> None:
    """Offsets and numbers count it; what follows is not decoded, and that is said."""
    trace = traced(events=3)
    conversation = begin(trace)
    talk(trace, conversation, *[(IN, REQUEST)] * 5)
    ladder = ladderOf(conversation)
    answer: dict[str, Any] = ladder.page(0)
    assert answer["forgotten"] == 3
    assert [(rung["n"], rung["offset"], rung["piece"]) for rung in answer["rungs"]] == [
        (4, 18, 3),
        (5, 27, 4),
        (6, 36, 5),
    ]
    assert messages(answer["rungs"]) == []
    assert "no longer kept" in answer["problem"]


def test_whoHasReadItBeforeItWasForgottenGoesOn() -> None:
    trace = traced(events=3)
    conversation = begin(trace)
    ladder = ladderOf(conversation)
    for _ in range(6):
        talk(trace, conversation, (IN, REQUEST[:4]), (IN, REQUEST[4:]))
        ladder.read()
    answer: dict[str, Any] = ladder.page(0)
    assert answer["problem"] == ""
    assert messages(answer["rungs"])[-1] == (13, "request 6", "12 + 34")
    assert len(ladder._fields) <= 3


def test_aPieceThatIsNotKeptWholeEndsTheDecoding() -> None:
    trace = traced(pieceBytes=10)
    conversation = begin(trace)
    talk(trace, conversation, (IN, REQUEST), (IN, REQUEST * 2), (IN, REQUEST))
    told = rungs(ladderOf(conversation))
    assert messages(told) == [
        (2, "request 1", "12 + 34"),
        (3, "request 2", "12 + 34"),
        (3, "not understood", "8 bytes after this were not kept"),
    ]


def test_whatThereIsToNotice() -> None:
    """All of it comes with every page, with the events that show it."""
    trace = traced()
    conversation = begin(trace)
    ladder = ladderOf(conversation)
    talk(trace, conversation, (IN, REQUEST * 2))
    (merged,) = ladder.page(0)["notices"]
    assert merged["events"] == [2]
    assert merged["text"].startswith("2 messages came in one piece")
    talk(trace, conversation, (IN, REQUEST[:4]), (IN, REQUEST[4:]))
    again, cut = ladder.page(2)["notices"]
    assert again == merged
    assert (cut["lesson"], cut["events"]) == ("in pieces", [3, 4])


@pytest.mark.parametrize("end", [Happening.PEER_ENDED, Happening.CLOSED])
def test_whatTheEndCutsOff(end: Happening) -> None:
    trace = traced()
    conversation = begin(trace)
    talk(trace, conversation, (IN, REQUEST[:5]), (end, b""))
    (_, name, _) = messages(rungs(ladderOf(conversation)))[0]
    assert name == "cut off"


class Talkative:
    """Finds more than anybody wants to see."""

    def received(self, data: bytes, missing: int = 0) -> list[Field]:
        return [Field(0, 1, "bit", "1", 1)] * (MOST_FIELDS + 7)

    written = received

    def receivedEnd(self) -> list[Field]:
        return []

    writtenEnd = receivedEnd


def test_fieldsAreBounded() -> None:
    trace = traced()
    conversation = begin(trace)
    talk(trace, conversation, (IN, b"x"))
    rung = rungs(Ladder(conversation, Talkative()))[1]
    assert (len(rung["fields"]), rung["omitted"]) == (MOST_FIELDS, 7)


def test_laddersAreRemembered() -> None:
    """The last few; another trace's conversation of the same number is another one."""
    trace = traced()
    first, second, third = (begin(trace) for _ in range(3))
    ladders = Ladders(dissected, most=2)
    ladder = ladders.of(first)
    ladders.of(second)
    assert ladders.of(first) is ladder
    ladders.of(third)
    assert ladders.of(first) is ladder
    assert ladders.of(second) is not None
    assert len(ladders._ladders) == 2
    assert ladders.of(begin(traced())) is not ladder
