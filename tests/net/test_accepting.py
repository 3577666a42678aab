"""
Ports that wait for descriptors.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.internet import tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.net import accepting
from labnet.net.accepting import RESERVE, PatientPort, descriptorsLeft


class Port(PatientPort):
    """Notes what it does instead of doing it."""

    def __init__(self, clock: Clock) -> None:
        self.reactor = clock
        self.done: list[str] = []
        self.disconnecting = False
        self.numberAccepts = 100
        self.sessionno = 0
        self._room = accepting._Room()

    def stopReading(self) -> None:
        self.done.append("stop")

    def startReading(self) -> None:
        self.done.append("start")


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many descriptors are left, as the first of the list."""
    left = [RESERVE]
    monkeypatch.setattr(accepting, "descriptorsLeft", lambda: left[0])
    return left


def test_withoutDescriptorsItWaits(clock: Clock, left: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops reading, tries again, and accepts no more than there is room for."""
    port = Port(clock)
    monkeypatch.setattr(tcp.Port, "doRead", lambda self: self.done.append("accept"))
    port.doRead()
    assert port.done == ["stop"]
    clock.advance(1)
    assert port.done == ["stop", "start"]
    left[0] = RESERVE + 14
    port.doRead()
    assert port.done == ["stop", "start", "accept"]
    assert port.numberAccepts == 3


def test_itTellsOnce(clock: Clock, left: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    log = SimpleNamespace(warn=told.append)
    monkeypatch.setattr(PatientPort, "log", log)
    port = Port(clock)
    for _ in range(20):
        port.doRead()
        clock.advance(1)
    assert len(told) == 1


def test_aPortThatIsClosedDoesNotGoOn(
    clock: Clock, left: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp.Port, "connectionLost", lambda self, reason: None)
    port = Port(clock)
    port.doRead()
    port.disconnecting = True
    clock.advance(1)
    assert port.done == ["stop"]
    port.doRead()
    port.connectionLost(Failure(ConnectionDone()))
    assert not clock.getDelayedCalls()


def test_descriptorsAreCounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that is opened is one less, also where one with a lower number is free."""
    for says in {accepting._SAYS_HOW_MANY, False}:
        monkeypatch.setattr(accepting, "_SAYS_HOW_MANY", says)
        before = descriptorsLeft()
        with open("/dev/null", "rb") as low, open("/dev/null", "rb"):
            assert descriptorsLeft() == before - 2
            low.close()
            assert descriptorsLeft() == before - 1
        assert descriptorsLeft() == before


def test_theyAreCountedAgainBeforeTheyAreUsedUp(clock: Clock, left: list[int]) -> None:
    """After a quarter of what there was, or a second; or when the clock was set back."""
    left[0] = RESERVE + 40
    room = accepting._Room()
    assert room.at(100.0) == 10
    room.take(9)
    left[0] = RESERVE + 8
    assert room.at(100.5) == 1
    room.take(1)
    assert room.at(100.5) == 2
    left[0] = RESERVE + 1
    assert room.at(101.5) == 1
    left[0] = RESERVE
    assert room.at(50.0) == 0
