"""
A process under load gives back what it does not need.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock

from labnet.net import memory
from labnet.net.memory import PACE, MemoryService


@pytest.fixture(autouse=True)
def asBefore() -> Iterator[None]:
    """What is set for the whole process is set back."""
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)


def test_itGivesBackEverySecondUntilItStops(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    trims: list[int] = []
    monkeypatch.setattr(memory, "_trimmer", lambda: trims.append)
    service = MemoryService(clock)
    service.startService()
    clock.pump([PACE] * 3)
    assert trims == [0] * 4
    service.stopService()
    clock.pump([PACE] * 3)
    assert trims == [0] * 4
    assert not clock.getDelayedCalls()


def test_anotherAllocatorHasNothingToGiveBack(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every C library is glibc."""
    monkeypatch.setattr(memory, "_trimmer", lambda: None)
    service = MemoryService(clock)
    service.startService()
    clock.advance(PACE)
    service.stopService()


def test_whatIsThereAtTheBeginningIsNotLookedAtAgain(clock: Clock) -> None:
    kept = [[] for _ in range(10)]
    before = gc.get_freeze_count()
    service = MemoryService(clock)
    service.startService()
    assert gc.get_freeze_count() >= before + len(kept)
    assert gc.get_threshold()[0] > 700
    service.stopService()
