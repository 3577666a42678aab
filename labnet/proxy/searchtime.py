"""
Bounds how long looking for a regular expression may take.

Python's C{re} has no limit for that, and with some content an expression takes longer than the content will
ever be worth: C{(a+)+b} doubles its time with every C{a}. But while it searches it lets signals be handled,
and a handler that raises ends the search. So a timer of the system counts processor time, not the time of
day: how busy the machine is makes no difference.

Signals are for the main thread of a process, and timers for POSIX. Anywhere else, and where somebody had a
use of his own for C{SIGVTALRM} when the first search began, nothing is bounded.
"""

from __future__ import annotations

import re
import signal
from threading import get_ident, main_thread
from time import perf_counter
from types import FrameType

__all__ = ["SearchTime", "TooSlow"]


class TooSlow(Exception):
    """The search was given up."""


class _Interrupted(Exception):
    """Raised in the middle of a search."""


#: Seconds that any search may take besides, for those around it take as much.
_UNCOUNTED = 5e-6
#: Seconds of a tick, which the timers of a system count; 4 ms is usual.
_TICK = 4e-3

#: Whether a search is under way: a signal that comes late must not end anything else.
_searching = False
#: The thread in which searches are bounded; 0 as long as they are not.
_mainThread = 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _searching:
        raise _Interrupted


def _bounded() -> bool:
    """Whether a search can be bounded, here and now."""
    global _mainThread
    here = get_ident()
    if _mainThread:
        return here == _mainThread
    if not hasattr(signal, "setitimer") or here != main_thread().ident:
        return False
    if signal.getsignal(signal.SIGVTALRM) is not signal.SIG_DFL:
        return False
    signal.signal(signal.SIGVTALRM, _interrupt)
    _mainThread = here
    return True


class SearchTime:
    """
    The processor time that is left for looking for one thing.

    @param seconds: of it.
    """

    __slots__ = ("_left", "_most")

    def __init__(self, seconds: float) -> None:
        self._left = self._most = seconds

    def add(self, seconds: float) -> None:
        """There is more of it, but never more than there was at first."""
        self._left = min(self._most, self._left + seconds)

    def search(
        self, expression: re.Pattern[bytes], data: bytes | bytearray, start: int
    ) -> re.Match[bytes] | None:
        """
        Search.

        @raise TooSlow: the time is over.
        """
        global _searching
        if not _bounded():
            return expression.search(data, start)
        if self._left <= 0:
            raise TooSlow
        began = perf_counter()
        try:
            try:
                _searching = True
                signal.setitimer(signal.ITIMER_VIRTUAL, self._left)
                return expression.search(data, start)
            finally:
                _searching = False
        except _Interrupted:
            self._left = 0.0
            raise TooSlow from None
        finally:
            # Twice, for the signal may come just before the first time; there is only one.
            _searching = False
            left = signal.setitimer(signal.ITIMER_VIRTUAL, 0)[0]
            self._charge(perf_counter() - began, self._left - left)

    def _charge(self, lasted: float, counted: float) -> None:
        """
        Take off what a search has used.

        @param lasted: seconds by the clock, in which others may have had the processor.
        @param counted: seconds by the timer, which is no finer than a tick: a shorter search is none to it.
        """
        if lasted < _TICK:
            self._left -= max(0.0, lasted - _UNCOUNTED)
        else:
            self._left -= max(_TICK, counted)
