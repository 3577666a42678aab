"""
What may happen to a datagram under way.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from random import Random

__all__ = ["DatagramFaults", "Fate", "Which"]

#: Which datagrams: a probability from 0 to 1, or the numbers of the datagrams, counted from 1.
Which = float | Collection[int]


@dataclass(frozen=True, slots=True)
class Fate:
    """
    What happens to one datagram.

    @ivar copies: of each copy that arrives, by how many seconds it is late; none if it is lost.
    @ivar overtaken: whether the next one arrives before it.
    """

    copies: tuple[float, ...] = (0.0,)
    overtaken: bool = False


class DatagramFaults:
    """
    Loses, doubles, delays datagrams and lets them overtake each other: those with certain numbers, or any
    with a probability. The same seed does the same to the same datagrams, and what is said about one kind
    of fault does not change the others.

    @param drop: which are lost. One that is lost is not doubled, either.
    @param duplicate: which arrive twice, the second copy right after the first.
    @param reorder: which are overtaken by the next one with the same way, or are C{patience} late if there
        is none by then.
    @param delay: by how many seconds all are late.
    @param jitter: up to how many seconds more; equally distributed.
    @param patience: seconds.
    @param seed: decides by chance.
    @raise ValueError: a probability is not between 0 and 1, a number is not positive, or a time negative.
    """

    def __init__(
        self,
        *,
        drop: Which = 0.0,
        duplicate: Which = 0.0,
        reorder: Which = 0.0,
        delay: float = 0.0,
        jitter: float = 0.0,
        patience: float = 0.1,
        seed: int = 0,
    ) -> None:
        for which in (drop, duplicate, reorder):
            _check(which)
        if min(delay, jitter, patience) < 0:
            raise ValueError("nothing arrives before it is sent")
        self._drop, self._duplicate, self._reorder = drop, duplicate, reorder
        self._delay, self._jitter, self._patience = delay, jitter, patience
        self._random = Random(seed)
        self._count = 0

    def next(self) -> Fate:
        """What happens to the next datagram."""
        self._count += 1
        # All chances are taken each time, so that those of one kind do not depend on the others.
        drop, duplicate, reorder, late = (self._random.random() for _ in range(4))
        if self._happens(self._drop, drop):
            return Fate(())
        overtaken = self._happens(self._reorder, reorder)
        delay = self._delay + self._jitter * late + (self._patience if overtaken else 0.0)
        return Fate((delay,) * (2 if self._happens(self._duplicate, duplicate) else 1), overtaken)

    def _happens(self, which: Which, chance: float) -> bool:
        return chance < which if isinstance(which, (int, float)) else self._count in which


def _check(which: Which) -> None:
    if isinstance(which, (int, float)):
        if not 0 <= which <= 1:
            raise ValueError(
                f"a probability is between 0 and 1, not {which}; numbers stand in a collection"
            )
    elif any(number < 1 for number in which):
        raise ValueError("datagrams are counted from 1")
