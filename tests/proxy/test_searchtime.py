"""
Searches that would take too long come to an end; all others are what they are without a limit.
"""

from __future__ import annotations

import re
import signal
import threading

import pytest

from labnet.proxy import searchtime
from labnet.proxy.searchtime import SearchTime, TooSlow

CATASTROPHE = re.compile(rb"(a+)+b")
CONTENT = b"a" * 60


@pytest.mark.parametrize(
    ("expression", "content"),
    [
        (rb"(a+)+b", CONTENT),
        (rb"(.*a){20}b", b"a" * 20_000),
        (rb".*x.*y", b"x" * 50_000),
        (rb"(?s)(.*)(.*)\1z", b"ab" * 20_000),
        (rb"(a|a)*b", CONTENT),
    ],
)
def test_aSearchComesToAnEnd(expression: bytes, content: bytes) -> None:
    """Each of these would take minutes to centuries; it is given up, and what comes after it is not."""
    with pytest.raises(TooSlow):
        SearchTime(0.02).search(re.compile(expression), content, 0)
    match = SearchTime(0.02).search(CATASTROPHE, b"xaab", 0)
    assert match is not None
    assert match.span() == (1, 4)


def test_whoHasNoTimeLeftGetsMore() -> None:
    """What is used up stays so, until there is more; there is never more than at first."""
    time = SearchTime(0.02)
    with pytest.raises(TooSlow):
        time.search(CATASTROPHE, CONTENT, 0)
    with pytest.raises(TooSlow):
        time.search(CATASTROPHE, b"ab", 0)
    time.add(1_000.0)
    assert time.search(CATASTROPHE, b"ab", 0)
    with pytest.raises(TooSlow):
        time.search(CATASTROPHE, CONTENT, 0)


def test_manyShortSearchesAddUp() -> None:
    """What each takes is charged, though no timer of the system is as fine as that."""
    time = SearchTime(0.02)
    short = b"a" * 15

    def search() -> None:
        for _ in range(1_000):
            time.search(CATASTROPHE, short, 0)

    with pytest.raises(TooSlow):
        search()


def test_aLateSignalEndsNothing() -> None:
    """The signal means something only while a search is under way."""
    assert SearchTime(1.0).search(CATASTROPHE, b"ab", 0)
    signal.raise_signal(signal.SIGVTALRM)
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_whereThereIsNoTimerItIsSearchedAllTheSame(monkeypatch: pytest.MonkeyPatch) -> None:
    """In another thread, and where somebody else uses the signal already, which stays his."""
    monkeypatch.setattr(searchtime, "_mainThread", 0)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(SearchTime(0.0).search(CATASTROPHE, b"ab", 0)))
    thread.start()
    thread.join()
    assert found != [None]

    def theirs(number: int, frame: object) -> None:
        raise AssertionError("there is no timer of theirs")

    before = signal.signal(signal.SIGVTALRM, theirs)
    try:
        assert SearchTime(0.0).search(CATASTROPHE, b"ab", 0)
        assert signal.getsignal(signal.SIGVTALRM) is theirs
    finally:
        signal.signal(signal.SIGVTALRM, before)
