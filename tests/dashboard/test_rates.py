"""
How much in each second: counted as it happens, or from what a trace has kept.
"""

from __future__ import annotations

from labnet.dashboard.rates import SECONDS, Rates
from labnet.net.trace import Happening
from tests.dashboard.traces import IN, OUT, begin, talk, traced


def test_aSecondIsASum() -> None:
    """Of all services, or of one; a second without anything is nothing."""
    trace, rates = traced(), Rates()
    trace.subscribe(rates.add)
    talk(trace, begin(trace, at=100.2), (IN, b"123"), (IN, b"4"), (OUT, b"12345"))
    talk(trace, begin(trace, "echo", at=100.9), (IN, b"x" * 10))
    echo = begin(trace, "echo", at=102.0)
    trace.add(echo, Happening.CLOSED, 103.0)
    assert rates.points(99, 104) == [(0, 0, 0), (2, 14, 5), (0, 0, 0), (1, 0, 0), (0, 0, 0)]
    assert rates.points(100, 101, "echo") == [(1, 10, 0)]
    assert rates.points(100, 101, "chat") == [(0, 0, 0)]


def test_whatWasBeforeAnybodyLooked() -> None:
    """The same as if it had been counted, as far as it is kept and not too long ago."""
    trace, counted, remembered = traced(), Rates(), Rates()
    old = begin(trace, at=100.0)
    trace.subscribe(counted.add)
    for second in range(5):
        talk(trace, begin(trace, at=1000.0 + second), (IN, b"x" * second), (OUT, b"y"))
    trace.add(old, IN, 1001.0, b"late")
    remembered.remember(trace.conversations.values(), 1010.0)
    assert remembered.points(1000, 1005) == counted.points(1000, 1005)
    assert remembered.points(100, 101) == [(0, 0, 0)]


def test_onlyTheLastMinutes() -> None:
    """More seconds than are kept are neither given nor remembered."""
    trace, rates = traced(), Rates()
    trace.subscribe(rates.add)
    for second in range(5 * SECONDS):
        begin(trace, at=float(second))
    points = rates.points(0, 5 * SECONDS)
    assert points == [(1, 0, 0)] * SECONDS
    assert rates.points(0, SECONDS) == [(0, 0, 0)] * SECONDS
    assert len(rates._seconds) <= 2 * SECONDS
