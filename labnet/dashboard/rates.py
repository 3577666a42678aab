"""
How much went over the wire in each of the last seconds.
"""

from __future__ import annotations

from collections.abc import Iterable

from labnet.net.trace import Conversation, Event, Happening

__all__ = ["SECONDS", "Point", "Rates"]

#: So many of them are remembered.
SECONDS = 300

#: Of one second: connections that began, bytes from peers, bytes to peers.
Point = tuple[int, int, int]

_NOTHING: Point = (0, 0, 0)


class Rates:
    """
    Counts by second and by service. Memory is bounded: L{SECONDS} entries, each with as many services as
    there are.
    """

    def __init__(self) -> None:
        self._seconds: dict[int, dict[str, list[int]]] = {}

    def add(self, conversation: Conversation, event: Event) -> None:
        """Something has happened."""
        if event.what is Happening.RECEIVED:
            at, amount = 1, event.size
        elif event.what is Happening.WRITTEN:
            at, amount = 2, event.size
        elif event.what is Happening.OPENED:
            at, amount = 0, 1
        else:
            return
        second = int(event.at)
        services = self._seconds.get(second)
        if services is None:
            services = self._seconds[second] = {}
            self._forget(second - SECONDS)
        counts = services.get(conversation.service)
        if counts is None:
            counts = services[conversation.service] = [0, 0, 0]
        counts[at] += amount

    def remember(self, conversations: Iterable[Conversation], now: float) -> None:
        """Count what a trace has kept of the last L{SECONDS}: what happened before anybody looked."""
        since = now - SECONDS
        for conversation in conversations:
            for event in reversed(conversation.events):
                if event.at < since:
                    break
                self.add(conversation, event)

    def points(self, first: int, last: int, service: str = "") -> list[Point]:
        """
        The seconds from C{first} to before C{last}, at most L{SECONDS} of them.

        @param first: since the epoch; the result begins at C{last - SECONDS} if that is later.
        @param service: only this one; empty for all.
        """
        return [self._point(second, service) for second in range(max(first, last - SECONDS), last)]

    def _point(self, second: int, service: str) -> Point:
        services = self._seconds.get(second)
        if not services:
            return _NOTHING
        if service:
            one = services.get(service)
            return (one[0], one[1], one[2]) if one is not None else _NOTHING
        opened, bytesIn, bytesOut = map(sum, zip(*services.values(), strict=True))
        return opened, bytesIn, bytesOut

    def _forget(self, before: int) -> None:
        if len(self._seconds) > 2 * SECONDS:
            # A clock that is set back leaves some behind; they go with the oldest.
            self._seconds = {second: kept for second, kept in self._seconds.items() if second >= before}
