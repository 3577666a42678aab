"""
How long each phase of a request took.
"""

from __future__ import annotations

from dataclasses import dataclass

from labnet.web.events import (
    Asking,
    Connected,
    Ended,
    Event,
    HeadEnded,
    LookedUp,
    Received,
    RequestSent,
    Secured,
    TunnelReady,
)

__all__ = ["Phase", "Timing"]


@dataclass(frozen=True, slots=True)
class Phase:
    """
    From one event to the next.

    @ivar began: seconds since the start.
    @ivar ended: likewise.
    """

    name: str
    began: float
    ended: float


#: The phases, in their order, and what ends each.
_ENDS: dict[str, type[Event]] = {
    "look-up": LookedUp,
    "connect": Connected,
    "tunnel": TunnelReady,
    "TLS": Secured,
    "request sent": RequestSent,
    "first byte": Received,
    "head complete": HeadEnded,
    "whole body": Ended,
}
_AFTER_TUNNEL = ("request sent", "first byte", "head complete", "whole body")


class Timing:
    """
    Hears of all events, and remembers when the first of each kind was. A request that begins anew, at the
    other end of a tunnel or where it was sent on to, is timed anew.
    """

    def __init__(self) -> None:
        self._began = 0.0
        self._ended: dict[str, float] = {}

    def note(self, seconds: float, event: Event) -> None:
        """
        @param seconds: since the start of everything.
        """
        if isinstance(event, Asking):
            self._began = seconds
            self._ended.clear()
        if isinstance(event, TunnelReady):
            for name in _AFTER_TUNNEL:
                self._ended.pop(name, None)
        if isinstance(event, HeadEnded) and event.interim:
            return
        for name, kind in _ENDS.items():
            if isinstance(event, kind):
                self._ended.setdefault(name, seconds)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """
        Those that there were, one after the other: an answer that begins before the request is sent
        takes no time of its own.
        """
        phases = []
        at = self._began
        for name in _ENDS:
            if name in self._ended:
                until = max(at, self._ended[name])
                phases.append(Phase(name, at, until))
                at = until
        return tuple(phases)

    @property
    def total(self) -> float:
        """Seconds from the beginning of the request to the end of its last phase."""
        return self.phases[-1].ended - self._began if self._ended else 0.0
