"""
Bytes a second.
"""

from __future__ import annotations

import math

__all__ = ["Pace"]


class Pace:
    """
    Says how long to wait after each number of bytes, so that in the long run there are C{rate} of them a
    second. What was not used is kept for at most one second.

    Time is given, not read.

    @param rate: bytes a second; 0: as fast as it goes.
    """

    #: Shorter waits cost more than they do; they are added up.
    SHORTEST = 0.01

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._paidUntil = -math.inf

    @property
    def most(self) -> int:
        """Bytes that may pass at once without a gap of more than a quarter of a second after them."""
        return max(1, int(self._rate / 4)) if self._rate else 2**62

    def delay(self, amount: int, now: float) -> float:
        """
        C{amount} bytes have passed at C{now}.

        @return: the seconds to wait before the next; 0 for none.
        """
        if not self._rate:
            return 0.0
        self._paidUntil = max(self._paidUntil, now - 1.0) + amount / self._rate
        wait = self._paidUntil - now
        return wait if wait >= self.SHORTEST else 0.0
