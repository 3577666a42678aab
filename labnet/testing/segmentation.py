"""
The ways in which a stream can come in pieces.

TCP keeps bytes and their order, and nothing else: what was written at once may come in any pieces. Here are
pieces for tests, as lists of C{bytes}; none of them is ever empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, pairwise
from math import comb
from random import Random

__all__ = [
    "Segmentation",
    "asWritten",
    "cutAt",
    "cutRandomly",
    "inPieces",
    "joined",
    "segmentations",
]

#: From what was written, write by write, the pieces that arrive: the same bytes in the same order.
Segmentation = Callable[[Sequence[bytes]], Iterable[bytes]]


def cutAt(data: bytes, places: Iterable[int]) -> list[bytes]:
    """
    C{data} cut at these places.

    @param places: how many bytes stand before each cut, in any order. Those at the ends, or beyond, cut
        nothing.
    """
    cuts = sorted({place for place in places if 0 < place < len(data)})
    return [data[start:end] for start, end in pairwise((0, *cuts, len(data)))] if data else []


def inPieces(data: bytes, size: int) -> list[bytes]:
    """C{data} in pieces of C{size} bytes, the last one perhaps shorter."""
    if size < 1:
        raise ValueError(f"pieces have at least one byte, not {size}")
    return [data[at : at + size] for at in range(0, len(data), size)]


def segmentations(data: bytes, pairs: int = 0, seed: int = 0) -> Iterator[list[bytes]]:
    """
    C{data} in one piece, cut at every one place, cut at pairs of places, and byte by byte; as many as it
    has bytes, and some.

    @param pairs: how many pairs of places at the most: all that there are if they are not more, and
        otherwise a choice.
    @param seed: decides the choice. The same seed chooses the same pairs.
    """
    yield from (cutAt(data, places) for places in cuts(len(data), pairs, seed))


def cuts(length: int, pairs: int, seed: int) -> Iterator[tuple[int, ...]]:
    """The places of the cuts in L{segmentations}, for a stream of that length."""
    inside = range(1, length)
    yield ()
    yield from ((place,) for place in inside)
    if comb(len(inside), 2) <= pairs:
        yield from combinations(inside, 2)
    else:
        random = Random(seed)
        for _ in range(pairs):
            first, second = sorted(random.sample(inside, 2))
            yield first, second
    if length > 2:
        yield tuple(inside)


# Policies, for a connection that goes on.


def asWritten(writes: Sequence[bytes]) -> Iterable[bytes]:
    """Each write arrives as one piece: a L{Segmentation}."""
    return writes


def joined(writes: Sequence[bytes]) -> Iterable[bytes]:
    """What was written in one turn of the reactor arrives in one piece: a L{Segmentation}."""
    return [b"".join(writes)]


def cutRandomly(seed: int, longest: int = 16) -> Segmentation:
    """
    Pieces of any length, which take no notice of where a write ended.

    @param seed: decides the lengths. The same seed gives the same ones.
    @param longest: bytes that a piece has at the most.
    """
    random = Random(seed)

    def cut(writes: Sequence[bytes]) -> Iterator[bytes]:
        data = b"".join(writes)
        while data:
            size = random.randint(1, longest)
            yield data[:size]
            data = data[size:]

    return cut
