"""
The heads of HTTP/1.1 and HTTP/1.0 messages, without input or output (RFC 9110, RFC 9112).

A head is read whole, up to a limit, and taken apart into a start-line and fields. What could be read in
two ways is refused, or, where RFC 9112 tells a proxy to repair it, repaired; nothing is passed on as it
came. What follows a head is in L{labnet.proxy.body}.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

__all__ = [
    "BadMessage",
    "Fields",
    "HeadReader",
    "RequestHead",
    "ResponseHead",
    "TooLarge",
    "Version",
    "parseFields",
    "parseRequestHead",
    "parseResponseHead",
]

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e\x80-\xff]+) HTTP/(\d)\.(\d)")
_STATUS_LINE = re.compile(rb"HTTP/(\d)\.(\d) (\d{3})(?: ([\t\x20-\x7e\x80-\xff]*))?")
# Possessive: what can not match is known after one pass.
_FIELD_LINES = re.compile(rb"(?:" + _TOKEN + rb"+:[\t\x20-\x7e\x80-\xff]*+\r\n)*+")
# As most are: a value behind one space.
_PLAIN_LINES = re.compile(rb"(?:" + _TOKEN + rb"+: [\x21-\x7e\x80-\xff][\t\x20-\x7e\x80-\xff]*+\r\n)++")
_FIELD_NAME = re.compile(_TOKEN)
_BARE = "a line ends with a line feed alone; CR LF is needed"
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_OWS = b" \t"

#: A field section that has not more bytes than this is remembered when it was taken apart.
LONGEST_SHARED = 2_048


class Version(Enum):
    """The protocol versions that we speak; a later HTTP/1.x is read as HTTP/1.1."""

    HTTP10 = b"HTTP/1.0"
    HTTP11 = b"HTTP/1.1"


class BadMessage(Exception):
    """
    The peer's message can not be read, or could be read in two ways.

    @ivar status: what a client that sent it is answered.
    @ivar fields: of that answer, beside the usual ones.
    """

    fields: Sequence[tuple[bytes, bytes]] = ()

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


class TooLarge(BadMessage):
    """More than the limits allow."""


class Fields:
    """
    A field section: names and values in their order and spelling, duplicates kept.

    @ivar lines: the fields; a name is as it was spelt, a value without the white space around it.
    @ivar shared: whether it is one that several messages have: it can not be changed, only copied.
    @ivar canonical: whether L{encode} gives the bytes that it was taken from.
    """

    __slots__ = ("_index", "_tokens", "canonical", "lines", "shared")

    def __init__(self, lines: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.lines: list[tuple[bytes, bytes]] = list(lines)
        self.shared = False
        self.canonical = False
        self._index: dict[bytes, list[bytes]] | None = None
        self._tokens: dict[bytes, tuple[bytes, ...]] = {}

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def __contains__(self, name: bytes) -> bool:
        index = self._index
        return name in (self._byName() if index is None else index)

    def __repr__(self) -> str:
        return f"Fields({self.lines!r})"

    def values(self, name: bytes) -> list[bytes]:
        """The values of all fields of that name (in lower case), in order."""
        index = self._index
        return (self._byName() if index is None else index).get(name, [])

    def members(self, name: bytes) -> list[bytes]:
        """The members of a comma-separated list, over all fields of that name; empty ones left out."""
        values = self.values(name)
        if not values:
            return []
        return [
            member
            for value in values
            for member in (part.strip(_OWS) for part in value.split(b","))
            if member
        ]

    def tokens(self, name: bytes) -> tuple[bytes, ...]:
        """L{members} in lower case."""
        known = self._tokens.get(name)
        if known is None:
            if name not in self:
                return ()
            known = self._tokens[name] = tuple([member.lower() for member in self.members(name)])
        return known

    def without(self, names: Iterable[bytes]) -> Fields:
        """The same without the fields of these names (in lower case)."""
        dropped = frozenset(names)
        index = self._byName()
        if dropped.isdisjoint(index):
            return Fields(self.lines)
        return Fields([line for line in self.lines if line[0].lower() not in dropped])

    def add(self, name: bytes, value: bytes) -> None:
        """One more, at the end."""
        assert not self.shared
        self.lines.append((name, value))
        self._forget()

    def replace(self, name: bytes, value: bytes) -> None:
        """Exactly one of that name, in the place of the first there was, or at the end."""
        assert not self.shared
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
        self._forget()

    def encode(self) -> bytes:
        """The bytes, each line with its CRLF."""
        return b"".join([b"%b: %b\r\n" % line for line in self.lines])

    def _forget(self) -> None:
        self._index = None
        self._tokens = {}

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
    @ivar repaired: whether another reader might have taken it for something else.
    """

    status: int
    reason: bytes
    version: Version
    fields: Fields
    raw: bytes = b""
    repaired: bool = False

    @property
    def persistent(self) -> bool:
        """Whether the origin will keep the connection (RFC 9112, 9.3)."""
        return _persistent(self.version, self.fields)

    @property
    def canonical(self) -> bool:
        """Whether L{encode} gives the bytes that came."""
        line = b"HTTP/1.1 %d %b\r\n" % (self.status, self.reason)
        return self.fields.canonical and not self.repaired and self.raw.startswith(line)

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
    @ivar repaired: whether that was necessary, or empty lines came where they are not for a server to pass
        over.
    """

    _END = re.compile(rb"\n\r?\n")
    _EMPTY_LINES = re.compile(rb"(?:\r?\n)*+")

    def __init__(self, limit: int, *, lenient: bool = False) -> None:
        self._limit = limit
        self._lenient = lenient
        self.repaired = False
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
        if not buffer:
            # A whole head in one piece, as most are, is not copied.
            end = data.find(b"\r\n\r\n") + 4
            if 4 < end <= self._limit and data[0] not in b"\r\n":
                head = data[:end]
                if head.count(b"\n") == head.count(b"\r\n"):
                    return head, data[end:]
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
            self.repaired = True
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
            self.repaired = self._lenient
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
    return RequestHead(method, target, _version(major, minor), parseFields(section, mostFields), raw)


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
    good = _repaired(section)
    fields = parseFields(good, mostFields)
    return ResponseHead(
        int(status), reason or b"", _version(major, minor), fields, raw, repaired=good != section
    )


def _version(major: bytes, minor: bytes) -> Version:
    if major != b"1":
        raise BadMessage("the version is not HTTP/1.0 or HTTP/1.1", 505)
    return Version.HTTP10 if minor == b"0" else Version.HTTP11


def parseFields(section: bytes, mostFields: int) -> Fields:
    """
    Take a field section apart. Short ones are remembered for a while, because a client that asks again
    says much the same: what is returned may be shared.

    @param section: the field lines, each with its CR LF.
    @raise BadMessage: a line is not a field; the text says which way.
    @raise TooLarge: it has too many.
    """
    if len(section) > LONGEST_SHARED:
        return _parsed(section, mostFields)
    return _sharedFields(section, mostFields)


@lru_cache(512)
def _sharedFields(section: bytes, mostFields: int) -> Fields:
    fields = _parsed(section, mostFields)
    fields.shared = True
    return fields


def _parsed(section: bytes, mostFields: int) -> Fields:
    isPlain = (
        _PLAIN_LINES.fullmatch(section) is not None and b" \r\n" not in section and b"\t\r\n" not in section
    )
    if not isPlain and _FIELD_LINES.fullmatch(section) is None:
        raise BadMessage(_fieldProblem(section))
    lines = section.split(b"\r\n")
    lines.pop()
    if len(lines) > mostFields:
        raise TooLarge(f"over {mostFields} fields", 431)
    fields = Fields()
    if isPlain:
        fields.lines = [(name, value) for name, value in [line.split(b": ", 1) for line in lines]]
        fields.canonical = True
        return fields
    for line in lines:
        name, _, value = line.partition(b":")
        fields.lines.append((name, value.strip(_OWS)))
    fields.canonical = fields.encode() == section
    return fields


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
