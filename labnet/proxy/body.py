"""
The bodies of HTTP/1.1 and HTTP/1.0 messages, without input or output (RFC 9112, 6 and 7).

A body is read through a L{BodyReader}, which knows where it ends. What could be read in two ways is
refused.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

from labnet.proxy.wire import BadMessage, Fields, RequestHead, ResponseHead, TooLarge, Version, parseFields

__all__ = [
    "BodyReader",
    "ChunkedBody",
    "CloseDelimitedBody",
    "LengthBody",
    "Truncated",
    "encodeChunk",
    "encodeLastChunk",
    "requestBody",
    "responseBody",
]

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*+(?:;[\t\x20-\x7e\x80-\xff]*+)?\r")
_DIGITS = re.compile(rb"\d{1,18}")
_OWS = b" \t"

#: What must not come in a trailer section, and is left out of it: framing, routing, what says how the
#: content is to be read, and what concerns one connection (RFC 9110, 6.5.1).
_NOT_IN_TRAILERS = frozenset(
    (
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-type",
        b"host",
        b"keep-alive",
        b"location",
        b"proxy-connection",
        b"set-cookie",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)


_NO_TRAILERS = Fields()
_NO_TRAILERS.shared = True


class Truncated(BadMessage):
    """The stream ended in the middle of a message."""


class BodyReader(ABC):
    """
    Takes a message body out of a stream.

    @ivar done: whether the body has ended.
    @ivar rest: what came after its end.
    @ivar trailers: the trailer section of a chunked body.
    @ivar doubtful: another reader might see its end somewhere else. It can be read, and is framed anew for
        whoever gets it, but nothing may follow it on its connection (RFC 9112, 6.3).
    """

    def __init__(self, doubtful: bool = False) -> None:
        self.doubtful = doubtful
        self.done = False
        self.rest = b""
        self.trailers = _NO_TRAILERS

    @abstractmethod
    def feed(self, data: bytes) -> bytes:
        """
        Take a piece of the stream, and return the content in it.

        @raise BadMessage: its framing is broken.
        """

    def end(self) -> None:
        """
        The stream has ended.

        @raise Truncated: too early.
        """
        if not self.done:
            raise Truncated("the body ended too early")


class LengthBody(BodyReader):
    """
    A body of a known number of bytes; zero for one that is not there.

    @ivar left: how many are still to come.
    """

    def __init__(self, length: int, doubtful: bool = False) -> None:
        super().__init__(doubtful)
        self.left = length
        self.done = length == 0

    def feed(self, data: bytes) -> bytes:
        if len(data) < self.left:
            self.left -= len(data)
            return data
        content, self.rest = data[: self.left], self.rest + data[self.left :]
        self.left = 0
        self.done = True
        return content


class CloseDelimitedBody(BodyReader):
    """A response body that ends with the connection."""

    def feed(self, data: bytes) -> bytes:
        return data

    def end(self) -> None:
        self.done = True


class ChunkedBody(BodyReader):
    """
    A chunked body (RFC 9112, 7.1). Chunk extensions are dropped, and so are trailer fields that must not
    be there, as Content-Length.

    @param longestLine: of a chunk-size line with its extensions, in bytes.
    @param longestTrailers: of the whole trailer section, in bytes.
    """

    _SIZE, _DATA, _DATA_END, _TRAILERS = range(4)
    _MOST_TRAILERS = 100

    def __init__(
        self, longestLine: int = 1_024, longestTrailers: int = 8_192, *, doubtful: bool = False
    ) -> None:
        super().__init__(doubtful)
        self._longestLine = longestLine
        self._longestTrailers = longestTrailers
        self._state = self._SIZE
        self._left = 0
        self._buffer = b""
        self._searched = 0

    def feed(self, data: bytes) -> bytes:
        if self.done:
            self.rest += data
            return b""
        buffer = self._buffer + data if self._buffer else data
        content: list[bytes] = []
        at = 0
        while not self.done:
            if self._state == self._DATA:
                piece = buffer[at : at + self._left]
                content.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
                self._state = self._DATA_END
            else:
                past = self._between(buffer, at)
                if past < 0:
                    break
                at = past
        self._buffer = buffer[at:]
        if self.done:
            self.rest, self._buffer = self._buffer, b""
        return content[0] if len(content) == 1 else b"".join(content)

    def chunkBegan(self, size: int, line: bytes) -> None:
        """
        A chunk begins: for those who want to know, by overriding it.

        @param size: 0 for the last.
        @param line: the chunk-size line without its line feed.
        """

    def _between(self, buffer: bytes, at: int) -> int:
        """Take what stands at C{at}, between the data of two chunks: where it ends, or -1 for "not yet"."""
        if self._state == self._DATA_END:
            return self._endChunk(buffer, at)
        if self._state == self._SIZE:
            end = self._find(buffer, at, b"\n", self._longestLine + 1, "chunk-size line")
            if end >= 0:
                self._startChunk(buffer[at:end])
            return end + 1 if end >= 0 else -1
        return self._endBody(buffer, at)

    def _find(self, buffer: bytes, at: int, end: bytes, longest: int, what: str) -> int:
        """Where C{end} begins, at most C{longest} bytes after C{at}, or -1; looks at each byte once."""
        found = buffer.find(end, at + self._searched, at + longest + len(end))
        if found >= 0:
            self._searched = 0
            return found
        length = len(buffer) - at
        if length >= longest + len(end):
            raise TooLarge(f"a {what} of over {longest} bytes", 400)
        self._searched = max(0, length - len(end) + 1)
        return -1

    def _startChunk(self, line: bytes) -> None:
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise BadMessage("a chunk-size line is not a hexadecimal number and CR LF")
        self._left = int(match[1], 16)
        self._state = self._DATA if self._left else self._TRAILERS
        self.chunkBegan(self._left, line)

    def _endChunk(self, buffer: bytes, at: int) -> int:
        ending = buffer[at : at + 2]
        if ending == b"\r\n":
            self._state = self._SIZE
            return at + 2
        if ending not in (b"", b"\r"):
            raise BadMessage("a chunk does not end where its size says")
        return -1

    def _endBody(self, buffer: bytes, at: int) -> int:
        if buffer[at : at + 2] == b"\r\n":
            self.done = True
            return at + 2
        end = self._find(buffer, at, b"\r\n\r\n", self._longestTrailers, "trailer section")
        if end < 0:
            return -1
        self.trailers = parseFields(buffer[at : end + 2], self._MOST_TRAILERS).without(_NOT_IN_TRAILERS)
        self.done = True
        return end + 4


def encodeChunk(content: bytes) -> bytes:
    """One chunk; nothing for no content, because an empty chunk is the last one."""
    return b"%x\r\n%b\r\n" % (len(content), content) if content else b""


def encodeLastChunk(trailers: Fields | None = None) -> bytes:
    """The last chunk, the trailer section, and the end."""
    return b"0\r\n%b\r\n" % (trailers.encode() if trailers is not None else b"")


def requestBody(head: RequestHead) -> BodyReader:
    """
    What takes the body of this request (RFC 9112, 6.3).

    @raise BadMessage: its length could be read in two ways (400), or its transfer coding is not known
        to us (501).
    """
    if b"transfer-encoding" in head.fields:
        if head.version is Version.HTTP10:
            raise BadMessage("Transfer-Encoding in an HTTP/1.0 request")
        if b"content-length" in head.fields:
            raise BadMessage("Transfer-Encoding together with Content-Length")
        codings = _transferCodings(head.fields)
        if codings[-1] != b"chunked" or codings.count(b"chunked") > 1 or b"" in codings:
            raise BadMessage("chunked is not the last transfer coding, and applied once")
        if len(codings) > 1:
            raise BadMessage("a transfer coding other than chunked", 501)
        return ChunkedBody()
    return LengthBody(_contentLength(head.fields) or 0, _severalLengths(head.fields))


def responseBody(head: ResponseHead, method: bytes) -> BodyReader:
    """
    What takes the body of this response to a request with C{method} (RFC 9112, 6.3).

    @raise BadMessage: its length could be read in two ways.
    """
    fields = head.fields
    if method == b"HEAD" or head.status < 200 or head.status in (204, 304):
        return LengthBody(0, _promisesContent(head))
    if b"transfer-encoding" in fields:
        if _transferCodings(fields) != [b"chunked"]:
            raise BadMessage("a transfer coding other than chunked")
        if head.version is Version.HTTP10:
            raise BadMessage("Transfer-Encoding in an HTTP/1.0 response")
        return ChunkedBody(doubtful=_contentLength(fields) is not None)
    length = _contentLength(fields)
    if length and head.status == 205:
        # It has no content (RFC 9110, 15.3.6), and who knows that takes this for the next response.
        raise BadMessage("content in a 205 response")
    return CloseDelimitedBody() if length is None else LengthBody(length, _severalLengths(fields))


def _transferCodings(fields: Fields) -> list[bytes]:
    """Empty members, which a list may have, are kept: who reads them in another way is fooled by them."""
    value = b",".join(fields.values(b"transfer-encoding"))
    return [coding.strip(_OWS).lower() for coding in value.split(b",")]


def _promisesContent(head: ResponseHead) -> bool:
    """Whether who forgets that there is none would wait for it, or read its length in a way of its own."""
    fields = head.fields
    lengths = fields.values(b"content-length")
    if head.status == 204:
        # There these fields must not be (RFC 9110, 8.6; RFC 9112, 6.1).
        return b"transfer-encoding" in fields or any(length != b"0" for length in lengths)
    both = b"transfer-encoding" in fields and bool(lengths)
    return both or len(lengths) > 1 or any(_DIGITS.fullmatch(length) is None for length in lengths)


def _severalLengths(fields: Fields) -> bool:
    values = fields.values(b"content-length")
    return len(values) > 1 or (len(values) == 1 and b"," in values[0])


def _contentLength(fields: Fields) -> int | None:
    if b"content-length" not in fields:
        return None
    values = fields.values(b"content-length")
    if len(values) == 1 and values[0].isdigit() and len(values[0]) <= 18:
        return int(values[0])
    lengths = {value.strip(_OWS) for line in fields.values(b"content-length") for value in line.split(b",")}
    if len(lengths) != 1:
        raise BadMessage("several different values of Content-Length")
    (length,) = lengths
    if _DIGITS.fullmatch(length) is None:
        raise BadMessage("Content-Length is not a number")
    return int(length)
