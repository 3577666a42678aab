"""
What a test may leave behind without failing: failures that were only logged, Deferreds that failed and that
nobody heard, and timers.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from twisted.internet import defer
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import ILogObserver, LogEvent
from zope.interface import implementer

__all__ = ["LoggedFailures", "UnheardFailures", "timersInTheReactor"]


@implementer(ILogObserver)
class LoggedFailures:
    """
    The failures that are logged while it observes; among them those of Deferreds that nobody handled, which
    Twisted logs when they are collected.
    """

    def __init__(self) -> None:
        self._events: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        """One more event."""
        if event.get("log_failure") is not None:
            self._events.append(event)

    def flush(self, *kinds: type[BaseException]) -> list[BaseException]:
        """Take those of the given kinds away, because the test expects them; without any kind, all."""
        taken = [event for event in self._events if not kinds or event["log_failure"].check(*kinds)]
        self._events = [event for event in self._events if event not in taken]
        return [event["log_failure"].value for event in taken]

    def report(self) -> str:
        """The tracebacks of those that were not taken away; empty if there are none."""
        return "\n".join(event["log_failure"].getTraceback() for event in self._events)


class UnheardFailures:
    """
    Finds out whether a Deferred may have failed without being heard, so that objects need to be collected
    only then: Twisted logs such a failure when the Deferred is collected, and a collection after each of
    some thousand tests takes longer than the tests.

    Twisted keeps a C{DebugInfo} with each Deferred that fails; those that there are are known here. Should
    a version of Twisted do it in another way, then every time there may be one.
    """

    def __init__(self) -> None:
        self._alive: WeakSet[Any] = WeakSet()
        self._original: Callable[[], Any] = defer.DebugInfo
        self._works = False

    def start(self) -> None:
        """Watch every Deferred from now on."""
        alive, original = self._alive, defer.DebugInfo

        class WatchedDebugInfo(original):  # type: ignore[misc, valid-type]
            """One that is known as long as it is there."""

            def __init__(self) -> None:
                super().__init__()
                alive.add(self)

        self._original = original
        defer.DebugInfo = WatchedDebugInfo  # type: ignore[misc]
        probe: defer.Deferred[None] = defer.fail(ZeroDivisionError())
        self._works = self.possible
        probe.addErrback(lambda failure: None)

    def stop(self) -> None:
        """Watch no more."""
        defer.DebugInfo = self._original  # type: ignore[misc, assignment]
        self._works = False

    @property
    def possible(self) -> bool:
        """Whether a Deferred that is still there has failed and was not heard."""
        return any(info.failResult is not None for info in list(self._alive))

    def collect(self) -> None:
        """Have those that nobody holds any more logged."""
        if not self._works or self.possible:
            gc.collect()


def timersInTheReactor() -> list[IDelayedCall]:
    """The timers of the process's reactor; none if there is no reactor, which this does not install."""
    reactor = sys.modules.get("twisted.internet.reactor")
    return list(reactor.getDelayedCalls()) if reactor is not None else []
