"""
What a process under load gives back.

The allocator of glibc keeps most of what was freed, in case it is asked for again: a proxy that has held
some large pages at the same time looks twice as large ever after. Asked once a second, it gives that back.
And what a process has when it begins to serve stays: the garbage collector need not look at it again and
again.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable

from twisted.application.internet import TimerService
from twisted.internet.interfaces import IReactorTime

__all__ = ["MemoryService"]

#: Seconds between two times.
PACE = 1.0

# A collection of the youngest objects after so many new ones that are not gone; Python's own 700 suit
# programs that make less at a time. The older ones must have their turn soon, too: broken and abandoned
# exchanges are cycles, and what they hold is large.
_YOUNGEST, _YOUNG, _OLD = 5_000, 2, 5


def _trimmer() -> Callable[[int], int] | None:
    """glibc's C{malloc_trim}, where there is one."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return trim


class MemoryService(TimerService):
    """
    Keeps a process small as long as it runs. One is enough for a process; more do no harm.

    @param clock: the reactor, or a C{Clock} in a test.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._trim = _trimmer()
        super().__init__(PACE, self._giveBack)  # type: ignore[no-untyped-call]
        self.clock = clock

    def startService(self) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNGEST, _YOUNG, _OLD)
        super().startService()  # type: ignore[no-untyped-call]

    def _giveBack(self) -> None:
        if self._trim is not None:
            self._trim(0)
