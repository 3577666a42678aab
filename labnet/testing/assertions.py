"""
What holds for a protocol however the stream that it is given is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from twisted.internet.interfaces import IProtocol
from twisted.internet.task import Clock

from labnet.testing.segmentation import cutAt, cuts
from labnet.testing.transport import TCPTransport, doneReason

__all__ = ["assertSameForAnySegmentation", "assertSameInAnyPieces", "outcomeOf"]

#: Anything that can be compared, and shown by its C{repr}.
Outcome = TypeVar("Outcome")
P = TypeVar("P", bound=IProtocol)

_UNSAID = object()
#: How many attempts the search for fewer cuts may take; how many cuts a message shows, and how many bytes
#: beside each; and how many characters of what came.
_MOST_ATTEMPTS = 500
_MOST_SHOWN = 8
_BESIDE = 24
_LONGEST_SHOWN = 200


def assertSameInAnyPieces(
    read: Callable[[Sequence[bytes]], Outcome],
    data: bytes,
    *,
    expected: object = _UNSAID,
    pairs: int = 100,
    seed: int = 0,
) -> Outcome:
    """
    Fails unless C{read} finds the same in C{data} however it is cut: whole, at every one place, at pairs of
    places, and byte by byte. The message shows the segmentation with the fewest cuts that differs.

    @param read: is given all pieces, in order, and returns what it found; called once for each
        segmentation, each time from the beginning. What it raises when C{data} is whole goes on to the
        caller.
    @param expected: what it must find; if nothing is said, what it finds when C{data} is whole.
    @param pairs: how many pairs of places are tried, at the most.
    @param seed: decides which pairs, if there are more.
    @return: what it finds.
    @raise AssertionError: it finds something else.
    """
    whole = read(cutAt(data, ()))
    wanted = whole if expected is _UNSAID else expected
    if whole != wanted:
        raise AssertionError(f"not what was expected, in one piece\n{_compared(wanted, whole)}")
    for places in cuts(len(data), pairs, seed):
        found = _attempt(read, data, places)
        if found != wanted:
            raise AssertionError(_explained(data, *_fewest(read, data, places, wanted, found), wanted))
    return whole


def assertSameForAnySegmentation(
    makeProtocol: Callable[[], P],
    data: bytes,
    *,
    observe: Callable[[P, TCPTransport], object] | None = None,
    expected: object = _UNSAID,
    end: bool = False,
    clock: Clock | None = None,
    pairs: int = 100,
    seed: int = 0,
) -> object:
    """
    Fails unless a protocol does the same however the stream that it receives is cut: whole, at every one
    place, at pairs of places, and byte by byte; as many connections as there are bytes, and some. The
    message shows the segmentation with the fewest cuts that differs.

    @param makeProtocol: builds a new protocol, without a transport, for each segmentation. It is connected
        here, and its connection ends here.
    @param data: what it receives.
    @param observe: says, with the protocol and its transport, what it did; if nothing is said, what it
        wrote, and whether it ended the connection, as L{outcomeOf} has it.
    @param expected: what that must be; if nothing is said, what it does when C{data} come whole.
    @param end: whether the peer ends its half after C{data}.
    @param clock: of protocols that answer in a later turn of the reactor; it is advanced by nothing after
        each piece.
    @param pairs: how many pairs of places are tried, at the most.
    @param seed: decides which pairs, if there are more.
    @return: what it does.
    @raise AssertionError: it does something else.
    """

    def read(pieces: Sequence[bytes]) -> object:
        transport = TCPTransport()
        protocol = makeProtocol()
        transport.connect(protocol)
        try:
            _receive(transport, pieces, end, clock)
            return observe(protocol, transport) if observe is not None else outcomeOf(transport)
        finally:
            if transport.lost is None:
                transport.lose(doneReason())

    return assertSameInAnyPieces(read, data, expected=expected, pairs=pairs, seed=seed)


def _receive(transport: TCPTransport, pieces: Sequence[bytes], end: bool, clock: Clock | None) -> None:
    """Let a protocol receive the pieces, with a turn of the reactor after each."""

    def turn() -> None:
        if clock is not None:
            clock.advance(0)

    for piece in pieces:
        transport.deliver(piece)
        turn()
    if end and transport.lost is None:
        transport.end()
        turn()
    while transport.waiting and transport.reading:
        transport.deliver()
        turn()


@dataclass(frozen=True)
class Written:
    """
    What a protocol did.

    @ivar data: the bytes that it wrote, whatever the writes.
    @ivar ended: whether it ended the connection: C{"half-closed"}, C{"closed"}, C{"aborted"}, or empty.
    """

    data: bytes
    ended: str = ""

    def __repr__(self) -> str:
        return f"wrote {self.data!r}" + (f", and {self.ended} the connection" if self.ended else "")


def outcomeOf(transport: TCPTransport) -> Written:
    """What was written to a transport, and whether its protocol ended the connection."""
    if transport.disconnected:
        return Written(transport.value(), "aborted")
    if transport.disconnecting:
        return Written(transport.value(), "closed")
    return Written(transport.value(), "half-closed" if transport.halfClosed else "")


@dataclass(frozen=True)
class Raised:
    """What escaped from the code under test."""

    error: str

    def __repr__(self) -> str:
        return f"raised {self.error}"


def _attempt(read: Callable[[Sequence[bytes]], Outcome], data: bytes, places: Sequence[int]) -> object:
    try:
        return read(cutAt(data, places))
    except Exception as error:
        return Raised(repr(error))


def _fewest(
    read: Callable[[Sequence[bytes]], Outcome],
    data: bytes,
    places: Sequence[int],
    wanted: object,
    found: object,
) -> tuple[Sequence[int], object]:
    """Leave out cuts, many at a time and then one by one, for as long as the outcome differs."""
    attempts = iter(range(_MOST_ATTEMPTS))
    size = len(places) // 2
    while size:
        at = 0
        while at < len(places):
            fewer = (*places[:at], *places[at + size :])
            if next(attempts, None) is None:
                return places, found
            outcome = _attempt(read, data, fewer)
            if outcome != wanted:
                places, found = fewer, outcome
            else:
                at += size
        size //= 2
    return places, found


def _explained(data: bytes, places: Sequence[int], found: object, wanted: object) -> str:
    word = "byte" if len(places) == 1 else "bytes"
    listed = ", ".join(map(str, places[:12])) + (", ..." if len(places) > 12 else "")
    return "\n".join(
        [
            f"not the same when the {len(data)} bytes are cut after {word} {listed}",
            *_marked(data, places),
            _compared(wanted, found),
        ]
    )


def _marked(data: bytes, places: Sequence[int]) -> Iterator[str]:
    """The bytes around the first cuts, with a mark below each; those that stand together in one line."""
    shown: list[list[int]] = []
    for place in places[:_MOST_SHOWN]:
        if shown and place - shown[-1][-1] <= _BESIDE:
            shown[-1].append(place)
        else:
            shown.append([place])
    for group in shown:
        start, end = max(0, group[0] - _BESIDE), min(len(data), group[-1] + _BESIDE)
        line, marks = "..." if start else "", ""
        for piece, place in zip(
            cutAt(data[start:end], [at - start for at in group]), [*group, 0], strict=True
        ):
            line += repr(piece)[2:-1]
            marks += f"{'^':>{len(line) - len(marks) + 1}}" if place else ""
        yield f"    {line}{'...' if end < len(data) else ''}"
        yield f"    {marks}"


def _compared(wanted: object, found: object) -> str:
    """What was expected and what came, around the first place where they differ, which is marked."""
    one, other = repr(wanted), repr(found)
    same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    at = min(len(one), len(other)) if same is None else same
    start = max(0, at - _LONGEST_SHOWN // 2)
    skipped = "..." if start else ""
    shown = [
        skipped
        + text[start : start + _LONGEST_SHOWN]
        + ("..." if len(text) > start + _LONGEST_SHOWN else "")
        for text in (one, other)
    ]
    mark = " " * (len(skipped) + at - start) + "^"
    return f"expected: {shown[0]}\nbut came: {shown[1]}\n          {mark}"
