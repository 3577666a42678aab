"""
What the small services, the greeting and the game say, taken apart.
"""

from __future__ import annotations

import pytest

from labnet.classic.wire import NOISE, QUOTES, daytime, secondsSince1970, timeSince1900
from labnet.greeting.wire import GREETING
from labnet.guess.wire import Answer, Question, encodeAnswer
from labnet.net.dissection import dissectorFor
from tests.dissections import IN, OUT, dissect, made, rows

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("name", "said", "expected"),
    [
        ("daytime", daytime(NOW), ("date and time", "Monday, September 21, 2026 14:13:20-UTC")),
        ("time", timeSince1900(NOW), ("seconds since 1900", "3998988800: 2026-09-21 14:13:20 UTC")),
        ("qotd", QUOTES[0].encode() + b"\r\n", ("quote", QUOTES[0])),
    ],
)
def test_words(name: str, said: bytes, expected: tuple[str, str]) -> None:
    _, fields = dissect(made("classic", name), [(OUT, said)])
    assert rows(fields) == [(0, len(said), *expected)]


def test_noiseIsLines() -> None:
    _, fields = dissect(made("classic", "chargen"), [(OUT, NOISE[: 74 * 2 + 10])])
    assert [field.name for field in fields] == ["line 1", "line 2", "cut off"]


def test_discardIsCounted() -> None:
    fields, _ = dissect(made("classic", "discard"), [(IN, b"a"), (IN, b"b")])
    assert rows(fields) == [(0, 2, "input", "2 bytes")]


@pytest.mark.parametrize("now", [0, NOW, 2**31, 2**32 - 2_208_988_800, 2**32 - 2_208_988_799])
def test_secondsSince1970AreFoundAgain(now: float) -> None:
    """Also after 2036, when the seconds since 1900 begin anew."""
    assert secondsSince1970(int.from_bytes(timeSince1900(now), "big")) == int(now)


def test_theGreetingEndsWithTheStream() -> None:
    dissector = made("greeting")
    assert dissector.written(GREETING) == []
    assert rows(dissector.writtenEnd()) == [(0, len(GREETING), "greeting", GREETING.decode())]


def test_aGame() -> None:
    asked = Question(b"<", 50).encode()
    said = b"".join(encodeAnswer(answer) for answer in Answer) + b"?" + bytes(7)
    questions, answers = dissect(made("guess"), [(IN, asked), (OUT, said)])
    assert rows(questions) == [
        (0, 8, "question 1", "< 50"),
        (0, 1, "  relation", "<"),
        (1, 4, "  pad", "00 00 00"),
        (4, 8, "  number", "50"),
    ]
    assert [field.value for field in answers if not field.level] == [
        "yes",
        "no",
        "yes, and you have won",
        "wrong: you are out",
        "the game is over",
        "no answer: ?",
    ]


def test_otherServicesAreUnknown() -> None:
    assert dissectorFor("classic", "finger", "tcp") is None
