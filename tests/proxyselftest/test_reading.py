"""
What a client makes of its bytes: a correct one, and any other.
"""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.proxyselftest.reading import content, messages, renderings, together

GET = (b"GET",)


def texts(raw: bytes) -> list[bytes]:
    return [text for _, text in renderings(raw)]


@pytest.mark.parametrize(
    ("raw", "ended", "body", "complete"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", False, b"abc", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", True, b"ab", False),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n", False,
         b"abc", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n", False,
         b"a", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", True, b"ab", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", True, b"ab", False),
        (b"HTTP/1.0 200 OK\r\n\r\nabc", True, b"abc", True),
        (b"HTTP/1.0 200 OK\r\n\r\nabc", False, b"abc", False),
        (b"HTTP/1.0 200 OK\n\nabc", True, b"abc", True),
        (b"HTTP/1.1 204 No Content\r\n\r\nabc", True, b"", True),
    ],
)  # fmt: skip
def test_howABodyIsDelimited(raw: bytes, ended: bool, body: bytes, complete: bool) -> None:
    (message,) = messages(raw, GET, ended)
    assert (message.body, message.complete) == (body, complete)


def test_answersInOrder() -> None:
    """Interim responses are none; a HEAD's has no body."""
    raw = (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx"
    )
    assert [(one.status, one.body) for one in messages(raw, (b"HEAD", b"GET"), False)] == [
        (200, b""),
        (404, b"x"),
    ]
    assert messages(b"<p>no head</p>", GET, True) == []


def test_whatIsDecoded() -> None:
    body = gzip.compress(gzip.compress(b"hello"))
    raw = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\n" + body
    (message,) = messages(raw, GET, True)
    assert content(message) == b"hello"
    assert message.field(b"content-encoding") == b"gzip, gzip"


@pytest.mark.parametrize(
    "field",
    [b"Transfer-Encoding : chunked", b"Transfer-Encoding: xchunked", b"Transfer-Encoding:\r\n chunked",
     b"Transfer-Encoding: \x0bchunked", b"Content-Length: 2\r\nTransfer-Encoding: chunked"],
)  # fmt: skip
def test_chunksAreSeenWhereAnybodySeesThem(field: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\n" + field + b"\r\n\r\n3\r\nhel\r\n0x2\nlo\n0\r\n\r\n"
    assert b"hello" in texts(raw)


def test_theRestBehindAnAnswerIsSeen() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n" \
          b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"hello")  # fmt: skip
    assert b"hello" in texts(raw)


@pytest.mark.parametrize(
    ("typed", "body"),
    [
        (b"text/html; charset=UTF-16BE", "hello".encode("utf-16-be")),
        (b"text/html", b"\xff\xfe" + "hello".encode("utf-16-le")),
        (b"text/html", b'<meta charset="iso-2022-jp">hel\x1b(J\x1b(Blo'),
        (b"text/html; charset=no-such-charset; charset='utf-16le'", "hello".encode("utf-16-le")),
    ],
)
def test_textIsReadAsABrowserReadsIt(typed: bytes, body: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Type: " + typed + b"\r\n\r\n" + body
    assert any(b"hello" in text for text in texts(raw))


def test_partsAreJoined() -> None:
    first = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\n\r\nhel"
    second = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\n\r\nlo"
    assert together([first, second]) == b"hello"
    multipart = (
        b"HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=b\r\n\r\n"
        b"--b\r\nContent-Range: bytes 0-2/5\r\n\r\nhel\r\n--b\r\n\r\nlo\r\n--b--\r\n"
    )
    assert together([multipart]) == b"hello"
    assert together([b"HTTP/1.1 200 OK\r\n\r\nhello"]) == b""


@given(st.lists(st.sampled_from(
    [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 206 \r\n", b"\r\n", b"\n", b"\r", b"Transfer-Encoding: chunked\r\n",
     b"Content-Length: 5\r\n", b"Content-Encoding: gzip, br, deflate\r\n", b"5\r\n", b"0\r\n", b"\xff\xfe",
     b"Content-Type: multipart/byteranges; boundary=x\r\n", b"charset=utf-16", b"charset=\xff", b"--x",
     b"a",
     b"FFFFFFFFFFFFFFFFFFFF\r\n"]), max_size=30))  # fmt: skip
def test_nothingEscapes(pieces: list[bytes]) -> None:
    """Whatever a proxy sends, both readers come to an end without an exception."""
    raw = b"".join(pieces)
    for message in messages(raw, (b"GET", b"HEAD", b"GET"), True):
        content(message)
    assert next(renderings(raw))[1] == raw
    together([raw])
    texts(raw)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\nbody",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"F" * 20 + b"\r\nbody",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"F" * 5_000 + b"\r\nbody",
    ],
)
def test_sizesOfAnyLength(head: bytes) -> None:
    """They are more than what there is, and that is all there is to say of them."""
    (message,) = messages(b"HTTP/1.1 200 OK\r\n" + head, (b"GET",), True)
    assert content(message) == b"body"
    assert not message.complete


def test_longLinesTakeNoLongTime() -> None:
    """What could be read in many ways is read once."""
    raw = b"HTTP/1.1 200 OK\r\n" + b"\r" * 1_000_000 + b"HTTP/1.1 200 OK\r\n" * 1_000
    assert texts(raw) == [raw]
