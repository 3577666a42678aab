"""
A second opinion: whatever is taken here means the same to h11 and to httptools.

Messages that were good before they were damaged, and any bytes at all, come in any pieces. What we take,
strict parsers take, too, with the same fields, the same content and the same end; so nobody behind us can
see another message in it. What they take and we refuse is none of this module's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain

import h11
import httptools
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labnet.proxy.body import encodeChunk, encodeLastChunk, requestBody, responseBody
from labnet.proxy.forwarding import connectionFields, forwardedRequest
from labnet.proxy.target import Origin, Route, checkHost
from labnet.proxy.wire import (
    BadMessage,
    HeadReader,
    RequestHead,
    ResponseHead,
    parseRequestHead,
    parseResponseHead,
)
from labnet.testing.strategies import segmented

Lines = list[tuple[bytes, bytes]]


@dataclass
class Message:
    """
    What a parser makes of the bytes.

    @ivar start: method and target, or the status.
    @ivar end: how many bytes after it are not part of it.
    @ivar doubtful: it is framed anew, and the last of its connection.
    """

    start: tuple[object, ...] = ()
    fields: Lines = field(default_factory=list)
    body: bytes = b""
    end: int = -1
    doubtful: bool = False


class Unsure(Exception):
    """It is rewritten or passed on in a way about which the other parser need not agree."""


# Ours


def ours(pieces: list[bytes], request: bool) -> Message | None:
    """
    The first message in the pieces; L{None} if it is not complete.

    @raise BadMessage: it is refused.
    @raise Unsure: it is repaired before anybody else sees it.
    """
    heads = HeadReader(4_096, lenient=not request)
    waiting = iter(pieces)
    found = next((found for found in map(heads.feed, waiting) if found is not None), None)
    if found is None:
        return None
    raw, rest = found
    head: RequestHead | ResponseHead
    start: tuple[object, ...]
    if request:
        head = parseRequestHead(raw)
        checkHost(head)
        body, start = requestBody(head), (head.method, head.target)
    else:
        head = parseResponseHead(raw)
        body, start = responseBody(head, b"GET"), (head.status,)
        if head.repaired or heads.repaired or head.status < 200:
            raise Unsure
    content = b""
    if body.done:
        body.rest = rest
    else:
        for piece in chain((rest,), waiting):
            content += body.feed(piece)
            if body.done:
                break
    body.end()
    end = len(body.rest) + sum(map(len, waiting))
    return Message(
        start, [(name.lower(), value) for name, value in head.fields], content, end, body.doubtful
    )


# Theirs


def byH11(pieces: Iterable[bytes], request: bool) -> Message | None:
    connection = h11.Connection(h11.SERVER if request else h11.CLIENT, max_incomplete_event_size=8_192)
    if not request:
        connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        connection.send(h11.EndOfMessage())
    message = Message()
    for piece in pieces:
        connection.receive_data(piece)
    connection.receive_data(b"")
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            message.start = (event.method, event.target)
            message.fields = [(bytes(n), bytes(v)) for n, v in event.headers]
        elif isinstance(event, h11.Response):
            message.start = (event.status_code,)
            message.fields = [(bytes(n), bytes(v)) for n, v in event.headers]
        elif isinstance(event, h11.Data):
            message.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            message.end = len(connection.trailing_data[0])
            return message
        else:
            return None


class _Listener:
    """Hears of the first message from httptools."""

    def __init__(self) -> None:
        self.message = Message()
        self.complete = False

    def on_url(self, url: bytes) -> None:
        if not self.complete:
            self.message.start += (url,)

    def on_header(self, name: bytes, value: bytes) -> None:
        # Those of a trailer section come here, too.
        if not self.complete and self.message.end != 0:
            self.message.fields.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.message.end = 0

    def on_body(self, data: bytes) -> None:
        if not self.complete:
            self.message.body += data

    def on_message_complete(self) -> None:
        self.complete = True


def byHttptools(pieces: Iterable[bytes], request: bool) -> Message | None:
    listener = _Listener()
    parser = (httptools.HttpRequestParser if request else httptools.HttpResponseParser)(listener)
    for piece in pieces:
        try:
            parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            break
        except httptools.HttpParserError:
            # What follows the message is judged, too; only the message is asked about.
            if listener.complete:
                break
            raise
        if listener.complete:
            break
    # It is not told that the stream has ended, and waits for more of what ends with it.
    return listener.message if listener.complete or not request else None


# Bytes


def lines(*parts: bytes) -> bytes:
    return b"\r\n".join((*parts, b"", b""))


CHUNKS = encodeChunk(b"hello") + encodeChunk(b" world") + encodeLastChunk()
REQUESTS = [
    lines(b"GET /a?b HTTP/1.1", b"Host: x", b"Accept: */*"),
    lines(b"POST / HTTP/1.1", b"Host: x", b"Content-Length: 5")
    + b"hello"
    + lines(b"GET / HTTP/1.1", b"Host: x"),
    lines(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", b"Host: x") + CHUNKS + b"GET /",
    lines(b"PUT http://x/ HTTP/1.1", b"Host: x", b"Transfer-Encoding: chunked", b"X: y") + CHUNKS,
    lines(b"POST / HTTP/1.0", b"Content-Length: 11", b"Connection: keep-alive") + b"hello world",
    lines(b"OPTIONS * HTTP/1.1", b"Host: x:80"),
]
RESPONSES = [
    lines(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"X: y") + b"hello" + lines(b"HTTP/1.1 200 OK"),
    lines(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"X: y") + CHUNKS,
    lines(b"HTTP/1.1 404 Not Found", b"Transfer-Encoding: chunked", b"Content-Length: 5") + CHUNKS,
    lines(b"HTTP/1.1 204 No Content", b"Set-Cookie: a", b"Set-Cookie: b") + b"HTTP/1.1",
    lines(b"HTTP/1.1 304 Not Modified", b"Content-Length: 5") + b"HTTP/1.1",
    lines(b"HTTP/1.0 200 OK", b"Server: x") + b"up to the end",
]
#: Around what says where something ends, and how long it is.
EDGES = re.compile(rb"(?<=[\r\n:\d])|(?=[\r\n:\d])")
FRAMING_TRAILER = re.compile(rb"\r\n\r\n.*(?:Transfer-Encoding|Content-Length)", re.DOTALL)
HTTPTOOLS_ODD = re.compile(rb"chunked\t|\n[0-9a-f]+[ \t;]")
STARTS = {tuple(message.split(b" ", 2)[:2]) for message in REQUESTS}
ODD_THINGS = [
    b"\r", b"\n", b"\r\n", b"\n\n", b" ", b"\t", b"\0", b"\x0b", b"\x0c", b"\x7f", b"\x85", b"\xa0",
    b"\xff", b":", b",", b";", b"=", b'"', b"0", b"1", b"5", b"a", b"-", b"+", b"_", b"x", b"0x",
    b"%", b"#", b"@", b"5\r\n", b"0\r\n\r\n", b"5;a=b", b'5;a="\r\n', b"00000005",
    b"ffffffffffffffff5", b", 5", b",chunked", b"chunked", b"identity", b"gzip, ",
    b"Content-Length: 5\r\n", b"Content-Length: 6\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding:\r\n", b"Host: y\r\n", b" folded\r\n",
    b"Content-Length : 5\r\n", b"X: y\rContent-Length: 6\r\n", b"HTTP/1.0",
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, messages: list[bytes]) -> bytes:
    """A message with a few places overwritten, filled in or cut out; or any bytes behind any beginning."""
    data = draw(st.sampled_from(messages))
    if draw(st.integers(0, 9)) == 0:
        return data[: draw(st.integers(0, len(data)))] + draw(st.binary(max_size=40))
    for _ in range(draw(st.integers(0, 3))):
        places = [match.start() for match in EDGES.finditer(data)] or [0]
        at = draw(st.one_of(st.integers(0, len(data)), st.sampled_from(places), st.sampled_from(places)))
        gone = draw(st.sampled_from([0, 0, 0, 1, 1, 2, 5]))
        data = (
            data[:at]
            + draw(
                st.one_of(
                    st.just(b""),
                    st.sampled_from(ODD_THINGS),
                    st.sampled_from(ODD_THINGS),
                    st.binary(max_size=3),
                )
            )
            + data[at + gone :]
        )
    return data


def agrees(
    pieces: list[bytes],
    request: bool,
    theirs: Callable[[Iterable[bytes], bool], Message | None],
    failure: type[Exception],
    beyond: Callable[[Message, bytes], bool],
) -> None:
    """
    What we take is taken by the other parser, and is the same message.

    @param beyond: whether the other parser refuses for another reason than that it could be misread.
    """
    try:
        message = ours(pieces, request)
    except (BadMessage, Unsure):
        return
    if message is None or beyond(message, b"".join(pieces)):
        return
    try:
        other = theirs(pieces, request)
    except failure as problem:
        pytest.fail(f"refused: {problem}: {pieces}")
    assert other is not None, pieces
    assert other.body == message.body, pieces
    assert other.fields == (onceEach(message.fields) if theirs is byH11 else message.fields), pieces
    if theirs is byH11:
        assert other.start == message.start
        assert other.end == message.end
    elif request:
        assert b"".join(other.start) == message.start[1]  # type: ignore[arg-type]


def onceEach(fields: Lines) -> Lines:
    """As h11 has them: a length that is said several times once, and a coding in lower case."""
    said: Lines = []
    for name, value in fields:
        if name == b"content-length":
            value = value.partition(b",")[0].strip()
        if name != b"content-length" or name not in dict(said):
            said.append((name, value.lower() if name == b"transfer-encoding" else value))
    return said


def beyondH11(message: Message, data: bytes) -> bool:
    """
    It takes no empty lines before a head, only ASCII in a target, no bad length where there is no content
    anyway, and no framing in the trailers, which we leave out.
    """
    if data[:1] in (b"\r", b"\n"):
        return True
    bodiless = message.start in ((204,), (304,))
    plain = all(part.isascii() for part in message.start if isinstance(part, bytes))
    return (bodiless and message.doubtful) or not plain or FRAMING_TRAILER.search(data) is not None


def beyondHttptools(message: Message, data: bytes) -> bool:
    """
    It has a list of methods and of characters, takes no lists as lengths, no tab after a coding, no
    space after the size of a chunk, not every chunk extension, and no framing in the trailers.
    """
    known = len(message.start) == 1 or message.start in STARTS
    odd = HTTPTOOLS_ODD.search(data) or FRAMING_TRAILER.search(data)
    return message.doubtful or not known or odd is not None


TRIES = settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])


@TRIES
@given(st.data(), st.booleans())
def test_whatIsTakenHereMeansTheSameToH11(data: st.DataObject, request_: bool) -> None:
    message = data.draw(damaged(REQUESTS if request_ else RESPONSES))
    agrees(data.draw(segmented(message)), request_, byH11, h11.RemoteProtocolError, beyondH11)


@TRIES
@given(st.data(), st.booleans())
def test_whatIsTakenHereMeansTheSameToHttptools(data: st.DataObject, request_: bool) -> None:
    message = data.draw(damaged(REQUESTS if request_ else RESPONSES))
    agrees(data.draw(segmented(message)), request_, byHttptools, httptools.HttpParserError, beyondHttptools)


@pytest.mark.parametrize("whole", [*REQUESTS, *RESPONSES])
def test_oneOddThingAtEachEdge(whole: bytes) -> None:
    """Every one of them, filled in at every place that says where something ends."""
    request = whole in REQUESTS
    for place in EDGES.finditer(whole):
        for odd in ODD_THINGS:
            pieces = [whole[: place.start()] + odd + whole[place.start() :]]
            agrees(pieces, request, byH11, h11.RemoteProtocolError, beyondH11)
            agrees(pieces, request, byHttptools, httptools.HttpParserError, beyondHttptools)


@TRIES
@given(st.data())
def test_whatIsPassedOnCanBeReadInOneWay(data: st.DataObject) -> None:
    """A request as it goes to the origin is one whole message to h11, with the content that came."""
    pieces = data.draw(segmented(data.draw(damaged(REQUESTS))))
    try:
        message = ours(pieces, True)
    except BadMessage:
        return
    if message is None or beyondH11(message, b""):
        return
    found = HeadReader(4_096).feed(b"".join(pieces))
    assert found is not None
    head = parseRequestHead(found[0])
    body, chunked = requestBody(head), b"transfer-encoding" in head.fields
    route = Route(Origin("x", 80), b"/", b"x")
    sent = forwardedRequest(head, route, body, b"me", inspected=False, heldSize=None)
    sent += encodeChunk(message.body) + encodeLastChunk() if chunked else message.body
    arrived = byH11([sent], True)
    assert arrived is not None
    assert (arrived.body, arrived.end) == (message.body, 0)
    removed = connectionFields(head.fields) | {b"host", b"via", b"content-length"}
    assert [line for line in arrived.fields if line[0] not in removed] == [
        line for line in message.fields if line[0] not in removed
    ]
