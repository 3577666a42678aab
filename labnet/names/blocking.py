"""
Calls that block, each in a thread of its own, for no longer than one is willing to wait.

The system's resolver can not be interrupted. The reactor's threads are waited for when the process ends;
these are not, so that a server of names that does not answer keeps nobody waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import TimeoutError
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

__all__ = ["ThreadReactor", "inThread"]

_Result = TypeVar("_Result")


class ThreadReactor(Protocol):
    """What is needed of a reactor: a clock, and a way back from a thread."""

    def seconds(self) -> float: ...

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kw: object
    ) -> IDelayedCall: ...

    def callFromThread(self, callable: Callable[..., object], *args: object) -> None: ...


def inThread(
    reactor: ThreadReactor, timeout: float, work: Callable[[], _Result], what: str = "the call"
) -> Deferred[_Result]:
    """
    Do C{work} in a thread.

    @param timeout: seconds to wait for it; the thread is left to itself then.
    @param what: what is waited for, for the error.
    @return: fires with the result; fails with what C{work} raised, or with
        L{twisted.internet.error.TimeoutError}.
    """
    result: Deferred[_Result] = Deferred(lambda result: stop())

    def tell(outcome: _Result | Failure) -> None:
        stop()
        if not result.called:
            if isinstance(outcome, Failure):
                result.errback(outcome)
            else:
                result.callback(outcome)

    def run() -> None:
        outcome: _Result | Failure
        try:
            outcome = work()
        except Exception:
            # Whatever it is belongs to who asked, and would be lost with this thread.
            outcome = Failure()
        reactor.callFromThread(tell, outcome)

    def stop() -> None:
        if timer.active():
            timer.cancel()

    late = Failure(TimeoutError(string=f"{what} took over {timeout:g} s"))
    timer = reactor.callLater(timeout, tell, late)
    Thread(target=run, name="labnet look-up", daemon=True).start()
    return result
