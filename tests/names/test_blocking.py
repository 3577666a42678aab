"""
Blocking calls in threads: results, failures, time-outs, and that a late result bothers nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from labnet.names.blocking import inThread
from labnet.net.outcome import ExitStatus, explain


class Threads(Clock):
    """A clock, and what threads have asked to be called."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[Callable[[], object]] = []
        self._came = threading.Semaphore(0)

    def callFromThread(self, callable: Callable[..., object], *args: object) -> None:
        self._calls.append(lambda: callable(*args))
        self._came.release()

    def deliver(self) -> None:
        """Wait until a thread is done, and tell."""
        assert self._came.acquire(timeout=30)
        self._calls.pop(0)()


@pytest.fixture
def reactor() -> Threads:
    return Threads()


def test_theResult(reactor: Threads) -> None:
    results: list[int] = []
    inThread(reactor, 5.0, lambda: 42).addCallback(results.append)
    reactor.deliver()
    assert results == [42]
    assert not reactor.getDelayedCalls()


def test_itIsAnotherThread(reactor: Threads) -> None:
    results: list[int] = []
    inThread(reactor, 5.0, threading.get_ident).addCallback(results.append)
    reactor.deliver()
    assert results != [threading.get_ident()]


def test_theFailure(reactor: Threads) -> None:
    problems: list[object] = []
    inThread(reactor, 5.0, lambda: [][0]).addErrback(lambda failure: problems.append(failure.type))
    reactor.deliver()
    assert problems == [IndexError]
    assert not reactor.getDelayedCalls()


def test_theTimeOut(reactor: Threads) -> None:
    """It is kept, and the result that comes after it is dropped without a word."""
    block = threading.Event()
    problems: list[tuple[str, ExitStatus]] = []
    asked = inThread(reactor, 5.0, lambda: block.wait(30), "slow.example")
    asked.addErrback(lambda failure: problems.append(explain(failure)))
    reactor.advance(4.9)
    assert not problems
    reactor.advance(0.2)
    assert problems == [("timed out: no answer came (slow.example took over 5 s)", ExitStatus.TIMED_OUT)]
    block.set()
    reactor.deliver()


def test_cancelling(reactor: Threads) -> None:
    block = threading.Event()
    asked = inThread(reactor, 5.0, lambda: block.wait(30))
    asked.cancel()
    asked.addErrback(lambda failure: failure.trap(CancelledError))
    assert not reactor.getDelayedCalls()
    block.set()
    reactor.deliver()
