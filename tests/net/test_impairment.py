"""
What faults do to a stream, with the clock in the test's hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.net.faults import Direction, Faults
from labnet.net.impairment import MOST_HELD, Action, Effect, StreamImpairment, told
from tests.net.test_faults import STREAMS

HARMLESS = ("corrupt", "swallow", "reset", "close", "half-close")
TEXT = bytes(range(256)) * 8


def impaired(line: str, **bounds: int) -> StreamImpairment:
    faults = Faults.parse(line).seeded(7)
    return StreamImpairment(
        faults.streams(Direction.IN, 1), lambda purpose: faults.random(1, purpose), **bounds
    )


def drain(stream: StreamImpairment, until: float) -> list[Action]:
    """Everything that happens up to that time, each thing when it is due."""
    actions, now = [], 0.0
    while True:
        at = stream.nextAt()
        if at is None or at > until:
            return actions
        now = max(now, at)
        while (action := stream.take(now)) is not None:
            actions.append(action)


def run(line: str, pieces: Sequence[tuple[float, bytes]], end: bool = False) -> list[Action]:
    """Let pieces come at their times, then everything else happen."""
    stream, actions = impaired(line), []
    for at, piece in pieces:
        actions += drain(stream, at)
        stream.received(piece, at)
        while (action := stream.take(at)) is not None:
            actions.append(action)
    if end:
        stream.ended(Effect.HALF_CLOSE, pieces[-1][0] if pieces else 0.0)
    return actions + drain(stream, 1e9)


def passed(actions: Sequence[Action]) -> list[bytes]:
    return [action.data for action in actions if action.effect is Effect.DATA]


def times(actions: Sequence[Action]) -> list[float]:
    return [round(action.at, 4) for action in actions if action.effect is Effect.DATA]


def test_nothingIsDoneWithoutFaults() -> None:
    assert passed(run("", [(0, b"abc"), (1, b"de")])) == [b"abc", b"de"]


def test_cutsAreAtMultiplesHoweverTheBytesCame() -> None:
    assert passed(run("cut=3", [(0, b"abcdefgh")])) == [b"abc", b"def", b"gh"]
    assert passed(run("cut=3", [(0, b"ab"), (1, b"cdefgh")])) == [b"ab", b"c", b"def", b"gh"]


def test_piecesThatAreCutGoAfterEachOther() -> None:
    assert times(run("cut=3/5ms", [(1.0, b"abcdefgh")])) == [1.0, 1.005, 1.01]
    assert times(run("cut=3/0", [(1.0, b"abcdefgh")])) == [1.0, 1.0, 1.0]


def test_exactCuts() -> None:
    assert passed(run("cut@1,5", [(0, b"abcdefgh")])) == [b"a", b"bcde", b"fgh"]


def test_cutsOfRandomSizeAreWithinTheirBounds() -> None:
    pieces = passed(run("cut=2-5", [(0, TEXT)]))
    assert {len(piece) for piece in pieces[:-1]} == {2, 3, 4, 5}


def test_whatIsMergedWaitsForItsSize() -> None:
    actions = run("merge=5/50ms", [(0, b"ab"), (0.01, b"cd"), (0.02, b"efg"), (1, b"h")])
    assert passed(actions) == [b"abcdefg", b"h"]
    assert times(actions) == [0.02, 1.05]
    assert actions[0].note == "merges 3 pieces"


def test_theEndIsNotHeldBack() -> None:
    actions = run("merge=50/10s", [(0, b"ab"), (1, b"cd")], end=True)
    assert [(action.effect, action.data) for action in actions] == [
        (Effect.DATA, b"abcd"),
        (Effect.HALF_CLOSE, b""),
    ]
    assert [action.at for action in actions] == [1, 1]


def test_delays() -> None:
    assert times(run("delay=40ms", [(0, b"a"), (1, b"b")])) == [0.04, 1.04]
    jittered = times(run("delay=40ms+-10ms", [(at, b"a") for at in range(50)]))
    late = [time - at for at, time in enumerate(jittered)]
    assert 0.03 <= min(late) < 0.034
    assert 0.046 < max(late) <= 0.0501


def test_nothingOvertakes() -> None:
    """Whatever the jitter: a piece that is held for less waits for the one before it."""
    actions = run("delay=1s+-1s", [(number / 100, b"%d;" % number) for number in range(100)])
    assert b"".join(passed(actions)) == b"".join(b"%d;" % number for number in range(100))
    assert times(actions) == sorted(times(actions))


def test_theEndIsDelayedToo() -> None:
    assert [action.at for action in run("delay=2s", [(0, b"a")], end=True)] == [2.0, 2.0]


def test_aDelayAtAPlaceHoldsWhatStandsThere() -> None:
    actions = run("delay=2s@3", [(5.0, b"abcd")])
    assert (passed(actions), times(actions)) == ([b"abc", b"d"], [5.0, 7.0])
    # Not before it is there.
    assert times(run("delay=2s@3", [(5.0, b"abc"), (60.0, b"d")])) == [5.0, 62.0]


def test_throttle() -> None:
    actions = run("throttle=100", [(1.0, b"x" * 50)])
    assert {len(piece) for piece in passed(actions)} == {5}
    assert times(actions)[-1] == pytest.approx(1.45)


def test_whatWasNotReadIsMadeUpForOnlyALittle() -> None:
    """A reader that comes back after a minute does not get a minute's bytes at once."""
    stream = impaired("throttle=100")
    stream.received(b"x" * 1_000, 0.0)
    at, sizes = 60.0, []
    while (action := stream.take(at)) is not None:
        sizes.append(len(action.data))
    assert sum(sizes) <= 20


def test_stallingStopsTheSourceForATime() -> None:
    stream = impaired("stall=5s@3")
    stream.received(b"abcdef", 1.0)
    assert stream.take(1.0).data == b"abc"
    assert stream.take(1.0).note == "stops reading at byte 3 for 5s"
    assert stream.full
    assert stream.nextAt() == 6.0
    assert stream.take(5.9) is None
    assert stream.take(6.0).data == b"def"
    assert not stream.full


def test_stallingForEver() -> None:
    stream = impaired("stall@0")
    assert stream.nextAt() is not None
    assert stream.take(0.0).note == "stops reading at byte 0 for ever"
    stream.received(b"abc", 1.0)
    stream.ended(Effect.CLOSE, 1.0)
    assert stream.full
    assert stream.nextAt() is None
    assert stream.take(1e9) is None


@pytest.mark.parametrize("word", ["half-close", "close"])
def test_theEndAtAByte(word: str) -> None:
    actions = run(f"{word}@4", [(0, b"abcdef"), (1, b"gh")])
    assert passed(actions) == [b"abcd"]
    assert (actions[-1].effect.value, actions[-1].note) == (word, f"{word} at byte 4")


def test_aResetLeavesTimeForWhatWasSent() -> None:
    actions = run("reset@4", [(0, b"abcdef")])
    assert passed(actions) == [b"abcd"]
    assert (actions[-1].effect, actions[-1].at > 0) == (Effect.RESET, True)
    (action,) = run("reset@0", [])
    assert action.effect is Effect.RESET


def test_whatHappensByTime() -> None:
    """Also while nothing is read, after a half has ended, and when nobody takes what is held."""
    actions = run("stall=5s@1s reset@2s", [(0.5, b"ab"), (1.5, b"cd")])
    assert passed(actions) == [b"ab"]
    assert [(action.at, action.note) for action in actions[1:]] == [
        (1.0, "stops reading after 1s for 5s"),
        (2.0, "reset after 2s"),
    ]
    (half, reset) = run("half-close@1s reset@2s", [])
    assert (half.effect, reset.effect, reset.at) == (Effect.HALF_CLOSE, Effect.RESET, 2.0)
    stream = impaired("close@1s")
    stream.received(b"ab", 0.5)
    assert stream.takeTimed(0.9) is None
    assert stream.timedAt() == 1.0
    assert stream.takeTimed(1.0).note == "close after 1s"
    assert stream.nextAt() is None


def test_afterAHalfCloseTheConnectionCanStillBeClosed() -> None:
    stream = impaired("half-close@2")
    stream.received(b"abc", 0.0)
    assert [stream.take(0.0).effect for _ in range(2)] == [Effect.DATA, Effect.HALF_CLOSE]
    assert stream.nextAt() is None
    stream.ended(Effect.CLOSE, 1.0)
    assert stream.nextAt() is not None
    assert stream.take(1.0).effect is Effect.CLOSE
    assert stream.take(1.0) is None


def test_exactBytesAreCorrupted() -> None:
    (action,) = run("corrupt@1,3", [(0, b"abcdef")])
    assert [a != b for a, b in zip(action.data, b"abcdef", strict=True)] == [0, 1, 0, 1, 0, 0]
    assert action.note == "corrupts byte 1, 3"


@pytest.mark.parametrize("percent", [1, 50, 100])
def test_aShareOfTheBytesIsCorrupted(percent: int) -> None:
    (data,) = passed(run(f"corrupt={percent}%", [(0, bytes(20_000))]))
    changed = sum(byte != 0 for byte in data)
    assert changed == pytest.approx(200 * percent, rel=0.2)


def test_swallowedBytesAreMissing() -> None:
    assert passed(run("swallow=2@3", [(0, b"abcdefgh")])) == [b"abcfgh"]
    assert passed(run("swallow=2@3; swallow=3@4; swallow=1@0", [(0, b"abcdefgh")])) == [b"bch"]
    actions = run("swallow@3", [(0, b"abcd"), (1, b"efgh")], end=True)
    assert passed(actions) == [b"abc"]
    assert actions[0].note == "swallows everything from byte 3 on"
    assert actions[-1].effect is Effect.HALF_CLOSE


def test_whatIsCorruptedIsTheSameByteWithSomethingSwallowedBefore() -> None:
    """Places are those of the stream as it came."""
    (data,) = passed(run("swallow=2@0 corrupt@3", [(0, b"abcd")]))
    assert data[:1] == b"c"
    assert data[1:] != b"d"


def test_whatWasDoneIsTold() -> None:
    stream = impaired("cut=3 corrupt@1 merge=4")
    stream.received(b"abc", 0.0)
    stream.received(b"def", 0.0)
    notes = ", ".join(action.note for action in drain(stream, 9.0) if action.note)
    assert notes == "corrupts byte 1, merges 2 pieces, cuts a piece into 2"
    assert told(stream.done) == "cut 1, merge 1, corrupt 1"


HARMLESS_LINES = st.lists(
    STREAMS.filter(lambda fault: fault.word.value not in HARMLESS).map(str), max_size=4
).map(lambda faults: "; ".join(faults))
PIECES = st.lists(st.tuples(st.floats(0, 20), st.binary(min_size=1, max_size=200)), max_size=12).map(
    lambda pieces: sorted(pieces, key=lambda piece: piece[0])
)


@given(HARMLESS_LINES, PIECES)
def test_theStreamArrivesWholeAndInOrder(line: str, pieces: list[tuple[float, bytes]]) -> None:
    """Whatever is done to its pieces and its time, and nothing overtakes."""
    actions = run(line, pieces, end=True)
    assert b"".join(passed(actions)) == b"".join(piece for _, piece in pieces)
    assert times(actions) == sorted(times(actions))
    assert actions[-1].effect is Effect.HALF_CLOSE


@given(st.lists(STREAMS.map(str), max_size=4).map("; ".join), PIECES)
def test_theSameSeedDoesTheSame(line: str, pieces: list[tuple[float, bytes]]) -> None:
    assert run(line, pieces, end=True) == run(line, pieces, end=True)


@given(
    st.sampled_from(["cut=2-9", "corrupt=20%", "cut=1-4 corrupt=5% swallow=3@7", "close@50"]),
    st.binary(min_size=1, max_size=300),
    st.lists(st.integers(1, 299), max_size=8),
)
def test_whatHappensToBytesDoesNotDependOnTheirPieces(line: str, data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted({cut for cut in cuts if cut < len(data)}), len(data)]
    pieces = [(0.0, data[a:b]) for a, b in pairwise(edges)]
    assert b"".join(passed(run(line, pieces))) == b"".join(passed(run(line, [(0.0, data)])))


@given(HARMLESS_LINES, st.integers(1, 3_000))
def test_whatIsHeldIsBounded(line: str, size: int) -> None:
    """A source that waits when it is told so is told in time."""
    stream, now = impaired(line, mostHeld=4_096), 0.0
    for _ in range(50):
        while (action := stream.take(now)) is not None:
            assert action.effect in (Effect.DATA, Effect.NOTE)
        if not stream.full:
            stream.received(b"x" * size, now)
        assert stream.held < 4_096 + 65_536 + size
        now += 0.001


def test_manySmallPiecesCountForWhatTheyCost() -> None:
    stream = impaired("delay=1s")
    for _ in range(MOST_HELD // 100):
        stream.received(b"x", 0.0)
    assert stream.full
