"""
How much a service gives to its peers: connections, time, and datagrams a second.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

__all__ = ["DatagramLimits", "Limits", "PeerCount", "RateLimit"]


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What one stream service allows. C{0} means "no limit", except for C{grace}, where it means "at once".

    @ivar maxConnections: connections at the same time.
    @ivar maxPerPeer: of these, from one address.
    @ivar idleTimeout: seconds a connection may go without a complete message.
    @ivar lifetime: seconds a connection may last in all.
    @ivar grace: seconds that requests in flight get to end when the service stops.
    """

    maxConnections: int = 10_000
    maxPerPeer: int = 0
    idleTimeout: float = 300.0
    lifetime: float = 0.0
    grace: float = 5.0


@dataclass(frozen=True, slots=True)
class DatagramLimits:
    """
    What one datagram service allows.

    @ivar perSource: datagrams a second from one address, sustained; twice that in a burst.
    @ivar total: datagrams a second in all, likewise.
    @ivar sources: addresses remembered at the same time; beyond that the longest silent is forgotten.
    @ivar maxSize: the longest datagram read, in bytes.
    """

    perSource: float = 1_000.0
    total: float = 20_000.0
    sources: int = 4_096
    maxSize: int = 65_507


class PeerCount:
    """
    Counts who is connected, for L{Limits.maxConnections} and L{Limits.maxPerPeer}.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._perPeer: dict[str, int] = {}
        self.total = 0

    def refusal(self, host: str) -> str | None:
        """Why one more connection from C{host} is refused, or L{None} when it is welcome."""
        limits = self._limits
        if limits.maxConnections and self.inAll() >= limits.maxConnections:
            return "over the limit in all"
        if limits.maxPerPeer and self.of(host) >= limits.maxPerPeer:
            return "over the limit of one address"
        return None

    def inAll(self) -> int:
        """How many connections there are."""
        return self.total

    def of(self, host: str) -> int:
        """How many of them are from C{host}."""
        return self._perPeer.get(host, 0)

    def add(self, host: str) -> None:
        """One more connection from C{host}."""
        self.total += 1
        self._perPeer[host] = self._perPeer.get(host, 0) + 1

    def remove(self, host: str) -> None:
        """One connection from C{host} less."""
        self.total -= 1
        left = self._perPeer[host] - 1
        if left:
            self._perPeer[host] = left
        else:
            del self._perPeer[host]


class _Bucket:
    """A token bucket: C{rate} tokens a second, C{2 * rate} (at least one) at most, and full at first."""

    __slots__ = ("most", "rate", "tokens", "updated")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self.most = self.tokens = max(2 * rate, 1.0)
        self.updated = now

    def take(self, now: float) -> bool:
        passed = now - self.updated
        self.updated = now
        tokens = self.tokens
        # The system's clock may be set back: that must not empty the bucket.
        if passed > 0:
            tokens += passed * self.rate
            if tokens > self.most:
                tokens = self.most
        taken = tokens >= 1.0
        self.tokens = tokens - 1.0 if taken else tokens
        return taken


class RateLimit:
    """
    Admits so many events a second from each source, and in all.

    Time is given, not read. Memory is bounded by L{DatagramLimits.sources}: a flood of forged sources
    pushes out the longest silent ones, and meets the total rate.
    """

    def __init__(self, limits: DatagramLimits) -> None:
        self._limits = limits
        self._sources: OrderedDict[str, _Bucket] = OrderedDict()
        self._all: _Bucket | None = None

    def __len__(self) -> int:
        return len(self._sources)

    def admits(self, source: str, now: float) -> bool:
        """Whether an event from C{source} at C{now} (seconds) is within the rates; if so it is counted."""
        limits = self._limits
        if limits.perSource:
            bucket = self._sources.get(source)
            if bucket is None:
                bucket = self._sources[source] = _Bucket(limits.perSource, now)
                if len(self._sources) > limits.sources:
                    self._sources.popitem(last=False)
            else:
                self._sources.move_to_end(source)
            if not bucket.take(now):
                return False
        if not limits.total:
            return True
        if self._all is None:
            self._all = _Bucket(limits.total, now)
        return self._all.take(now)
