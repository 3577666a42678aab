"""
SIGHUP reaches every service of a process that asks for it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from labnet.net.hangup import HangupService, onHangup

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP here")


class Reactor:
    """Calls what it is given when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], object]] = []

    def callFromThread(self, call: Callable[[], object]) -> None:
        self.waiting.append(call)

    def hangup(self) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call()


@pytest.fixture
def before() -> Iterator[list[int]]:
    """What was there before: a handler that notes the signals."""
    signals: list[int] = []
    kept = signal.signal(signal.SIGHUP, lambda number, frame: signals.append(number))
    yield signals
    signal.signal(signal.SIGHUP, kept)


def test_everyServiceIsCalledAndWhoeverWasThereBefore(before: list[int]) -> None:
    reactor = Reactor()
    calls: list[str] = []
    services = [HangupService(reactor, lambda name=name: calls.append(name)) for name in "ab"]
    for service in services:
        service.startService()
    reactor.hangup()
    assert sorted(calls) == ["a", "b"]
    assert before == [signal.SIGHUP]
    for service in services:
        service.stopService()
    reactor.hangup()
    assert sorted(calls) == ["a", "b"]
    assert before == [signal.SIGHUP] * 2


def test_theEndsMayComeInAnyOrder(before: list[int]) -> None:
    reactor = Reactor()
    calls: list[str] = []
    ends = [onHangup(reactor, lambda name=name: calls.append(name)) for name in "ab"]
    ends[0]()
    reactor.hangup()
    assert calls == ["b"]
    assert before == [signal.SIGHUP]
    ends[1]()
    reactor.hangup()
    assert (calls, len(before)) == (["b"], 2)


def test_inAnotherThreadNothingHappens(before: list[int]) -> None:
    handler = signal.getsignal(signal.SIGHUP)
    thread = threading.Thread(target=lambda: onHangup(Reactor(), lambda: None)())
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGHUP) is handler


def test_whereThereIsNoSuchSignalNothingHappens(before: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    handler = signal.getsignal(signal.SIGHUP)
    number = signal.SIGHUP
    monkeypatch.delattr(signal, "SIGHUP")
    onHangup(Reactor(), lambda: None)()
    assert signal.getsignal(number) is handler
