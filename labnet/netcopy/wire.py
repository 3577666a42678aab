"""
What a checksum server is asked and what it answers; see C{docs/protocols/netcopy.md}.

The requests are text with no terminator. C{BE} says how long it is; C{KI} does not, and ends where
nothing follows, or where another request begins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "ABSENT",
    "LONGEST_CHECKSUM",
    "LONGEST_ID",
    "STORED",
    "Announcement",
    "Lookup",
    "NotUnderstood",
    "Request",
    "RequestReader",
    "encodeAnnouncement",
    "encodeLookup",
    "isIdentifier",
    "readChecksum",
    "readStored",
]

#: Bytes of an identifier, and of a checksum: the longest hex digest there is has 128.
LONGEST_ID, LONGEST_CHECKSUM = 255, 128
#: The answers to C{BE}, and to C{KI} for what is not there.
STORED, ABSENT = b"OK", b"0|"

_IDENTIFIER = re.compile(rb"[^|\x00-\x1f\x7f]{1,%d}" % LONGEST_ID)
_ANNOUNCEMENT = re.compile(rb"BE\|([^|]*)\|([0-9]{1,9})\|([0-9]{1,4})\|")
_LONGEST_HEAD = len("BE||||") + LONGEST_ID + 9 + 4
_END_OF_LOOKUP = re.compile(rb"[|\r\n]")
_LENGTH = re.compile(rb"([0-9]{1,4})\|")
_WORDS = (b"BE", b"KI")


class NotUnderstood(ValueError):
    """What came is no request, or no answer."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """
    C{BE|id|seconds|length|checksum}: keep this checksum.

    @ivar seconds: for how long.
    @ivar length: how long the checksum is, in the digits in which it was sent.
    """

    identifier: bytes
    seconds: int
    length: bytes
    checksum: bytes


@dataclass(frozen=True, slots=True)
class Lookup:
    """C{KI|id}: which checksum is kept?"""

    identifier: bytes


Request = Announcement | Lookup


def isIdentifier(data: bytes) -> bool:
    """Whether these bytes can be an identifier: some, not too many, no C{|}, no control characters."""
    return _IDENTIFIER.fullmatch(data) is not None


def encodeAnnouncement(identifier: bytes, seconds: int, checksum: bytes) -> bytes:
    """The request that has a checksum kept."""
    return b"BE|%b|%d|%d|%b" % (identifier, seconds, len(checksum), checksum)


def encodeLookup(identifier: bytes) -> bytes:
    """The request for a checksum that is kept."""
    return b"KI|%b" % identifier


class RequestReader:
    """
    Finds the requests in a stream, however it was cut. It keeps less than one request.

    @ivar broken: what is wrong, once something is; a stream without terminators can not be read on.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.broken: NotUnderstood | None = None

    @property
    def pending(self) -> bool:
        """Whether a request has begun."""
        return bool(self._buffer)

    @property
    def endsWhenQuiet(self) -> bool:
        """Whether what has begun is a whole request if nothing follows it."""
        return self._buffer.startswith(b"KI|") and len(self._buffer) > 3

    def feed(self, data: bytes) -> list[Request]:
        """Take a piece of the stream, and return the requests that it completes."""
        if self.broken is not None:
            return []
        self._buffer += data
        found: list[Request] = []
        try:
            while (request := self._next()) is not None:
                found.append(request)
        except NotUnderstood as error:
            self._break(error)
        return found

    def quiet(self) -> list[Request]:
        """Nothing follows what has come, for a while or for ever: return the request that is whole now."""
        if not self.endsWhenQuiet:
            return []
        try:
            return [self._lookup(len(self._buffer), len(self._buffer))]
        except NotUnderstood as error:
            self._break(error)
            return []

    def _break(self, error: NotUnderstood) -> None:
        self.broken = error
        self._buffer.clear()

    def _next(self) -> Request | None:
        buffer = self._buffer
        # Who types at a terminal ends a request with a newline.
        del buffer[: len(buffer) - len(buffer.lstrip(b"\r\n"))]
        if buffer.startswith(b"KI|"):
            return self._nextLookup()
        if buffer.startswith(b"BE|"):
            return self._nextAnnouncement()
        if b"KI|".startswith(buffer) or b"BE|".startswith(buffer):
            return None
        raise NotUnderstood("neither BE nor KI")

    def _nextLookup(self) -> Request | None:
        buffer = self._buffer
        end = _END_OF_LOOKUP.search(buffer, 3)
        if end is None:
            if len(buffer) > 3 + LONGEST_ID + 2:
                raise NotUnderstood("an identifier that is too long")
            return None
        at = end.start()
        if end[0] != b"|":
            return self._lookup(at, at + 1)
        if bytes(buffer[at - 2 : at]) not in _WORDS:
            raise NotUnderstood("KI with more than an identifier")
        return self._lookup(at - 2, at - 2)

    def _lookup(self, end: int, following: int) -> Lookup:
        lookup = Lookup(_identifier(bytes(self._buffer[3:end])))
        del self._buffer[:following]
        return lookup

    def _nextAnnouncement(self) -> Request | None:
        buffer = self._buffer
        head = _ANNOUNCEMENT.match(buffer, 0, _LONGEST_HEAD)
        if head is None:
            if len(buffer) >= _LONGEST_HEAD or buffer.count(b"|") >= 4:
                raise NotUnderstood("BE without seconds and length")
            return None
        identifier, seconds, length = _identifier(head[1]), int(head[2]), bytes(head[3])
        if not 1 <= int(length) <= LONGEST_CHECKSUM:
            raise NotUnderstood(f"a checksum of {int(length)} bytes")
        start, end = head.end(), head.end() + int(length)
        if len(buffer) < end:
            return None
        checksum = bytes(buffer[start:end])
        del head  # It holds the buffer.
        del buffer[:end]
        return Announcement(identifier, seconds, length, checksum)


def _identifier(data: bytes) -> bytes:
    if not isIdentifier(data):
        raise NotUnderstood("no identifier")
    return bytes(data)


def readStored(data: bytes) -> bool | None:
    """
    Read the answer to C{BE}.

    @return: L{None} while it is not all there.
    @raise NotUnderstood: it is something else.
    """
    if not STORED.startswith(data[: len(STORED)]):
        raise NotUnderstood("the answer to BE is not OK")
    return True if len(data) >= len(STORED) else None


def readChecksum(data: bytes) -> bytes | None:
    """
    Read the answer to C{KI}.

    @return: the checksum, empty when none is kept; L{None} while it is not all there.
    @raise NotUnderstood: it is something else.
    """
    head = _LENGTH.match(data)
    if head is None:
        if len(data) > 4 or (data and not data.isdigit()):
            raise NotUnderstood("the answer to KI does not begin with a length")
        return None
    end = head.end() + int(head[1])
    if int(head[1]) > LONGEST_CHECKSUM:
        raise NotUnderstood(f"the answer to KI is a checksum of {int(head[1])} bytes")
    return data[head.end() : end] if len(data) >= end else None
