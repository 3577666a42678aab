"""
Responses in every segmentation: what is said of their pieces and ends, and of what is wrong with them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.proxy.body import Truncated
from labnet.proxy.wire import BadMessage
from labnet.web.events import (
    ChunkBegan,
    ChunkEnded,
    Content,
    End,
    Ended,
    Event,
    HeadEnded,
    HeadPart,
    Remark,
    Surplus,
    Trailers,
    Unread,
)
from labnet.web.response import LONGEST_HEAD, ResponseReader, quoted
from labnet.web.wire import LAME

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = OK + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: u\r\n\r\n"
CLOSED = b"HTTP/1.0 200 OK\r\n\r\nhello"


@dataclass
class Read:
    """What came of a stream; C{marks} are its events without their bytes, and not split by segments."""

    reader: ResponseReader
    marks: list[object] = field(default_factory=list)
    head: bytes = b""
    content: bytes = b""
    surplus: bytes = b""
    unread: bytes = b""
    problem: str = ""

    def take(self, event: Event) -> None:
        match event:
            case HeadPart(data):
                self.head += data
            case Content(data):
                self.content += data
            case Surplus(data):
                self.surplus += data
            case Unread(data):
                self.unread += data
            case HeadEnded(head, raw, interim, end, length):
                self.marks.append((head.status, raw, interim, end, length))
            case Trailers(fields):
                self.marks.append(list(fields))
            case _:
                self.marks.append(event)


def read(stream: bytes, sizes: list[int] | None = None, method: bytes = b"GET", clean: bool = True) -> Read:
    """Read a stream in pieces of these sizes in turn, and to its end."""
    result = Read(ResponseReader(method))
    at, turn = 0, 0
    try:
        while at < len(stream):
            size = sizes[turn % len(sizes)] if sizes else len(stream)
            for event in result.reader.feed(stream[at : at + size]):
                result.take(event)
            at, turn = at + size, turn + 1
        for event in result.reader.finish(clean=clean):
            result.take(event)
    except BadMessage as problem:
        result.problem = ("cut: " if isinstance(problem, Truncated) else "bad: ") + str(problem)
    return result


def seen(result: Read) -> tuple[object, ...]:
    """What must not depend on the segments."""
    return result.marks, result.head, result.content, result.problem, result.reader.end, result.reader.size


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 1000])
@pytest.mark.parametrize(
    ("stream", "end", "length"),
    [
        (LENGTH, End.LENGTH, 5),
        (CLOSED, End.CLOSE, None),
        (OK + b"Content-Length: 0\r\n\r\n", End.LENGTH, 0),
    ],
)
def test_howTheEndIsKnown(stream: bytes, end: End, length: int | None, size: int) -> None:
    result = read(stream, [size])
    head, _, body = stream.partition(b"\r\n\r\n")
    assert not result.problem
    assert result.head == head + b"\r\n\r\n" == result.reader.rawHead
    assert result.content == body
    assert result.marks == [(200, head + b"\r\n\r\n", False, end, length), Ended(end, len(body))]
    assert result.reader.end is end


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_chunksAreSeen(size: int) -> None:
    result = read(CHUNKED, [size])
    assert result.marks[1:] == [
        ChunkBegan(5, b"5"),
        ChunkEnded(5),
        ChunkBegan(6, b"6;x=y"),
        ChunkEnded(6),
        ChunkBegan(0, b"0"),
        [(b"T", b"u")],
        Ended(End.LAST_CHUNK, 11),
    ]
    assert result.content == b"hello world"


def test_contentStandsWithinItsChunk() -> None:
    """The order of the events of one piece is the order of its bytes."""
    events = [type(event) for event in ResponseReader(b"GET").feed(CHUNKED)]
    assert events == [
        HeadPart, HeadEnded, ChunkBegan, Content, ChunkEnded, ChunkBegan, Content, ChunkEnded, ChunkBegan,
        Trailers, Ended,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "head"),
    [
        (b"HEAD", OK + b"Content-Length: 5\r\n\r\n"),
        (b"HEAD", OK + b"Transfer-Encoding: chunked\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        (b"CONNECT", OK + b"\r\n"),
    ],
)
def test_someAnswersHaveNoBody(method: bytes, head: bytes) -> None:
    result = read(head, method=method)
    assert result.reader.end is End.NO_BODY
    assert not result.problem


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_interimAnswersComeBefore(size: int) -> None:
    result = read(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + LENGTH, [size])
    assert [mark[:3:2] for mark in result.marks if isinstance(mark, tuple)] == [
        (103, True),
        (100, True),
        (200, False),
    ]
    assert result.content == b"hello"
    assert result.reader.rawHead == OK + b"Content-Length: 5\r\n\r\n"


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (b"", "the connection was closed without an answer"),
        (
            OK[:9],
            "the head is cut: 9 bytes of it came, then the connection was closed before its empty line",
        ),
        (
            LENGTH[:-2],
            "the body is cut: 3 of 5 bytes came (Content-Length), then the connection was closed",
        ),
        (CHUNKED[:-29], "the body is cut: 4 of 5 bytes of a chunk came, then"),
        (CHUNKED[:-28], "the body is cut: 5 bytes came, but no last chunk, then"),
        (CHUNKED[:-1], "the body is cut: 11 bytes came, but no last chunk, then"),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_whatIsCutIsNotWhole(stream: bytes, why: str, size: int) -> None:
    result = read(stream, [size])
    assert result.problem.startswith("cut: " + why)
    assert result.reader.end is None


def test_aResetIsNoEnd() -> None:
    """What ends with the connection is whole only if that ended in good order."""
    assert read(CLOSED, clean=False).problem.startswith("cut: the body may be cut: 5 bytes came")
    assert not read(LENGTH, clean=False).problem


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (b"\x1bHello", 'this is not HTTP: it begins with "\\x1b'),
        (b"\x15\x03\x03\x00\x02", "which is TLS"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "the version is not"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "the status-line is not"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", "switches to another protocol"),
        (OK + b"no colon\r\n\r\n", "a field has no colon"),
        (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "several different values"),
        (OK + b"Content-Length: -5\r\n\r\n", "not a number"),
        (OK + b"Transfer-Encoding: gzip\r\n\r\n", "other than chunked"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "in an HTTP/1.0 response"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "chunk-size line"),
        (OK + b"X: " + b"a" * LONGEST_HEAD, "a head of over"),
    ],
)
def test_whatCanNotBeUnderstoodIsRefusedWithAReason(stream: bytes, why: str) -> None:
    for sizes in (None, [3]):
        result = read(stream, sizes)
        assert result.problem.startswith("bad: ")
        assert why in result.problem


@pytest.mark.parametrize(
    ("head", "remark"),
    [
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", "empty lines before"),
        (b"HTTP/1.1 200 OK\nA: b\n\n", "LF alone"),
        (b"HTTP/1.1 200\r\n\r\n", "no space after the status code"),
        (OK + b"A: b\r\n c\r\n\r\n", "folded"),
        (OK + b"A : b\r\n\r\n", "before the colon"),
        (OK + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "the chunks count"),
        (OK + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n", "more than once"),
    ],
)
def test_whatTheServerBreaksIsNamed(head: bytes, remark: str) -> None:
    for sizes in (None, [1]):
        result = read(head, sizes)
        remarks = [mark.sentence for mark in result.marks if isinstance(mark, Remark)]
        assert len(remarks) == 1
        assert remark in remarks[0]
        assert not result.problem


def test_aGoodHeadHasNoRemarks() -> None:
    for stream in (LENGTH, CHUNKED, CLOSED):
        assert not [mark for mark in read(stream, [1]).marks if isinstance(mark, Remark)]


@pytest.mark.parametrize("size", [1, 10, 1000])
def test_whatFollowsTheEndIsNotContent(size: int) -> None:
    result = read(LENGTH + b"and more", [size])
    assert (result.content, result.surplus, result.reader.surplus) == (b"hello", b"and more", 8)
    assert any(isinstance(mark, Remark) for mark in result.marks)


#: What comes of each of our own web server's broken answers.
OUTCOMES = {
    "no-length": ("", End.CLOSE),
    "line-feeds": ("", End.LENGTH),
    "early-close": ("cut: the head is cut", None),
    "too-long": ("cut: the body is cut: 25 of 125 bytes", None),
    "too-short": ("", End.LENGTH),
    "never-ends": ("", End.CLOSE),
    "slow": ("", End.CLOSE),
}


@pytest.mark.parametrize("name", sorted(LAME))
def test_theLameAnswers(name: str) -> None:
    problem, end = OUTCOMES[name]
    whole = read(b"".join(LAME[name].pieces))
    assert whole.problem.startswith(problem)
    assert bool(whole.problem) is bool(problem)
    assert whole.reader.end is end
    assert seen(read(b"".join(LAME[name].pieces), [1])) == seen(whole) or name == "too-short"


@given(
    st.sampled_from(
        [LENGTH, CHUNKED, CLOSED, LENGTH[:-1], CHUNKED[:-5], b"HTTP/1.1 100 C\r\n\r\n" + CHUNKED]
    ),
    st.lists(st.integers(1, 30), min_size=1, max_size=8),
)
def test_segmentsMakeNoDifference(stream: bytes, sizes: list[int]) -> None:
    assert seen(read(stream, sizes)) == seen(read(stream))


@given(
    st.binary(max_size=60),
    st.sampled_from([b"", OK, OK + b"\r\n", OK + b"Transfer-Encoding: chunked\r\n\r\n"]),
)
def test_anythingIsReadOrRefused(junk: bytes, before: bytes) -> None:
    """And nothing of it is lost: what was told of are all bytes that came."""
    stream = before + junk
    result = read(stream, [7])
    if result.reader.end is End.CLOSE:
        assert result.head + result.content == stream


def test_bytesInASentence() -> None:
    assert quoted(b'a"\x1b\n') == '"a\\"\\x1b\\n"'
    assert quoted(b"x" * 50) == '"' + "x" * 40 + '"...'
