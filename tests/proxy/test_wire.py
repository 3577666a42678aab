"""
HTTP messages: what is read, what is refused, what is repaired, in whatever pieces it comes.
"""

from __future__ import annotations

from collections.abc import Iterable

import h11
import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.proxy.body import (
    requestBody,
)
from labnet.proxy.wire import (
    BadMessage,
    Fields,
    HeadReader,
    RequestHead,
    ResponseHead,
    TooLarge,
    Version,
    parseRequestHead,
    parseResponseHead,
)
from labnet.testing import segmentations
from labnet.testing.strategies import segmented

Result = tuple[object, ...]


def readHead(pieces: Iterable[bytes], limit: int = 65_536, lenient: bool = False) -> Result:
    """What a L{HeadReader} makes of the pieces: the head and all that follows it, or the problem."""
    reader = HeadReader(limit, lenient=lenient)
    head, rest = None, b""
    try:
        for piece in pieces:
            if head is not None:
                rest += piece
                continue
            found = reader.feed(piece)
            if found is not None:
                head, rest = found
    except BadMessage as problem:
        return BadMessage, problem.status
    return head, rest


def request(*lines: bytes) -> RequestHead:
    return parseRequestHead(b"".join(line + b"\r\n" for line in (*lines, b"")))


def response(*lines: bytes) -> ResponseHead:
    return parseResponseHead(b"".join(line + b"\r\n" for line in (*lines, b"")))


def statusOf(data: bytes) -> int:
    """The status with which a request's head is refused."""
    found = readHead([data])
    if found[0] is BadMessage:
        assert isinstance(found[1], int)
        return found[1]
    assert isinstance(found[0], bytes)
    with pytest.raises(BadMessage) as caught:
        requestBody(parseRequestHead(found[0]))
    return caught.value.status


# Where a head ends

HEADS = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest",
    b"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
    b"\r\rGET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"\n\nGET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\n\r\nrest",
    b"GET / HTTP/1.1\r\nA: b\r\n\n",
    b"GET / HTTP/1.1\r\nA: b\r\r\n\r\n",
    b"\r\n\r\n",
    b"\r\n",
    b"G",
]


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("data", HEADS)
def test_aHeadEndsWhereItEndsInWhateverPieces(data: bytes, lenient: bool) -> None:
    expected = readHead([data], lenient=lenient)
    for pieces in segmentations(data):
        assert readHead(pieces, lenient=lenient) == expected, pieces


@given(st.data(), st.lists(st.sampled_from([b"\r", b"\n", b"a", b"\r\n", b"b: c"]), max_size=16))
def test_anyLinesInAnyPiecesAreOneHead(data: st.DataObject, parts: list[bytes]) -> None:
    whole = b"".join(parts)
    pieces = data.draw(segmented(whole))
    for lenient in (False, True):
        for limit in (5, 8, 1000):
            assert readHead(pieces, limit, lenient) == readHead([whole], limit, lenient)


def test_whatFollowsAHeadIsHandedBack() -> None:
    assert readHead([HEADS[1]]) == (HEADS[1][:-4], b"rest")


def test_severalHeadsThroughOneReader() -> None:
    """A reader begins anew after each head, with empty lines before it again."""
    reader = HeadReader(1000)
    found = reader.feed(b"A / HTTP/1.1\r\n\r\n\r\nB / HTTP/1.1\r\n\r\n")
    assert found is not None
    assert found[0] == b"A / HTTP/1.1\r\n\r\n"
    assert reader.feed(found[1]) == (b"B / HTTP/1.1\r\n\r\n", b"")
    assert len(reader) == 0


def test_emptyLinesBeforeAHeadArePassedOver() -> None:
    assert readHead([b"\r\n\r", b"\nGET / HTTP/1.1\r\n\r\n"]) == (HEADS[0], b"")


def test_emptyLinesAreBounded() -> None:
    """A client that sends nothing else does not go on for ever."""
    assert readHead([b"\r\n"] * 51, limit=100) == (BadMessage, 400)
    assert readHead([b"\r\n" * 51], limit=100) == (BadMessage, 400)


@pytest.mark.parametrize("data", [HEADS[4], HEADS[5], HEADS[6], HEADS[7]])
def test_aBareLineFeedIsRefusedInARequestAndRepairedInAResponse(data: bytes) -> None:
    assert readHead([data]) == (BadMessage, 400)
    head = readHead([data], lenient=True)[0]
    assert isinstance(head, bytes)
    assert head.count(b"\n") == head.count(b"\r\n")
    assert head.endswith(b"\r\n\r\n")


def test_theLimitOfAHeadIsExact() -> None:
    head = b"GET / HTTP/1.1\r\nA: " + b"b" * 77 + b"\r\n\r\n"
    assert len(head) == 100
    for pieces in segmentations(head + b"x" * 50):
        assert readHead(pieces, 100) == (head, b"x" * 50)
        assert readHead(pieces, 99) == (BadMessage, 431)


def test_aStartLineThatIsTooLongIs414() -> None:
    for pieces in segmentations(b"GET /" + b"a" * 200):
        assert readHead(pieces, 100) == (BadMessage, 414)


def test_noMoreThanTheLimitAndOnePieceIsHeld() -> None:
    reader = HeadReader(1000)
    for _ in range(1000):
        assert reader.feed(b"a") is None
    assert len(reader) == 1000
    with pytest.raises(TooLarge):
        reader.feed(b"a")


def test_aHeadByteByByteIsReadInLinearTime() -> None:
    """
    Each byte is searched once: what the search is given to look at grows with the head, and not with its
    square. Counted, not timed.
    """
    searched: list[int] = []

    class Counting(HeadReader):
        class _END:  # the expression's place
            @staticmethod
            def search(buffer: bytearray, start: int) -> None:
                searched.append(len(buffer) - start)

    reader = Counting(65_536)
    for i in range(65_536):
        reader.feed(b"\n" if i % 7 == 3 else b"\r" if i % 7 == 5 else b"x")
    assert len(searched) <= 65_536
    assert max(searched) <= 5


def test_aHeadOfManyFieldsIsRefusedWithoutTurningBack() -> None:
    """64 KiB that fail only at their end: an expression that turned back would meet the test's timeout."""
    lines = b"a:\r\n" * 16_000
    for section in (lines + b"b", lines + b":", b"a" * 64_000, b"a:" + b" " * 64_000 + b"\0\r\n"):
        for parse in (parseRequestHead, parseResponseHead):
            first = b"GET / HTTP/1.1" if parse is parseRequestHead else b"HTTP/1.1 200 OK"
            with pytest.raises(BadMessage):
                parse(first + b"\r\n" + section + b"\r\n\r\n")


# Requests


def test_aRequestIsTakenApart() -> None:
    head = request(b"POST http://a/b?c HTTP/1.1", b"Host: a", b"X-Y:\t z \t", b"x-y:2", b"E:")
    assert (head.method, head.target, head.version) == (b"POST", b"http://a/b?c", Version.HTTP11)
    assert head.fields.lines == [(b"Host", b"a"), (b"X-Y", b"z"), (b"x-y", b"2"), (b"E", b"")]
    assert head.fields.values(b"x-y") == [b"z", b"2"]
    assert head.raw.startswith(b"POST ")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /", 400),  # HTTP/0.9
        (b"GET / HTTP/0.9", 505),
        (b"GET / HTTP/2.0", 505),
        (b"PRI * HTTP/2.0", 505),
        (b"GET / HTTP/1.10", 400),
        (b"GET / HTTP/11", 400),
        (b"GET / http/1.1", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET /  HTTP/1.1", 400),
        (b"GET\t/ HTTP/1.1", 400),
        (b"GET / HTTP/1.1 ", 400),
        (b" GET / HTTP/1.1", 400),
        (b"GET /a b HTTP/1.1", 400),
        (b"GET /\0 HTTP/1.1", 400),
        (b"GET /\x7f HTTP/1.1", 400),
        (b"GET /\rX: y HTTP/1.1", 400),
        (b"G(T / HTTP/1.1", 400),
        (b"/ HTTP/1.1", 400),
        (b"\x16\x03\x01\x02", 400),  # TLS
    ],
)
def test_badRequestLines(line: bytes, status: int) -> None:
    assert statusOf(line + b"\r\nHost: a\r\n\r\n") == status


@pytest.mark.parametrize(
    ("line", "version"),
    [(b"1.0", Version.HTTP10), (b"1.1", Version.HTTP11), (b"1.2", Version.HTTP11)],
)
def test_versionsThatAreSpoken(line: bytes, version: Version) -> None:
    assert request(b"GET / HTTP/" + line).version is version


BAD_SECTIONS = [
    (b"Host : a", "white space"),
    (b"Host\t: a", "white space"),
    (b"Host", "no colon"),
    (b": a", "character"),
    (b"Ho st: a", "character"),
    (b"H\xc3\xb6st: a", "character"),
    (b"A: b\r\n c", "folded"),
    (b" A: b", "folded"),
    (b"A: b\r\n\tc", "folded"),
    (b"A: b\rc", "alone"),
    (b"A: b\r\r\nB: c", "alone"),
    (b"A: b\0c", "control"),
    (b"A: b\x7fc", "control"),
    (b"A: \x0bchunked", "control"),
]


@pytest.mark.parametrize(("section", "why"), BAD_SECTIONS)
def test_badFieldsOfARequestAreRefusedAndNamed(section: bytes, why: str) -> None:
    data = b"GET / HTTP/1.1\r\nX: y\r\n" + section + b"\r\n\r\n"
    found = readHead([data])[0]
    assert isinstance(found, bytes)
    with pytest.raises(BadMessage, match=why) as caught:
        parseRequestHead(found)
    assert caught.value.status == 400


def test_tooManyFields() -> None:
    lines = [b"A: b"] * 3
    assert len(parseRequestHead(b"\r\n".join([b"GET / HTTP/1.1", *lines, b"", b""]), 3).fields) == 3
    with pytest.raises(TooLarge) as caught:
        parseRequestHead(b"\r\n".join([b"GET / HTTP/1.1", *lines, b"", b""]), 2)
    assert caught.value.status == 431


def test_aTargetThatIsTooLong() -> None:
    with pytest.raises(TooLarge) as caught:
        parseRequestHead(b"GET /" + b"a" * 10 + b" HTTP/1.1\r\n\r\n", longestTarget=10)
    assert caught.value.status == 414
    parseRequestHead(b"GET /" + b"a" * 9 + b" HTTP/1.1\r\n\r\n", longestTarget=10)


@given(st.binary(max_size=200))
def test_anyBytesAreAHeadOrABadMessage(junk: bytes) -> None:
    """Nothing else comes out of the parsers."""
    for raw in (junk + b"\r\n\r\n", b"GET / HTTP/1.1\r\n" + junk + b"\r\n\r\n"):
        for parse in (parseRequestHead, parseResponseHead):
            try:
                head = parse(raw)
            except BadMessage:
                continue
            again = b"".join(b"%b: %b\r\n" % line for line in head.fields)
            assert b"\0" not in again
            assert again.count(b"\n") == again.count(b"\r") == len(head.fields)


# A second opinion: what is good here, strict parsers take, too

CANDIDATES = st.lists(
    st.sampled_from(
        [
            b"Content-Length: 5", b"Content-Length: 05", b"Content-Length: 6", b"Content-Length: +5",
            b"Content-Length: 5, 5", b"Content-Length: 0x5", b"Content-Length: -1", b"Content-Length:",
            b"Content-Length : 5", b" Content-Length: 5", b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: Chunked", b"Transfer-Encoding: xchunked",
            b"Transfer-Encoding: chunked, chunked",
            b"Transfer-Encoding: gzip", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding:",
            b"Transfer-Encoding: chunked;x", b"X: y", b"X\0: y", b"X: \0", b"X", b"X: y\rz", b": y",
        ]
    ),
    max_size=3,
)  # fmt: skip


def _h11Length(raw: bytes) -> object:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw + b"0\r\n\r\n")
    try:
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                return "incomplete"
    except h11.RemoteProtocolError:
        return "bad"
    return "good"


@given(CANDIDATES)
def test_whatIsTakenHereIsTakenByH11(lines: list[bytes]) -> None:
    """A request whose framing passes here is not bad for a strict parser behind us."""
    raw = b"\r\n".join([b"POST / HTTP/1.1", b"Host: a", *lines, b"", b""])
    try:
        requestBody(parseRequestHead(raw))
    except BadMessage:
        return
    assert _h11Length(raw) != "bad"


@given(CANDIDATES)
def test_whatIsTakenHereIsTakenByHttptools(lines: list[bytes]) -> None:
    raw = b"\r\n".join([b"POST / HTTP/1.1", b"Host: a", *lines, b"", b""])
    try:
        head = parseRequestHead(raw)
        requestBody(head)
    except BadMessage:
        return
    if (
        len(head.fields.values(b"content-length")) > 1
        or b"5, 5" in raw
        or len(head.fields.values(b"transfer-encoding")) > 1
    ):
        return  # It takes no lists, which are allowed (RFC 9112, 6.3).
    httptools.HttpRequestParser(object()).feed_data(raw)


# Responses


def test_aResponseIsTakenApart() -> None:
    head = response(b"HTTP/1.1 404 Not  Found\xff", b"A: b")
    assert (head.status, head.reason) == (404, b"Not  Found\xff")
    assert head.encode() == b"HTTP/1.1 404 Not  Found\xff\r\nA: b\r\n\r\n"
    assert response(b"HTTP/1.0 200").reason == response(b"HTTP/1.1 200 ").reason == b""


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ([b"A: b", b" c", b"\td"], [(b"A", b"b c d")]),
        ([b"A: b", b"  ", b"C: d"], [(b"A", b"b"), (b"C", b"d")]),
        ([b"A:", b" b"], [(b"A", b"b")]),
        ([b"A : b"], [(b"A", b"b")]),
        ([b"A \t: b : c"], [(b"A", b"b : c")]),
        ([b"A: b", b"Content-Length \t:", b" 5"], [(b"A", b"b"), (b"Content-Length", b"5")]),
    ],
)
def test_aResponseIsRepaired(sent: list[bytes], fields: list[tuple[bytes, bytes]]) -> None:
    """Folded lines and white space before a colon, as RFC 9112 tells a proxy."""
    assert response(b"HTTP/1.1 200 OK", *sent).fields.lines == fields


@pytest.mark.parametrize(
    "lines",
    [
        [b" A: b"],
        [b"A b: c"],
        [b"A b : c"],
        [b"A: b", b"c"],
        [b"A: b\0"],
        [b"A: b\rc"],
        [b": c"],
    ],
)
def test_whatCanNotBeRepairedIsRefused(lines: list[bytes]) -> None:
    with pytest.raises(BadMessage):
        response(b"HTTP/1.1 200 OK", *lines)


@pytest.mark.parametrize(
    "line",
    [b"HTTP/1.1 20 OK", b"HTTP/1.1 099 X", b"HTTP/1.1 2000 OK", b"HTTP/2.0 200 OK", b"HTTP/1.1  200 OK",
     b"HTTP/1.1 +20 OK", b"ICY 200 OK", b"200 OK", b"HTTP/1.1 200OK", b"HTTP/1.1 200 O\0K", b"<html>"],
)  # fmt: skip
def test_badStatusLines(line: bytes) -> None:
    with pytest.raises(BadMessage):
        response(line)


# Connections


@pytest.mark.parametrize(
    ("version", "lines", "kept"),
    [
        (b"1.1", [], True),
        (b"1.1", [b"Connection: x, Close"], False),
        (b"1.1", [b"Connection: keep-alive, close"], False),
        (b"1.1", [b"Proxy-Connection: close"], False),
        (b"1.0", [], False),
        (b"1.0", [b"Connection: Keep-Alive"], True),
        (b"1.0", [b"Connection: keep-alive", b"Connection: close"], False),
        (b"1.0", [b"Proxy-Connection: keep-alive"], False),
    ],
)
def test_whetherAConnectionIsKept(version: bytes, lines: list[bytes], kept: bool) -> None:
    assert request(b"GET / HTTP/" + version, *lines).persistent is kept
    assert response(b"HTTP/%b 200 OK" % version, *lines).persistent is kept


# Fields


def test_fieldsKeepOrderSpellingAndDuplicates() -> None:
    lines = [(b"B", b"1"), (b"a", b"2"), (b"b", b"3"), (b"A", b"")]
    fields = Fields(lines)
    assert fields.encode() == b"B: 1\r\na: 2\r\nb: 3\r\nA: \r\n"
    assert fields.without([b"a"]).lines == [(b"B", b"1"), (b"b", b"3")]
    assert b"b" in fields
    assert b"c" not in fields
    fields.replace(b"b", b"9")
    assert fields.lines == [(b"B", b"9"), (b"a", b"2"), (b"A", b"")]
    fields.replace(b"C", b"10")
    fields.add(b"a", b"11")
    assert fields.values(b"a") == [b"2", b"", b"11"]
    assert fields.values(b"c") == [b"10"]


def test_membersOfALists() -> None:
    fields = Fields([(b"Connection", b" Close ,,\tX-A"), (b"connection", b"y"), (b"Connection", b"")])
    assert fields.members(b"connection") == [b"Close", b"X-A", b"y"]
    assert fields.tokens(b"connection") == (b"close", b"x-a", b"y")
