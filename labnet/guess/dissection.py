"""
A player's questions and the answers, eight bytes each.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from itertools import count

from labnet.guess.wire import SIZE, Answer
from labnet.net.dissection import Direction, Dissector, Script, StreamDissector, text
from labnet.net.wants import Exactly

__all__ = ["dissector"]

_CHARACTER, _PAD, _NUMBER = Exactly(1), Exactly(3), Exactly(4)
assert SIZE == 8

_MEANINGS = {
    Answer.YES: "yes",
    Answer.NO: "no",
    Answer.WON: "yes, and you have won",
    Answer.OUT: "wrong: you are out",
    Answer.OVER: "the game is over",
}


def dissector(detail: str, transport: str) -> Dissector | None:
    """For one player."""
    return StreamDissector(
        partial(_messages, "question", "relation", _question),
        partial(_messages, "answer", "answer", _answer),
    )


def _messages(
    what: str, character: str, meaning: Callable[[bytes, int], str], direction: Direction
) -> Script:
    for number in count(1):
        direction.message = f"{what} {number}"
        letter = yield _CHARACTER
        direction.part(character, text(letter))
        direction.part("pad", (yield _PAD).hex(" "))
        (value,) = struct.unpack("<i", (yield _NUMBER))
        direction.part("number", str(value))
        direction.whole(meaning(letter, value))


def _question(relation: bytes, number: int) -> str:
    return f"{text(relation)} {number}"


def _answer(letter: bytes, number: int) -> str:
    try:
        return _MEANINGS[Answer(letter)]
    except ValueError:
        return f"no answer: {text(letter)}"
