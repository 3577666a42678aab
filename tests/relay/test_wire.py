"""
The relay's answer cache, and what it does to operands.
"""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.calculator.arithmetic import Calculation, Fault
from labnet.calculator.wire import PROFILES
from labnet.relay.wire import AnswerCache, Change, isError, parseTampering

STRUCT9 = PROFILES["struct9"]


def test_anAnswerIsKeptForItsTime() -> None:
    cache = AnswerCache(ttl=5.0)
    cache.put(b"1+1", b"2", now=100.0)
    assert cache.get(b"1+1", 104.9) == b"2"
    assert cache.get(b"1+2", 104.9) is None
    assert cache.get(b"1+1", 105.0) is None
    assert len(cache) == 0


def test_beingAskedForDoesNotRenewAnAnswerAndComingAgainDoes() -> None:
    cache = AnswerCache(ttl=5.0)
    cache.put(b"q", b"old", now=0.0)
    assert cache.get(b"q", 4.0) == b"old"
    cache.put(b"q", b"new", now=4.5)
    assert cache.get(b"q", 9.0) == b"new"
    assert cache.get(b"q", 9.5) is None


def test_aRenewedAnswerDoesNotKeepOthersAlive() -> None:
    cache = AnswerCache(ttl=5.0)
    cache.put(b"first", b"1", now=0.0)
    cache.put(b"second", b"2", now=1.0)
    cache.put(b"first", b"1", now=4.0)
    assert cache.get(b"second", 6.0) is None
    assert cache.get(b"first", 6.0) == b"1"


def test_theOldestAnswerMakesRoom() -> None:
    cache = AnswerCache(ttl=5.0, most=3)
    for number in range(5):
        cache.put(b"%d" % number, b"answer", now=float(number) / 10)
    assert len(cache) == 3
    assert [cache.get(b"%d" % number, 1.0) for number in range(5)] == [None, None] + [b"answer"] * 3


def test_whatIsTooLongIsNotKept() -> None:
    cache = AnswerCache(ttl=5.0)
    cache.put(b"q", b"x" * (AnswerCache.LONGEST + 1), now=0.0)
    cache.put(b"x" * (AnswerCache.LONGEST + 1), b"a", now=0.0)
    assert len(cache) == 0
    cache.put(b"q", b"x" * AnswerCache.LONGEST, now=0.0)
    assert len(cache) == 1


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("fault", Fault)
def test_everyErrorOfEveryProfileIsOne(name: str, fault: Fault) -> None:
    assert isError(PROFILES[name], PROFILES[name].replies.encode(fault))


@pytest.mark.parametrize("name", PROFILES)
def test_aResultIsNoError(name: str) -> None:
    assert not isError(PROFILES[name], PROFILES[name].replies.encode(46))


def test_anAbsurdResultIsLookedAt() -> None:
    assert not isError(PROFILES["json"], b'{"result": 1' + b"0" * 400 + b"}")


@pytest.mark.parametrize("reply", [b"", b"12345678", b"x" * 9, STRUCT9.replies.encode(46) * 2])
def test_whatIsNoReplyCountsAsAnError(reply: bytes) -> None:
    assert isError(STRUCT9, reply)


@pytest.mark.parametrize(
    ("spec", "after"),
    [
        ("a=+1", Calculation(13, "+", 34)),
        ("a=-1", Calculation(11, "+", 34)),
        ("b=*2", Calculation(12, "+", 68)),
        ("op=-", Calculation(12, "-", 34)),
        ("op==", Calculation(12, "=", 34)),
        ("a=7", Calculation(7, "+", 34)),
        ("a==-7", Calculation(-7, "+", 34)),
        ("a==7", Calculation(7, "+", 34)),
        (" a=+1, b=0,op=/ ", Calculation(13, "/", 0)),
    ],
)
def test_whatIsChanged(spec: str, after: Calculation) -> None:
    changed = parseTampering(spec).apply(STRUCT9, Calculation(12, "+", 34))
    assert changed is not None
    assert changed == (after, STRUCT9.requests.encode(after))


def test_aFractionChangesFloats() -> None:
    profile = PROFILES["ffc"]
    changed = parseTampering("a=*0.5").apply(profile, Calculation(3.0, "+", 1.0))
    assert changed is not None
    assert changed[1] == struct.pack("<ff1s", 1.5, 1.0, b"+")


@pytest.mark.parametrize(
    ("spec", "calculation"),
    [
        ("a=+1", Calculation(2**31 - 1, "+", 0)),
        ("a=*1.5", Calculation(3, "+", 0)),
        ("a=*999999999999", Calculation(2**30, "+", 0)),
    ],
)
def test_whatWouldNotFitIsLeftAsItIs(spec: str, calculation: Calculation) -> None:
    assert parseTampering(spec).apply(STRUCT9, calculation) is None


@pytest.mark.parametrize(
    "spec",
    [
        "", "a", "a=", "c=1", "=1", "a=x", "a=/2", "a=+", "a=+-1", "a=1e9", "a=1_0", "a=--1", "a=-=1",
        "a=٣", "op=", "op=++", "op=\x07", "op=é", "op= ", "a=1,", "a=1,a=2", "a=1;b=2",
        "a=1234567890123",
    ],
)  # fmt: skip
def test_aBadSpecIsSaidInOneLine(spec: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        parseTampering(spec)


@given(st.text(max_size=30))
def test_anySpecIsReadOrRefused(spec: str) -> None:
    try:
        changes = parseTampering(spec).changes
    except ValueError:
        return
    assert changes
    assert all(isinstance(change, Change) for change in changes)


@given(
    st.sampled_from(["a=+1", "a=*2", "b=-3", "a=1.5", "b==-2.5", "op=*", "op=-,a=0"]),
    st.sampled_from(sorted(PROFILES)),
    st.binary(min_size=16, max_size=16),
)
def test_tamperingNeverRaisesWhateverThePeerSends(spec: str, name: str, junk: bytes) -> None:
    profile = PROFILES[name]
    for request in profile.requests.reader().feed(junk):
        if isinstance(request, Calculation):
            parseTampering(spec).apply(profile, request)
