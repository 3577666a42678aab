"""
What the address server is asked and what it answers, taken apart.
"""

from __future__ import annotations

import pytest

from labnet.discovery.wire import (
    Address,
    AskBinary,
    AskText,
    Lookup,
    Register,
    encodeBinary,
    encodeGranted,
    encodeNames,
    encodeNothing,
    encodeRefusal,
    encodeText,
)
from labnet.net.dissection import dissectorFor
from tests.dissections import made, rows

WHERE = Address("localhost", 9000)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (AskText().encode(), [(0, 12, "request 1", "where is the service? (as text)")]),
        (AskBinary().encode(), [(0, 3, "request 1", "where is the service? (packed)")]),
        (
            Register("calc", WHERE, 60).encode() + b"\n",
            [
                (0, 32, "request 1", "REGISTER calc localhost:9000 60"),
                (0, 8, "  verb", "REGISTER"),
                (9, 13, "  name", "calc"),
                (14, 28, "  address", "localhost:9000"),
                (29, 31, "  seconds", "60"),
            ],
        ),
        (
            Lookup("calc").encode(),
            [(0, 11, "request 1", "LOOKUP calc"), (0, 6, "  verb", "LOOKUP"), (7, 11, "  name", "calc")],
        ),
        (
            b"LOOKUP",
            [
                (0, 6, "request 1", "LOOKUP"),
                (0, 6, "  verb", "LOOKUP"),
                (0, 6, "  not understood", "LOOKUP <name>"),
            ],
        ),
        (b"hello", [(0, 5, "not understood", "this is no request, and gets no answer")]),
    ],
)
def test_requests(request_: bytes, expected: list[tuple[int, int, str, str]]) -> None:
    assert rows(made("discovery", "", "udp").received(request_)) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (
            encodeText(WHERE),
            [
                (0, 14, "reply 1", "localhost:9000"),
                (0, 9, "  host", "localhost"),
                (10, 14, "  port", "9000"),
            ],
        ),
        (
            encodeBinary(WHERE),
            [
                (0, 20, "reply 1", "localhost:9000"),
                (0, 15, "  host", "localhost"),
                (15, 16, "  pad", "00"),
                (16, 20, "  port", "9000"),
            ],
        ),
        (bytes(20), [(0, 20, "not understood", "bad port")]),
        (
            encodeGranted(60),
            [(0, 5, "reply 1", "OK 60"), (0, 2, "  status", "OK"), (3, 5, "  seconds", "60")],
        ),
        (
            b"192.168.100.100:9000",
            [
                (0, 20, "reply 1", "192.168.100.100:9000"),
                (0, 15, "  host", "192.168.100.100"),
                (16, 20, "  port", "9000"),
            ],
        ),
        (b"OK", [(0, 2, "reply 1", "OK"), (0, 2, "  name", "OK")]),
        (encodeNothing(), [(0, 4, "reply 1", "NONE")]),
        (
            encodeRefusal("bad name"),
            [
                (0, 14, "reply 1", "ERROR bad name"),
                (0, 5, "  status", "ERROR"),
                (6, 14, "  reason", "bad name"),
            ],
        ),
        (
            encodeNames(["a", "b", "c" * 60], 10),
            [
                (0, 7, "reply 1", "a\\nb\\n..."),
                (0, 1, "  name", "a"),
                (2, 3, "  name", "b"),
                (4, 7, "  and more", "..."),
            ],
        ),
    ],
)
def test_replies(reply: bytes, expected: list[tuple[int, int, str, str]]) -> None:
    assert rows(made("discovery", "", "udp").written(reply)) == expected


def test_thereAreNoStreams() -> None:
    assert dissectorFor("discovery", "", "tcp") is None
