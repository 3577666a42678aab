"""
What is kept, and how much of it.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.collector.wire import Bounds, Collection, Piece, Pool, cut


def add(collection: Collection, *pieces: bytes) -> list[str | None]:
    return [collection.add(Piece(0.0, piece)) for piece in pieces]


def test_thePiecesAreKeptAsTheyCame() -> None:
    collection = Collection(Pool(Bounds()))
    assert add(collection, b"one", b"two\0", b"\xff") == [None] * 3
    assert [piece.data for piece in collection.pieces] == [b"one", b"two\0", b"\xff"]
    assert (collection.data, collection.size) == (b"onetwo\0\xff", 8)


def test_tooManyPieces() -> None:
    collection = Collection(Pool(Bounds(pieces=2)))
    assert add(collection, b"1", b"2", b"3") == [None, None, "more than 2 pieces"]
    assert collection.data == b"12"


def test_tooManyBytes() -> None:
    """What there is room for is kept."""
    collection = Collection(Pool(Bounds(size=5)))
    assert add(collection, b"123", b"45") == [None, None]
    assert add(collection, b"6") == ["more than 5 bytes"]
    other = Collection(Pool(Bounds(size=5)))
    assert add(other, b"123", b"456") == [None, "more than 5 bytes"]
    assert other.data == b"12345"


def test_tooManyBytesOfAllTogether() -> None:
    """Small pieces count with what they cost, and what is released makes room."""
    pool = Pool(Bounds(total=10 * (Piece.COST + 1)))
    first, second = Collection(pool), Collection(pool)
    assert add(first, *[b"x"] * 6) == [None] * 6
    assert add(second, *[b"x"] * 4) == [None] * 4
    assert add(second, b"x") == ["no room for more from all together"]
    first.release()
    assert add(second, b"x") == [None]
    second.release()
    assert pool.used == 0


@given(
    st.lists(st.binary(min_size=1, max_size=30)),
    st.integers(1, 9),
    st.integers(1, 90),
    st.integers(1, 2000),
)
def test_theBoundsHold(pieces: list[bytes], most: int, size: int, total: int) -> None:
    pool = Pool(Bounds(most, size, total))
    collection = Collection(pool)
    add(collection, *pieces)
    assert len(collection.pieces) <= most
    assert collection.size == len(collection.data) <= size
    assert pool.used <= total
    assert b"".join(pieces).startswith(collection.data)
    collection.release()
    assert pool.used == 0


@pytest.mark.parametrize(
    ("size", "pieces"),
    [(0, [b"abcde"]), (1, [b"a", b"b", b"c", b"d", b"e"]), (2, [b"ab", b"cd", b"e"]), (9, [b"abcde"])],
)
def test_cut(size: int, pieces: list[bytes]) -> None:
    assert list(cut(b"abcde", size)) == pieces
    assert list(cut(b"", size)) == []
