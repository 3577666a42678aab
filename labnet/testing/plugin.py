"""
A plugin for pytest: what a test leaves behind is an error, where a program would only have logged it.

It is loaded by C{labnet_strict = true} in the project's configuration, and then holds every test to it;
or with C{pytest_plugins = ["labnet.testing.plugin"]} in the uppermost C{conftest.py}, and then those tests
that are marked C{labnet_strict} or use the fixture L{loggedFailures}. The mark C{labnet_strict(False)}
excuses a test.

What it finds is an error of the test's teardown, after all fixtures are taken down:

  - a failure that was logged and not taken away by L{loggedFailures}: a bug that was contained;
  - a Deferred that failed and that nobody heard;
  - a timer in the reactor, if there is one, that was not there before. None is installed for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import pytest
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher

from labnet.testing.leaks import LoggedFailures, UnheardFailures, timersInTheReactor

__all__ = ["clock", "loggedEvents", "loggedFailures", "loggedLines"]

_MARK = "labnet_strict"


class _Watch:
    """What is watched during one test."""

    def __init__(self) -> None:
        self.failures = LoggedFailures()
        self.timers = timersInTheReactor()
        globalLogPublisher.addObserver(self.failures)

    def end(self, unheard: UnheardFailures) -> list[str]:
        """Everything that is wrong in the end."""
        unheard.collect()
        globalLogPublisher.removeObserver(self.failures)
        problems = []
        if report := self.failures.report():
            problems.append(f"failures were logged:\n{report}")
        if left := [timer for timer in timersInTheReactor() if timer not in self.timers]:
            problems.append("timers left in the reactor:\n" + "\n".join(map(str, left)))
        return problems


_WATCH = pytest.StashKey[_Watch]()
_UNHEARD = pytest.StashKey[UnheardFailures]()


def pytest_configure(config: pytest.Config) -> None:
    """Watch Deferreds from now on."""
    config.addinivalue_line(
        "markers", f"{_MARK}(strict=True): leaked timers, and failures unheard or only logged, are errors"
    )
    config.stash[_UNHEARD] = unheard = UnheardFailures()
    unheard.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Watch them no more."""
    config.stash[_UNHEARD].stop()


# Both stand inside of the wrappers that capture output, which is what Twisted says of a failed Deferred.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Watch from before the first fixture is set up."""
    if _isStrict(item) or _usesFailures(item):
        item.stash[_WATCH] = _Watch()
    return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Look when the last one is taken down."""
    problems: list[str] = []
    try:
        yield
    finally:
        watch = item.stash.get(_WATCH, None)
        if watch is not None:
            problems = watch.end(item.config.stash[_UNHEARD])
    if problems and _isStrict(item):
        pytest.fail("\n".join(problems), pytrace=False)


def _usesFailures(item: pytest.Item) -> bool:
    return "loggedFailures" in getattr(item, "fixturenames", ())


def _isStrict(item: pytest.Item) -> bool:
    mark = item.get_closest_marker(_MARK)
    if mark is not None:
        return bool(mark.args[0]) if mark.args else bool(mark.kwargs.get("strict", True))
    if _usesFailures(item):
        return True
    try:
        return bool(item.config.getini(_MARK))
    except (KeyError, ValueError):
        return False  # labnet can be imported and is not installed: nobody has the option.


@pytest.fixture
def loggedFailures(request: pytest.FixtureRequest) -> LoggedFailures:
    """The failures logged during the test; C{flush(kind)} takes away those that it expects."""
    watch: _Watch = request.node.stash[_WATCH]
    return watch.failures


@contextmanager
def _observing(observer: Callable[[LogEvent], None]) -> Iterator[None]:
    observing = cast(ILogObserver, observer)
    globalLogPublisher.addObserver(observing)
    try:
        yield
    finally:
        globalLogPublisher.removeObserver(observing)


@pytest.fixture
def loggedEvents() -> Iterator[list[LogEvent]]:
    """The events logged during the test."""
    events: list[LogEvent] = []
    with _observing(events.append):
        yield events


@pytest.fixture
def loggedLines() -> Iterator[list[str]]:
    """The texts of the events logged during the test."""
    lines: list[str] = []
    with _observing(lambda event: lines.append(formatEvent(event))):
        yield lines


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A clock that must be empty in the end."""
    clock = Clock()
    yield clock
    left = clock.getDelayedCalls()
    if left:
        pytest.fail("timers left in the clock:\n" + "\n".join(map(str, left)), pytrace=False)
