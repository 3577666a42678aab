"""
The bytes of the game, and who has guessed what; see C{docs/protocols/guess.md}.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum

__all__ = [
    "HIGHEST",
    "LOWEST",
    "SIZE",
    "Answer",
    "AnswerNotUnderstood",
    "Question",
    "Search",
    "answerTo",
    "decodeAnswer",
    "encodeAnswer",
]

#: The number is one of these, both included.
LOWEST, HIGHEST = 1, 100

_FORMAT = struct.Struct("<c3xi")
#: Bytes of a message, in both directions.
SIZE = _FORMAT.size


class AnswerNotUnderstood(ValueError):
    """What came is no answer of this game."""


class Answer(Enum):
    """What a server says."""

    YES = b"I"
    NO = b"N"
    WON = b"Y"
    OUT = b"K"
    OVER = b"V"


@dataclass(frozen=True, slots=True)
class Question:
    """
    What a player says.

    @ivar relation: C{b"<"} is the number less than this, C{b">"} is it greater, C{b"="} is it this?
    @ivar number: an int32.
    """

    relation: bytes
    number: int

    def encode(self) -> bytes:
        """The question as it goes out: 8 bytes."""
        return _FORMAT.pack(self.relation, self.number)

    @classmethod
    def decode(cls, data: bytes) -> Question:
        """Read L{SIZE} bytes; the padding is not looked at, and any character is a relation here."""
        return cls(*_FORMAT.unpack(data))


def answerTo(question: Question, number: int) -> Answer:
    """What is said to that question when C{number} is the number. An unknown relation is a wrong guess."""
    match question.relation:
        case b"<":
            return Answer.YES if number < question.number else Answer.NO
        case b">":
            return Answer.YES if number > question.number else Answer.NO
        case b"=" if number == question.number:
            return Answer.WON
    return Answer.OUT


def encodeAnswer(answer: Answer) -> bytes:
    """The answer as it goes out: 8 bytes; its number is 0."""
    return _FORMAT.pack(answer.value, 0)


def decodeAnswer(data: bytes) -> Answer:
    """
    Read L{SIZE} bytes; the padding and the number are not looked at.

    @raise AnswerNotUnderstood: the character is none of the five.
    """
    character, _ = _FORMAT.unpack(data)
    try:
        return Answer(character)
    except ValueError:
        raise AnswerNotUnderstood(f"the server answered {character!r}, which is no answer") from None


class Search:
    """
    Finds the number by halves: seven questions of C{<} at most, then C{=}.

    @ivar low: the lowest number that is still possible.
    @ivar high: the highest.
    """

    def __init__(self) -> None:
        self.low, self.high = LOWEST, HIGHEST

    def next(self) -> Question:
        """What to ask now."""
        if self.low == self.high:
            return Question(b"=", self.low)
        return Question(b"<", (self.low + self.high + 1) // 2)

    def heard(self, answer: Answer) -> None:
        """Make use of the answer, C{YES} or C{NO}, to the question of L{next}."""
        middle = self.next().number
        if answer is Answer.YES:
            self.high = middle - 1
        else:
            self.low = middle
