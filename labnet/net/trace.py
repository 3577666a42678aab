"""
What went over connections: every piece received and written, with its time, and who ended it and how.

Nothing here listens or reads a clock: L{labnet.net.tracing} stands around protocols and tells a L{Trace},
which keeps a bounded amount, hides what nobody should read, and tells those who look on.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Literal, NamedTuple

from twisted.logger import Logger

from labnet.net.redaction import Hiding, Redaction, Span

__all__ = ["EVENT_COST", "Bounds", "Conversation", "Event", "Happening", "Looker", "Trace", "TransportName"]

#: Bytes that an event takes besides those it keeps, roughly; for L{Bounds.totalBytes}.
EVENT_COST = 200

TransportName = Literal["tcp", "udp", "unix"]


class Happening(Enum):
    """What an L{Event} is."""

    OPENED = "opened"
    #: Bytes came from the peer.
    RECEIVED = "received"
    #: Bytes were given to the system, to be sent to the peer.
    WRITTEN = "written"
    #: The peer has ended its half of the stream: its FIN, or TLS's C{close_notify}.
    PEER_ENDED = "peer ended"
    #: We have asked for the end of our half, or of the connection, once all is sent.
    WE_ENDED = "we ended"
    CLOSED = "closed"
    #: Something was broken on purpose.
    FAULT = "fault"
    NOTE = "note"


class Event(NamedTuple):
    """
    One thing that happened in a L{Conversation}. It can not be changed; and there are many, so it is what
    is made fastest.

    @ivar number: from 1, in its conversation; what is forgotten has had its number, too.
    @ivar at: seconds since the epoch.
    @ivar what: which kind of thing.
    @ivar data: the bytes that are kept of a piece, without secrets.
    @ivar size: how many bytes it had.
    @ivar note: one line: how it was closed, what was broken on purpose.
    """

    number: int
    at: float
    what: Happening
    data: bytes = b""
    size: int = 0
    note: str = ""


#: Is told each event when it is there.
Looker = Callable[["Conversation", Event], object]


@dataclass(slots=True, eq=False)
class Conversation:
    """
    One connection, or what one UDP peer and one of our ports said to each other.

    @ivar id: its number, which no other in its trace has; of a connection of our services it is that in
        the log.
    @ivar service: the name in the catalogue.
    @ivar detail: which kind of it, or empty: a calculator's profile.
    @ivar transport: what it went over.
    @ivar secure: whether that was TLS; the bytes are those inside.
    @ivar local: our address and port; for C{unix} the path and 0.
    @ivar peer: the other's.
    @ivar outgoing: whether we have made the connection.
    @ivar openedAt: seconds since the epoch.
    @ivar closedAt: likewise; L{None} while it lasts.
    @ivar outcome: how it ended: C{"FIN from the peer"}, C{"reset by the peer"}, C{"closed by us"} ...
    @ivar bytesIn: from the peer, all of them.
    @ivar bytesOut: to the peer.
    @ivar piecesIn: how many pieces they came in.
    @ivar piecesOut: how many writes there were.
    @ivar forgotten: events that are not kept any more, the first ones.
    @ivar bytesKept: in its events.
    @ivar events: what happened, in order.
    @ivar redaction: what is hidden in it.
    @ivar looker: is told its events, besides those who are told of all.
    """

    id: int
    service: str
    detail: str
    transport: TransportName
    local: tuple[str, int]
    peer: tuple[str, int]
    openedAt: float
    secure: bool = False
    outgoing: bool = False
    closedAt: float | None = None
    outcome: str = ""
    bytesIn: int = 0
    bytesOut: int = 0
    piecesIn: int = 0
    piecesOut: int = 0
    forgotten: int = 0
    bytesKept: int = 0
    events: deque[Event] = field(default_factory=deque)
    redaction: Redaction = field(default=Redaction(), repr=False)
    looker: Looker | None = field(default=None, repr=False)
    hiding: dict[Happening, Hiding] | None = field(default=None, repr=False)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.closedAt is not None


@dataclass(frozen=True, slots=True)
class Bounds:
    """
    How much a L{Trace} keeps. What is beyond is counted and forgotten, the oldest first.

    @ivar conversations: of those that have ended.
    @ivar pieceBytes: of one piece, from its beginning.
    @ivar conversationBytes: of one conversation.
    @ivar events: of one conversation.
    @ivar totalBytes: of all, with L{EVENT_COST} for each event.
    """

    conversations: int = 1000
    pieceBytes: int = 16 * 1024
    conversationBytes: int = 256 * 1024
    events: int = 2000
    totalBytes: int = 32 * 1024 * 1024


class Trace:
    """
    Keeps conversations, within bounds.

    @ivar conversations: by C{id}, the oldest first.
    """

    log = Logger()

    def __init__(self, bounds: Bounds = Bounds(), redaction: Redaction = Redaction()) -> None:
        self.bounds = bounds
        self.redaction = redaction
        self._all: dict[int, Conversation] = {}
        self.conversations: Mapping[int, Conversation] = MappingProxyType(self._all)
        # Those that keep something, the longest quiet first; and those that have ended, in that order.
        self._quiet: OrderedDict[int, Conversation] = OrderedDict()
        self._loudest: Conversation | None = None
        self._ended: deque[Conversation] = deque()
        self._lookers: tuple[Looker, ...] = ()
        self._next = 1
        self._cost = 0

    def begin(
        self,
        service: str,
        detail: str,
        transport: TransportName,
        local: tuple[str, int],
        peer: tuple[str, int],
        at: float,
        secure: bool = False,
        outgoing: bool = False,
        redaction: Redaction | None = None,
        looker: Looker | None = None,
        number: int = 0,
    ) -> Conversation:
        """
        A connection is there, or a UDP peer has sent its first datagram.

        @param at: seconds since the epoch.
        @param redaction: what to hide in this one, in place of what the trace hides.
        @param looker: told the events of this one, in addition to those who L{subscribe}.
        @param number: its C{id}, unless another has that; 0 for the next.
        @return: what the events are added to; the first one, C{OPENED}, is there already.
        """
        if not number or number in self._all:
            number = self._next
        self._next = max(self._next, number + 1)
        conversation = Conversation(number, service, detail, transport, local, peer, at, secure, outgoing)
        conversation.redaction = self.redaction if redaction is None else redaction
        conversation.hiding = {} if conversation.redaction else None
        conversation.looker = looker
        self._all[conversation.id] = conversation
        self.add(conversation, Happening.OPENED, at)
        return conversation

    def add(
        self, conversation: Conversation, what: Happening, at: float, data: bytes = b"", note: str = ""
    ) -> None:
        """
        Something has happened. After C{CLOSED} nothing happens any more: it is ignored.

        @param data: all bytes of a piece that was C{RECEIVED} or C{WRITTEN}.
        @param note: for the others, one line; of C{CLOSED} the outcome.
        """
        if conversation.closedAt is not None:
            return
        # Every piece of everybody passes here.
        size = len(data)
        if what is Happening.RECEIVED:
            conversation.bytesIn += size
            conversation.piecesIn += 1
        elif what is Happening.WRITTEN:
            conversation.bytesOut += size
            conversation.piecesOut += 1
        elif what is Happening.CLOSED:
            conversation.closedAt = at
            conversation.outcome = note
        if size:
            data = self._kept(conversation, what, data)
        events = conversation.events
        event = Event(conversation.forgotten + len(events) + 1, at, what, data, size, note)
        events.append(event)
        conversation.bytesKept += len(data)
        self._cost += len(data) + EVENT_COST
        if conversation is not self._loudest:
            self._loudest = conversation
            self._quiet[conversation.id] = conversation
            self._quiet.move_to_end(conversation.id)
        bounds = self.bounds
        if (
            len(events) > bounds.events
            or conversation.bytesKept > bounds.conversationBytes
            or self._cost > bounds.totalBytes
        ):
            self._bound(conversation)
        if what is Happening.CLOSED:
            self._closed(conversation)
        if conversation.looker is not None and not self._tell(conversation.looker, conversation, event):
            conversation.looker = None
        for looker in self._lookers:
            if not self._tell(looker, conversation, event):
                self._leave(looker)

    def subscribe(self, callback: Looker) -> Callable[[], None]:
        """
        Have each event told from now on, as soon as it is there. A callback that raises is told no more.

        @return: ends it.
        """
        # Equal callbacks are still two.
        looker: Looker = lambda conversation, event: callback(conversation, event)  # noqa: E731
        self._lookers = (*self._lookers, looker)
        return lambda: self._leave(looker)

    def clear(self) -> None:
        """Forget the conversations that have ended."""
        while self._ended:
            self._forgetEnded()

    # What is kept.

    def _kept(self, conversation: Conversation, what: Happening, data: bytes) -> bytes:
        """The beginning of a piece, without secrets."""
        most = self.bounds.pieceBytes
        if conversation.hiding is None:
            return bytes(data[:most])
        hiding = conversation.hiding.get(what)
        if hiding is None:
            hiding = conversation.hiding[what] = conversation.redaction.begin()
        elif conversation.transport == "udp":
            hiding.again()
        kept, before = hiding.hide(bytes(data), most)
        if before:
            self._mend(conversation, what, before)
        return kept

    def _mend(self, conversation: Conversation, what: Happening, before: list[Span]) -> None:
        """
        Hide what turns out only now to be a secret.

        @param before: from where to where, in bytes before the end of what has been in that direction.
        """
        events, end = conversation.events, 0
        for index in range(len(events) - 1, -1, -1):
            event = events[index]
            if event.what is not what:
                continue
            start = end + event.size
            data = bytearray(event.data)
            for far, near in before:
                first, last = max(start - far, 0), min(start - near, len(data))
                if first < last:
                    data[first:last] = b"*" * (last - first)
            if data != event.data:
                events[index] = Event(event.number, event.at, what, bytes(data), event.size, event.note)
            end = start
            if end >= max(far for far, _ in before):
                return

    def _bound(self, conversation: Conversation) -> None:
        bounds, events = self.bounds, conversation.events
        while len(events) > 1 and (
            len(events) > bounds.events or conversation.bytesKept > bounds.conversationBytes
        ):
            self._forget(conversation)
        while self._cost > bounds.totalBytes:
            if self._ended:
                self._forgetEnded()
                continue
            # Of those that last, the longest quiet gives; the event that has just come stays.
            longest = next(iter(self._quiet.values()))
            if longest is conversation and len(events) == 1:
                return
            self._forget(longest)
            if not longest.events:
                del self._quiet[longest.id]
                self._loudest = None

    def _closed(self, conversation: Conversation) -> None:
        conversation.hiding = None
        self._ended.append(conversation)
        while len(self._ended) > self.bounds.conversations:
            self._forgetEnded()

    def _forget(self, conversation: Conversation) -> None:
        """The oldest event of a conversation."""
        event = conversation.events.popleft()
        conversation.forgotten += 1
        conversation.bytesKept -= len(event.data)
        self._cost -= len(event.data) + EVENT_COST

    def _forgetEnded(self) -> None:
        """The conversation that has ended first; who still looks at it keeps its events."""
        conversation = self._ended.popleft()
        del self._all[conversation.id]
        self._quiet.pop(conversation.id, None)
        if conversation is self._loudest:
            self._loudest = None
        self._cost -= conversation.bytesKept + EVENT_COST * len(conversation.events)

    # Who looks on.

    def _tell(self, looker: Looker, conversation: Conversation, event: Event) -> bool:
        """Tell one; whether that one can be told again."""
        try:
            looker(conversation, event)
        except Exception:
            self.log.failure("a bug in what looks at the trace; it is told no more")
            return False
        return True

    def _leave(self, looker: Looker) -> None:
        self._lookers = tuple(other for other in self._lookers if other is not looker)
