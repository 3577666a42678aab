"""
Copies, and what is said to the checksum server, taken apart.
"""

from __future__ import annotations

import pytest

from labnet.net.dissection import Field
from labnet.netcopy.wire import RequestReader, encodeAnnouncement, encodeLookup
from tests.dissections import IN, OUT, dissect, made, rows


def wholes(fields: list[Field]) -> list[tuple[str, str]]:
    return [(field.name, field.value) for field in fields if field.level == 0]


def test_requestsAndAnswers() -> None:
    """A lookup ends where the next request begins, or with the stream."""
    asked = encodeAnnouncement(b"1", 60, b"abc") + encodeLookup(b"1") + encodeLookup(b"BE")
    requests, answers = dissect(made("checksum"), [(IN, asked), (OUT, b"OK3|abc0|")])
    assert rows(requests)[:6] == [
        (0, 13, "request 1", "keep the checksum of 1 for 60 s"),
        (0, 2, "  verb", "BE"),
        (3, 4, "  identifier", "1"),
        (5, 7, "  seconds", "60"),
        (8, 9, "  length", "3"),
        (10, 13, "  checksum", "abc"),
    ]
    assert wholes(requests) == [
        ("request 1", "keep the checksum of 1 for 60 s"),
        ("request 2", "which is the checksum of 1?"),
        ("request 3", "which is the checksum of BE?"),
    ]
    assert wholes(answers) == [
        ("answer 1", "it is kept"),
        ("answer 2", "abc"),
        ("answer 3", "none is kept"),
    ]


@pytest.mark.parametrize(
    "stream",
    [
        b"KI|1\r\n\r\nKI|2\n",
        b"KI|1KI|2BE|1|60|1|xKI|BEBE|1|60|1|x",
        b"BE|1|60|3|",
        b"BE|1|60|0|x",
        b"BE|1|x|3|abc",
        b"BE||1|3|abc",
        b"BE|1|1234567890|3|abc",
        b"KI|1|x",
        b"KI|" + b"a" * 255,
        b"KI|" + b"a" * 256,
        b"KI|" + b"a" * 255 + b"KI|b",
        b"KI|a\x01b\n",
        b"KI|\n",
        b"KI",
        b"hello",
    ],
)
def test_itFindsTheRequestsThatTheServerFinds(stream: bytes) -> None:
    reader = RequestReader()
    expected = len(reader.feed(stream)) + len(reader.quiet())
    fields, _ = dissect(made("checksum"), [(IN, stream)])
    assert sum(field.name.startswith("request") for field in fields) == expected
    assert any(field.name == "not understood" for field in fields) == (reader.broken is not None)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"ON", "neither OK nor a checksum"),
        (b"x|", "length is no number"),
        (b"999|", "a checksum of 999 bytes"),
    ],
)
def test_answersThatAreNone(answer: bytes, why: str) -> None:
    _, fields = dissect(made("checksum"), [(OUT, answer)])
    assert wholes(fields) == [("not understood", why)]


def test_aCopyIsOneRunOfBytes() -> None:
    dissector = made("netcopy")
    assert dissector.received(bytes(1000)) == []
    assert rows(dissector.receivedEnd()) == [(0, 1000, "file", "1000 bytes")]
