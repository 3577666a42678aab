"""
HTTP/1.1 and HTTP/1.0 messages, without input or output (RFC 9110, RFC 9112).

A head is read whole, up to a limit, and taken apart into a start-line and fields; a body is read
through a L{BodyReader}, which knows where it ends. What could be read in two ways is refused, or,
where RFC 9112 tells a proxy to repair it, repaired; nothing is passed on as it came.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

__all__ = [
    "BadMessage",
    "BodyReader",
    "ChunkedBody",
    "CloseDelimitedBody",
    "Fields",
    "HeadReader",
    "LengthBody",
    "RequestHead",
    "ResponseHead",
    "TooLarge",
    "Truncated",
    "Version",
    "encodeChunk",
    "encodeLastChunk",
    "parseRequestHead",
    "parseResponseHead",
    "requestBody",
    "responseBody",
]

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e\x80-\xff]+) HTTP/(\d)\.(\d)")
_STATUS_LINE = re.compile(rb"HTTP/(\d)\.(\d) (\d{3})(?: ([\t\x20-\x7e\x80-\xff]*))?")
# Possessive: what can not match is known after one pass.
_FIELD_LINES = re.compile(rb"(?:" + _TOKEN + rb"+:[\t\x20-\x7e\x80-\xff]*+\r\n)*+")
_FIELD_NAME = re.compile(_TOKEN)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*+(?:;[\t\x20-\x7e\x80-\xff]*+)?\r")
_DIGITS = re.compile(rb"\d{1,18}")
_BARE = "a line ends with a line feed alone; CR LF is needed"
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
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


class Version(Enum):
    """The protocol versions that we speak; a later HTTP/1.x is read as HTTP/1.1."""

    HTTP10 = b"HTTP/1.0"
    HTTP11 = b"HTTP/1.1"


class BadMessage(Exception):
    """
    The peer's message can not be read, or could be read in two ways.

    @ivar status: what a client that sent it is answered.
    """

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


class TooLarge(BadMessage):
    """More than the limits allow."""


class Truncated(BadMessage):
    """The stream ended in the middle of a message."""


class Fields:
    """
    A field section: names and values in their order and spelling, duplicates kept.

    @ivar lines: the fields; a name is as it was spelt, a value without the white space around it.
    """

    __slots__ = ("_index", "lines")

    def __init__(self, lines: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.lines: list[tuple[bytes, bytes]] = list(lines)
        self._index: dict[bytes, list[bytes]] | None = None

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def __contains__(self, name: bytes) -> bool:
        return name in self._byName()

    def __repr__(self) -> str:
        return f"Fields({self.lines!r})"

    def values(self, name: bytes) -> list[bytes]:
        """The values of all fields of that name (in lower case), in order."""
        return self._byName().get(name, [])

    def members(self, name: bytes) -> list[bytes]:
        """The members of a comma-separated list, over all fields of that name; empty ones left out."""
        return [
            member
            for value in self.values(name)
            for member in (part.strip(_OWS) for part in value.split(b","))
            if member
        ]

    def tokens(self, name: bytes) -> list[bytes]:
        """L{members} in lower case."""
        return [member.lower() for member in self.members(name)]

    def without(self, names: Iterable[bytes]) -> Fields:
        """The same without the fields of these names (in lower case)."""
        dropped = frozenset(names)
        return Fields(line for line in self.lines if line[0].lower() not in dropped)

    def add(self, name: bytes, value: bytes) -> None:
        """One more, at the end."""
        self.lines.append((name, value))
        self._index = None

    def replace(self, name: bytes, value: bytes) -> None:
        """Exactly one of that name, in the place of the first there was, or at the end."""
        lowered = name.lower()
        lines: list[tuple[bytes, bytes]] = []
        placed = False
        for line in self.lines:
            if line[0].lower() != lowered:
                lines.append(line)
            elif not placed:
                lines.append((line[0], value))
                placed = True
        if not placed:
            lines.append((name, value))
        self.lines = lines
        self._index = None

    def encode(self) -> bytes:
        """The bytes, each line with its CRLF."""
        return b"".join([b"%b: %b\r\n" % line for line in self.lines])

    def _byName(self) -> dict[bytes, list[bytes]]:
        index = self._index
        if index is None:
            index = self._index = {}
            for name, value in self.lines:
                index.setdefault(name.lower(), []).append(value)
        return index


@dataclass(frozen=True, slots=True)
class RequestHead:
    """
    A request-line and its field section.

    @ivar raw: the bytes as they came.
    """

    method: bytes
    target: bytes
    version: Version
    fields: Fields
    raw: bytes = b""

    @property
    def persistent(self) -> bool:
        """Whether the client wants to keep the connection (RFC 9112, 9.3)."""
        return _persistent(self.version, self.fields)


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """
    A status-line and its field section.

    @ivar raw: the bytes as they came; only a line feed alone has become CR LF.
    """

    status: int
    reason: bytes
    version: Version
    fields: Fields
    raw: bytes = b""

    @property
    def persistent(self) -> bool:
        """Whether the origin will keep the connection (RFC 9112, 9.3)."""
        return _persistent(self.version, self.fields)

    def encode(self) -> bytes:
        """The bytes of the head, always as HTTP/1.1: it is our version that counts (RFC 9110, 2.5)."""
        return b"HTTP/1.1 %d %b\r\n%b\r\n" % (self.status, self.reason, self.fields.encode())


def _persistent(version: Version, fields: Fields) -> bool:
    options = fields.tokens(b"connection")
    if b"close" in options or b"close" in fields.tokens(b"proxy-connection"):
        return False
    # Not for "Proxy-Connection: keep-alive": a proxy that knew nothing of it would have passed it on, and
    # wait for an end that does not come (RFC 9112, C.2.2).
    return version is Version.HTTP11 or b"keep-alive" in options


# Heads


class HeadReader:
    """
    Finds the end of a head in a stream, looking at each byte once.

    @param limit: the longest head, in bytes.
    @param lenient: repair lines that end with a line feed alone: for responses, which some origins
        write so (RFC 9112, 2.2). Otherwise they are refused.
    """

    _END = re.compile(rb"\n\r?\n")
    _EMPTY_LINES = re.compile(rb"(?:\r?\n)*+")

    def __init__(self, limit: int, *, lenient: bool = False) -> None:
        self._limit = limit
        self._lenient = lenient
        self._buffer = bytearray()
        self._searched = 0
        self._passedOver = 0

    def __len__(self) -> int:
        """How many bytes are held."""
        return len(self._buffer)

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """
        Take a piece of the stream.

        @return: the head with the empty line that ends it, and what follows it; or L{None} as long as
            it is not complete. Empty lines before the head are passed over (RFC 9112, 2.2).
        @raise TooLarge: it is longer than the limit; the status is 431, or 414 in the start-line.
        @raise BadMessage: a line ends with a line feed alone.
        """
        buffer = self._buffer
        buffer += data
        if not self._searched and not self._begun():
            return None
        match = self._END.search(buffer, max(0, self._searched - 1))
        end = match.end() if match is not None else -1
        if end < 0 or end > self._limit:
            if len(buffer) > self._limit:
                inLine = b"\n" not in buffer[: self._limit]
                raise TooLarge(f"a head of over {self._limit} bytes", 414 if inLine else 431)
            self._searched = max(1, len(buffer) - 3)
            return None
        head, rest = bytes(buffer[:end]), bytes(buffer[end:])
        buffer.clear()
        self._searched = self._passedOver = 0
        if head.count(b"\n") != head.count(b"\r\n"):
            if not self._lenient:
                raise BadMessage(_BARE)
            head = _BARE_LINE_FEED.sub(b"\r\n", head)
        return head, rest

    def _begun(self) -> bool:
        """Pass over empty lines. Whether the first line has begun."""
        buffer = self._buffer
        empty = self._EMPTY_LINES.match(buffer)
        assert empty is not None
        passed = empty.end()
        if passed:
            if not self._lenient and buffer.count(b"\n", 0, passed) != buffer.count(b"\r", 0, passed):
                raise BadMessage(_BARE)
            del buffer[:passed]
            self._passedOver += passed
            if self._passedOver > self._limit:
                raise TooLarge(f"over {self._limit} bytes of empty lines")
        return len(buffer) > (1 if buffer.startswith(b"\r") else 0)


def parseRequestHead(raw: bytes, mostFields: int = 200, longestTarget: int = 8_192) -> RequestHead:
    """
    Take a request's head apart.

    @param raw: the bytes up to and with the empty line.
    @raise BadMessage: with the status to answer: 400, 414, 431 or 505.
    """
    line, _, section = raw[:-2].partition(b"\r\n")
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise BadMessage("the request-line is not METHOD TARGET HTTP/1.1")
    method, target, major, minor = match.groups()
    if len(target) > longestTarget:
        raise TooLarge(f"a request-target of over {longestTarget} bytes", 414)
    return RequestHead(method, target, _version(major, minor), _parseFields(section, mostFields), raw)


def parseResponseHead(raw: bytes, mostFields: int = 200) -> ResponseHead:
    """
    Take a response's head apart. White space before a colon and folded lines are repaired, as
    RFC 9112 (5.1, 5.2) tells a proxy.

    @param raw: the bytes up to and with the empty line.
    @raise BadMessage: it can not be read.
    """
    line, _, section = raw[:-2].partition(b"\r\n")
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise BadMessage("the status-line is not HTTP/1.1 CODE REASON", 502)
    major, minor, status, reason = match.groups()
    if not 100 <= int(status) <= 999:
        raise BadMessage(f"the status code {int(status)} is none", 502)
    fields = _parseFields(_repaired(section), mostFields)
    return ResponseHead(int(status), reason or b"", _version(major, minor), fields, raw)


def _version(major: bytes, minor: bytes) -> Version:
    if major != b"1":
        raise BadMessage("the version is not HTTP/1.0 or HTTP/1.1", 505)
    return Version.HTTP10 if minor == b"0" else Version.HTTP11


def _parseFields(section: bytes, mostFields: int) -> Fields:
    if _FIELD_LINES.fullmatch(section) is None:
        raise BadMessage(_fieldProblem(section))
    lines = section.split(b"\r\n")[:-1]
    if len(lines) > mostFields:
        raise TooLarge(f"over {mostFields} fields", 431)
    fields = []
    for line in lines:
        name, _, value = line.partition(b":")
        fields.append((name, value.strip(_OWS)))
    return Fields(fields)


def _fieldProblem(section: bytes) -> str:
    """What is wrong with the first bad line: only for the sentence."""
    for line in section.split(b"\r\n"):
        name, colon, _ = line.partition(b":")
        if line[:1] in (b" ", b"\t"):
            return "a field is folded over several lines"
        if b"\n" in line or b"\r" in line:
            return "a carriage return or line feed stands alone"
        if not colon:
            return "a field has no colon"
        if name != name.rstrip(_OWS):
            return "white space stands before the colon of a field"
        if _FIELD_NAME.fullmatch(name) is None:
            return "a field name has a character that is not allowed"
        if _FIELD_LINES.fullmatch(line + b"\r\n") is None:
            return "a field value has a control character"
    return "the field section is not terminated"


def _repaired(section: bytes) -> bytes:
    if b"\r\n " in section or b"\r\n\t" in section:
        section = re.sub(rb"\r\n[ \t]+", b" ", section)
    if b" :" in section or b"\t:" in section:
        section = re.sub(rb"(?m)^(" + _TOKEN + rb")[ \t]+:", rb"\1:", section)
    return section


# Bodies


class BodyReader(ABC):
    """
    Takes a message body out of a stream.

    @ivar done: whether the body has ended.
    @ivar rest: what came after its end.
    @ivar trailers: the trailer section of a chunked body.
    """

    def __init__(self) -> None:
        self.done = False
        self.rest = b""
        self.trailers = Fields()

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
    """A body of a known number of bytes; zero for one that is not there."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._left = length
        self.done = length == 0

    def feed(self, data: bytes) -> bytes:
        if len(data) < self._left:
            self._left -= len(data)
            return data
        content, self.rest = data[: self._left], self.rest + data[self._left :]
        self._left = 0
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

    def __init__(self, longestLine: int = 1_024, longestTrailers: int = 8_192) -> None:
        super().__init__()
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
        self.trailers = _parseFields(buffer[at : end + 2], self._MOST_TRAILERS).without(_NOT_IN_TRAILERS)
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
        # Empty members, which a list may have, are not taken here: one who reads them otherwise is fooled.
        value = b",".join(head.fields.values(b"transfer-encoding"))
        codings = [coding.strip(_OWS).lower() for coding in value.split(b",")]
        if codings[-1] != b"chunked" or codings.count(b"chunked") > 1 or b"" in codings:
            raise BadMessage("chunked is not the last transfer coding, and applied once")
        if len(codings) > 1:
            raise BadMessage("a transfer coding other than chunked", 501)
        return ChunkedBody()
    return LengthBody(_contentLength(head.fields) or 0)


def responseBody(head: ResponseHead, method: bytes) -> BodyReader:
    """
    What takes the body of this response to a request with C{method} (RFC 9112, 6.3).

    @raise BadMessage: its length could be read in two ways.
    """
    if method == b"HEAD" or head.status < 200 or head.status in (204, 304):
        return LengthBody(0)
    if b"transfer-encoding" in head.fields:
        if head.fields.tokens(b"transfer-encoding") != [b"chunked"]:
            raise BadMessage("a transfer coding other than chunked")
        if head.version is Version.HTTP10:
            raise BadMessage("Transfer-Encoding in an HTTP/1.0 response")
        return ChunkedBody()
    length = _contentLength(head.fields)
    return CloseDelimitedBody() if length is None else LengthBody(length)


def _contentLength(fields: Fields) -> int | None:
    if b"content-length" not in fields:
        return None
    lengths = {value.strip(_OWS) for line in fields.values(b"content-length") for value in line.split(b",")}
    if len(lengths) != 1:
        raise BadMessage("several different values of Content-Length")
    (length,) = lengths
    if _DIGITS.fullmatch(length) is None:
        raise BadMessage("Content-Length is not a number")
    return int(length)
