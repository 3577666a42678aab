"""
The bytes of the echoes, without input or output; see C{docs/protocols/echo.md}.

A stream is an L{Echo}: pieces in, replies out. What a reply answers is one piece as it was read
(L{Pieces}), a line (L{Lines}) or a message with its length in front (L{Frames}). What a datagram gets is
L{datagramAnswer}'s.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from labnet.net.framing import FramingError, LengthPrefixed

__all__ = [
    "DATAGRAM_ACK",
    "LONGEST_FRAME",
    "LONGEST_LINE",
    "PREFIX",
    "STREAM_ACK",
    "Echo",
    "Frames",
    "LineReader",
    "Lines",
    "Pieces",
    "Style",
    "answers",
    "datagramAnswer",
    "upper",
]

PREFIX = b"Echo: "
STREAM_ACK = b"Message received!"
DATAGRAM_ACK = b"ACK: Message received!"

#: The longest line, in bytes, without its end.
LONGEST_LINE = 65_536
#: The longest message with its length in front, in bytes.
LONGEST_FRAME = 1 << 20


class Style(Enum):
    """What comes back."""

    PREFIX = "prefix"
    UPPER = "upper"
    ACK = "ack"
    RAW = "raw"


def upper(message: bytes) -> bytes:
    """A whole message in upper case. What is no UTF-8 stays as it is."""
    return message.decode("utf-8", "surrogateescape").upper().encode("utf-8", "surrogateescape")


def _prefixed(datagram: bytes) -> bytes | None:
    return None if datagram[: len(PREFIX)].upper() == PREFIX.upper() else PREFIX + datagram


def _acknowledged(datagram: bytes) -> bytes | None:
    return None if DATAGRAM_ACK.upper() in datagram.upper() else DATAGRAM_ACK


def _upperNotLonger(message: bytes) -> bytes:
    """
    As L{upper}, but never longer than C{message}: if it were, the letters whose upper case takes more
    bytes stay as they are. (There are few, as U+0390, of two bytes, whose upper case takes six.)
    """
    result = upper(message)
    if len(result) <= len(message):
        return result
    text = message.decode("utf-8", "surrogateescape")
    letters = ((letter, letter.upper()) for letter in text)
    return "".join(
        small if len(_encoded(big)) > len(_encoded(small)) else big for small, big in letters
    ).encode("utf-8", "surrogateescape")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


_DATAGRAM_ANSWERS: dict[Style, Callable[[bytes], bytes | None]] = {
    Style.PREFIX: _prefixed,
    Style.UPPER: _upperNotLonger,
    Style.ACK: _acknowledged,
    Style.RAW: lambda datagram: datagram,
}


def datagramAnswer(style: Style) -> Callable[[bytes], bytes | None]:
    """
    What answers a datagram: a function that returns the answer, or L{None} when the datagram is an answer
    itself: what begins with C{Echo: } in any case is none to C{prefix}, what contains the acknowledgement
    is none to C{ack}. So an echo that hears itself is silent.

    An answer is as long as its datagram at most, except for the six bytes of C{prefix} and the text of
    C{ack}.
    """
    return _DATAGRAM_ANSWERS[style]


def answers(message: bytes) -> frozenset[bytes]:
    """What the styles say to C{message}, when it comes as a whole."""
    return frozenset((message, PREFIX + message, upper(message), STREAM_ACK))


class Echo(Protocol):
    """One stream: pieces in, replies out."""

    @property
    def pending(self) -> bool:
        """Whether a message has begun and is not answered."""

    @property
    def over(self) -> bool:
        """Whether everything is said that is ever said on this stream."""

    @property
    def problem(self) -> str:
        """Why nothing more of this stream is answered, for the log; empty while it is."""

    def feed(self, data: bytes) -> list[bytes]:
        """
        Take a piece of the stream.

        @return: the replies it completed, in order; each goes out in one write.
        """

    def end(self) -> list[bytes]:
        """The stream has ended: what is still to be said."""


class Pieces:
    """
    Answers each piece as it was read: with TCP that is not the message as it was sent.

    Only C{upper} looks further: of a character that was cut in two it waits for the rest.
    """

    def __init__(self, style: Style) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self.pending = False
        self.over = False
        self.problem = ""
        self._upper = style is Style.UPPER
        #: What stands before each piece that comes back as it is.
        self._lead = {Style.PREFIX: PREFIX, Style.RAW: b""}.get(style)

    def feed(self, data: bytes) -> list[bytes]:
        if self.over or not data:
            return []
        if self._lead is not None:
            return [self._lead + data]
        if self._upper:
            return self._capitals(data)
        self.over = True
        return [STREAM_ACK]

    def end(self) -> list[bytes]:
        return self._capitals(b"", final=True) if self.pending else []

    def _capitals(self, data: bytes, final: bool = False) -> list[bytes]:
        text = self._decoder.decode(data, final)
        self.pending = bool(self._decoder.getstate()[0])
        return [_encoded(text.upper())] if text else []


class LineReader:
    """
    Takes a stream apart into lines, each with its end: LF, CR LF, or nothing for the last one.

    @param longest: the longest line, in bytes, without its end.
    @ivar problem: why there will be no more lines: one was too long; else empty.
    """

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self.longest = longest
        self._rest = bytearray()
        self._searched = 0
        self.problem = ""

    @property
    def pending(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """
        Take a piece of the stream.

        @return: the lines it completed, as line and end.
        """
        if self.problem:
            return []
        rest = self._rest
        rest += data
        lines: list[tuple[bytes, bytes]] = []
        start = 0
        while (at := rest.find(b"\n", max(start, self._searched))) >= 0:
            ending = b"\r\n" if at > start and rest[at - 1] == 0x0D else b"\n"
            end = at + 1 - len(ending)
            if end - start > self.longest:
                self._tooLong()
                return lines
            lines.append((bytes(rest[start:end]), ending))
            start = at + 1
        del rest[:start]
        self._searched = len(rest)
        # One more for a CR that may turn out to be a part of its end.
        if len(rest) > self.longest + 1:
            self._tooLong()
        return lines

    def _tooLong(self) -> None:
        self.problem = f"a line of more than {self.longest} bytes"
        self._rest.clear()

    def end(self) -> list[tuple[bytes, bytes]]:
        """The stream has ended: a last line without an end is a line, too."""
        last = bytes(self._rest)
        self._rest.clear()
        return [(last, b"")] if last else []


class Lines:
    """Answers line by line; an answer ends as its line did."""

    def __init__(self, style: Style, longest: int = LONGEST_LINE) -> None:
        self._style = style
        self._reader = LineReader(longest)
        self.over = False

    @property
    def pending(self) -> bool:
        return self._reader.pending

    @property
    def problem(self) -> str:
        return self._reader.problem

    def feed(self, data: bytes) -> list[bytes]:
        return self._answer(self._reader.feed(data))

    def end(self) -> list[bytes]:
        return self._answer(self._reader.end())

    def _answer(self, lines: list[tuple[bytes, bytes]]) -> list[bytes]:
        if self._style is Style.ACK:
            # One is the last word.
            lines = [] if self.over else lines[:1]
            self.over = self.over or bool(lines)
        return [self._reply(line) + ending for line, ending in lines]

    def _reply(self, line: bytes) -> bytes:
        match self._style:
            case Style.PREFIX:
                return PREFIX + line
            case Style.UPPER:
                return upper(line)
            case Style.ACK:
                return STREAM_ACK
            case Style.RAW:
                return line


class Frames:
    """Answers messages that have their length in front, with the same."""

    over = False

    def __init__(self, longest: int = LONGEST_FRAME) -> None:
        self._framing = LengthPrefixed(longest)

    @property
    def pending(self) -> bool:
        return self._framing.pending

    @property
    def problem(self) -> str:
        return str(self._framing.broken or "")

    def feed(self, data: bytes) -> list[bytes]:
        if self._framing.broken:
            return []
        try:
            messages = self._framing.feed(data)
        except FramingError:
            return []
        return [self._framing.encode(message) for message in messages]

    def end(self) -> list[bytes]:
        return []
