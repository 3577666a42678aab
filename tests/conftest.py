"""
What every test is held to: no timer left behind, no failure that nobody looked at, none only logged.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, globalLogPublisher

from labnet.net import options


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the proxy's endurance test is."""
    parser.addoption(
        "--soak", type=int, default=30_000, metavar="N", help="requests of the proxy's endurance test"
    )


def pytest_collection_finish() -> None:
    """
    What was imported by now stays: the collection after each test, which finds failed Deferreds that
    nobody handled, need not look at it.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def whatIsLeftStays() -> Iterator[None]:
    """Nor at what the tests of a module leave behind: their reports, and what was remembered."""
    yield
    gc.collect()
    gc.freeze()


class LoggedFailures:
    """The failures that were logged during a test."""

    def __init__(self) -> None:
        self._events: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_failure") is not None:
            self._events.append(event)

    def flush(self, *kinds: type[BaseException]) -> list[BaseException]:
        """Take those of the given kinds away, because the test expects them."""
        taken = [event for event in self._events if event["log_failure"].check(*kinds)]
        self._events = [event for event in self._events if event not in taken]
        return [event["log_failure"].value for event in taken]

    def report(self) -> str:
        return "\n".join(event["log_failure"].getTraceback() for event in self._events)


@pytest.fixture(autouse=True)
def loggedFailures() -> Iterator[LoggedFailures]:
    """Fails the test that logs a failure, or leaves a failed Deferred unhandled, without flushing it."""
    failures = LoggedFailures()
    globalLogPublisher.addObserver(failures)
    try:
        yield failures
        gc.collect()
    finally:
        globalLogPublisher.removeObserver(failures)
    report = failures.report()
    if report:
        pytest.fail(f"failures were logged:\n{report}", pytrace=False)


@pytest.fixture(autouse=True)
def noTimersInTheReactor() -> Iterator[None]:
    """Fails the test that leaves a timer in the real reactor."""
    yield
    from twisted.internet import reactor

    left = reactor.getDelayedCalls()  # type: ignore[attr-defined]
    if left:
        pytest.fail(f"timers left in the reactor: {left}", pytrace=False)


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A clock that must be empty in the end."""
    clock = Clock()
    yield clock
    left = clock.getDelayedCalls()
    if left:
        pytest.fail(f"timers left in the clock: {left}", pytrace=False)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryReactorClock:
    """A reactor in memory in place of the real one, wherever options look for it."""
    memory = MemoryReactorClock()
    monkeypatch.setattr(options, "globalReactor", lambda: memory)
    return memory
