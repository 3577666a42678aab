"""
What a scenario has seen: what was expected, what came, which byte decides, and what was said before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from labnet.check.mistakes import Mistake

__all__ = ["Exhibit", "Failed", "Kind", "Step", "decisive"]


class Kind(Enum):
    """In which way something was not as expected. The value is what a report says."""

    SILENCE = "nothing came"
    PART = "only a part came"
    OTHER = "something else came"
    EXTRA = "more came than expected"
    ENDED = "the connection was ended"
    RESET = "the connection was broken off"
    REFUSED = "no connection was taken"
    GONE = "the program has ended"
    STAYED = "it did not end"
    OUTPUT = "its output is not as expected"


@dataclass(frozen=True, slots=True)
class Exhibit:
    """
    Bytes as they were expected beside those that came.

    @ivar offset: of the byte that decides; at the end of what came if it is missing there.
    """

    expected: bytes
    came: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class Step:
    """
    Something that was said or done.

    @ivar who: C{"examiner"} or C{"program"}, with a number if there are several connections.
    @ivar what: in words.
    @ivar data: the bytes, shortened.
    @ivar size: how many there were.
    """

    who: str
    what: str
    data: bytes = b""
    size: int = 0


class Failed(Exception):
    """
    A scenario has failed.

    @ivar kind: in which way.
    @ivar expected: what was expected, in words.
    @ivar came: what came instead, in words.
    @ivar exhibit: the bytes, where there are any.
    @ivar mistake: the likely mistake, if this very observation shows it.
    """

    def __init__(
        self,
        kind: Kind,
        expected: str,
        came: str,
        exhibit: Exhibit | None = None,
        mistake: Mistake | None = None,
    ) -> None:
        super().__init__(f"expected {expected}; {came}")
        self.kind = kind
        self.expected = expected
        self.came = came
        self.exhibit = exhibit
        self.mistake = mistake


#: What a failure shows at one place of a scenario: by the way in which it failed (L{Kind}), or by the bytes
#: that came.
Signs = Mapping[Any, Mistake]


def decisive(expected: bytes, came: bytes) -> int:
    """
    The offset of the first byte that differs; the shorter one's length if it is a beginning of the other.
    """
    size = min(len(expected), len(came))
    if expected[:size] == came[:size]:
        return size
    pairs = enumerate(zip(expected, came, strict=False))
    return next(offset for offset, (one, other) in pairs if one != other)
