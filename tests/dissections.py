"""
Conversations taken apart, for the tests of every room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from hypothesis import strategies as st

from labnet.net.dissection import Dissector, Field, dissectorFor

__all__ = ["IN", "OUT", "Turn", "cuts", "dissect", "made", "ordered", "rows"]

#: Which way bytes go: from the peer, or to it.
IN, OUT = "in", "out"
Turn = tuple[str, bytes]


def made(service: str, detail: str = "", transport: str = "tcp") -> Dissector:
    """A dissector that is there."""
    dissector = dissectorFor(service, detail, transport)
    assert dissector is not None
    return dissector


def dissect(
    dissector: Dissector, turns: Iterable[Turn], ends: bool = True
) -> tuple[list[Field], list[Field]]:
    """
    The fields of a conversation, in both directions; each call's are checked to be in order, and to lie
    within what has come.
    """
    fields: dict[str, list[Field]] = {IN: [], OUT: []}
    sizes = {IN: 0, OUT: 0}
    calls: dict[str, Callable[[bytes], list[Field]]] = {IN: dissector.received, OUT: dissector.written}
    for way, data in turns:
        sizes[way] += len(data)
        fields[way] += checked(calls[way](data), sizes[way])
    if ends:
        fields[IN] += checked(dissector.receivedEnd(), sizes[IN])
        fields[OUT] += checked(dissector.writtenEnd(), sizes[OUT])
    return fields[IN], fields[OUT]


def checked(fields: list[Field], size: int) -> list[Field]:
    """The fields as they are, if they may be."""
    assert fields == sorted(fields, key=lambda field: (field.start, field.level))
    for field in fields:
        assert 0 <= field.start <= field.end <= size
        assert len(field.value) <= 200
        assert field.value.isprintable()
        assert field.name.isprintable()
    return fields


def rows(fields: Sequence[Field]) -> list[tuple[int, int, str, str]]:
    """Fields as rows, for comparing: level is depth of the name."""
    return [(field.start, field.end, "  " * field.level + field.name, field.value) for field in fields]


@st.composite
def cuts(draw: st.DrawFn, turns: Sequence[Turn]) -> list[Turn]:
    """The same turns, each in any pieces."""
    pieces: list[Turn] = []
    for way, data in turns:
        places = draw(st.lists(st.integers(0, len(data)), max_size=6))
        edges = [0, *sorted(places), len(data)]
        pieces += [(way, data[start:end]) for start, end in pairwise(edges)]
    return pieces


def ordered(fields: Iterable[Field]) -> list[Field]:
    """In one order, however they came."""
    return sorted(fields, key=lambda field: (field.start, field.end, field.level, field.name))
