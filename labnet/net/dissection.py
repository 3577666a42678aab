"""
What bytes mean, beside the bytes: a conversation taken apart into fields while it goes on.

A room says how in its C{dissection} module, which L{labnet.catalogue.Entry.dissection} names: a function
C{dissector(detail, transport)} makes a L{Dissector} for one conversation. Whoever records a conversation
gives it the pieces as they come; L{dissectorFor} finds it.

A dissector only looks on: it takes whatever comes, keeps at most one message (of a body it keeps a
beginning, and counts the rest), looks at each byte once, and never raises.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Generator
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from operator import attrgetter
from typing import Protocol

from labnet.catalogue import Kind, entryFor
from labnet.net.trace import Event, Happening
from labnet.net.wants import Everything, Exactly, NotUnderstood, Passing, Piece, Run, StreamEnded, Want

__all__ = [
    "CUT_OFF",
    "LONGEST_VALUE",
    "NOT_UNDERSTOOD",
    "DatagramDissector",
    "Direction",
    "Dissector",
    "Field",
    "Script",
    "StreamDissector",
    "allOf",
    "body",
    "counted",
    "dissectorFor",
    "fieldsOf",
    "ignore",
    "lengthPrefixed",
    "passOver",
    "pieces",
    "sized",
    "text",
]

#: What a field is called that says why its bytes could not be read. Unless others follow it, reading has
#: ended there.
NOT_UNDERSTOOD = "not understood"
#: What the beginning of a message is called whose end did not come before the stream's.
CUT_OFF = "cut off"
#: Characters of a value; a longer one is cut.
LONGEST_VALUE = 200

_MORE = "\u2026"
_IN_ORDER = attrgetter("start", "level")


@dataclass(frozen=True, slots=True)
class Field:
    """
    A run of bytes, and what it means.

    @ivar start: the offset of its first byte in its direction's stream, or in its datagram.
    @ivar end: the offset behind its last byte. A field without bytes marks a place.
    @ivar name: C{"operand a"}, C{"chunk size"}; of a whole message, C{"request 1"}.
    @ivar value: C{"12"}, C{"300"}; one line of printable characters, L{LONGEST_VALUE} of them at most.
    @ivar level: 0 for a whole message, 1 for its parts, 2 for theirs.
    """

    start: int
    end: int
    name: str
    value: str = ""
    level: int = 0


class Dissector(Protocol):
    """
    Takes one conversation apart. Nothing raises, whatever the bytes are.

    Each method returns the fields that are whole now: the last byte of each is in this piece (or what
    the field says was not known before). They are in the order of their offsets, a message before its
    parts. A stream gives the same fields however it was cut, except where a service itself takes what one
    read delivers for a message.
    """

    def received(self, data: bytes, missing: int = 0) -> list[Field]:
        """
        The peer sent this piece, or this datagram.

        @param missing: how many bytes it had after C{data}, which were not kept. Within a body they make no
            difference; elsewhere the reading ends there.
        """

    def written(self, data: bytes, missing: int = 0) -> list[Field]:
        """We sent this piece, or this datagram."""

    def receivedEnd(self) -> list[Field]:
        """The peer's half of the stream has ended."""

    def writtenEnd(self) -> list[Field]:
        """Our half has ended."""


def fieldsOf(dissector: Dissector | None, event: Event) -> list[Field]:
    """
    What became clear with an event of a conversation.

    @param dissector: has been told of all events before; L{None} where nothing is taken apart.
    """
    if dissector is None:
        return []
    missing = event.size - len(event.data)
    match event.what:
        case Happening.RECEIVED:
            return dissector.received(event.data, missing)
        case Happening.WRITTEN:
            return dissector.written(event.data, missing)
        case Happening.PEER_ENDED:
            return dissector.receivedEnd()
        case Happening.CLOSED:
            # Ours ends here at the latest; after WE_ENDED something may still have been written.
            return [*dissector.receivedEnd(), *dissector.writtenEnd()]
    return []


def dissectorFor(service: str, detail: str, transport: str, outgoing: bool = False) -> Dissector | None:
    """
    A dissector for a new conversation.

    @param service: the server's name in the catalogue.
    @param detail: which kind of it: what its listener is called in the log.
    @param transport: C{"tcp"}, C{"unix"} (streams) or C{"udp"}.
    @param outgoing: whether we have made the connection: then what we write is what a server receives.
    @return: L{None} when there is nothing to take apart, or no such service.
    """
    try:
        module = entryFor(service, Kind.SERVER).dissection
    except KeyError:
        return None
    if not module:
        return None
    made: Dissector | None = import_module(module).dissector(detail, transport)
    return _Turned(made) if made is not None and outgoing else made


class _Turned:
    """The same dissector seen from the other side."""

    def __init__(self, dissector: Dissector) -> None:
        self.received, self.written = dissector.written, dissector.received
        self.receivedEnd, self.writtenEnd = dissector.writtenEnd, dissector.receivedEnd


def text(data: bytes | str, limit: int = LONGEST_VALUE) -> str:
    """
    Bytes of the peer's as they may stand in a value: UTF-8 where they are, one line, everything that can
    not be seen escaped, and at most C{limit} characters.
    """
    if isinstance(data, bytes):
        data = data[: 4 * limit].decode("utf-8", "backslashreplace")
    data = data[: limit + 1]
    if not data.isprintable():
        data = "".join(
            character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
            for character in data
        )
    return data if len(data) <= limit else data[: limit - 1] + _MORE


def sized(size: int) -> str:
    """So many bytes, in words."""
    return "1 byte" if size == 1 else f"{size} bytes"


# Streams

#: How one direction is read: it yields what it wants next, gets the bytes when they are there, and notes
#: fields.
Script = Generator[Want, bytes, None]


class Direction:
    """
    One direction of a stream, as a script reads it.

    @param script: makes the script, given this object.
    @param whole: what it is a direction of: a stream, or a datagram.
    @ivar position: the offset of the next byte that the script can take.
    @ivar message: what the message is called that comes next; the script says so.
    @ivar finished: whether the script reads no more, of its own will.
    """

    def __init__(self, script: Callable[[Direction], Script], whole: str = "stream") -> None:
        self._of = whole
        self.position = 0
        self.message = "message"
        self.finished = False
        self._taken = 0
        self._began = 0
        self._buffer = bytearray()
        self._fields: list[Field] = []
        self._script: Script | None = script(self)
        self._want: Want | None = next(self._script)

    # For scripts.

    def part(self, name: str, value: str = "", level: int = 1) -> None:
        """What was taken last is a part of the message."""
        self.add(self.position - self._taken, self.position, name, value, level)

    def add(self, start: int, end: int, name: str, value: str = "", level: int = 1) -> None:
        """So is what stands there."""
        if len(value) > LONGEST_VALUE:
            value = value[: LONGEST_VALUE - 1] + _MORE
        self._fields.append(Field(start, end, name, value, level))

    def whole(self, value: str, name: str = "") -> None:
        """The message is whole: all since the one before."""
        self.add(self._began, self.position, name or self.message, value, 0)
        self._began = self.position

    def skipped(self) -> None:
        """What was taken so far belongs to no message."""
        self._began = self.position

    @property
    def began(self) -> int:
        """The offset of the message's first byte."""
        return self._began

    # For whoever gives it the stream.

    def feed(self, data: bytes, missing: int = 0) -> list[Field]:
        """
        Take a piece, and return what is whole now.

        @param missing: how many bytes it had after C{data}.
        """
        fields = self._feed(data)
        if not missing:
            return fields
        harmless = self._want is None or (not self._buffer and self._want.missed(missing))
        if harmless:
            self.position += missing
        else:
            place = self.position + len(self._buffer)
            were = "was" if missing == 1 else "were"
            self._stop(place, place, f"{sized(missing)} after this {were} not kept")
        fields += self._feed(b"")
        if not harmless:
            self.position += missing
        return sorted(fields, key=_IN_ORDER)

    def _feed(self, data: bytes) -> list[Field]:
        if self._want is None and not self.finished:
            self.position += len(data)
            return self._given()
        buffer = self._buffer
        buffer += data
        at = 0
        while self._want is not None:
            try:
                end, taken = self._want.take(buffer, at)
            except NotUnderstood as problem:
                self._stop(self.position, self.position + problem.size, str(problem))
                break
            self.position += end - at
            at = end
            if taken is None:
                break
            self._taken = len(taken) if self._want.counted is None else self._want.counted
            self._resume(taken)
        if self._want is None:
            if self.finished and len(buffer) > at:
                self._stop(
                    self.position, self.position, f"the {self._of} goes on, and nothing is expected here"
                )
                self.finished = False
            self.position += len(buffer) - at
            buffer.clear()
        elif at:
            del buffer[:at]
        return self._given()

    def end(self) -> list[Field]:
        """The stream has ended: what that makes whole, and what it cuts off."""
        script, self._want, self._script = self._script, None, None
        if script is None:
            return []
        rest = bytes(self._buffer)
        self._buffer.clear()
        self.position += len(rest)
        self._taken = len(rest)
        try:
            script.throw(StreamEnded(rest))
        except (StopIteration, StreamEnded):
            pass
        except NotUnderstood as problem:
            self._notUnderstood(self.position - self._taken, self.position, str(problem))
        script.close()
        if self.position > self._began:
            what = f"{self.message}: the {self._of} ended after {sized(self.position - self._began)} of it"
            self._fields.append(Field(self._began, self.position, CUT_OFF, what))
            self._began = self.position
        return self._given()

    def _resume(self, taken: bytes) -> None:
        script = self._script
        assert script is not None
        try:
            self._want = script.send(taken)
        except StopIteration:
            self._want = self._script = None
            self._began = self.position
            self.finished = True
        except NotUnderstood as problem:
            self._stop(self.position - self._taken, self.position, str(problem))

    def _stop(self, start: int, end: int, why: str) -> None:
        self._notUnderstood(start, end, why)
        self._want = self._script = None

    def _notUnderstood(self, start: int, end: int, why: str) -> None:
        self._fields.append(Field(start, end, NOT_UNDERSTOOD, text(why)))
        self._began = max(end, self.position)

    def _given(self) -> list[Field]:
        fields, self._fields = self._fields, []
        if len(fields) > 1:
            fields.sort(key=_IN_ORDER)
        return fields


class StreamDissector:
    """
    A L{Dissector} of a stream.

    @param received: reads what the peer sends; L{None} for what has no fields.
    @param written: reads what we send.
    """

    def __init__(
        self,
        received: Callable[[Direction], Script] | None,
        written: Callable[[Direction], Script] | None,
    ) -> None:
        self._in = Direction(received) if received is not None else None
        self._out = Direction(written) if written is not None else None

    def received(self, data: bytes, missing: int = 0) -> list[Field]:
        return self._in.feed(data, missing) if self._in is not None else []

    def written(self, data: bytes, missing: int = 0) -> list[Field]:
        return self._out.feed(data, missing) if self._out is not None else []

    def receivedEnd(self) -> list[Field]:
        return self._in.end() if self._in is not None else []

    def writtenEnd(self) -> list[Field]:
        return self._out.end() if self._out is not None else []


class DatagramDissector:
    """
    A L{Dissector} of datagrams, each of which is a message.

    @param received: reads one that came; the number says which it is, from 1 on.
    @param written: reads one that went.
    """

    def __init__(
        self,
        received: Callable[[Direction, int], Script],
        written: Callable[[Direction, int], Script],
    ) -> None:
        self._in, self._out = received, written
        self._ins = self._outs = 0

    def received(self, data: bytes, missing: int = 0) -> list[Field]:
        self._ins += 1
        return self._fields(lambda direction: self._in(direction, self._ins), data, missing)

    def written(self, data: bytes, missing: int = 0) -> list[Field]:
        self._outs += 1
        return self._fields(lambda direction: self._out(direction, self._outs), data, missing)

    def receivedEnd(self) -> list[Field]:
        return []

    def writtenEnd(self) -> list[Field]:
        return []

    @staticmethod
    def _fields(script: Callable[[Direction], Script], data: bytes, missing: int) -> list[Field]:
        direction = Direction(script, "datagram")
        fields = direction.feed(data, missing) + direction.end()
        return sorted(fields, key=_IN_ORDER)


# What several rooms have.


def allOf(direction: Direction, most: int = 65_536) -> Generator[Want, bytes, bytes]:
    """
    Take everything up to the end of the stream or the datagram, and return it.

    @param most: how many bytes that may be.
    """
    try:
        yield Exactly(most + 1)
    except StreamEnded as ended:
        return ended.rest
    raise NotUnderstood(f"over {most} bytes")


def pieces(direction: Direction) -> Script:
    """Read a stream whose only messages are the pieces in which it comes."""
    for number in count(1):
        direction.message = f"piece {number}"
        direction.whole(text((yield Piece())))


def counted(what: str, direction: Direction) -> Script:
    """Read a stream that is one thing, up to its end; it is only counted."""
    try:
        yield Everything()
    except StreamEnded:
        direction.whole(sized(direction.position), what)


def ignore(direction: Direction) -> Script:
    """Read the rest of a stream, which means nothing."""
    try:
        yield Everything()
    finally:
        direction.skipped()


def body(direction: Direction, name: str, size: int) -> Generator[Want, bytes, None]:
    """Read so many bytes, which are only counted; when there are fewer, note how many."""
    if not size:
        return
    start = direction.position
    try:
        yield Passing(size, keep=0)
    except StreamEnded:
        came = direction.position - start
        if came:
            direction.add(start, direction.position, name, f"{came} of {sized(size)}")
        raise
    direction.part(name, sized(size))


def passOver(direction: Direction, ending: re.Pattern[bytes]) -> Generator[Want, bytes, None]:
    """Take what belongs to no message, up to the first byte that C{ending} matches."""
    try:
        yield Run(ending, keep=0)
    finally:
        direction.skipped()


def lengthPrefixed(
    direction: Direction, longest: int, layout: str = ">I"
) -> Generator[Want, bytes, tuple[int, bytes]]:
    """
    Read a message behind its length, and note both.

    @param longest: the longest payload that is allowed.
    @param layout: of the length, for L{struct}.
    @return: the length, and the beginning of the payload.
    """
    (length,) = struct.unpack(layout, (yield Exactly(struct.calcsize(layout))))
    if not 0 <= length <= longest:
        raise NotUnderstood(f"a length of {length}, allowed are 0 to {longest}")
    direction.part("length", str(length))
    payload = yield Passing(length)
    if length:
        direction.part("payload", text(payload))
    return length, payload
