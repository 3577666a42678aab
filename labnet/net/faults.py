"""
Faults of a network, written as one line: which bytes and datagrams are cut, held, lost, and which
connections are reset.

    seed=7; out: cut=3 delay=40ms+-10ms; in: reset@100; udp in: drop=10%

The parts of a line are separated by semicolons. What stands before a part's colon says where it is in
force: C{in} is from the peer to the service, C{out} the other way; C{tcp} is streams, C{udp} datagrams;
without a word it is both. L{labnet.net.impairment} and L{labnet.net.datagramimpairment} do what the line
says. The whole grammar is in C{docs/faults.md}.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from random import Random

__all__ = [
    "LONGEST_MERGE",
    "BadFaults",
    "Direction",
    "Fault",
    "Faults",
    "Part",
    "Selection",
    "Word",
    "asDuration",
    "asSize",
]

#: Bytes that may be held for a merge.
LONGEST_MERGE = 65_536


class BadFaults(ValueError):
    """A line that says nothing we can do; its text is one sentence with the place."""


class Direction(Enum):
    """Which way bytes go, seen from the service."""

    IN = "in"
    OUT = "out"


class Word(Enum):
    """What can be done."""

    CUT = "cut"
    MERGE = "merge"
    DELAY = "delay"
    THROTTLE = "throttle"
    STALL = "stall"
    HALF_CLOSE = "half-close"
    CLOSE = "close"
    RESET = "reset"
    CORRUPT = "corrupt"
    SWALLOW = "swallow"
    DROP = "drop"
    DUPLICATE = "duplicate"
    REORDER = "reorder"


#: The transports that a word has a meaning for.
TRANSPORTS = {
    **{word: frozenset(("tcp",)) for word in Word},
    Word.CUT: frozenset(("tcp", "udp")),
    Word.DELAY: frozenset(("tcp", "udp")),
    Word.DROP: frozenset(("udp",)),
    Word.DUPLICATE: frozenset(("udp",)),
    Word.REORDER: frozenset(("udp",)),
}


@dataclass(frozen=True, slots=True)
class Selection:
    """
    Which of many, counted from 1: certain numbers, or each with a probability.

    @ivar ranges: from, to, both included; L{None} for without an end.
    @ivar percent: used when there are no ranges.
    """

    ranges: tuple[tuple[int, int | None], ...] = ()
    percent: float = 0.0

    def picks(self, number: int, random: Random) -> bool:
        """Whether it is one of them. Exact numbers use no random number."""
        if self.ranges:
            return any(first <= number <= (last or number) for first, last in self.ranges)
        return random.random() * 100.0 < self.percent

    def __str__(self) -> str:
        if not self.ranges:
            return _percent(self.percent)
        return ",".join(
            f"#{first}" if last == first else f"#{first}-{last or ''}" for first, last in self.ranges
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One thing that is done.

    @ivar word: what.
    @ivar low: bytes: of the smallest piece (C{cut}), to hold (C{merge}), a second (C{throttle}), to take
        away (C{swallow}; 0 for all that follow).
    @ivar high: bytes of the largest piece.
    @ivar seconds: between two pieces (C{cut}), of quiet (C{merge}), to hold (C{delay}, C{reorder}), to stop
        (C{stall}; 0 for ever).
    @ivar jitter: seconds more or less.
    @ivar percent: of all bytes (C{corrupt}).
    @ivar places: bytes that have passed when it happens.
    @ivar after: seconds of the connection after which it happens; 0: not by time.
    @ivar which: the datagrams that it happens to; L{None} for all of them.
    """

    word: Word
    low: int = 0
    high: int = 0
    seconds: float = 0.0
    jitter: float = 0.0
    percent: float = 0.0
    places: tuple[int, ...] = ()
    after: float = 0.0
    which: Selection | None = None

    @property
    def isSomewhere(self) -> bool:
        """Whether it happens at a place, at a time or to certain datagrams, so there may be several."""
        return bool(self.places or self.after or self.which is not None)

    @property
    def transports(self) -> frozenset[str]:
        """Where it has a meaning: C{"tcp"}, C{"udp"}, or both."""
        if self.which is not None:
            return TRANSPORTS[self.word] & {"udp"}
        return TRANSPORTS[self.word] & {"tcp"} if self.places else TRANSPORTS[self.word]

    def __str__(self) -> str:
        value, time = "", ""
        match self.word:
            case Word.CUT:
                value = asSize(self.low) if self.low else ""
                value += f"-{asSize(self.high)}" if self.high != self.low else ""
                time = "" if self.which is not None else asDuration(self.seconds)
            case Word.MERGE:
                value, time = asSize(self.low), asDuration(self.seconds)
            case Word.DELAY:
                value = asDuration(self.seconds)
                value += f"+-{asDuration(self.jitter)}" if self.jitter else ""
            case Word.STALL:
                value = asDuration(self.seconds) if self.seconds else ""
            case Word.THROTTLE | Word.SWALLOW:
                value = asSize(self.low) if self.low else ""
            case Word.CORRUPT:
                value = _percent(self.percent) if self.percent else ""
            case Word.DROP | Word.DUPLICATE | Word.REORDER:
                value = str(self.which)
                time = asDuration(self.seconds) if self.word is Word.REORDER else ""
        place = asDuration(self.after) if self.after else ",".join(map(asSize, self.places))
        if self.which is not None and self.word in (Word.CUT, Word.DELAY):
            place = str(self.which)
        return (
            self.word.value
            + (f"={value}" if value else "")
            + (f"/{time}" if time else "")
            + (f"@{place}" if place else "")
        )


@dataclass(frozen=True, slots=True)
class Part:
    """
    What stands between two semicolons.

    @ivar transport: C{"tcp"} or C{"udp"}; empty for both.
    @ivar direction: L{None} for both.
    @ivar connections: which ones; L{None} for all. Only streams have connections.
    """

    faults: tuple[Fault, ...]
    transport: str = ""
    direction: Direction | None = None
    connections: Selection | None = None

    def __str__(self) -> str:
        head = " ".join(
            word for word in (self.transport, self.direction.value if self.direction else "") if word
        )
        words = [f"on={self.connections}"] if self.connections is not None else []
        words += map(str, self.faults)
        return (f"{head}: " if head else "") + " ".join(words)


@dataclass(frozen=True, slots=True)
class Faults:
    """
    A whole line. C{str()} of it is the line that does the same again.

    @ivar seed: of the random numbers; L{None} when the line has none, and then one has to be chosen with
        L{seeded} before it is used.
    @ivar number: the connection that every connection is taken for, so that one of many can be done again;
        L{None}: each is the one it is.
    """

    parts: tuple[Part, ...] = ()
    seed: int | None = None
    number: int | None = None

    @staticmethod
    def parse(text: str) -> Faults:
        """
        Read a line.

        @raise BadFaults: it is mistaken.
        """
        # It makes what is defined here.
        from labnet.net.faultline import parse

        return parse(text)

    def seeded(self, seed: int) -> Faults:
        """The same with that seed, unless it has one."""
        return self if self.seed is not None else replace(self, seed=seed)

    def replaying(self, number: int) -> Faults:
        """The line that does to every connection what was done to that one."""
        return self if self.number is not None else replace(self, number=number)

    def random(self, number: int, purpose: str) -> Random:
        """
        The random numbers of one connection, always the same ones.

        @param number: of the connection, from 1.
        @param purpose: what for; each has its own.
        """
        return Random(f"{self.seed or 0}/{self.number or number}/{purpose}")

    def streams(self, direction: Direction, number: int) -> tuple[Fault, ...]:
        """What is done to one direction of a connection. A later part has the last word."""
        chosen: list[Fault] = []
        for index, part in enumerate(self.parts):
            if part.transport == "udp" or part.direction not in (None, direction):
                continue
            picked = part.connections is None or part.connections.picks(
                self.number or number, self.random(number, f"on {index}")
            )
            if picked:
                chosen = _override(chosen, (fault for fault in part.faults if "tcp" in fault.transports))
        return tuple(chosen)

    def datagrams(self, direction: Direction) -> tuple[Fault, ...]:
        """What is done to the datagrams of one direction."""
        chosen: list[Fault] = []
        for part in self.parts:
            if part.transport != "tcp" and part.direction in (None, direction) and not part.connections:
                chosen = _override(chosen, (fault for fault in part.faults if "udp" in fault.transports))
        return tuple(chosen)

    def __str__(self) -> str:
        seed = "" if self.seed is None else f"seed={self.seed}"
        seed += f"/{self.number}" if seed and self.number is not None else ""
        return "; ".join(text for text in (seed, *map(str, self.parts)) if text)


def _override(before: list[Fault], later: Iterable[Fault]) -> list[Fault]:
    """What both parts say. Of what can only be one way (C{cut=3}, C{throttle=1k}) the later one stays."""
    faults = list(before)
    for fault in later:
        if not fault.isSomewhere:
            faults = [other for other in faults if other.isSomewhere or other.word != fault.word]
        faults.append(fault)
    return faults


def asSize(size: int) -> str:
    """A number of bytes as it is written: C{100}, C{64k}, C{1M}."""
    for unit, letter in ((1 << 20, "M"), (1 << 10, "k")):
        if size and size % unit == 0:
            return f"{size // unit}{letter}"
    return str(size)


def asDuration(seconds: float) -> str:
    """A time as it is written: C{40ms}, C{2s}, C{500us}; exact to the microsecond."""
    microseconds = round(seconds * 1e6)
    if microseconds % 1_000:
        return f"{microseconds}us"
    if microseconds % 1_000_000 or not microseconds:
        return f"{microseconds // 1_000}ms"
    return f"{microseconds // 1_000_000}s"


def _percent(percent: float) -> str:
    return f"{percent:.6f}".rstrip("0").rstrip(".") + "%"
