"""
What the chat says, and how it becomes bytes: events, their texts, three framings, and harmless text.

See C{docs/protocols/chat.md}.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from labnet.net.framing import LengthPrefixed, MessageTooLong

__all__ = [
    "DIALECTS",
    "FRAMED",
    "LINE",
    "PLAIN",
    "PLAIN_EXTRAS",
    "PROMPT",
    "Dialect",
    "Did",
    "Event",
    "FramedReader",
    "Joined",
    "Left",
    "LineReader",
    "Reader",
    "Renamed",
    "Said",
    "Told",
    "clean",
    "courseTexts",
    "textOf",
    "weightOf",
]

#: The question for the name, as the course's server asks it.
PROMPT = "Enter your username: "


@dataclass(frozen=True, slots=True)
class Joined:
    """Somebody came."""

    name: str


@dataclass(frozen=True, slots=True)
class Left:
    """Somebody went."""

    name: str


@dataclass(frozen=True, slots=True)
class Renamed:
    """Somebody has another name from now on."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Said:
    """Somebody said something; C{text} is harmless already (L{clean})."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Did:
    """C{/me}: somebody is said to do something; C{text} is harmless already."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """The server says something to one member."""

    text: str


Event = Joined | Left | Renamed | Said | Did | Told


def textOf(event: Event) -> str:
    """
    An event as one line of text. What a member wrote never begins the line, so it can be taken for
    nobody else's.
    """
    match event:
        case Said(name, text):
            return f"[{name}] {text}"
        case Joined(name):
            return f"[SERVER] {name} joined the chat!"
        case Left(name):
            return f"[SERVER] {name} left the chat"
        case Renamed(old, new):
            return f"[SERVER] {old} is now {new}"
        case Did(name, text):
            return f"* {name} {text}"
        case Told(text):
            return f"[SERVER] {text}"


def weightOf(event: Event) -> int:
    """About how many bytes an event is, where it is kept or waits: text, names, and what is around."""
    return 64 + sum(len(getattr(event, part).encode()) for part in event.__slots__)


def courseTexts(event: Event) -> tuple[str, ...]:
    """The same in the words that the course's server has: there nobody is renamed, or does anything."""
    match event:
        case Renamed(old, new):
            return (textOf(Left(old)), textOf(Joined(new)))
        case Did(name, text):
            return (textOf(Said(name, f"* {text}")),)
    return (textOf(event),)


# What a terminal, a line or a reader's eye would obey instead of show: the controls of both kinds, line
# separators, marks that turn the direction of text, and characters that are not seen. The two joiners
# U+200C and U+200D stay: there is no Persian, and no family of emoji, without them.
_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def clean(data: bytes | str) -> str:
    """
    What a peer wrote, as one harmless line: not UTF-8 is U+FFFD, a tab is a blank, and whatever is in
    C{_HARMFUL} is made visible, C{\\x1b} as its control picture and the rest as C{\\u202e}. Blanks at
    the end are taken off.
    """
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    return _HARMFUL.sub(_visible, text).rstrip()


def _visible(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if character == "\t":
        return " "
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class Reader(Protocol):
    """Takes a stream apart into messages, one at a time, so that none is made before it is wanted."""

    @property
    def pending(self) -> bool:
        """Whether there is something that L{next} has not returned."""

    def feed(self, data: bytes) -> None:
        """A piece of the stream has come."""

    def next(self) -> bytes | None:
        """
        The next whole message, or L{None} when there is none yet.

        @raise MessageTooLong: it is longer than the maximum; nothing after it can be read.
        """

    def pause(self) -> None:
        """Nothing has come for a while."""

    def end(self) -> None:
        """
        The stream has ended.

        @raise labnet.net.framing.TruncatedMessage: in the middle of a message, where that can be known.
        """


class LineReader:
    """
    Messages that end with a newline. The carriage returns before it belong to it, and the last one may
    be without.

    @param maximum: the longest message, in bytes. More than that and one read is never kept.
    @param pauses: whether a quiet time ends a message as well, as for the course's client.
    """

    def __init__(self, maximum: int, *, pauses: bool = False) -> None:
        self._maximum = maximum
        self._pauses = pauses
        self._buffer = bytearray()
        self._scanned = 0

    @property
    def pending(self) -> bool:
        return bool(self._buffer)

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._scanned)
        if (len(self._buffer) if end < 0 else end) > self._maximum:
            self._buffer.clear()
            raise MessageTooLong(f"longer than {self._maximum} bytes")
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._scanned = 0
        return line.rstrip(b"\r")

    def pause(self) -> None:
        if self._pauses:
            self.end()

    def end(self) -> None:
        if self._buffer and not self._buffer.endswith(b"\n"):
            self._buffer += b"\n"


class FramedReader:
    """
    Messages behind their length, a big-endian C{uint32}.

    @param maximum: the longest message, in bytes.
    """

    def __init__(self, maximum: int) -> None:
        self._prefixed = LengthPrefixed(maximum)
        self._ready: deque[bytes] = deque()

    @property
    def pending(self) -> bool:
        return bool(self._ready) or self._prefixed.pending

    def feed(self, data: bytes) -> None:
        if self._prefixed.broken is None:
            # When it is too long, next() says so, after the messages before it.
            with suppress(MessageTooLong):
                self._ready.extend(self._prefixed.feed(data))

    def next(self) -> bytes | None:
        if self._ready:
            return self._ready.popleft()
        if self._prefixed.broken is not None:
            raise self._prefixed.broken
        return None

    def pause(self) -> None:
        """Silence means nothing here."""

    def end(self) -> None:
        self._prefixed.end()


@dataclass(frozen=True, slots=True, eq=False)
class Dialect:
    """
    How one kind of member is spoken to, and read.

    @ivar name: C{plain}, C{line} or C{framed}.
    @ivar texts: the texts of an event; each is one message.
    @ivar frame: the bytes of one text.
    @ivar reader: makes the reader of what the member sends, given the longest message.
    @ivar extras: whether there is more than the course's chat: history, and commands but C{/quit}.
    @ivar joins: whether several messages may leave in one write. Where nothing but the pieces in which
        they arrive tells them apart, they may not.
    """

    name: str
    texts: Callable[[Event], tuple[str, ...]]
    frame: Callable[[str], bytes]
    reader: Callable[[int], Reader]
    extras: bool = True
    joins: bool = True

    def encode(self, event: Event) -> tuple[bytes, ...]:
        """The messages of an event."""
        return tuple(self.frame(text) for text in self.texts(event))


def _text(event: Event) -> tuple[str, ...]:
    return (textOf(event),)


def _bare(text: str) -> bytes:
    return text.encode()


def _line(text: str) -> bytes:
    return text.encode() + b"\n"


def _prefixed(text: str) -> bytes:
    payload = text.encode()
    return len(payload).to_bytes(4, "big") + payload


def _plainReader(maximum: int) -> LineReader:
    return LineReader(maximum, pauses=True)


PLAIN = Dialect("plain", courseTexts, _bare, _plainReader, extras=False, joins=False)
PLAIN_EXTRAS = Dialect("plain", _text, _bare, _plainReader, joins=False)
LINE = Dialect("line", _text, _line, LineReader)
FRAMED = Dialect("framed", _text, _prefixed, FramedReader)

#: What may stand before C{=} in C{--listen}, except for the browser's page.
DIALECTS = {dialect.name: dialect for dialect in (PLAIN, LINE, FRAMED)}
