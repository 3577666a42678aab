"""
HTTP bodies: where they end, what is refused, in whatever pieces they come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.proxy.body import (
    BodyReader,
    ChunkedBody,
    CloseDelimitedBody,
    LengthBody,
    Truncated,
    encodeChunk,
    encodeLastChunk,
    requestBody,
    responseBody,
)
from labnet.proxy.wire import (
    BadMessage,
    Fields,
    RequestHead,
    ResponseHead,
    TooLarge,
    parseRequestHead,
    parseResponseHead,
)
from labnet.testing import segmentations
from labnet.testing.strategies import segmented

Result = tuple[object, ...]


def readBody(make: Callable[[], BodyReader], pieces: Iterable[bytes]) -> Result:
    """What a L{BodyReader} makes of the pieces and the end of the stream."""
    body, content = make(), b""
    try:
        for piece in pieces:
            content += body.feed(piece)
        body.end()
    except BadMessage as problem:
        return (type(problem),)
    return content, body.done, body.rest, body.trailers.lines


def request(*lines: bytes) -> RequestHead:
    return parseRequestHead(b"".join(line + b"\r\n" for line in (*lines, b"")))


def response(*lines: bytes) -> ResponseHead:
    return parseResponseHead(b"".join(line + b"\r\n" for line in (*lines, b"")))


# How long a body is


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([b"Content-Length: 5", b"Transfer-Encoding: chunked"], 400),
        ([b"Transfer-Encoding: gzip"], 400),
        ([b"Transfer-Encoding: gzip, chunked"], 501),
        ([b"Transfer-Encoding: chunked, gzip"], 400),
        ([b"Transfer-Encoding: chunked, chunked"], 400),
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"], 400),
        ([b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"], 501),
        ([b"Transfer-Encoding: chunked", b"transfer-encoding: chunked"], 400),
        ([b"Transfer-Encoding: chunked ;x"], 400),
        ([b"Transfer-Encoding: chunked;q=1"], 400),
        ([b"Transfer-Encoding: xchunked"], 400),
        ([b'Transfer-Encoding: "chunked"'], 400),
        ([b"Transfer-Encoding:"], 400),
        ([b"Transfer-Encoding: ,"], 400),
        ([b"Transfer-Encoding: chunked,"], 400),
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding:"], 400),
        ([b"Content-Length: 5", b"Content-Length: 6"], 400),
        ([b"Content-Length: 5, 6"], 400),
        ([b"Content-Length: 5", b"Content-Length: 05"], 400),
        ([b"Content-Length: 5,"], 400),
        ([b"Content-Length: +5"], 400),
        ([b"Content-Length: -1"], 400),
        ([b"Content-Length: 0x5"], 400),
        ([b"Content-Length: 5 5"], 400),
        ([b"Content-Length: 5_0"], 400),
        ([b"Content-Length: 5.0"], 400),
        ([b"Content-Length: \xb2"], 400),
        ([b"Content-Length:"], 400),
        ([b"Content-Length: 12345678901234567890"], 400),
    ],
)
def test_framingOfARequestThatIsRefused(lines: list[bytes], status: int) -> None:
    with pytest.raises(BadMessage) as caught:
        requestBody(request(b"POST / HTTP/1.1", b"Host: a", *lines))
    assert caught.value.status == status


@pytest.mark.parametrize("length", [b"+5", b"-1", b"0x5", b"5 5", b"5, 6", b"5_0", b"", b"5,", b"9" * 20])
def test_lengthsOfAResponseThatAreRefused(length: bytes) -> None:
    with pytest.raises(BadMessage):
        responseBody(response(b"HTTP/1.1 200 OK", b"Content-Length: " + length), b"GET")


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        ([], 0),
        ([b"Content-Length: 5"], 5),
        ([b"Content-Length: \t5 "], 5),
        ([b"Content-Length: 005"], 5),
        ([b"Content-Length: 5", b"content-length: 5"], 5),
        ([b"Content-Length: 5, 5", b"Content-Length: 5"], 5),
        ([b"Content-Length: 0"], 0),
    ],
)
def test_lengthsOfARequest(lines: list[bytes], length: int) -> None:
    body = requestBody(request(b"POST / HTTP/1.1", *lines))
    assert isinstance(body, LengthBody)
    assert body.done == (length == 0)
    assert body.feed(b"x" * 9) == b"x" * length
    assert body.rest == b"x" * (9 - length)


def test_chunkedRequests() -> None:
    for value in (b"chunked", b"Chunked", b" chunked\t"):
        body = requestBody(request(b"POST / HTTP/1.1", b"Transfer-Encoding: " + value))
        assert isinstance(body, ChunkedBody)


def test_http10HasNoTransferCodings() -> None:
    """Framing in an HTTP/1.0 message that has one is faulty (RFC 9112, 6.1)."""
    with pytest.raises(BadMessage):
        requestBody(request(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked"))
    with pytest.raises(BadMessage):
        responseBody(response(b"HTTP/1.0 200 OK", b"Transfer-Encoding: chunked"), b"GET")


@pytest.mark.parametrize(
    ("method", "status"), [(b"HEAD", 200), (b"GET", 204), (b"GET", 304), (b"GET", 103)]
)
def test_responsesWithoutABody(method: bytes, status: int) -> None:
    """Whatever their fields say."""
    for line in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Content-Length: junk"):
        body = responseBody(response(b"HTTP/1.1 %d X" % status, line), method)
        assert body.done


def test_bodiesOfResponses() -> None:
    chunked = response(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"Content-Length: 5")
    assert isinstance(responseBody(chunked, b"GET"), ChunkedBody)
    assert isinstance(responseBody(response(b"HTTP/1.1 200 OK"), b"GET"), CloseDelimitedBody)
    assert isinstance(responseBody(response(b"HTTP/1.0 200 OK", b"Content-Length: 5"), b"GET"), LengthBody)
    for coding in (b"gzip", b"gzip, chunked", b"identity", b"", b"chunked, chunked"):
        with pytest.raises(BadMessage):
            responseBody(response(b"HTTP/1.1 200 OK", b"Transfer-Encoding: " + coding), b"GET")


# Bodies in pieces

CHUNKED = [
    b"5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\nrest",
    b"0\r\n\r\n",
    b"000A\r\n0123456789\r\n00\r\n\r\n",
    b'3;a=b;c\r\nabc\r\n1 ;x\r\nd\r\n2  \r\nef\r\n0;y="z"\r\n\r\n',
    b"1\r\na\r\n0\r\nA: b\r\nC: d\r\nContent-Length: 5\r\nHost: evil\r\n\r\nGET",
    b"1\r\na\r\n0\r\nA: b\r\n c\r\n\r\n",
    b"1\r\na\r\n0\r\nA: b\nC: d\r\n\r\n",
    b"1\r\na\r\n0\r\nA\r\n\r\n",
    b"5\r\nhelloX0\r\n\r\n",
    b"5\r\nhello\rX0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\nhello\r\n0\r\n\r\n",
    b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"5_0\r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"5 x\r\nhello\r\n0\r\n\r\n",
    b"g\r\nhello\r\n0\r\n\r\n",
    b"\r\nhello\r\n0\r\n\r\n",
    b"\xb2\r\nhello",
    b"0000000000000005\r\nhello\r\n0\r\n\r\n",
    b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhel",
    b"5\r\nhello\r\n",
    b"5\r\nhello\r\n0\r\n",
    b"5;" + b"x" * 61 + b"\r\nhello\r\n0\r\n\r\n",
    b"5;" + b"x" * 62 + b"\r\nhello\r\n0\r\n\r\n",
    b"5;" + b"x" * 63 + b"\r\nhello\r\n0\r\n\r\n",
    b"0\r\nA: " + b"x" * 60 + b"\r\n\r\n",
    b"0\r\nA: " + b"x" * 61 + b"\r\n\r\n",
    b"0\r\nA: " + b"x" * 62 + b"\r\n\r\n",
]


def small() -> BodyReader:
    return ChunkedBody(longestLine=64, longestTrailers=64)


@pytest.mark.parametrize("data", CHUNKED)
def test_aChunkedBodyIsTheSameInWhateverPieces(data: bytes) -> None:
    expected = readBody(small, [data])
    for pieces in segmentations(data):
        assert readBody(small, pieces) == expected, pieces


@given(st.data(), st.sampled_from(CHUNKED))
def test_aChunkedBodyIsTheSameInAnyPieces(data: st.DataObject, encoded: bytes) -> None:
    assert readBody(small, data.draw(segmented(encoded))) == readBody(small, [encoded])


def test_chunksAreTakenApart() -> None:
    assert readBody(small, [CHUNKED[1]]) == (b"hello", True, b"rest", [])
    assert readBody(small, [CHUNKED[3]]) == (b"0123456789", True, b"", [])
    assert readBody(small, [CHUNKED[4]]) == (b"abcdef", True, b"", [])


def test_trailersThatMustNotBeThereAreDropped() -> None:
    assert readBody(small, [CHUNKED[5]]) == (b"a", True, b"GET", [(b"A", b"b"), (b"C", b"d")])


@pytest.mark.parametrize("data", CHUNKED[6:26])
def test_brokenChunksAreRefused(data: bytes) -> None:
    assert readBody(small, [data]) == (BadMessage,)


@pytest.mark.parametrize("data", CHUNKED[26:29])
def test_aTruncatedChunkedBodyIsNoticed(data: bytes) -> None:
    assert readBody(small, [data]) == (Truncated,)


def test_theLongestLineAndTheLongestTrailersAreExact() -> None:
    """64 bytes without what ends them go through, with one more they do not."""
    kinds = [readBody(small, [data])[0] for data in CHUNKED[29:]]
    assert kinds == [b"hello", b"hello", TooLarge, b"", b"", TooLarge]


def _drip(body: BodyReader, times: int) -> None:
    for _ in range(times):
        body.feed(b"x")


def test_linesThatDoNotEndAreBounded() -> None:
    for begin in (b"5;", b"0\r\nA: "):
        body = ChunkedBody()
        body.feed(begin)
        with pytest.raises(TooLarge):
            _drip(body, 9_000)


def test_aChunkWithABareLineFeedIsRefusedAtOnce() -> None:
    """And not only when the line has become too long, for which the origin may never care."""
    with pytest.raises(BadMessage):
        ChunkedBody().feed(b"5\n")


@given(
    st.data(),
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.lists(st.tuples(st.sampled_from([b"A", b"X-B"]), st.sampled_from([b"", b"c d"])), max_size=3),
    st.binary(max_size=20),
)
def test_whatIsEncodedIsReadAgain(
    data: st.DataObject, chunks: list[bytes], trailers: list[tuple[bytes, bytes]], rest: bytes
) -> None:
    encoded = b"".join(map(encodeChunk, chunks)) + encodeLastChunk(Fields(trailers)) + rest
    assert readBody(ChunkedBody, data.draw(segmented(encoded))) == (b"".join(chunks), True, rest, trailers)


def test_anEmptyChunkIsNotEncoded() -> None:
    assert encodeChunk(b"") == b""
    assert encodeLastChunk() == b"0\r\n\r\n"


@given(st.binary(max_size=60))
def test_anyBytesAreChunksOrABadMessage(junk: bytes) -> None:
    readBody(small, [junk])


def _httptoolsBody(encoded: bytes) -> bytes | None:
    class Body:
        content = b""
        complete = False

        def on_body(self, piece: bytes) -> None:
            self.content += piece

        def on_message_complete(self) -> None:
            self.complete = True

    body = Body()
    try:
        httptools.HttpRequestParser(body).feed_data(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + encoded
        )
    except httptools.HttpParserError:
        return None
    return body.content if body.complete else None


@given(
    st.lists(
        st.sampled_from(
            [b"5", b"\r\n", b"hello", b"0", b";x", b"\n", b"\r", b"+", b" ", b"1", b"a", b"0\r\n\r\n"]
        ),
        max_size=10,
    ).map(b"".join)
)
def test_chunksThatAreTakenHereMeanTheSameToHttptools(encoded: bytes) -> None:
    found = readBody(ChunkedBody, [encoded])
    if isinstance(found[0], bytes) and not found[2] and not found[3] and b" " not in encoded:
        assert _httptoolsBody(encoded) == found[0]


@pytest.mark.parametrize("length", [0, 1, 7, 12])
def test_aBodyOfKnownLengthIsTheSameInWhateverPieces(length: int) -> None:
    data = b"hello, rest!"
    for pieces in segmentations(data):
        assert readBody(lambda: LengthBody(length), pieces) == (data[:length], True, data[length:], [])


def test_aBodyOfKnownLengthThatIsTruncated() -> None:
    for pieces in segmentations(b"hello"):
        assert readBody(lambda: LengthBody(6), pieces) == (Truncated,)


def test_aBodyThatEndsWithTheConnection() -> None:
    for pieces in segmentations(b"hello"):
        assert readBody(CloseDelimitedBody, pieces) == (b"hello", True, b"", [])
