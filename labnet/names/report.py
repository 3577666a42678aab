"""
What was asked and what came of it, for people and for machines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

__all__ = ["COLUMNS", "Answer", "Group", "asJSON", "unanswered"]

COLUMNS = ("FUNCTION", "OF", "ANSWER", "TIME")


class Group(Enum):
    """What a question is about; of a group one answer is enough."""

    SELF = "this host"
    FORWARD = "name to addresses"
    REVERSE = "address to name"
    SERVICE = "service and port"
    BYTES = "text and bytes"


@dataclass(frozen=True, slots=True)
class Answer:
    """
    One call and its result.

    @ivar function: what was called, as the course calls it.
    @ivar of: what it was asked about.
    @ivar values: the results in their order, with what the resolver gave escaped; none when it failed.
    @ivar seconds: how long it took.
    @ivar problem: why it failed; empty when it did not.
    @ivar status: the exit status that goes with the problem.
    """

    group: Group
    function: str
    of: str
    values: tuple[str, ...]
    seconds: float
    problem: str = ""
    status: int = 0

    def rows(self) -> list[tuple[str, ...]]:
        """Rows for L{COLUMNS}: one for each value, numbered where their order matters."""
        time = f"{self.seconds * 1000:.1f} ms"
        if self.problem:
            return [(self.function, self.of, f"- {self.problem}", time)]
        first, *others = self.values or ("",)
        return [(self.function, self.of, first, time), *(("", "", other, "") for other in others)]

    def asJSON(self) -> dict[str, Any]:
        """The same as an object."""
        row: dict[str, Any] = {
            "about": self.group.value,
            "function": self.function,
            "of": self.of,
            "seconds": round(self.seconds, 6),
        }
        return row | ({"problem": self.problem} if self.problem else {"values": list(self.values)})


def asJSON(answers: Iterable[Answer]) -> dict[str, Any]:
    """All answers as an object for C{json}; C{docs/protocols/names.md} lists its keys."""
    return {"answers": [answer.asJSON() for answer in answers]}


def unanswered(answers: Iterable[Answer]) -> Answer | None:
    """
    The first problem of a group in which nothing was answered. That an address has no name is none: most
    have no name.
    """
    groups: dict[Group, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(answer.group, []).append(answer)
    for group, members in groups.items():
        if group is not Group.REVERSE and all(member.problem for member in members):
            return members[0]
    return None
