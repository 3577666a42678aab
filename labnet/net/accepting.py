"""
Listening ports that wait when the process has no descriptor left.

Twisted's own port accepts whoever comes then, and closes the connection at once, with a few lines in the
log for each. Here they wait with the system until others have left.
"""

from __future__ import annotations

import os
import resource
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = ["RESERVE", "PatientPort", "descriptorsLeft"]

#: Descriptors that are left for connections to others, for files and for pipes.
RESERVE = 16
#: Seconds until it is tried again.
_PAUSE = 0.25
#: Seconds for which it is told once.
_TELL_AGAIN = 60.0


def descriptorsLeft(one: int) -> int:
    """
    How many descriptors this process may still open, at most: the next one is the lowest number that is
    free.

    @param one: any descriptor that is open.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        lowest = os.dup(one)
    except OSError:
        return 0
    os.close(lowest)
    return limit - lowest


class PatientPort(tcp.Port):
    """A port that accepts only as long as L{RESERVE} descriptors are left."""

    # What Twisted sets; named for the type checker.
    numberAccepts: int
    reactor: Any
    log = Logger()

    _again: IDelayedCall | None = None
    _toldAt = -_TELL_AGAIN

    def doRead(self) -> None:
        room = descriptorsLeft(self.fileno()) - RESERVE  # type: ignore[no-untyped-call]
        if room <= 0:
            self._wait()
            return
        self.numberAccepts = min(self.numberAccepts, room)
        super().doRead()  # type: ignore[no-untyped-call]

    def _wait(self) -> None:
        now = self.reactor.seconds()
        if now - self._toldAt >= _TELL_AGAIN:
            self._toldAt = now
            self.log.warn("no descriptors are left: connections wait until others have ended")
        self.stopReading()  # type: ignore[no-untyped-call]
        self._again = self.reactor.callLater(_PAUSE, self._goOn)

    def _goOn(self) -> None:
        if not self.disconnecting:
            self.startReading()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure) -> None:
        if self._again is not None and self._again.active():
            self._again.cancel()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
