"""
The addresses of names: asked for by a few threads at a time, each name once however many want it, and kept
for a little while.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Protocol as Interface

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorTime,
    IResolutionReceiver,
)
from zope.interface import implementer

from labnet.net.endpoints import isHost
from labnet.proxy.wire import BadMessage

__all__ = ["LookUps", "Resolving"]


class Resolving(Interface):
    """What looks names up: a reactor does."""

    nameResolver: IHostnameResolver


class LookUps:
    """
    Looks names up. An answer is kept for C{keep} seconds, and so is that there is none: a page with a
    hundred pictures needs one look-up, and a name that moves is soon found where it went.

    @param reactor: whose resolver is asked; the system's blocks a thread of the reactor's pool.
    @param clock: what time it is.
    @param keep: seconds that an answer is kept; 0 for not at all.
    @param atATime: look-ups under way at the same time; the pool has ten threads, and others need some.
    @param mostWaiting: names that wait for an answer; the next one is refused.
    @param mostKept: names whose answer is kept.
    """

    def __init__(
        self,
        reactor: Resolving,
        clock: IReactorTime,
        *,
        keep: float = 10.0,
        atATime: int = 6,
        mostWaiting: int = 1_000,
        mostKept: int = 1_024,
    ) -> None:
        self._reactor = reactor
        self._clock = clock
        self._keep = keep
        self._atATime = atATime
        self._mostWaiting = mostWaiting
        self._mostKept = mostKept
        self._running = 0
        self._queue: deque[str] = deque()
        self._asked: dict[str, list[Deferred[tuple[str, ...]]]] = {}
        self._kept: OrderedDict[str, tuple[float, tuple[str, ...]]] = OrderedDict()

    def addresses(self, host: str) -> Deferred[tuple[str, ...]]:
        """
        The addresses of a name, in the order in which the system gives them.

        @return: fires with at least one; fails with C{DNSLookupError}, or with L{BadMessage} (503) when too
            many names wait. Nobody waits any more for one that is cancelled.
        """
        if not isHost(host):
            return fail(DNSLookupError())
        until, found = self._kept.get(host, (0.0, ()))
        if self._clock.seconds() < until:
            return succeed(found) if found else fail(DNSLookupError())
        waiting = self._asked.get(host)
        if waiting is None:
            if len(self._asked) >= self._mostWaiting:
                return fail(BadMessage("too many names wait to be looked up", 503))
            waiting = self._asked[host] = []
            self._queue.append(host)
        answer: Deferred[tuple[str, ...]] = Deferred(waiting.remove)
        waiting.append(answer)
        self._next()
        return answer

    def _next(self) -> None:
        while self._queue and self._running < self._atATime:
            host = self._queue.popleft()
            if not self._asked[host]:
                del self._asked[host]
                continue
            self._running += 1
            self._reactor.nameResolver.resolveHostName(_Receiver(self, host), host)

    def answered(self, host: str, found: tuple[str, ...]) -> None:
        """A look-up is complete; without an address there is no such name."""
        self._running -= 1
        if self._keep:
            self._kept.pop(host, None)
            self._kept[host] = (self._clock.seconds() + self._keep, found)
            if len(self._kept) > self._mostKept:
                self._kept.popitem(last=False)
        waiting = self._asked.pop(host)
        while waiting:
            answer = waiting.pop(0)
            if found:
                answer.callback(found)
            else:
                answer.errback(DNSLookupError())
        self._next()


@implementer(IResolutionReceiver)
class _Receiver:
    """Collects the addresses of one name."""

    def __init__(self, lookUps: LookUps, host: str) -> None:
        self._lookUps = lookUps
        self._host = host
        self._found: list[str] = []

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """Nothing is to be done."""

    def addressResolved(self, address: IAddress) -> None:
        """One of them."""
        if isinstance(address, (IPv4Address, IPv6Address)):
            self._found.append(address.host)

    def resolutionComplete(self) -> None:
        """That is all."""
        self._lookUps.answered(self._host, tuple(dict.fromkeys(self._found)))
