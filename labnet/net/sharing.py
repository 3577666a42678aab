"""
Limits that several processes keep together.

They have one piece of memory, of which the supervisor (L{labnet.net.workers}) makes the descriptor and
which each worker maps. There are numbers in it and nothing else: no locks, so a worker that dies holds
nobody up. How many connections there are is written by each process in a place of its own, and read from
all; the times of a rate are written by all, and where two do so at the same moment one of them counts.

A peer has two places out of thousands, by a hash of its name, and has the lower of the two numbers. So with
a thousand peers about one in a thousand shares both places with others, and then their limit, too.
"""

from __future__ import annotations

import os
import tempfile
from hashlib import blake2b
from mmap import mmap

from labnet.net.limits import Limits, PeerCount

__all__ = ["Counter", "SharedLimits", "SharedPeerCount", "SharedRate", "sharedMemory"]

#: Places for peers; and beside them for what is counted in all.
_PLACES = 2**15
_TOTALS = 64
_SEED = b"labnet"


def _size(processes: int) -> int:
    return 8 * _PLACES + 4 * (_PLACES + _TOTALS) * processes


def sharedMemory(processes: int) -> int:
    """
    Memory for so many processes, all zeros.

    @return: its descriptor.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("labnet")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, _size(processes))
    return descriptor


class SharedLimits:
    """
    The memory, as one of the processes has it.

    @param descriptor: of the memory.
    @param process: which of them this is, from 0 on. What the one before it in this place has left is
        cleared.
    @param processes: how many there are.
    """

    def __init__(self, descriptor: int, process: int, processes: int) -> None:
        memory = memoryview(mmap(descriptor, _size(processes)))
        self._process = process
        self._processes = processes
        self._times = memory[: 8 * _PLACES].cast("d")
        self._counts = memory[8 * _PLACES :].cast("I")
        for at in range(process, len(self._counts), processes):
            if self._counts[at]:
                self._counts[at] = 0
        self._totals = 0

    def total(self) -> Counter:
        """Something that is counted in all; the processes have to ask for such things in the same order."""
        self._totals += 1
        if self._totals > _TOTALS:
            raise ValueError(f"over {_TOTALS} things to count")
        return Counter(self, _PLACES + self._totals - 1)

    def places(self, name: str) -> tuple[int, int]:
        """The two places of a name."""
        digest = blake2b(name.encode("utf-8"), digest_size=8, key=_SEED).digest()
        one = int.from_bytes(digest[:4]) % _PLACES
        return one, (one + 1 + int.from_bytes(digest[4:]) % (_PLACES - 1)) % _PLACES

    def count(self, place: int) -> int:
        """What all processes have counted there."""
        return sum(self._counts[place * self._processes : (place + 1) * self._processes])

    def add(self, place: int, more: int) -> None:
        """Count in this process."""
        at = place * self._processes + self._process
        self._counts[at] = max(0, self._counts[at] + more)

    def time(self, places: tuple[int, int]) -> float:
        """The lower of the times there."""
        return min(self._times[place] for place in places)

    def setTime(self, places: tuple[int, int], time: float, before: float) -> None:
        """Change times: those that are earlier than C{time}, and those later than any can be, C{before}."""
        for place in places:
            if not time <= self._times[place] <= before:
                self._times[place] = time


class Counter:
    """One number that all processes have together."""

    def __init__(self, limits: SharedLimits, place: int) -> None:
        self._limits = limits
        self._place = place

    @property
    def value(self) -> int:
        """Of all."""
        return self._limits.count(self._place)

    def add(self, more: int) -> None:
        """So many more here, or less."""
        self._limits.add(self._place, more)


class SharedPeerCount(PeerCount):
    """
    Who is connected, whichever process has taken the connection.

    @param name: of the listener; the same in all processes.
    """

    def __init__(self, limits: Limits, shared: SharedLimits, name: str) -> None:
        super().__init__(limits)
        self._shared = shared
        self._name = name
        self._all = shared.total()

    def inAll(self) -> int:
        return self._all.value

    def of(self, host: str) -> int:
        return min(self._shared.count(place) for place in self._places(host))

    def add(self, host: str) -> None:
        super().add(host)
        self._count(host, +1)

    def remove(self, host: str) -> None:
        super().remove(host)
        self._count(host, -1)

    def _count(self, host: str, more: int) -> None:
        self._all.add(more)
        if self._limits.maxPerPeer:
            for place in self._places(host):
                self._shared.add(place, more)

    def _places(self, host: str) -> tuple[int, int]:
        return self._shared.places(f"{self._name} {host}")


class SharedRate:
    """
    Admits so many events a second from each source, twice that in a burst, in all processes together: as
    L{labnet.net.limits.RateLimit} does for one.

    For each source there is the time until which it has used up what it may. With each event that moves on
    by what one event takes; it may lie as far ahead as a burst lasts.

    @param rate: events a second.
    """

    def __init__(self, rate: float, shared: SharedLimits) -> None:
        self._shared = shared
        self._interval = 1 / rate
        self._burst = max(2 * rate, 1.0) / rate

    def admits(self, source: str, now: float) -> bool:
        """Whether an event from C{source} at C{now} (seconds) is within the rate; if so it is counted."""
        places = self._shared.places(source)
        latest = now + self._burst
        used = self._shared.time(places)
        # Later than it can be: the system's clock was set back.
        used = max(used, now) if used <= latest else now
        if used + self._interval > latest + 1e-6:
            return False
        self._shared.setTime(places, used + self._interval, latest)
        return True
