"""
A connection whose last words arrive.

A socket that is closed while there is unread input sends a reset, and a reset may overtake what was
written just before. A service that speaks last, and does not care what the peer still has to say, ends
its own half first, and passes over the peer's until that has ended, too.
"""

from __future__ import annotations

from typing import ClassVar

from labnet.net.connection import ServiceConnection, ServiceFactory

__all__ = ["LINGER", "LingeringConnection", "LingeringFactory"]

#: Seconds that a peer gets to end its half after our last words.
LINGER = 2.0


class LingeringConnection(ServiceConnection):
    """
    One that can end with L{endWith}.
    """

    #: Who sends more bytes than this after the last words is not going to stop.
    longestRest: ClassVar[int] = 1 << 20

    factory: LingeringFactory

    def __init__(self) -> None:
        super().__init__()
        self._lingersSince: float | None = None
        self._rest = 0

    @property
    def lingering(self) -> bool:
        """Whether the last words are said."""
        return self._lingersSince is not None

    def endWith(self, words: bytes, outcome: str) -> None:
        """
        Say C{words}, then close as soon as the peer has ended its half, or L{LINGER} seconds later.

        @param outcome: why, for the log.
        """
        if self._lingersSince is None:
            if words:
                self.write(words)
            self.outcome = outcome
            self._lingersSince = self.factory.clock.seconds()
            self._ignoring = True
            self.endOutput()

    def ignored(self, data: bytes) -> None:
        self._rest += len(data)
        if self._rest > self.longestRest:
            self.drop(self.outcome)

    def watchTime(self, now: float) -> None:
        if self._lingersSince is not None and now - self._lingersSince >= LINGER:
            self.close()
        super().watchTime(now)


class LingeringFactory(ServiceFactory):
    """Builds connections that may linger."""

    def timeLimits(self) -> tuple[float, ...]:
        return (*super().timeLimits(), LINGER)
