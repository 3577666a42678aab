"""
What a demonstration is, and what it found out.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from labnet.net.trace import Conversation

__all__ = ["Demonstration", "Measured", "Report"]


@dataclass(frozen=True, slots=True)
class Measured:
    """
    So many tries of one program.

    @ivar what: the program, and what is between it and the other.
    @ivar tries: how many there were.
    @ivar failed: how many did not do what they should.
    @ivar mishap: what the first of these did instead, in one line.
    @ivar shown: what went over the wire then, or the first time if none failed.
    @ivar cure: whether this is the cured one.
    """

    what: str
    tries: int
    failed: int
    mishap: str = ""
    shown: Conversation | None = None
    cure: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """
    What came of a demonstration.

    @ivar measured: the rows, in the order in which they are told.
    @ivar faults: what was done to the network; empty for nothing.
    @ivar local: who is on the one side of the wire.
    @ivar peer: who is on the other.
    """

    measured: tuple[Measured, ...]
    faults: str = ""
    peer: str = "client"
    local: str = "server"

    @property
    def shows(self) -> bool:
        """Whether it shows what it is to show: a program that fails, and none of the cured ones does."""
        naive = [row for row in self.measured if not row.cure]
        return any(row.failed for row in naive) and not any(row.failed for row in self.measured if row.cure)


@dataclass(frozen=True, slots=True)
class Demonstration:
    """
    One of the classics.

    @ivar name: what it is called on the command line.
    @ivar line: what it is, in one line.
    @ivar trouble: what goes wrong, and why.
    @ivar lesson: what cures it.
    @ivar naive: the code that fails, as it ran.
    @ivar cured: the code that does not.
    @ivar run: does it, given the L{labnet.demo.stage.Stage} and the number of tries of each program.
    """

    name: str
    line: str
    trouble: str
    lesson: str
    naive: tuple[Callable[..., object], ...]
    cured: tuple[Callable[..., object], ...]
    run: Callable[[Any, int], Coroutine[Any, Any, Report]]
