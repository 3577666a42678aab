"""
What the faults of datagrams do to one direction of a port: datagrams and times in, deliveries with their
times out.

Datagrams are counted from 1, in the order in which they come, all those of a port together. Nothing here
reads a clock; whoever drives it asks L{DatagramImpairment.take} again at L{DatagramImpairment.nextAt}.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random

from labnet.net.faults import Fault, Word, asDuration

__all__ = ["MOST_BYTES", "MOST_DATAGRAMS", "DatagramImpairment", "Delivery"]

#: Datagrams of one direction that are held; more are dropped, as a full queue of a router does.
MOST_DATAGRAMS = 1_000
#: Bytes of them.
MOST_BYTES = 1024 * 1024

#: To or from where; L{None} for the one that a socket is connected to.
Address = tuple[str, int] | None


@dataclass(order=True, slots=True)
class Delivery:
    """
    A datagram to be passed on, or one that was lost.

    @ivar at: when it was due.
    @ivar order: among those of the same time.
    @ivar datagram: L{None}: there is none any more.
    @ivar note: one line: what was done; empty for nothing.
    """

    at: float
    order: int
    datagram: bytes | None = field(compare=False)
    address: Address = field(compare=False)
    note: str = field(compare=False, default="")


class DatagramImpairment:
    """
    One direction of a port.

    @param faults: what L{labnet.net.faults.Faults.datagrams} gives.
    @param random: gives the random numbers for a purpose.
    @ivar count: datagrams that have come.
    @ivar held: bytes of those that are held now.
    @ivar done: how often each fault has acted.
    """

    def __init__(self, faults: Iterable[Fault], random: Callable[[str], Random]) -> None:
        self._faults = tuple(faults)
        self._random = random("datagrams")
        self._jitter = random("jitter")
        self._ready: list[Delivery] = []
        # Those that let the next one pass, with the time at which they wait no longer.
        self._behind: list[Delivery] = []
        self._order = 0
        self.count = 0
        self.held = 0
        self.done: Counter[Word] = Counter()

    def received(self, datagram: bytes, address: Address, now: float) -> None:
        """A datagram has come."""
        self.count += 1
        # Each fault draws for each datagram: what one does never changes what another meets later.
        chosen = [fault for fault in self._faults if self._picks(fault)]
        words = {fault.word for fault in chosen}
        at, copies, notes = now, 1, []
        behind: Fault | None = None
        for fault in chosen:
            match fault.word:
                case Word.CUT:
                    size = self._random.randint(fault.low, fault.high)
                    if size >= len(datagram):
                        continue
                    notes.append(f"cuts it from {len(datagram)} bytes to {size}")
                    datagram = datagram[:size]
                case Word.DELAY:
                    seconds = fault.seconds + self._jitter.uniform(-fault.jitter, fault.jitter)
                    at += seconds
                    notes.append(f"holds it for {asDuration(round(seconds, 3))}")
                case Word.DUPLICATE:
                    copies = 2
                    notes.append("sends it twice")
                case Word.REORDER:
                    behind = fault
                    notes.append("lets the next one pass")
            if fault.word is not Word.DROP and Word.DROP not in words:
                self.done[fault.word] += 1
        if Word.DROP in words:
            self.done[Word.DROP] += 1
            self._lost(now, address, "drops it")
            return
        text = ", ".join(notes)
        for _ in range(copies):
            self._hold(datagram, address, at, behind, text)
            text = ""

    def _picks(self, fault: Fault) -> bool:
        return fault.which is None or fault.which.picks(self.count, self._random)

    def _hold(self, datagram: bytes, address: Address, at: float, behind: Fault | None, note: str) -> None:
        if len(self._ready) + len(self._behind) >= MOST_DATAGRAMS or self.held >= MOST_BYTES:
            self._lost(at, address, "drops it: too many are held")
            return
        self.held += len(datagram)
        self._order += 1
        text = f"datagram #{self.count}: {note}" if note else ""
        if behind is not None:
            self._behind.append(Delivery(at + behind.seconds, self._order, datagram, address, text))
        else:
            heappush(self._ready, Delivery(at, self._order, datagram, address, text))

    def _lost(self, at: float, address: Address, why: str) -> None:
        if len(self._ready) < 2 * MOST_DATAGRAMS:
            self._order += 1
            heappush(
                self._ready, Delivery(at, self._order, None, address, f"datagram #{self.count}: {why}")
            )

    def nextAt(self) -> float | None:
        """When L{take} has something; L{None} for not before something comes."""
        times = [delivery.at for delivery in (*self._ready[:1], *self._behind)]
        return min(times) if times else None

    def take(self, now: float) -> Delivery | None:
        """What is to be done next, if it is due."""
        for late in [delivery for delivery in self._behind if delivery.at <= now]:
            # None has come that could have passed.
            self._behind.remove(late)
            heappush(self._ready, late)
        if not self._ready or self._ready[0].at > now:
            return None
        delivery = heappop(self._ready)
        if delivery.datagram is not None:
            self.held -= len(delivery.datagram)
            self._letGo(delivery)
        return delivery

    def _letGo(self, passed: Delivery) -> None:
        """One has passed: those that have waited for it follow."""
        waited, self._behind = self._behind, []
        for delivery in waited:
            if delivery.order > passed.order:
                self._behind.append(delivery)  # It came after this one, which was held for longer.
                continue
            self._order += 1
            delivery.at, delivery.order = passed.at, self._order
            heappush(self._ready, delivery)
