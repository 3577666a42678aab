"""
Reads one response of HTTP/1.1 or HTTP/1.0 out of a stream, and tells what each piece of it is.

It is for people who want to see what a server does: what can be understood in one way only is read, and
what the server breaks in it is remarked on; what could be read in two ways is refused with a sentence
that says why.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

from labnet.proxy.body import (
    BodyReader,
    ChunkedBody,
    CloseDelimitedBody,
    LengthBody,
    Truncated,
    responseBody,
)
from labnet.proxy.wire import BadMessage, HeadReader, ResponseHead, parseResponseHead
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

__all__ = ["LONGEST_HEAD", "ResponseReader", "inBytes", "quoted"]

#: The longest head of a response, in bytes, and the most fields in it.
LONGEST_HEAD = 65_536
_MOST_FIELDS = 500

_BEGIN = b"HTTP/"
_TLS_RECORD = re.compile(rb"[\x14-\x17]\x03")
#: What a server breaks in a head that is understood all the same, and how it shows.
_BROKEN = (
    (re.compile(rb"\A\r?\n"), "there are empty lines before the status-line (RFC 9112, 2.2)"),
    (re.compile(rb"(?<!\r)\n"), "lines of the head end with LF alone, not CR LF (RFC 9112, 2.2)"),
    (
        re.compile(rb"\A\s*HTTP/\S+ \d+\r?\n"),
        "the status-line has no space after the status code (RFC 9112, 4)",
    ),
    (re.compile(rb"\n[ \t]+[^ \t\r\n]"), "a field is folded over several lines (RFC 9112, 5.2)"),
    (re.compile(rb"\n[^\s:]+[ \t]+:"), "white space stands before the colon of a field (RFC 9112, 5.1)"),
)


def quoted(data: bytes, limit: int = 40) -> str:
    """Bytes of a peer as they may stand in a sentence; what is longer than C{limit} is cut."""
    text = data[:limit].decode("latin-1").encode("unicode_escape").decode("ascii").replace('"', '\\"')
    return f'"{text}"' + ("..." if len(data) > limit else "")


def inBytes(count: int) -> str:
    """So many bytes, in words."""
    return f"{count} byte{'' if count == 1 else 's'}"


class _ShownChunks(ChunkedBody):
    """
    A chunked body whose chunks can be seen.

    @ivar begun: the chunks that began since somebody looked: size and chunk-size line.
    """

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[tuple[int, bytes]] = []

    def chunkBegan(self, size: int, line: bytes) -> None:
        self.begun.append((size, line.removesuffix(b"\r")))


class ResponseReader:
    """
    Takes the response to one request out of a stream.

    L{feed} and L{finish} are generators: they must be run to their end, and what is wrong with the
    response is raised when everything before it has been told.

    @param method: of the request; it decides whether there is a body.
    @ivar head: of the final response, once it is there.
    @ivar rawHead: its bytes as they came.
    @ivar length: of the body, in bytes, if the head says it.
    @ivar size: bytes of the body that have come.
    @ivar end: how the end of the body was known, once it has ended.
    @ivar surplus: bytes that came after it.
    """

    def __init__(self, method: bytes) -> None:
        self.head: ResponseHead | None = None
        self.rawHead = b""
        self.length: int | None = None
        self.size = 0
        self.end: End | None = None
        self.surplus = 0
        self._method = method
        self._heads = HeadReader(LONGEST_HEAD, lenient=True)
        self._received = bytearray()
        self._begun = False
        self._body: BodyReader | None = None
        self._willEnd = End.CLOSE
        self._chunk = self._chunkLeft = 0

    def feed(self, data: bytes) -> Iterator[Event]:
        """
        Take a piece of the stream.

        @raise BadMessage: it can not be understood, or in two ways.
        """
        while data and self._body is None:
            data = yield from self._readHead(data)
        if data and self.end is None:
            data = yield from self._readBody(data)
        if data:
            if not self.surplus:
                yield Remark(f"the server goes on after the end of the body: {inBytes(len(data))} more")
            self.surplus += len(data)
            yield Surplus(data)

    def finish(self, how: str = "was closed", *, clean: bool = True) -> Iterator[Event]:
        """
        The stream has ended.

        @param how: what happened to the connection, in words.
        @param clean: whether the server has ended it, in good order.
        @raise Truncated: before the response was whole.
        """
        if self.end is not None:
            return
        if self._body is None:
            raise Truncated(self._cutHead(how))
        if self._willEnd is not End.CLOSE or not clean:
            raise Truncated(self._cutBody(how))
        self._body.end()
        yield from self._complete(self._body)

    @property
    def progress(self) -> str:
        """How far it is, in words."""
        if self._body is None:
            return (
                f"{inBytes(len(self._received))} of the head came" if self._received else "no answer came"
            )
        of = f" of {self.length}" if self.length is not None else ""
        return f"of the body {self.size}{of} bytes came"

    # The head.

    def _readHead(self, data: bytes) -> Generator[Event, None, bytes]:
        """@return: what follows it."""
        self._received += data
        try:
            self._checkBegin()
            found = self._heads.feed(data)
        except BadMessage:
            yield Unread(data)
            raise
        if found is None:
            yield HeadPart(data)
            return b""
        repaired, rest = found
        yield HeadPart(data[: len(data) - len(rest)])
        raw = bytes(self._received[: len(self._received) - len(rest)])
        self._received.clear()
        self._begun = False
        head = parseResponseHead(repaired, _MOST_FIELDS)
        yield from self._remarks(raw, head)
        if head.status == 101:
            raise BadMessage("the server switches to another protocol, and was not asked to")
        if head.status < 200:
            yield HeadEnded(head, raw, True, End.NO_BODY, None)
            return rest
        self.head, self.rawHead = head, raw
        body = self._body = self._bodyOf(head)
        yield HeadEnded(head, raw, False, self._willEnd, self.length)
        if body.done:
            yield from self._complete(body)
        return rest

    def _checkBegin(self) -> None:
        """Who does not speak HTTP at all shows that with the first bytes."""
        if self._begun:
            return
        begin = bytes(self._received).lstrip(b"\r\n")
        self._begun = len(begin) >= len(_BEGIN)
        if not _BEGIN.startswith(begin[: len(_BEGIN)]):
            hint = ", which is TLS: https:// may be meant" if _TLS_RECORD.match(begin) else ""
            raise BadMessage(f"this is not HTTP: it begins with {quoted(begin)}{hint}")

    def _remarks(self, raw: bytes, head: ResponseHead) -> Iterator[Event]:
        for sign, sentence in _BROKEN:
            if sign.search(raw):
                yield Remark(sentence)
        if b"transfer-encoding" in head.fields and b"content-length" in head.fields:
            yield Remark("both Transfer-Encoding and Content-Length: the chunks count (RFC 9112, 6.3)")
        elif len(head.fields.members(b"content-length")) > 1:
            yield Remark("Content-Length is there more than once (RFC 9112, 6.3)")

    def _bodyOf(self, head: ResponseHead) -> BodyReader:
        none = self._method == b"HEAD" or head.status in (204, 304)
        if none or (self._method == b"CONNECT" and head.status < 300):
            self._willEnd = End.NO_BODY
            return LengthBody(0)
        body = responseBody(head, self._method)
        if isinstance(body, ChunkedBody):
            self._willEnd = End.LAST_CHUNK
            return _ShownChunks()
        if not isinstance(body, CloseDelimitedBody):
            self._willEnd = End.LENGTH
            self.length = int(head.fields.members(b"content-length")[0])
        return body

    # The body.

    def _readBody(self, data: bytes) -> Generator[Event, None, bytes]:
        """@return: what follows it."""
        body = self._body
        assert body is not None
        try:
            content = body.feed(data)
        except BadMessage:
            yield Unread(data)
            raise
        self.size += len(content)
        if isinstance(body, _ShownChunks):
            yield from self._chunks(body, content)
        elif content:
            yield Content(content)
        if body.done:
            yield from self._complete(body)
        return body.rest

    def _chunks(self, body: _ShownChunks, content: bytes) -> Iterator[Event]:
        """The content, and where in it chunks begin and end."""
        begun, body.begun = body.begun, []
        at = 0
        for size, line in [(-1, b""), *begun]:
            if size >= 0:
                self._chunk = self._chunkLeft = size
                yield ChunkBegan(size, line)
            piece = content[at : at + self._chunkLeft]
            if piece:
                at += len(piece)
                self._chunkLeft -= len(piece)
                yield Content(piece)
                if not self._chunkLeft:
                    yield ChunkEnded(self._chunk)

    def _complete(self, body: BodyReader) -> Iterator[Event]:
        self.end = self._willEnd
        if len(body.trailers):
            yield Trailers(body.trailers)
        yield Ended(self.end, self.size)

    # What is missing.

    def _cutHead(self, how: str) -> str:
        if not self._received:
            return f"the connection {how} without an answer"
        came = inBytes(len(self._received))
        return f"the head is cut: {came} of it came, then the connection {how} before its empty line"

    def _cutBody(self, how: str) -> str:
        if self._willEnd is End.LENGTH:
            came = f"{self.size} of {self.length} bytes came (Content-Length)"
            return f"the body is cut: {came}, then the connection {how}"
        if self._willEnd is End.CLOSE:
            return f"the body may be cut: {inBytes(self.size)} came, then the connection {how}"
        if self._chunkLeft:
            came = f"{self._chunk - self._chunkLeft} of {inBytes(self._chunk)} of a chunk came"
            return f"the body is cut: {came}, then the connection {how}"
        came = f"{inBytes(self.size)} came, but no last chunk"
        return f"the body is cut: {came}, then the connection {how}"
