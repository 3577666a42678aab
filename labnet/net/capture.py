"""
Conversations of a trace as packets, as if somebody had listened on the wire.

True are the bytes, how many there were, the times, and who ended the connection. Made up is the rest:
headers, sequence numbers, handshakes, acknowledgements, and that a piece of up to the MSS is one segment.
Each packet says in a comment that it is synthetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple
from zlib import crc32

from labnet.net.dissection import Dissector, Field, dissectorFor, fieldsOf
from labnet.net.noticing import Noticing
from labnet.net.packets import (
    LONGEST_DATAGRAM,
    Flags,
    Host,
    Packet,
    Segment,
    datagram,
    longestSegment,
    plainAddress,
)
from labnet.net.trace import Conversation, Event, Happening

__all__ = ["Captured", "Dissect", "Recording", "dissected", "title"]

#: Makes what takes the messages of a conversation apart, or L{None} where nobody can.
Dissect = Callable[[Conversation], Dissector | None]

#: Bytes that are not acknowledged yet, at most.
_IN_FLIGHT = 2**20
#: Fields of a message and notes that are told beside one packet, and characters of one comment.
_MOST_FIELDS, _MOST_NOTES, _LONGEST_COMMENT = 50, 100, 1_000
#: Ports that a UNIX socket is given begin here, and there are so many.
_FIRST_PORT, _PORTS = 49_152, 16_384


class _Side(IntEnum):
    PEER = 0
    US = 1

    @property
    def other(self) -> _Side:
        return _Side.US if self is _Side.PEER else _Side.PEER


_OF = {Happening.RECEIVED: _Side.PEER, Happening.WRITTEN: _Side.US}


class Captured(NamedTuple):
    """
    One packet.

    @ivar at: seconds since the epoch.
    @ivar outbound: whether we have sent it.
    @ivar packet: IP.
    @ivar comments: what there is to say of it; the first one begins with C{synthetic}.
    """

    at: float
    outbound: bool
    packet: Packet
    comments: tuple[str, ...]


def title(conversation: Conversation) -> str:
    """What a conversation was with: the service, and which kind of it."""
    detail = f" ({conversation.detail})" if conversation.detail else ""
    return f"{conversation.service}{detail}"


def dissected(conversation: Conversation) -> Dissector | None:
    """What takes a conversation apart, by its service in the catalogue."""
    return dissectorFor(
        conversation.service, conversation.detail, conversation.transport, conversation.outgoing
    )


class Recording:
    """
    What is known of a conversation now. It may go on meanwhile: that is not in it.

    @param remark: something more to say of it.
    @ivar openedAt: seconds since the epoch.
    """

    def __init__(self, conversation: Conversation, dissect: Dissect = dissected, remark: str = "") -> None:
        self.conversation = conversation
        self.openedAt = conversation.openedAt
        self._events = tuple(conversation.events)
        self._bytes = (conversation.bytesIn, conversation.bytesOut)
        self._dissect = dissect
        self._remark = remark

    def packets(self) -> Iterator[Captured]:
        """Its packets, in the order of time."""
        making = _Datagrams if self.conversation.transport == "udp" else _Stream
        made = making(self.conversation, self._events, self._missing(), self._dissect)
        if self._remark:
            made.remark(self._remark)
        held: Captured | None = None
        for captured in made.packets():
            if held is not None:
                yield held
            held = captured
        if held is not None:
            # What was noted last has no packet that follows.
            yield held._replace(comments=held.comments + made.takeNotes())

    def _missing(self) -> tuple[int, int]:
        """Bytes from the peer and from us in the events that are forgotten, which are the first ones."""
        missing = list(self._bytes)
        for event in self._events:
            side = _OF.get(event.what)
            if side is not None:
                missing[side] -= event.size
        return max(missing[0], 0), max(missing[1], 0)


class _Making:
    """What packets of TCP and of UDP are made of, and what is said of them."""

    def __init__(
        self,
        conversation: Conversation,
        events: tuple[Event, ...],
        missing: tuple[int, int],
        dissect: Dissect,
    ) -> None:
        self.conversation = conversation
        self.events = events
        self.missing = missing
        self.hosts, madeUp = _hosts(conversation)
        # Without its first bytes nobody can tell where in the stream a message begins.
        self._dissector = None if any(missing) else dissect(conversation)
        self._noticing = Noticing(conversation.transport == "udp")
        self._meaning: list[str] = []
        self._notes: list[str] = []
        self._at = conversation.openedAt
        self._identifications = [0, 0]
        if madeUp:
            self._notes.append(madeUp)
        if conversation.secure:
            self._notes.append("this is what was said inside TLS")
        lost = conversation.forgotten
        if lost and not any(missing):
            self._notes.append(f"{_counted(lost, 'event')} before these not kept")
        elif lost:
            fromPeer, fromUs = missing
            self._notes.append(
                f"{_counted(lost, 'event')} before these not kept: {_counted(fromPeer, 'byte')} from the "
                f"peer and {fromUs} from us are missing"
            )

    def takeNotes(self) -> tuple[str, ...]:
        """What is to be said beside the next packet."""
        notes, self._notes = self._notes[:_MOST_NOTES], self._notes[_MOST_NOTES:]
        if self._notes:
            notes.append(f"and {len(self._notes)} more")
            self._notes = []
        return tuple(note[:_LONGEST_COMMENT] for note in notes)

    def remark(self, remark: str) -> None:
        """Something is to be said beside the next packet."""
        self._notes.append(remark)

    def note(self, event: Event) -> None:
        """Something happened that is no packet: it is told beside the next one."""
        after = f"{max(event.at - self.conversation.openedAt, 0):.3f} s"
        self._notes.append(f"event {event.number}, {event.what.value} after {after}: {event.note}")

    def packets(self) -> Iterator[Captured]:
        """All packets, in order."""
        yield from self.begin()
        for event in self.events:
            # Clocks are set back, packets are not.
            self._at = max(self._at, event.at)
            fields = fieldsOf(self._dissector, event)
            self._meaning = _told(fields)
            self._meaning += [f"notice: {one.text}" for one in self._noticing.happened(event, fields)]
            yield from self.happened(event)
            self._notes += self.takeMeaning()

    def begin(self) -> Iterator[Captured]:
        """The packets before the first event."""
        yield from ()

    def happened(self, event: Event) -> Iterator[Captured]:
        """The packets of an event."""
        raise NotImplementedError

    def takeMeaning(self) -> list[str]:
        """What the event means, and what there is to notice: beside the packet with its last byte."""
        meaning, self._meaning = self._meaning, []
        return meaning

    def identification(self, side: _Side) -> int:
        """The next one of IPv4 packets from that side."""
        self._identifications[side] += 1
        return self._identifications[side]

    def captured(self, side: _Side, packet: Packet, what: str, *more: str) -> Captured:
        """A packet with its comments."""
        conversation = self.conversation
        first = f"synthetic: {title(conversation)} #{conversation.id}: {what}"
        comments = (first, *more, *self.takeNotes())
        return Captured(self._at, side is _Side.US, packet, comments)


def _told(found: Sequence[Field]) -> list[str]:
    messages = [_word(field, ": ") for field in found if field.level == 0]
    inner = [_word(field, " = ") for field in found if field.level > 0]
    told = messages[:_MOST_FIELDS]
    if inner:
        more = len(inner) - _MOST_FIELDS
        told.append("; ".join(inner[:_MOST_FIELDS]) + (f"; and {more} more" if more > 0 else ""))
    return [comment[:_LONGEST_COMMENT] for comment in told]


def _word(field: Field, between: str) -> str:
    return f"{field.name}{between}{field.value}" if field.value else field.name


class _Datagrams(_Making):
    """Each piece is a datagram."""

    def happened(self, event: Event) -> Iterator[Captured]:
        side = _OF.get(event.what)
        if side is not None:
            yield self._datagram(event, side)
        elif event.note and event.what is not Happening.CLOSED:
            self.note(event)

    def _datagram(self, event: Event, side: _Side) -> Captured:
        # Only what was in no socket is longer.
        data = event.data[:LONGEST_DATAGRAM]
        missing = min(event.size, LONGEST_DATAGRAM) - len(data)
        packet = datagram(
            self.hosts[side], self.hosts[side.other], data, missing, self.identification(side)
        )
        return self.captured(side, packet, _piece(event), *_cut(event), *self.takeMeaning())


class _Stream(_Making):
    """A connection: each piece is as many segments as it takes."""

    def __init__(
        self,
        conversation: Conversation,
        events: tuple[Event, ...],
        missing: tuple[int, int],
        dissect: Dissect,
    ) -> None:
        super().__init__(conversation, events, missing, dissect)
        first = f"{conversation.id} {conversation.openedAt!r} ".encode("ascii")
        self._next = [crc32(first + b"peer"), crc32(first + b"us")]
        self._ended = [False, False]
        self._isReset = False
        self._writesLeft = sum(event.what is Happening.WRITTEN for event in events)
        self._ending: Event | None = None

    def begin(self) -> Iterator[Captured]:
        yield from self._handshake()
        for side in _Side:
            self._next[side] += self.missing[side]

    def happened(self, event: Event) -> Iterator[Captured]:
        match event.what:
            case Happening.RECEIVED:
                yield from self._piece(event, _Side.PEER)
            case Happening.WRITTEN:
                self._writesLeft -= 1
                yield from self._piece(event, _Side.US)
                if self._ending is not None and not self._writesLeft:
                    yield from self._fin(_Side.US, _weEnded(self._ending))
            case Happening.PEER_ENDED:
                yield from self._fin(_Side.PEER, f"event {event.number}, the peer ended")
            case Happening.WE_ENDED if event.note.endswith("at once"):
                yield from self._reset(_Side.US, _weEnded(event))
            case Happening.WE_ENDED if self._writesLeft:
                # It was asked for, and takes place when all is written.
                self._ending = event
            case Happening.WE_ENDED:
                yield from self._fin(_Side.US, _weEnded(event))
            case Happening.CLOSED:
                yield from self._closed(event)
            case Happening.FAULT | Happening.NOTE:
                self.note(event)

    def _segment(
        self, side: _Side, flags: Flags, what: str, *more: str, data: bytes = b"", missing: int = 0
    ) -> Captured:
        """The next segment from that side; its numbers move on."""
        other = side.other
        acknowledged = self._next[other] if flags & Flags.ACK else 0
        segment = Segment(self._next[side], acknowledged, flags, data, missing)
        self._next[side] += len(data) + missing + bool(flags & (Flags.SYN | Flags.FIN))
        packet = segment.packet(self.hosts[side], self.hosts[other], self.identification(side))
        return self.captured(side, packet, what, *more)

    def _handshake(self) -> Iterator[Captured]:
        caller = _Side.US if self.conversation.outgoing else _Side.PEER
        yield self._segment(caller, Flags.SYN, "handshake")
        yield self._segment(caller.other, Flags.SYN | Flags.ACK, "handshake")
        yield self._segment(caller, Flags.ACK, "handshake")

    def _piece(self, event: Event, side: _Side) -> Iterator[Captured]:
        most = longestSegment(self.hosts[side].address)
        segments = -(-event.size // most)
        flying = 0
        for number in range(segments):
            start = number * most
            length = min(most, event.size - start)
            data = event.data[start : start + length]
            last = number == segments - 1
            more = (_cut(event) if len(data) < length else []) + (self.takeMeaning() if last else [])
            which = f", segment {number + 1} of {segments}" if segments > 1 else ""
            flags = Flags.ACK | Flags.PSH if last else Flags.ACK
            what = _piece(event) + which
            yield self._segment(side, flags, what, *more, data=data, missing=length - len(data))
            flying += length
            if last or flying >= _IN_FLIGHT:
                flying = 0
                yield self._segment(side.other, Flags.ACK, f"acknowledges event {event.number}")

    def _fin(self, side: _Side, what: str) -> Iterator[Captured]:
        if not self._ended[side]:
            self._ended[side] = True
            yield self._segment(side, Flags.FIN | Flags.ACK, what, *self.takeMeaning())
            yield self._segment(side.other, Flags.ACK, "acknowledges the end")

    def _reset(self, side: _Side, what: str) -> Iterator[Captured]:
        if self._isReset:
            return
        self._isReset = True
        self._ended = [True, True]
        yield self._segment(side, Flags.RST | Flags.ACK, what, *self.takeMeaning())

    def _closed(self, event: Event) -> Iterator[Captured]:
        """The end as it really was; what the peer did after our own end is not known."""
        what = f"event {event.number}, {event.note}"
        made = list(self._lastWords(event, what))
        yield from made
        if not made:
            self.note(event)

    def _lastWords(self, event: Event, what: str) -> Iterator[Captured]:
        if event.note.startswith("reset by the peer"):
            yield from self._reset(_Side.PEER, what)
        elif event.note.startswith("reset by us"):
            yield from self._reset(_Side.US, what)
        elif event.note.startswith(("closed by us", "FIN from the peer")):
            if event.note.startswith("FIN"):
                yield from self._fin(_Side.PEER, what)
            yield from self._fin(_Side.US, what)
        # Of anything else it is known that it is over, and not what was on the wire.


def _piece(event: Event) -> str:
    return f"event {event.number}, {_counted(event.size, 'byte')} {event.what.value}"


def _weEnded(event: Event) -> str:
    return f"event {event.number}, we ended {event.note}".rstrip()


def _cut(event: Event) -> list[str]:
    kept = len(event.data)
    if kept == event.size:
        return []
    return [f"cut: of {_counted(event.size, 'byte')} the trace has kept {kept}"]


def _counted(number: int, one: str) -> str:
    return f"{number} {one if number == 1 else one + 's'}"


def _hosts(conversation: Conversation) -> tuple[tuple[Host, Host], str]:
    """
    The two ends, the peer first, and what is to be said of them. Where one has no address, as on a UNIX
    socket, both are on the loopback interface, and have ports that fit the conversation.
    """
    peer, local = (plainAddress(host) for host, _ in (conversation.peer, conversation.local))
    if conversation.transport == "unix" or peer is None or local is None:
        address = IPv4Address("127.0.0.1")
        where = _FIRST_PORT - 1 - crc32(repr(conversation.local).encode("utf-8", "replace")) % _PORTS
        whence = _FIRST_PORT + conversation.id % _PORTS
        path = conversation.local[0] or "one without a name"
        kind = f"a UNIX socket, {path}" if conversation.transport == "unix" else "no IP addresses"
        return (Host(address, whence), Host(address, where)), f"{kind}: the addresses are made up"
    if peer.version != local.version:
        peer, local = _mapped(peer), _mapped(local)
    return (Host(peer, conversation.peer[1]), Host(local, conversation.local[1])), ""


def _mapped(address: IPv4Address | IPv6Address) -> IPv6Address:
    """As IPv6, whatever it is."""
    if isinstance(address, IPv6Address):
        return address
    return IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
