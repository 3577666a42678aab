"""
What one stream brought, piece by piece, and the limits of it; see C{docs/protocols/collector.md}.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Bounds", "Collection", "Piece", "Pool", "cut"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """
    How much is kept.

    @ivar pieces: pieces of one connection.
    @ivar size: bytes of one connection.
    @ivar total: bytes of all connections together, each piece counted with what it costs to keep.
    """

    pieces: int = 10_000
    size: int = 1 << 20
    total: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """
    What one read delivered.

    @ivar after: seconds since the connection was made.
    """

    after: float
    data: bytes

    #: What a piece costs beyond its bytes, in bytes, roughly.
    COST = 200


class Pool:
    """Counts what all connections together keep."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.used = 0


class Collection:
    """
    The pieces of one connection, within the bounds of its pool.

    @ivar pieces: in the order in which they came.
    @ivar size: their bytes.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._cost = 0
        self.pieces: list[Piece] = []
        self.size = 0

    def add(self, piece: Piece) -> str | None:
        """
        Keep a piece, as much of it as there is room for.

        @return: L{None}, or why no more can be kept, in a few words for the log.
        """
        bounds = self._pool.bounds
        if len(self.pieces) >= bounds.pieces:
            return f"more than {bounds.pieces} pieces"
        room = bounds.size - self.size
        share = bounds.total - self._pool.used - Piece.COST
        kept = piece.data[: max(0, min(room, share))]
        if kept:
            self.pieces.append(Piece(piece.after, kept))
            self.size += len(kept)
            self._count(len(kept) + Piece.COST)
        if len(kept) == len(piece.data):
            return None
        return f"more than {bounds.size} bytes" if room <= share else "no room for more from all together"

    def release(self) -> None:
        """Its pieces are no longer counted: whoever has it may keep it, at their own expense."""
        self._count(-self._cost)

    @property
    def data(self) -> bytes:
        """All of it."""
        return b"".join(piece.data for piece in self.pieces)

    def _count(self, cost: int) -> None:
        self._cost += cost
        self._pool.used += cost


def cut(data: bytes, size: int) -> Iterator[bytes]:
    """C{data} in pieces of C{size} bytes, the last one shorter; 0 leaves it whole."""
    if not size:
        size = max(1, len(data))
    return (data[start : start + size] for start in range(0, len(data), size))
