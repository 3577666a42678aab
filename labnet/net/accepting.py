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
#: Of the rest only one in so many is for connections that are accepted before it is counted again.
_SHARE = 4
#: Seconds after which it is counted again in any case.
_COUNT_AGAIN = 1.0
_OPEN = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
#: Seconds until it is tried again.
_PAUSE = 0.25
#: Seconds for which it is told once.
_TELL_AGAIN = 60.0


def _saysHowMany() -> bool:
    """Whether the size of that directory is how many descriptors there are."""
    try:
        return os.stat(_OPEN).st_size == len(os.listdir(_OPEN)) - 1
    except OSError:
        return False


_SAYS_HOW_MANY = _saysHowMany()


def descriptorsLeft() -> int:
    """
    How many descriptors this process may still open.

    They are counted. The number of the next one, which is the lowest that is free, would not do: there may
    be others in use above it.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        # Linux says it since 6.2; before, and elsewhere, the size is that of something else, or 0.
        used = os.stat(_OPEN).st_size if _SAYS_HOW_MANY else len(os.listdir(_OPEN)) - 1
    except OSError:
        return 0
    return limit - used


class _Room:
    """
    How many connections may be accepted before descriptors are counted again: to count them takes a
    moment, and what else is opened meanwhile, as the connection to an origin for each, has to have room,
    too.
    """

    def __init__(self) -> None:
        self._left = 0
        self._countedAt = -_COUNT_AGAIN
        self._limit = 0

    def at(self, now: float) -> int:
        """So many, at C{now} (seconds); none if there are too few descriptors. The limit may be changed."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        since = now - self._countedAt
        if self._left <= 0 or limit != self._limit or not 0 <= since < _COUNT_AGAIN:
            self._limit = limit
            room = descriptorsLeft() - RESERVE
            self._left = max(1, room // _SHARE) if room > 0 else 0
            self._countedAt = now
        return self._left

    def take(self, count: int) -> None:
        """So many were accepted."""
        self._left -= count


class PatientPort(tcp.Port):
    """A port that accepts only as long as L{RESERVE} descriptors are left."""

    # What Twisted sets; named for the type checker.
    numberAccepts: int
    sessionno: int
    reactor: Any
    log = Logger()

    #: One process has one set of descriptors, however many ports.
    _room = _Room()
    _again: IDelayedCall | None = None
    _toldAt = -_TELL_AGAIN

    def doRead(self) -> None:
        room = self._room.at(self.reactor.seconds())
        if room <= 0:
            self._wait()
            return
        self.numberAccepts = min(self.numberAccepts, room)
        before = self.sessionno
        super().doRead()  # type: ignore[no-untyped-call]
        self._room.take(self.sessionno - before)

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
