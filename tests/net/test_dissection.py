"""
Conversations taken apart: what every dissector keeps to, and the reading of streams.
"""

from __future__ import annotations

import re
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labnet.calculator.wire import PROFILES
from labnet.net.dissection import (
    DatagramDissector,
    Direction,
    Field,
    Script,
    dissectorFor,
    lengthPrefixed,
    passOver,
    text,
)
from labnet.net.framing import LengthPrefixed
from labnet.net.wants import Everything, Exactly, Line, NotUnderstood, OneOf, Passing, Peek, Run
from tests.dissections import IN, OUT, cuts, dissect, made, ordered, rows

#: Every kind of stream that is taken apart: a service and what its listener is called.
STREAMS = [
    *(("calculator", profile) for profile in PROFILES),
    ("relay", "struct9 to udp:127.0.0.1:9001"),
    ("proxy", "forward"),
    ("greeting", ""),
    *(("echo", style) for style in ("framed", "prefix, lines", "ack, lines")),
    *(("classic", name) for name in ("discard", "daytime", "qotd", "chargen", "time")),
    *(("chat", name) for name in ("line", "framed", "web")),
    *(("files", name) for name in ("course", "framed", "http")),
    ("checksum", ""),
    ("netcopy", ""),
    ("guess", ""),
]
#: Those whose messages are the pieces.
PIECES = [
    ("echo", "prefix"),
    ("echo", "upper"),
    ("echo", "ack"),
    ("echo", "raw"),
    ("collector", ""),
    ("chat", "plain"),
]
DATAGRAMS = [
    *(("calculator", profile) for profile in PROFILES),
    ("discovery", ""),
    *(("echo", style) for style in ("prefix", "upper", "ack", "raw")),
]

#: What makes arbitrary bytes come further.
WORDS = [
    b"\0\0\0\x05hello",
    b"\x09\0\0\0\x0c\0\0\0\x22\0\0\0+",
    b'{"oper1":1,"oper2":2,"op":"+"}',
    b'{"result": 3}',
    b"3",
    b"\n",
    b"\r\n",
    b"GET / HTTP/1.1\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n\r\n",
    b"HEAD / HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 5\r\n",
    b"3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.0 404 Not Found\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"Echo: hello",
    b"Message received!",
    b"REGISTER name localhost:1 60",
    b"Hello server",
    b"localhost:9000",
    b"BE|id|60|3|abc",
    b"KI|id",
    b"OK",
    b"3|abc",
    b"NOT_FOUND",
    b"OK3abc",
    b"[SERVER] bob joined the chat!",
    LengthPrefixed(1000).encode(b'{"request":"get","name":"x"}'),
    LengthPrefixed(1000).encode(b'{"request":"put","name":"x","size":3,"sha256":"%b"}' % (b"0" * 64)),
    LengthPrefixed(1000).encode(b'{"ready":true}'),
    LengthPrefixed(1000).encode(b'{"error":"denied"}'),
    LengthPrefixed(1000).encode(
        b'{"name":"x","offset":0,"size":3,"sha256":"%b","mtime":0}' % (b"0" * 64)
    ),
]  # fmt: skip

streams = pytest.mark.parametrize(("service", "detail"), STREAMS, ids=map("-".join, STREAMS))
datagrams = pytest.mark.parametrize(("service", "detail"), DATAGRAMS, ids=map("-".join, DATAGRAMS))
someBytes = st.lists(st.sampled_from(WORDS) | st.binary(max_size=20), max_size=8).map(b"".join)
someTurns = st.lists(st.tuples(st.sampled_from([IN, OUT]), someBytes), max_size=4)


@streams
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_anyBytesInAnyPieces(service: str, detail: str, data: st.DataObject) -> None:
    """Nothing raises, offsets are in order and within what came, and the pieces make no difference."""
    turns = data.draw(someTurns)
    whole = dissect(made(service, detail), turns)
    pieces = dissect(made(service, detail), data.draw(cuts(turns)))
    assert [ordered(fields) for fields in pieces] == [ordered(fields) for fields in whole]


@pytest.mark.parametrize(("service", "detail"), PIECES, ids=map("-".join, PIECES))
@settings(max_examples=10, deadline=None)
@given(turns=someTurns)
def test_piecesAsMessages(service: str, detail: str, turns: list[tuple[str, bytes]]) -> None:
    """Each piece is a message where the service takes it for one; together they are all that came."""
    fields, _ = dissect(made(service, detail), turns)
    heard = [data for way, data in turns if way == IN and data]
    assert [(field.end - field.start, field.value) for field in fields if not field.level] == [
        (len(data), text(data)) for data in heard
    ]


@datagrams
@settings(max_examples=10, deadline=None)
@given(turns=someTurns)
def test_anyDatagrams(service: str, detail: str, turns: list[tuple[str, bytes]]) -> None:
    """Nothing raises, and every field lies within its datagram."""
    dissector = made(service, detail, "udp")
    for way, data in turns:
        fields = dissector.received(data) if way == IN else dissector.written(data)
        assert all(0 <= field.start <= field.end <= len(data) for field in fields)
    assert dissector.receivedEnd() == dissector.writtenEnd() == []


def test_noDissectorWhereThereIsNoService() -> None:
    assert dissectorFor("nothing", "", "tcp") is None
    assert dissectorFor("netcat", "", "tcp") is None


# Reading


def everyKind(direction: Direction) -> Script:
    """One message of every kind of want."""
    for number in count(1):
        direction.message = f"message {number}"
        yield from passOver(direction, re.compile(rb"[^ ]"))
        yield Peek()
        direction.part("line", text((yield Line(10))))
        direction.part("run", text((yield Run(re.compile(rb"[^0-9]"), keep=3))))
        direction.part("body", text((yield Passing(5, keep=2))))
        direction.part("word", text((yield OneOf([b"yes", b"yes!", b"no"], "neither yes nor no"))))
        direction.part("two", text((yield Exactly(2))))
        yield from lengthPrefixed(direction, 3)
        direction.whole("all of it")


def read(data: bytes, size: int) -> list[Field]:
    direction = Direction(everyKind)
    fields = [field for at in range(0, len(data), size) for field in direction.feed(data[at : at + size])]
    return ordered(fields + direction.end())


MESSAGE = b"  hi\n123456abcdeyesXY\0\0\0\x01z"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_everyWant(size: int) -> None:
    """What each want takes, returns and keeps."""
    assert rows(read(MESSAGE + b" x", size)) == rows(ordered([
        Field(2, 26, "message 1", "all of it"),
        Field(2, 5, "line", "hi\\n", 1),
        Field(5, 11, "run", "123", 1),
        Field(11, 16, "body", "ab", 1),
        Field(16, 19, "word", "yes", 1),
        Field(19, 21, "two", "XY", 1),
        Field(21, 25, "length", "1", 1),
        Field(25, 26, "payload", "z", 1),
        Field(27, 28, "cut off", "message 2: the stream ended after 1 byte of it"),
    ]))  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("data", "start", "end", "why"),
    [
        (b"0123456789\n", 0, 10, "a line of over 10 bytes"),
        (b"\nabcdeyellow", 6, 9, "neither yes nor no"),
        (b"\nabcdenoXY\0\0\0\x04abcd", 10, 14, "a length of 4, allowed are 0 to 3"),
    ],
)
def test_whatIsNotUnderstoodIsTheLast(data: bytes, start: int, end: int, why: str, size: int) -> None:
    """It says where and why; what follows is passed over, and costs no memory."""
    fields = read(data + bytes(100), size)
    assert fields[-1] == Field(start, end, "not understood", why)
    direction = Direction(everyKind)
    direction.feed(data)
    assert direction.feed(bytes(100_000)) == []
    assert not direction._buffer


def test_aBodyIsCountedAndNotKept() -> None:
    def script(direction: Direction) -> Script:
        direction.part("body", text((yield Passing(1_000_000, keep=4))))
        yield Everything()

    direction = Direction(script)
    for _ in range(10):
        fields = direction.feed(b"x" * 100_000)
        assert len(direction._buffer) == 0
    assert fields == [Field(0, 1_000_000, "body", "xxxx", 1)]


def test_nothingFollowsTheEndOfAScript() -> None:
    def script(direction: Direction) -> Script:
        yield Exactly(1)
        direction.whole("")

    direction = Direction(script)
    assert rows(direction.feed(b"a")) == [(0, 1, "message", "")]
    assert rows(direction.feed(b"b")) == [
        (1, 1, "not understood", "the stream goes on, and nothing is expected here")
    ]
    assert direction.feed(b"c") == direction.end() == []


def test_aScriptMayRefuseAtTheEnd() -> None:
    def script(direction: Direction) -> Script:
        try:
            yield Exactly(10)
        finally:
            raise NotUnderstood("too short")

    direction = Direction(script)
    direction.feed(b"abc")
    assert rows(direction.end()) == [(0, 3, "not understood", "too short")]


def test_datagramsAreCounted() -> None:
    def script(direction: Direction, number: int) -> Script:
        yield Exactly(1)
        direction.whole(str(number))

    dissector = DatagramDissector(script, script)
    assert [dissector.received(b"a")[0].value, dissector.received(b"b")[0].value] == ["1", "2"]
    assert dissector.written(b"a")[0].value == "1"


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"hello", "hello"),
        ("sz\u0151l\u0151".encode(), "sz\u0151l\u0151"),
        (b"\xffa\n\0", "\\xffa\\n\\x00"),
        ("\u202eevil", "\\u202eevil"),
        (b"a" * 300, "a" * 199 + "\u2026"),
        ("\u0151" * 200, "\u0151" * 200),
        (b"\0" * 300, "\\x00" * 49 + "\\x0\u2026"),
    ],
)
def test_valuesAreOnePrintableLine(data: bytes | str, shown: str) -> None:
    assert text(data) == shown
    assert len(shown) <= 200
