"""
The course's file protocol and the framed one, without input or output; see C{docs/protocols/files.md}.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from labnet.files.refusal import Refusal, Trouble
from labnet.net.framing import LengthPrefixed, MessageTooLong

__all__ = [
    "COURSE_FOUND",
    "COURSE_NOT_FOUND",
    "MOST_IN_HEAD",
    "CourseReader",
    "Entry",
    "FileHead",
    "FramedReader",
    "Get",
    "Head",
    "List",
    "Listing",
    "NotUnderstood",
    "Put",
    "Ready",
    "Request",
    "Stored",
    "encodeHead",
    "parseReply",
    "parseRequest",
    "sizeOf",
]


class NotUnderstood(Exception):
    """What the peer sent is not of this protocol."""


# The course's protocol

COURSE_FOUND = b"OK"
COURSE_NOT_FOUND = b"NOT_FOUND"

#: Digits of the largest size there is, 2**63 - 1.
_MOST_DIGITS = 19


def sizeOf(total: int) -> int | None:
    """
    The size C{n} of a file whose decimal digits and bytes together are C{total} bytes, so that
    C{n + len(str(n)) == total}. There is at most one, and L{None} when there is none: C{n + len(str(n))}
    grows with C{n}.
    """
    for digits in range(1, _MOST_DIGITS + 1):
        size = total - digits
        if size >= 0 and len(str(size)) == digits:
            return size
    return None


class CourseReader:
    """
    Takes apart what a server of the course answers: C{OK}, the size, the bytes, with nothing in between.

    How many of the leading digits are the size is known only at the end of the stream. Until then all of
    them are taken for it, which is right unless the file itself begins with a digit; L{end} says which of
    them have to be put in front of what L{feed} has returned.

    @ivar expected: the size as it looks by now, or L{None}; for a progress bar.
    """

    def __init__(self) -> None:
        self._start = b""
        self._digits = b""
        self._total = 0
        self._inContent = False
        self.expected: int | None = None

    def feed(self, data: bytes) -> bytes:
        """
        Take a piece of the stream, and return what is probably content in it.

        @raise NotUnderstood: it begins neither with C{OK} nor with C{NOT_FOUND}.
        """
        self._total += len(data)
        if self._inContent:
            return data
        self._start += data
        start = self._start
        if not start.startswith(COURSE_FOUND):
            if not (COURSE_NOT_FOUND.startswith(start) or COURSE_FOUND.startswith(start)):
                raise NotUnderstood("the answer is neither OK nor NOT_FOUND")
            return b""
        rest = start[len(COURSE_FOUND) :]
        digits = re.match(rb"[0-9]{0,%d}" % _MOST_DIGITS, rest)
        assert digits is not None
        if digits.end() == len(rest) and len(rest) < _MOST_DIGITS:
            return b""
        self._begin(digits[0])
        return rest[digits.end() :]

    def _begin(self, digits: bytes) -> None:
        if not digits:
            raise NotUnderstood("no size comes after OK")
        self._digits = digits
        self.expected = int(digits)
        self._inContent = True
        self._start = b""

    def end(self) -> tuple[int, bytes]:
        """
        The stream has ended.

        @return: the size of the file, and the bytes that belong in front of what was returned so far.
        @raise Refusal: there is no such file.
        @raise NotUnderstood: it ended too early, or the size does not fit.
        """
        if self._start == COURSE_NOT_FOUND:
            raise Refusal(Trouble.NOT_FOUND, "there is no such file")
        if not self._inContent:
            if not self._start.startswith(COURSE_FOUND):
                raise NotUnderstood("the answer ended before it was complete")
            self._begin(self._start[len(COURSE_FOUND) :])
        size = sizeOf(self._total - len(COURSE_FOUND))
        if size is None or not self._digits.startswith(b"%d" % size):
            raise NotUnderstood("the size that was announced does not fit what came: the file is cut off")
        return size, self._digits[len(str(size)) :]


# The framed protocol

#: The longest head, in bytes.
MOST_IN_HEAD = 256 * 1024

_LARGEST = 2**63 - 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Get:
    """Asks for a file, from an offset on."""

    name: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Put:
    """
    Announces a file.

    @ivar sha256: of its bytes, in hexadecimal digits.
    @ivar mtime: when it was changed, in seconds since 1970, or L{None}.
    @ivar replace: whether a file of that name is to be replaced.
    """

    name: str
    size: int
    sha256: str
    mtime: float | None = None
    replace: bool = False
    user: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True)
class List:
    """Asks for the files whose names come after C{after}."""

    after: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the folder."""

    name: str
    size: int
    mtime: float

    @property
    def changed(self) -> str:
        """C{mtime} to the minute, in UTC; a question mark where the calendar ends."""
        try:
            return datetime.fromtimestamp(self.mtime, UTC).strftime("%Y-%m-%d %H:%M")
        except (ValueError, OverflowError, OSError):
            return "?"


@dataclass(frozen=True, slots=True)
class Listing:
    """Files in the order of their names; C{more} when there are more after the last of these."""

    entries: tuple[Entry, ...]
    more: bool = False


@dataclass(frozen=True, slots=True)
class FileHead:
    """Before the bytes of a file: C{size - offset} of them follow. C{sha256} is of the whole file."""

    name: str
    offset: int
    size: int
    sha256: str
    mtime: float


@dataclass(frozen=True, slots=True)
class Ready:
    """The server waits for the bytes of the announced file."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The file is there, whole, and on the disk."""

    name: str
    size: int
    sha256: str


Request = Get | Put | List
Head = Request | Listing | FileHead | Ready | Stored | Refusal


def encodeHead(head: Head) -> bytes:
    """
    One head with its length.

    @raise ValueError: it is longer than L{MOST_IN_HEAD}.
    """
    text = json.dumps(_object(head), ensure_ascii=False, separators=(",", ":"))
    return LengthPrefixed(MOST_IN_HEAD).encode(text.encode("utf-8"))


def _object(head: Head) -> dict[str, Any]:
    match head:
        case Get(name, offset):
            return {"request": "get", "name": name, "offset": offset}
        case Put(name, size, sha256, mtime, replace, user, password):
            announced = {"request": "put", "name": name, "offset": 0, "size": size, "sha256": sha256}
            return announced | {"mtime": mtime, "replace": replace, "user": user, "password": password}
        case List(after):
            return {"request": "list", "after": after}
        case Listing(entries, more):
            rows = [{"name": entry.name, "size": entry.size, "mtime": entry.mtime} for entry in entries]
            return {"files": rows, "more": more}
        case FileHead(name, offset, size, sha256, mtime):
            return {"name": name, "offset": offset, "size": size, "sha256": sha256, "mtime": mtime}
        case Ready():
            return {"ready": True}
        case Stored(name, size, sha256):
            return {"stored": name, "size": size, "sha256": sha256}
        case Refusal():
            return {"error": head.trouble.value, "text": str(head)}


def parseRequest(raw: bytes) -> Request:
    """
    What a client asks. Members that nobody knows are passed over.

    @raise Refusal: it is no request, or its name is none.
    """
    try:
        members = _members(raw)
        match members.get("request"):
            case "get":
                return Get(_text(members, "name"), _number(members, "offset", 0))
            case "put":
                if _number(members, "offset", 0):
                    raise Refusal(Trouble.BAD_OFFSET, "an upload begins at offset 0")
                return Put(
                    _text(members, "name"),
                    _number(members, "size"),
                    _digest(members),
                    _time(members) if members.get("mtime") is not None else None,
                    members.get("replace", False) is True,
                    _text(members, "user", ""),
                    _text(members, "password", ""),
                )
            case "list":
                return List(_text(members, "after", ""))
    except NotUnderstood as problem:
        raise Refusal(Trouble.BAD_REQUEST, f"not understood: {problem}") from problem
    raise Refusal(Trouble.BAD_REQUEST, "the request is none of get, put and list")


def parseReply(raw: bytes) -> Listing | FileHead | Ready | Stored:
    """
    What a server answers.

    @raise Refusal: that it refuses.
    @raise NotUnderstood: it makes no sense.
    """
    members = _members(raw)
    if "error" in members:
        try:
            trouble = Trouble(members["error"])
        except ValueError:
            raise NotUnderstood("an error that has no name") from None
        raise Refusal(trouble, _text(members, "text", trouble.value))
    if "files" in members:
        rows = members["files"]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise NotUnderstood("the files are not a list of objects")
        entries = (Entry(_text(row, "name"), _number(row, "size"), _time(row)) for row in rows)
        return Listing(tuple(entries), members.get("more") is True)
    if members.get("ready") is True:
        return Ready()
    if "stored" in members:
        return Stored(_text(members, "stored"), _number(members, "size"), _digest(members))
    head = FileHead(
        _text(members, "name"),
        _number(members, "offset"),
        _number(members, "size"),
        _digest(members),
        _time(members),
    )
    if head.offset > head.size:
        raise NotUnderstood("the offset lies behind the end")
    return head


def _members(raw: bytes) -> dict[str, Any]:
    try:
        members = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise NotUnderstood("the head is not JSON") from None
    if not isinstance(members, dict):
        raise NotUnderstood("the head is not an object")
    return members


def _text(members: dict[str, Any], name: str, default: str | None = None) -> str:
    value = members.get(name, default)
    if not isinstance(value, str):
        raise NotUnderstood(f"{name} is not a text")
    return value


def _number(members: dict[str, Any], name: str, default: int | None = None) -> int:
    value = members.get(name, default)
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise NotUnderstood(f"{name} is not a whole number from 0 to {_LARGEST}")
    return value


def _time(members: dict[str, Any]) -> float:
    value: Any = members.get("mtime")
    # Seconds of the 64 bits that hold nanoseconds; "nan" is in no interval.
    if type(value) not in (int, float) or not -(2**33) <= value <= 2**33:
        raise NotUnderstood("mtime is not a number of seconds")
    return float(value)


def _digest(members: dict[str, Any]) -> str:
    value = members.get("sha256")
    if not isinstance(value, str) or _SHA256.fullmatch(value) is None:
        raise NotUnderstood("sha256 is not 64 hexadecimal digits")
    return value


class FramedReader:
    """
    Takes a stream of heads and contents apart. Whoever reads it says after each head how many bytes of
    content follow; until it asks, nothing beyond the head is taken.
    """

    def __init__(self, most: int = MOST_IN_HEAD) -> None:
        self._most = most
        self._buffer = bytearray()
        self._content = 0

    @property
    def pending(self) -> bool:
        """Whether something has begun and not ended, or waits to be asked for."""
        return bool(self._buffer) or self._content > 0

    @property
    def contentLeft(self) -> int:
        """How many bytes of content are still to come, those that wait here included."""
        return self._content

    def feed(self, data: bytes) -> None:
        """Take a piece of the stream."""
        self._buffer += data

    def expect(self, count: int) -> None:
        """The next C{count} bytes are content."""
        self._content = count

    def content(self) -> bytes:
        """What has come of the content."""
        piece = bytes(self._buffer[: self._content])
        del self._buffer[: len(piece)]
        self._content -= len(piece)
        return piece

    def head(self) -> bytes | None:
        """
        The next head, or L{None} when it has not come whole.

        @raise MessageTooLong: its length is not acceptable.
        """
        if len(self._buffer) < LengthPrefixed.PREFIX_SIZE:
            return None
        length = int.from_bytes(self._buffer[: LengthPrefixed.PREFIX_SIZE], "big")
        if length > self._most:
            raise MessageTooLong(f"a head of {length} bytes, allowed are {self._most}")
        end = LengthPrefixed.PREFIX_SIZE + length
        if len(self._buffer) < end:
            return None
        head = bytes(self._buffer[LengthPrefixed.PREFIX_SIZE : end])
        del self._buffer[:end]
        return head
