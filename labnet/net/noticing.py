"""
What a student should notice in a conversation, in words: one read is not one message, and what follows.

What was recorded are the pieces in which bytes were read from the peer and written to it, not the packets
on the wire, and not how the peer called C{send} and C{recv}: no sentence here says more than is known.
C{docs/dissection.md} has what to learn from each.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from labnet.net.dissection import CUT_OFF, NOT_UNDERSTOOD, Field, sized
from labnet.net.trace import Conversation, Event, Happening
from labnet.net.utf8 import CutCharacters

__all__ = ["MOST_OF_A_KIND", "Lesson", "Notice", "Noticing", "noticed"]

#: Sentences of one kind about one conversation; after that it has been said.
MOST_OF_A_KIND = 8

# Pieces of a message that is not whole yet which are remembered one by one.
_MOST_PIECES = 1_000
# Events that are named with a sentence.
_MOST_EVENTS = 20
# Seconds from which it is said how long something took.
_LONG = 0.1
_PIECES = (Happening.RECEIVED, Happening.WRITTEN)
_BOTH = "neither direction waits for the other."
_HALVES = "each half ends by itself."


class Lesson(Enum):
    """What a L{Notice} is about."""

    SEVERAL_IN_ONE = "several in one"
    IN_PIECES = "in pieces"
    ACROSS = "across"
    ONE_WRITE = "one write"
    BOTH_AT_ONCE = "both at once"
    CUT_OFF = "cut off"
    END_ONLY = "the end only"
    HALF_CLOSED = "half closed"
    AFTER_OUR_END = "after our end"
    RESET = "reset"
    CUT_CHARACTER = "cut character"
    NOT_UNDERSTOOD = "not understood"
    NOTHING_SENT = "nothing sent"
    NO_ANSWER = "no answer"
    SAME_AGAIN = "same again"
    EMPTY_DATAGRAM = "empty datagram"


@dataclass(frozen=True, slots=True)
class Notice:
    """
    One sentence.

    @ivar lesson: what it is about.
    @ivar text: the sentence, one line.
    @ivar events: the numbers of the events that show it, in order; of many only some.
    """

    lesson: Lesson
    text: str
    events: tuple[int, ...]


def noticed(conversation: Conversation, fields: Mapping[int, Sequence[Field]]) -> list[Notice]:
    """
    What there is to notice in a conversation so far.

    @param fields: by the number of an event, what became clear with it.
    """
    noticing = Noticing(conversation.transport == "udp")
    return [
        notice
        for event in conversation.events
        for notice in noticing.happened(event, fields.get(event.number, ()))
    ]


class Noticing:
    """
    Watches one conversation, event by event. What it keeps is bounded. Where events are missing it begins
    anew; fields have to be given from the first event on, or not at all.

    @param datagrams: whether it is one of datagrams.
    """

    def __init__(self, datagrams: bool = False) -> None:
        self._new: type[_Datagrams | _Stream] = _Datagrams if datagrams else _Stream
        self._watch = self._new()
        self._last = 0
        self._said: Counter[Lesson] = Counter()

    def happened(self, event: Event, fields: Sequence[Field] = ()) -> list[Notice]:
        """
        What there is to notice, now that this has happened.

        @param fields: what became clear with it.
        """
        if event.number != self._last + 1:
            self._watch = self._new()
        self._last = event.number
        notices = []
        for notice in self._watch.happened(event, fields):
            self._said[notice.lesson] += 1
            if self._said[notice.lesson] <= MOST_OF_A_KIND:
                notices.append(notice)
        return notices


# Streams


@dataclass(frozen=True, slots=True)
class _Piece:
    number: int
    start: int
    end: int
    at: float


class _Half:
    """
    One direction of a stream.

    @ivar last: the number of its last event, or 0.
    """

    def __init__(self, incoming: bool) -> None:
        self.incoming = incoming
        self.last = 0
        self._size = 0
        # The pieces from the one in which the message began that is not whole yet.
        self._pieces: deque[_Piece] = deque()
        self._dropped = 0
        self._whole: Field | None = None
        self._characters = CutCharacters()
        self._oneWrite = False

    def piece(self, event: Event, messages: Sequence[Field], other: _Half) -> Iterable[Notice]:
        """A piece has come, or was written, with the whole messages that end in it."""
        self.last = event.number
        piece = _Piece(event.number, self._size, self._size + event.size, event.at)
        self._size = piece.end
        self._remember(piece)
        inside = [message for message in messages if message.start >= piece.start]
        if len(inside) > 1:
            yield self._several(event, inside)
        for message in messages:
            if message.start < piece.start:
                yield from self._overSeveral(message, other)
            self._whole = message
        if self.incoming and len(inside) == 1 < len(messages):
            text = f"One piece had the end of {_the(messages[0])} and the whole of {_the(inside[0])}."
            yield Notice(Lesson.ACROSS, text, (event.number,))
        if not self.incoming and len(inside) == 1 and not self._oneWrite:
            yield from self._inOneWrite(piece, inside[0])
        if messages:
            self._forgetUpTo(messages[-1].end)
        yield from self._cutCharacter(event)

    def _remember(self, piece: _Piece) -> None:
        self._pieces.append(piece)
        if len(self._pieces) > _MOST_PIECES:
            # The first one is where the message began.
            del self._pieces[1]
            self._dropped += 1

    def _forgetUpTo(self, end: int) -> None:
        while self._pieces and self._pieces[0].end <= end:
            self._pieces.popleft()
        self._dropped = 0

    def _several(self, event: Event, messages: Sequence[Field]) -> Notice:
        between = " and " if len(messages) == 2 else " to "
        names = f"{_the(messages[0])}{between}{_the(messages[-1])}"
        count = len(messages)
        if self.incoming:
            text = f"{count} messages came in one piece, {names}: one read is not one message."
        else:
            text = f"{count} messages left in one write, {names}: the peer may read them in one piece."
        return Notice(Lesson.SEVERAL_IN_ONE, text, (event.number,))

    def _overSeveral(self, message: Field, other: _Half) -> Iterable[Notice]:
        """A message is whole that began in an earlier piece."""
        over = [piece for piece in self._pieces if piece.end > message.start]
        if self._dropped and len(over) < len(self._pieces):
            # Nobody knows any more in which piece it began.
            return
        yield self._inPieces(message, over)
        numbers = (over[0].number, other.last, over[-1].number)
        if not self.incoming:
            if numbers[0] < other.last:
                text = f"The peer wrote before {_the(message)} had all left: {_BOTH}"
                yield Notice(Lesson.BOTH_AT_ONCE, text, numbers)
            return
        if numbers[0] < other.last:
            text = f"We wrote before {_the(message)} was all there: {_BOTH}"
            yield Notice(Lesson.BOTH_AT_ONCE, text, numbers)
        before = self._whole
        if before is not None and over[0].start < before.end == message.start:
            text = f"One piece had the end of {_the(before)} and the beginning of {_the(message)}."
            yield Notice(Lesson.ACROSS, text, numbers[:1])

    def _inPieces(self, message: Field, over: Sequence[_Piece]) -> Notice:
        count = len(over) + self._dropped
        first, last = over[0], over[-1]
        each = " of one byte each" if last.end - first.start == count else ""
        took = f" in {last.at - first.at:.1f} s" if last.at - first.at >= _LONG else ""
        name = _capital(_the(message))
        if self.incoming:
            text = f"{name} came in {count} pieces{each}{took}: one message can take several reads."
        else:
            text = f"{name} left in {count} writes{each}{took}."
        return Notice(Lesson.IN_PIECES, text, _some([piece.number for piece in over]))

    def _inOneWrite(self, piece: _Piece, message: Field) -> Iterable[Notice]:
        self._oneWrite = True
        whole = (message.start, message.end) == (piece.start, piece.end)
        # Where nothing but pieces tells messages apart, this says nothing.
        if whole and not message.name.startswith("piece"):
            name = _capital(_the(message))
            text = f"{name} left in one write. That does not mean that it is read as one."
            yield Notice(Lesson.ONE_WRITE, text, (piece.number,))

    def _cutCharacter(self, event: Event) -> Iterable[Notice]:
        if event.size > len(event.data):
            self._characters = CutCharacters()
            return
        cut = self._characters.feed(event.number, event.data)
        if cut is not None:
            what = f"the bytes {cut.data.hex(' ')}, in UTF-8 the character {cut.character}"
            text = f"{len(cut.pieces)} pieces share {what}: none of them can be decoded alone."
            yield Notice(Lesson.CUT_CHARACTER, text, cut.pieces)


class _Stream:
    """A conversation over a stream."""

    def __init__(self) -> None:
        self._in, self._out = _Half(True), _Half(False)
        self._peerEnded = self._weEnded = 0
        self._toldOf: set[Lesson] = set()

    def happened(self, event: Event, fields: Sequence[Field]) -> Iterable[Notice]:
        messages = [
            field
            for field in fields
            if not field.level and field.start < field.end and field.name not in (CUT_OFF, NOT_UNDERSTOOD)
        ]
        match event.what:
            case Happening.RECEIVED:
                yield from self._in.piece(event, messages, self._out)
                if self._weEnded:
                    text = f"Bytes came after we had asked for the end: {_HALVES}"
                    yield from self._once(Lesson.AFTER_OUR_END, text, self._weEnded, event.number)
            case Happening.WRITTEN:
                yield from self._out.piece(event, messages, self._in)
                if self._peerEnded:
                    text = f"The peer had ended its half, and was still written to: {_HALVES}"
                    yield from self._once(Lesson.HALF_CLOSED, text, self._peerEnded, event.number)
            case Happening.PEER_ENDED:
                self._peerEnded = event.number
            case Happening.WE_ENDED:
                self._weEnded = self._weEnded or event.number
            case Happening.CLOSED:
                yield from self._closed(event)
        if event.what in (Happening.PEER_ENDED, Happening.CLOSED):
            yield from _ends(event, fields, messages)
        yield from _notUnderstood(event, fields)

    def _closed(self, event: Event) -> Iterable[Notice]:
        if event.note.startswith("reset by the peer"):
            text = (
                "The peer reset the connection. That happens when a program closes with bytes unread, or "
                "is written to after its end; what was on its way can be lost."
            )
            yield Notice(Lesson.RESET, text, _some([self._out.last, event.number]))
        elif event.note.startswith("reset by us"):
            text = "We reset the connection: the peer sees an error in place of an end, and can lose bytes."
            yield Notice(Lesson.RESET, text, (event.number,))
        if not self._in.last:
            text = "The connection ended, and the peer had sent nothing."
            yield Notice(Lesson.NOTHING_SENT, text, (event.number,))

    def _once(self, lesson: Lesson, text: str, *numbers: int) -> Iterable[Notice]:
        if lesson not in self._toldOf:
            self._toldOf.add(lesson)
            yield Notice(lesson, text, numbers)


def _ends(event: Event, fields: Sequence[Field], messages: Sequence[Field]) -> Iterable[Notice]:
    """What the end of a stream, or of both, has cut off or made whole."""
    who = {
        Happening.PEER_ENDED: "The peer ended its half",
        Happening.CLOSED: "The connection ended",
    }[event.what]
    for field in fields:
        if field.name == CUT_OFF:
            yield Notice(Lesson.CUT_OFF, f"{who} in the middle of {field.value}.", (event.number,))
    for message in messages:
        text = f"Nothing but the end of the stream shows where {_the(message)} ends."
        yield Notice(Lesson.END_ONLY, text, (event.number,))


def _notUnderstood(event: Event, fields: Sequence[Field]) -> Iterable[Notice]:
    for field in fields:
        if field.name == NOT_UNDERSTOOD and _isThePeers(field, event):
            where = f"At byte {field.start} of its stream" if event.what in _PIECES else "At the end"
            yield Notice(Lesson.NOT_UNDERSTOOD, f"{where}: {field.value}.", (event.number,))


def _isThePeers(field: Field, event: Event) -> bool:
    """Whether a message was really wrong: it may be only that not all of it was kept."""
    return not field.level and not (field.start == field.end and len(event.data) < event.size)


# Datagrams


class _Datagrams:
    """What one peer and one of our ports said to each other."""

    def __init__(self) -> None:
        # Since something went last.
        self._unanswered = 0
        self._last: Event | None = None

    def happened(self, event: Event, fields: Sequence[Field]) -> Iterable[Notice]:
        match event.what:
            case Happening.RECEIVED:
                yield from self._received(event)
            case Happening.WRITTEN:
                self._unanswered, self._last = 0, None
            case Happening.CLOSED:
                yield from self._closed(event)
        for field in fields:
            if field.name in (CUT_OFF, NOT_UNDERSTOOD) and _isThePeers(field, event):
                lesson = Lesson.CUT_OFF if field.name == CUT_OFF else Lesson.NOT_UNDERSTOOD
                yield Notice(lesson, f"A datagram was not understood: {field.value}.", (event.number,))

    def _received(self, event: Event) -> Iterable[Notice]:
        before, self._last = self._last, event
        self._unanswered += 1
        if not event.size:
            text = "A datagram without a byte: UDP can send nothing, and it is a message."
            yield Notice(Lesson.EMPTY_DATAGRAM, text, (event.number,))
        elif before is not None and event.size == len(event.data) and event.data == before.data:
            after = max(0.0, event.at - before.at)
            text = (
                f"The same {sized(event.size)} came again after {after:.1f} s, with nothing sent back in "
                "between: sent once more, or doubled on the way."
            )
            yield Notice(Lesson.SAME_AGAIN, text, (before.number, event.number))

    def _closed(self, event: Event) -> Iterable[Notice]:
        if self._unanswered and self._last is not None:
            what = "datagram" if self._unanswered == 1 else f"{self._unanswered} datagrams"
            text = f"Nothing went back after the last {what}: over UDP a client has to have a time limit."
            yield Notice(Lesson.NO_ANSWER, text, (self._last.number, event.number))


def _the(message: Field) -> str:
    """What a message is called in a sentence: one that has no number is the only one of its kind."""
    name = message.name
    return name if name[-1:].isdigit() else f"the {name}"


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _some(numbers: Sequence[int]) -> tuple[int, ...]:
    """The numbers that are some, the first and the last of them when they are too many."""
    known = [number for number in numbers if number]
    return tuple(known if len(known) <= _MOST_EVENTS else [*known[: _MOST_EVENTS - 1], known[-1]])
