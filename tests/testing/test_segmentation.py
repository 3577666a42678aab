"""
The ways in which a stream can come in pieces.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.testing import asWritten, cutAt, cutRandomly, inPieces, joined, segmentations
from labnet.testing.strategies import segmented

DATA = b"abcdef"


def test_cutAtPlaces() -> None:
    """In any order and more than once; a place at or beyond an end cuts nothing, so no piece is empty."""
    assert cutAt(DATA, ()) == [DATA]
    assert cutAt(DATA, (4, 1, 4)) == [b"a", b"bcd", b"ef"]
    assert cutAt(DATA, (-1, 0, 3, 6, 7)) == [b"abc", b"def"]
    assert cutAt(b"", (0, 1)) == []


def test_piecesOfOneSize() -> None:
    assert inPieces(DATA, 4) == [b"abcd", b"ef"]
    assert inPieces(b"", 4) == []
    with pytest.raises(ValueError, match="at least one byte"):
        inPieces(DATA, 0)


def test_segmentationsAreWholeEveryPlaceAndByteByByte() -> None:
    assert list(segmentations(b"abc")) == [[b"abc"], [b"a", b"bc"], [b"ab", b"c"], [b"a", b"b", b"c"]]
    assert list(segmentations(b"ab")) == [[b"ab"], [b"a", b"b"]]
    assert list(segmentations(b"a")) == [[b"a"]]
    assert list(segmentations(b"")) == [[]]


def test_pairsOfPlacesAreAllOrAChoiceOfTheSeed() -> None:
    """There are ten pairs of places in six bytes."""
    every = [pieces for pieces in segmentations(DATA, pairs=10) if len(pieces) == 3]
    assert len({tuple(pieces) for pieces in every}) == 10
    long = bytes(range(200))
    one, same, other = (list(segmentations(long, pairs=20, seed=seed)) for seed in (1, 1, 2))
    assert one == same != other
    assert sum(len(pieces) == 3 for pieces in one) == 20


@given(st.binary(max_size=50), st.integers(0, 30), st.integers())
def test_nothingIsLostOrEmpty(data: bytes, pairs: int, seed: int) -> None:
    for pieces in segmentations(data, pairs, seed):
        assert b"".join(pieces) == data
        assert all(pieces)


@given(st.data(), st.binary(max_size=50))
def test_theStrategyDrawsPiecesOfTheSameBytes(data: st.DataObject, stream: bytes) -> None:
    pieces = data.draw(segmented(stream, mostCuts=5))
    assert b"".join(pieces) == stream
    assert all(pieces)
    assert len(pieces) <= 6


def test_policiesOfAConnection() -> None:
    writes = [b"one", b"two"]
    assert list(asWritten(writes)) == writes
    assert list(joined(writes)) == [b"onetwo"]
    pieces, same = (list(cutRandomly(seed=3, longest=4)([DATA * 9])) for _ in range(2))
    assert b"".join(pieces) == DATA * 9
    assert pieces == same
    assert max(map(len, pieces)) <= 4
    assert any(len(one) != len(other) for one, other in pairwise(pieces[:-1]))
