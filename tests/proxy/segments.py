"""
The ways in which a stream can come in pieces.
"""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st


def segmentations(data: bytes) -> Iterator[list[bytes]]:
    """In one piece, byte by byte, and cut at every one place."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]


@st.composite
def cut(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Cut at any number of places."""
    places = draw(st.lists(st.integers(1, max(1, len(data) - 1)), max_size=12, unique=True).map(sorted))
    ends = [*(place for place in places if place < len(data)), len(data)]
    return [data[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
