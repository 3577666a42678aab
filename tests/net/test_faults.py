"""
The line of faults: what it means, what is refused, and that its text is the line again.
"""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.net.faults import BadFaults, Direction, Fault, Faults, Part, Selection, Word

SIZES = st.one_of(st.integers(1, 5_000), st.sampled_from([1 << 10, 64 << 10, 1 << 20, 3 << 20]))
PLACES = st.lists(SIZES, min_size=1, max_size=4, unique=True).map(lambda sizes: tuple(sorted(sizes)))
SECONDS = st.integers(1, 10_000_000).map(lambda microseconds: round(microseconds / 1e6, 6))
PERCENT = st.integers(1, 1_000_000).map(lambda millionths: millionths / 10_000)
RANGES = st.tuples(st.integers(1, 99), st.integers(0, 9) | st.none()).map(
    lambda pair: (pair[0], None if pair[1] is None else pair[0] + pair[1])
)
SELECTIONS = st.one_of(
    st.lists(RANGES, min_size=1, max_size=3).map(lambda ranges: Selection(tuple(ranges))),
    PERCENT.map(lambda percent: Selection(percent=percent)),
)
ENDS = st.sampled_from([Word.HALF_CLOSE, Word.CLOSE, Word.RESET])
STREAMS = st.one_of(
    st.builds(
        lambda low, more, gap: Fault(Word.CUT, low, low + more, gap), SIZES, st.integers(0, 9), SECONDS
    ),
    st.builds(lambda places, gap: Fault(Word.CUT, seconds=gap, places=places), PLACES, SECONDS),
    st.builds(lambda size, quiet: Fault(Word.MERGE, size, seconds=quiet), st.integers(1, 65_536), SECONDS),
    st.builds(
        lambda fixed, part: Fault(Word.DELAY, seconds=fixed, jitter=fixed * part), SECONDS, st.just(1)
    ),
    st.builds(lambda time, place: Fault(Word.DELAY, seconds=time, places=(place,)), SECONDS, SIZES),
    st.builds(lambda rate: Fault(Word.THROTTLE, rate), SIZES),
    st.builds(lambda time, place: Fault(Word.STALL, seconds=time, places=(place,)), SECONDS, SIZES),
    st.builds(lambda word, place: Fault(word, places=(place,)), ENDS, SIZES),
    st.builds(lambda word, time: Fault(word, after=time), ENDS, SECONDS),
    st.builds(lambda time, after: Fault(Word.STALL, seconds=time, after=after), SECONDS, SECONDS),
    st.builds(lambda places: Fault(Word.CORRUPT, places=places), PLACES),
    st.builds(lambda percent: Fault(Word.CORRUPT, percent=percent), PERCENT),
    st.builds(lambda size, place: Fault(Word.SWALLOW, size, places=(place,)), SIZES, SIZES),
)
DATAGRAMS = st.one_of(
    st.builds(
        lambda word, which: Fault(word, which=which),
        st.sampled_from([Word.DROP, Word.DUPLICATE]),
        SELECTIONS,
    ),
    st.builds(lambda which, time: Fault(Word.REORDER, seconds=time, which=which), SELECTIONS, SECONDS),
    st.builds(lambda which, time: Fault(Word.DELAY, seconds=time, which=which), SELECTIONS, SECONDS),
    st.builds(lambda which, size: Fault(Word.CUT, size, size, which=which), SELECTIONS, SIZES),
)
PARTS = st.builds(
    lambda fault, direction, on: Part((fault,), "", direction, on if "tcp" in fault.transports else None),
    st.one_of(STREAMS, DATAGRAMS),
    st.sampled_from([None, *Direction]),
    st.none() | SELECTIONS,
)
LINES = st.builds(
    lambda parts, seed, number: Faults(tuple(parts), seed, number if seed is not None else None),
    st.lists(PARTS, max_size=4),
    st.none() | st.integers(0, 2**64 - 1),
    st.none() | st.integers(1, 10**6),
)


@given(LINES)
def test_theTextOfALineIsTheLine(faults: Faults) -> None:
    """Whatever was said can be said again with its own text: that is what the log prints."""
    assert Faults.parse(str(faults)) == faults


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("cut=3", "cut=3/1ms"),
        ("cut=1-8/0", "cut=1-8/0ms"),
        ("out: cut@9,5", "out: cut/1ms@5,9"),
        ("merge=100", "merge=100/200ms"),
        ("merge=50ms", "merge=64k/50ms"),
        ("delay=40ms±10ms", "delay=40ms+-10ms"),
        ("delay=1.5s", "delay=1500ms"),
        ("throttle=1000/s, stall", "throttle=1000 stall@0"),
        ("throttle=64kB", "throttle=64k"),
        ("swallow@10; swallow=5", "swallow@10; swallow=5@0"),
        ("drop=#2,5", "drop=#2,#5"),
        ("drop@10%", "drop=10%"),
        ("reorder=#2-4,#9-", "reorder=#2-4,#9-/100ms"),
        ("in udp: delay=2s@#3", "udp in: delay=2s@#3"),
        ("both: reset@1k", "reset@1k"),
        ("reset@2s close@1min stall=5s@500ms stall@1s", "reset@2s close@60s stall=5s@500ms stall@1s"),
        ("seed=7 ; ; on=#2 corrupt=0.10%", "seed=7; on=#2 corrupt=0.1%"),
        ("cut=3 seed=7/12", "seed=7/12; cut=3/1ms"),
        ("on=#2 out: cut=3", "out: on=#2 cut=3/1ms"),
        ("on=10%: cut=3", "on=10% cut=3/1ms"),
        ("  ", ""),
    ],
)
def test_whatIsTyped(typed: str, meant: str) -> None:
    """What is left out has a value that is said in the line's text."""
    assert str(Faults.parse(typed)) == meant


@pytest.mark.parametrize(
    ("line", "place", "sentence"),
    [
        ("cut=3 dely=40ms", 7, "did you mean delay"),
        ("in: xyzzy", 5, "there are cut, merge,"),
        ("UDP", 1, "there is no such fault"),
        ("delay=40", 1, "'40' is not a time: write 40ms or 2s"),
        ("out: cut=0", 6, "not a number of bytes from 1 on"),
        ("cut=8-3", 1, "the smaller number comes first"),
        ("cut=3@5", 1, "cut@5,9 without a size"),
        ("cut", 1, "how small?"),
        ("delay", 1, "how long?"),
        ("delay=1ms+-2ms", 1, "before it came"),
        ("merge=1M", 1, "at most 65536 bytes"),
        ("merge=3@4", 1, "has no place"),
        ("reset=5%", 1, "only the place is said: reset@100"),
        ("reset@#2", 1, "a number of bytes: @100"),
        ("reset@1,2", 1, "one place"),
        ("swallow@2s", 1, "'2s' is not a number of bytes"),
        ("corrupt", 1, "one of the two"),
        ("corrupt=0%", 1, "not a share above 0%"),
        ("drop", 1, "which ones?"),
        ("drop=2", 1, "which ones?"),
        ("drop=#0", 1, "the first one is #1"),
        ("drop=#5-2", 1, "'#5-2' is not"),
        ("drop=101%", 1, "up to 100%"),
        ("drop=#2/4ms", 1, "nothing stands behind a slash"),
        ("udp: reset@5", 6, "for streams, and not for datagrams"),
        ("tcp out: drop=1%", 10, "for datagrams, and not for streams"),
        ("udp: on=#2 drop=1%", 6, "datagrams have no connections"),
        ("sideways: cut=3", 1, "before a colon stands one of"),
        ("in out: cut=3", 1, "one of each"),
        (": cut=3", 1, "one of each"),
        ("on=2 in: cut=3", 1, "which ones?"),
        ("cut=3; in:", 8, "nothing is said to be done there"),
        ("cut=3 cut=4", 7, "is said already"),
        ("seed=7; seed=8", 9, "there is a seed already"),
        ("seed=x", 1, "a seed is a whole number"),
        ("on= cut=3", 1, "which ones?"),
        ("throttle=99999999999999999999", 1, "not a number of bytes"),
        ("stall=9999min", 1, "to a day"),
        ("cut=3" + " " * 4_000, 0, "at most 4000 characters"),
    ],
)
def test_aMistakeIsOneSentenceWithItsPlace(line: str, place: int, sentence: str) -> None:
    with pytest.raises(BadFaults) as caught:
        Faults.parse(line)
    text = str(caught.value)
    assert sentence in text
    assert "\n" not in text
    found = re.match(r"character (\d+)", text)
    assert (int(found[1]) if found else 0) == place


@given(st.text(max_size=60))
def test_anyTextIsALineOrRefused(text: str) -> None:
    with suppress(BadFaults):
        Faults.parse(text)


@given(st.text(alphabet="cutdelayreset=#%/@+-;:0123456789kmsinoutp ", max_size=40))
def test_whatIsAlmostALineIsALineOrRefused(text: str) -> None:
    try:
        faults = Faults.parse(text)
    except BadFaults:
        return
    assert Faults.parse(str(faults)) == faults


def words(faults: tuple[Fault, ...]) -> list[str]:
    return [str(fault) for fault in faults]


def test_partsAreInForceWhereTheirHeadsSay() -> None:
    faults = Faults.parse("cut=3; in: delay=1s; udp out: drop=#1; tcp out: reset@5")
    assert words(faults.streams(Direction.IN, 1)) == ["cut=3/1ms", "delay=1s"]
    assert words(faults.streams(Direction.OUT, 1)) == ["cut=3/1ms", "reset@5"]
    assert words(faults.datagrams(Direction.IN)) == ["cut=3/1ms", "delay=1s"]
    assert words(faults.datagrams(Direction.OUT)) == ["cut=3/1ms", "drop=#1"]


def test_aLaterPartHasTheLastWord() -> None:
    faults = Faults.parse("cut=3 reset@9; out: cut=5 reset@7")
    assert words(faults.streams(Direction.IN, 1)) == ["cut=3/1ms", "reset@9"]
    assert words(faults.streams(Direction.OUT, 1)) == ["reset@9", "cut=5/1ms", "reset@7"]


def test_connectionsAreChosenByNumber() -> None:
    faults = Faults.parse("on=#2,#5- cut=3")
    hit = [bool(faults.streams(Direction.IN, number)) for number in range(1, 8)]
    assert hit == [False, True, False, False, True, True, True]
    assert not faults.datagrams(Direction.IN)
    assert faults.replaying(2).streams(Direction.IN, 1)


def test_connectionsAreChosenByChanceAndAlwaysTheSame() -> None:
    faults = Faults.parse("seed=7; on=30% cut=3")
    hit = [bool(faults.streams(Direction.IN, number)) for number in range(1, 1_001)]
    assert hit == [bool(faults.streams(Direction.OUT, number)) for number in range(1, 1_001)]
    assert 200 < sum(hit) < 400


def test_theNumberOfAConnectionIsPartOfItsSeed() -> None:
    faults = Faults.parse("cut=3").seeded(7)
    assert str(faults.replaying(12)) == "seed=7/12; cut=3/1ms"
    drawn = faults.random(12, "in").random()
    assert faults.replaying(12).random(1, "in").random() == drawn
    assert faults.random(13, "in").random() != drawn
    assert faults.seeded(8).seed == 7
