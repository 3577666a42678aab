"""
The bytes of the game, and the search.
"""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.guess.wire import (
    HIGHEST,
    LOWEST,
    Answer,
    AnswerNotUnderstood,
    Question,
    Search,
    answerTo,
    decodeAnswer,
    encodeAnswer,
)


def test_theBytes() -> None:
    assert Question(b"<", 50).encode() == b"<\0\0\0\x32\0\0\0"
    assert Question(b"=", -2).encode() == b"=\0\0\0\xfe\xff\xff\xff"
    assert encodeAnswer(Answer.OVER) == b"V\0\0\0\0\0\0\0"
    assert Question.decode(b">xyz\x01\0\0\0") == Question(b">", 1)
    assert decodeAnswer(struct.pack("<c3xi", b"K", 77)) is Answer.OUT
    with pytest.raises(AnswerNotUnderstood):
        decodeAnswer(b"i" + bytes(7))


@pytest.mark.parametrize(
    ("relation", "answers"),
    [
        (b"<", (Answer.NO, Answer.NO, Answer.YES)),
        (b">", (Answer.YES, Answer.NO, Answer.NO)),
        (b"=", (Answer.OUT, Answer.WON, Answer.OUT)),
        (b"?", (Answer.OUT, Answer.OUT, Answer.OUT)),
    ],
)
def test_theAnswers(relation: bytes, answers: tuple[Answer, ...]) -> None:
    """Is 42 less than, greater than, equal to 41, 42, 43?"""
    assert tuple(answerTo(Question(relation, number), 42) for number in (41, 42, 43)) == answers


@given(st.binary(min_size=8, max_size=8), st.integers(LOWEST, HIGHEST))
def test_everythingIsAnswered(message: bytes, number: int) -> None:
    assert answerTo(Question.decode(message), number) in Answer


@pytest.mark.parametrize("number", range(LOWEST, HIGHEST + 1))
def test_theSearchFindsEveryNumber(number: int) -> None:
    """With seven halves at most, and it never guesses wrong."""
    search = Search()
    for _ in range(7):
        answer = answerTo(search.next(), number)
        if answer is Answer.WON:
            return
        search.heard(answer)
    assert search.next() == Question(b"=", number)
