"""
The chat's server: one live room, and the connections of its members.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.chat.room import Delivery, Pace, Refused, Room
from labnet.chat.wire import LINE, PROMPT, Dialect, Event, Told, clean, weightOf
from labnet.net.framing import FramingError
from labnet.net.limits import DatagramLimits, Limits, RateLimit
from labnet.net.lingering import LingeringConnection, LingeringFactory
from labnet.net.logs import counted, shown
from labnet.net.sockets import SocketOptions

__all__ = ["ChatConnection", "ChatFactory", "ChatLimits", "LiveRoom", "Member"]

# Above either of these the members get what is waiting now, not at the end of the reactor's turn.
_MOST_WAITING = 1_000
_MOST_WAITING_BYTES = 65_536
# Names that somebody may try before the connection is closed.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class ChatLimits:
    """
    What the room allows to one member; C{0} means "no limit" for the rates and times.

    @ivar longest: bytes in a message.
    @ivar rate: messages a second, sustained. Who is faster is not read for a while; nothing is lost.
    @ivar burst: messages at once, after a silence.
    @ivar joins: people a second who may come from one address, sustained; twice that in a burst.
    @ivar backlog: bytes that may wait for a member that does not read, beyond what its transport keeps
        (64 KiB) and the system.
    @ivar stall: seconds in which such a member has to read what waits for it.
    @ivar naming: seconds in which somebody has to give a name.
    @ivar gap: seconds of silence that end a message in the C{plain} framing.
    """

    longest: int = 4_096
    rate: float = 20.0
    burst: int = 100
    joins: float = 50.0
    backlog: int = 262_144
    stall: float = 60.0
    naming: float = 60.0
    gap: float = 0.02


class Member(Protocol):
    """Whoever is in the room."""

    @property
    def dialect(self) -> Dialect: ...

    def deliver(self, data: bytes) -> None:
        """Send these bytes: one message, or several where the dialect lets them be joined."""


@dataclass(slots=True)
class _Apart:
    """
    What one member gets otherwise than the rest.

    @ivar since: the first waiting event that is for this member at all.
    @ivar changes: places among the waiting events, in order: without an event, the one there is not for
        this member; with one, it comes before the one there, for this member only.
    """

    since: int = 0
    changes: list[tuple[int, Event | None]] = field(default_factory=list)

    def pieces(self, common: list[bytes], dialect: Dialect) -> list[bytes]:
        """This member's messages, given everybody's."""
        own: list[bytes] = []
        at = self.since
        for place, event in self.changes:
            own += common[at:place]
            if event is None:
                at = place + 1
            else:
                own.append(b"".join(dialect.encode(event)))
                at = place
        own += common[at:]
        return own


class LiveRoom:
    """
    The room, its members' transports, and the order of everything.

    What happens in one turn of the reactor leaves together: each event is encoded once for each dialect,
    and all members of a dialect are given the same bytes, in one write, except those that are the
    source of one of the events. The order is that in which the server read it, for everybody.

    @param clock: the reactor, or a C{Clock} in a test.
    @param room: who is in it, and what was said.
    @param limits: what one member may do.
    """

    log = Logger()

    def __init__(
        self, clock: IReactorTime, room: Room[Member] | None = None, limits: ChatLimits | None = None
    ) -> None:
        self.clock = clock
        self.room: Room[Member] = Room() if room is None else room
        self.limits = limits or ChatLimits()
        self._joins = RateLimit(DatagramLimits(perSource=self.limits.joins, total=0.0))
        self._waiting: list[Event] = []
        self._waitingBytes = 0
        self._apart: dict[Member, _Apart] = {}
        self._flush: IDelayedCall | None = None

    # What members do.

    def enter(self, member: Member, name: bytes | str, host: str, *, echo: bool = False) -> str:
        """
        Somebody comes in.

        @param host: where from.
        @param echo: whether this member gets its own messages, too.
        @return: the name.
        @raise Refused: not under that name, or not now.
        """
        if self.limits.joins and not self._joins.admits(host, self.clock.seconds()):
            raise Refused("Too many people come from your address; try again in a moment.")
        deliveries = self.room.join(member, name, extras=member.dialect.extras, echo=echo)
        self._apart[member] = _Apart(len(self._waiting))
        self._take(deliveries)
        return self.room.nameOf(member)

    def hear(self, member: Member, text: str) -> bool:
        """
        A member says something.

        @return: whether it wants to leave.
        """
        heard = self.room.hear(member, text)
        self._take(heard.deliveries)
        return heard.quits

    def tell(self, member: Member, sentence: str) -> None:
        """Say something to one member, in its place among everything else."""
        self._take((Delivery(Told(sentence), only=member),))

    def leave(self, member: Member) -> None:
        """Somebody goes, and gets nothing more; nothing happens if it was not here."""
        deliveries = self.room.leave(member)
        self._apart.pop(member, None)
        self._take(deliveries)

    # How the others get it.

    def _take(self, deliveries: tuple[Delivery[Member], ...]) -> None:
        for delivery in deliveries:
            if delivery.only is not None:
                self._apartFor(delivery.only).changes.append((len(self._waiting), delivery.event))
                if isinstance(delivery.event, Told):
                    # Made for this member; everything else is in the history anyway.
                    self._waitingBytes += weightOf(delivery.event)
                continue
            if delivery.but is not None:
                self._apartFor(delivery.but).changes.append((len(self._waiting), None))
            self._waiting.append(delivery.event)
            self._waitingBytes += weightOf(delivery.event)
        if len(self._waiting) >= _MOST_WAITING or self._waitingBytes >= _MOST_WAITING_BYTES:
            self.flush()
        elif deliveries and self._flush is None:
            self._flush = self.clock.callLater(0, self.flush)

    def _apartFor(self, member: Member) -> _Apart:
        apart = self._apart.get(member)
        if apart is None:
            apart = self._apart[member] = _Apart()
        return apart

    def flush(self) -> None:
        """Give the members now what waits for them."""
        flush, self._flush = self._flush, None
        if flush is not None and flush.active():
            flush.cancel()
        events, self._waiting, self._waitingBytes = self._waiting, [], 0
        everybody, self._apart = self._apart, {}
        encoded: dict[Dialect, tuple[list[bytes], bytes]] = {}
        for member in tuple(self.room):
            dialect = member.dialect
            if dialect not in encoded:
                pieces = [b"".join(dialect.encode(event)) for event in events]
                encoded[dialect] = (pieces, b"".join(pieces) if dialect.joins else b"")
            pieces, whole = encoded[dialect]
            apart = everybody.get(member)
            if apart is not None:
                pieces = apart.pieces(pieces, dialect)
                whole = b"".join(pieces) if dialect.joins else b""
            try:
                self._give(member, pieces, whole)
            except Exception:
                # A bug in the code of one kind of member: the others still get what was said.
                self.log.failure("a bug in a member of the room")

    def _give(self, member: Member, pieces: list[bytes], whole: bytes) -> None:
        if member.dialect.joins:
            if whole:
                member.deliver(whole)
        else:
            for piece in pieces:
                member.deliver(piece)


class ChatConnection(LingeringConnection):
    """
    One connection: gives a name, then talks, until it leaves.

    @param live: the room.
    @param dialect: how it is spoken to.
    """

    def __init__(self, live: LiveRoom, dialect: Dialect) -> None:
        super().__init__()
        self.dialect = dialect
        self.name = ""
        self.messages = 0
        self._live = live
        self._limits = live.limits
        self._reader = dialect.reader(live.limits.longest)
        self._pace = Pace(live.limits.rate, live.limits.burst)
        self._tries = 0
        self._silence: IDelayedCall | None = None
        self._turn: IDelayedCall | None = None
        self._fullSince: float | None = None
        self._backlog = 0
        self._endedAt: float | None = None
        self._ahead: bytes | None = None

    # LingeringConnection

    def started(self) -> None:
        self.write(self.dialect.frame(PROMPT))

    def received(self, data: bytes) -> None:
        self._reader.feed(data)
        self._work()

    def inputEnded(self) -> None:
        if self.lingering:
            self.close()
            return
        self._endedAt = self.factory.clock.seconds()
        try:
            self._reader.end()
        except FramingError:
            self._depart("closed in the middle of a message")
            return
        self._work()

    def outputFull(self) -> None:
        super().outputFull()
        self._fullSince = self.factory.clock.seconds()
        self._backlog = 0

    def outputDrained(self) -> None:
        super().outputDrained()
        self._fullSince = None

    def ended(self, reason: Failure) -> None:
        self._cancelSilence()
        self._cancelTurn()
        self._live.leave(self)

    @property
    def busy(self) -> bool:
        return not self.lingering and (self._ahead is not None or self._reader.pending)

    def summary(self) -> str:
        name = f"{shown(self.name)}, " if self.name else ""
        return f"{name}{counted(self.messages, 'message')}, {super().summary()}"

    def watchTime(self, now: float) -> None:
        limits = self._limits
        if limits.naming and not self.name and now - self.openedAt >= limits.naming:
            self.drop(f"no name for {limits.naming:g} s")
        elif limits.stall and self._fullSince is not None and now - self._fullSince >= limits.stall:
            self._dropSlow(f"has not read for {limits.stall:g} s")
        elif limits.stall and self._endedAt is not None and now - self._endedAt >= limits.stall:
            self._live.leave(self)
            self.drop(f"not ended within {limits.stall:g} s")
        else:
            super().watchTime(now)

    # Member

    def deliver(self, data: bytes) -> None:
        """Send what happened, unless this member is too far behind: then it goes, and nobody waits."""
        if self._closing or self.lingering:
            return
        # What fills the transport may be a whole history: it is what comes on top that shows who is slow.
        wasFull = self._fullSince is not None
        self.write(data)
        if wasFull:
            self._backlog += len(data)
            if self._backlog > self._limits.backlog:
                self._dropSlow(f"is more than {self._limits.backlog} bytes behind")

    # What the member says.

    def _work(self) -> None:
        """Take one message after the other, as fast as is allowed."""
        if self._turn is not None:
            return
        self._cancelSilence()
        try:
            while (message := self._next()) is not None:
                if self._hasToWait():
                    self._ahead = message
                    return
                self._take(message)
                if self._closing:
                    return
        except FramingError:
            self._say(f"A message has at most {self._limits.longest} bytes.")
            self._refuse(f"a message of more than {self._limits.longest} bytes")
            return
        self.release("pace")
        if self._endedAt is not None:
            self._depart("closed by the peer")
        elif self._reader.pending and not self.dialect.joins:
            self._listenForSilence()

    def _next(self) -> bytes | None:
        ahead, self._ahead = self._ahead, None
        return self._reader.next() if ahead is None else ahead

    def _hasToWait(self) -> bool:
        """Whether it is too early for one more message; then the member is not read from meanwhile."""
        if not self.name or not self._limits.rate:
            return False
        wait = self._pace.wait(self.factory.clock.seconds())
        if not wait:
            return False
        self.hold("pace")
        self._turn = self.factory.clock.callLater(wait, self._guarded, self._nextTurn)
        return True

    def _nextTurn(self) -> None:
        self._turn = None
        self._work()
        self.progressed()

    def _take(self, message: bytes) -> None:
        self.touch()
        if not self.name:
            self._introduce(message)
            return
        self.messages += 1
        if self._live.hear(self, clean(message)):
            self._depart("quit")
        elif self in self._live.room:
            self.name = self._live.room.nameOf(self)

    def _introduce(self, name: bytes) -> None:
        if name.strip() == b"/quit":
            self._depart("quit")
            return
        try:
            self.name = self._live.enter(self, name, self.host)
        except Refused as refusal:
            self._tries += 1
            if self._tries >= _TRIES:
                self._say(str(refusal))
                self._depart(f"no name in {_TRIES} tries")
            else:
                # It ends with the question, so that whoever looks for that finds it.
                self._say(f"{refusal} {PROMPT}")

    def _say(self, sentence: str) -> None:
        if self.name:
            self._live.tell(self, sentence)
        else:
            for message in self.dialect.encode(Told(sentence)):
                self.write(message)

    # How it ends.

    def _depart(self, outcome: str) -> None:
        """Leave, after everything that was said so far."""
        self._endedAt = self.factory.clock.seconds()
        if self.name:
            self._live.flush()
        self._live.leave(self)
        self.close(outcome)

    def _refuse(self, outcome: str) -> None:
        """Leave, and listen no more: the sentence that says why must not be overtaken by a reset."""
        if self.name:
            self._live.flush()
        self._live.leave(self)
        self.endWith(b"", outcome)

    def _dropSlow(self, why: str) -> None:
        self._live.leave(self)
        self.drop(f"reads too slowly: {why}")

    # Silence, which ends a message of the course's client.

    def _listenForSilence(self) -> None:
        if self._silence is None:
            self._silence = self.factory.clock.callLater(self._limits.gap, self._guarded, self._silent)
        else:
            self._silence.reset(self._limits.gap)

    def _cancelTurn(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None and turn.active():
            turn.cancel()

    def _cancelSilence(self) -> None:
        silence, self._silence = self._silence, None
        if silence is not None and silence.active():
            silence.cancel()

    def _silent(self) -> None:
        self._silence = None
        if self.holding:
            # We do not listen just now, so nothing can be heard.
            self._listenForSilence()
            return
        self._reader.pause()
        self._work()
        self.progressed()


class ChatFactory(LingeringFactory):
    """
    One way into the room.

    @param live: the room; several factories may share one.
    @param dialect: how the members that come this way are spoken to.
    @param limits: how many connections, how long.
    @param sockets: the TCP options of each connection.
    """

    service: ClassVar[str] = "chat"
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        live: LiveRoom | None = None,
        dialect: Dialect = LINE,
        *,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__(clock, limits=limits, sockets=sockets)
        self.live = live or LiveRoom(clock)
        self.dialect = dialect

    def build(self) -> ChatConnection:
        return ChatConnection(self.live, self.dialect)

    def timeLimits(self) -> tuple[float, ...]:
        return (*super().timeLimits(), self.live.limits.naming, self.live.limits.stall)
