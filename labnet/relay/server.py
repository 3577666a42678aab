"""
The near side of a relay from TCP: who connects to it.
"""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.calculator.arithmetic import Calculation, Fault
from labnet.calculator.wire import DEFAULT_PROFILE, EndOfSession, Malformed, Profile, Received
from labnet.net.connection import ServiceConnection, ServiceFactory
from labnet.net.limits import Limits
from labnet.net.logs import counted, shown
from labnet.net.outcome import explain
from labnet.net.sockets import SocketOptions
from labnet.net.splice import Splice
from labnet.relay.client import Counts, Upstream
from labnet.relay.wire import Tampering

__all__ = [
    "RequestRelay",
    "RequestRelayFactory",
    "StreamRelay",
    "StreamRelayFactory",
    "Tamperer",
]


class Tamperer:
    """
    Changes the requests of one client, and says so in the log.

    @param tampering: what is changed; L{None} for nothing.
    @param profile: how requests look.
    @param connectionId: whose they are, for the log.
    @ivar changed: how many were.
    """

    #: Changes that have a line in the log each; later ones of the same client are only counted.
    MOST_LINES = 20

    log = Logger()

    def __init__(self, tampering: Tampering | None, profile: Profile, connectionId: int) -> None:
        self._tampering = tampering
        self._profile = profile
        self._connectionId = connectionId
        self.changed = 0

    def change(self, received: Received) -> bytes:
        """The bytes to send in place of a request: its own, unless it is one that can be changed."""
        if self._tampering is None or not isinstance(received.request, Calculation):
            return received.raw
        changed = self._tampering.apply(self._profile, received.request)
        if changed is None:
            return received.raw
        calculation, raw = changed
        self.changed += 1
        if self.changed <= self.MOST_LINES:
            self.log.info(
                "relay #{id}: {before} becomes {after}",
                id=self._connectionId,
                before=shown(str(received.request)),
                after=shown(str(calculation)),
            )
        return raw

    def changeDatagram(self, datagram: bytes) -> bytes:
        """The same for a datagram; what is no request of the profile is left as it is."""
        if self._tampering is None:
            return datagram
        request = self._profile.requests.decodeDatagram(datagram)
        return datagram if request is None else self.change(Received(datagram, request))


# TCP to UDP


class _Slot:
    """A request that has been read, and the place of its reply in the order."""

    __slots__ = ("asking", "reply")

    def __init__(self, reply: bytes | None = None) -> None:
        self.reply = reply
        self.asking: Deferred[bytes] | None = None


class RequestRelay(ServiceConnection):
    """
    One client of a relay from TCP to UDP: each of its requests is asked in a datagram, and the replies
    come back in the order of the requests, each in one write.

    @param upstream: whom to ask.
    @param profile: where a request ends.
    @param tampering: what to change in requests.
    @param mostPipelined: how many requests of this client are under way at a time; beyond that it is not
        read from.
    """

    factory: RequestRelayFactory

    def __init__(
        self, upstream: Upstream, profile: Profile, tampering: Tampering | None, mostPipelined: int
    ) -> None:
        super().__init__()
        self._upstream = upstream
        self._profile = profile
        self._mostPipelined = mostPipelined
        self._reader = profile.requests.reader()
        self._tamperer = Tamperer(tampering, profile, self.connectionId)
        # Read and not asked yet; never more than one piece of the stream holds.
        self._unasked: deque[Received] = deque()
        self._slots: deque[_Slot] = deque()
        self._advancing = False
        self._lastOutcome = ""
        self.requests = 0
        self.malformed = 0
        self.counts = Counts()

    def received(self, data: bytes) -> None:
        if not self._lastOutcome:
            self._unasked.extend(self._reader.split(data))
            self._advance()

    def inputEnded(self) -> None:
        self._last("closed in the middle of a request" if self._reader.pending else "closed by the peer")
        self._advance()

    def outputDrained(self) -> None:
        super().outputDrained()
        self._advance()

    def ended(self, reason: Failure) -> None:
        slots, self._slots = self._slots, deque()
        self._unasked.clear()
        for slot in slots:
            if slot.asking is not None:
                slot.asking.cancel()

    @property
    def busy(self) -> bool:
        return bool(self._slots or self._unasked or self._reader.pending)

    def summary(self) -> str:
        counts = self.counts
        notes = [
            (self.malformed, f"{self.malformed} malformed"),
            (counts.retries, counted(counts.retries, "retry", "retries")),
            (counts.unanswered, f"{counts.unanswered} unanswered ({counts.why})"),
            (counts.hits or counts.misses, f"cache {counts.hits} hits {counts.misses} misses"),
            (self._tamperer.changed, f"{self._tamperer.changed} tampered with"),
        ]
        happened = ", ".join([counted(self.requests, "request"), *(note for count, note in notes if count)])
        return f"{happened}, {super().summary()}"

    def _advance(self) -> None:
        """Do what can be done: send replies, ask more, read more or not, or close."""
        if self._advancing or self._closing:
            return
        # An answer may come at once, from the cache; it must not start this anew in the middle.
        self._advancing = True
        try:
            while self._sendNext() or self._askNext():
                pass
        finally:
            self._advancing = False
        if len(self._slots) >= self._mostPipelined or self._unasked:
            self.hold("pipeline")
        else:
            self.release("pipeline")
        if self._lastOutcome and not self._slots and not self._unasked:
            self.close(self._lastOutcome)
        else:
            self.progressed()

    def _sendNext(self) -> bool:
        if not self._slots or self._slots[0].reply is None:
            return False
        self.write(self._slots.popleft().reply or b"")
        self.touch()
        return True

    def _askNext(self) -> bool:
        # A client that does not read has no more asked for it: replies must not pile up.
        full = len(self._slots) >= self._mostPipelined or self.held("output")
        if not self._unasked or full or self._closing:
            return False
        received = self._unasked.popleft()
        match received.request:
            case EndOfSession():
                self._last("ended by the client")
                self._unasked.clear()
            case Malformed(why, fatal):
                self.requests += 1
                self.malformed += 1
                self._slots.append(_Slot(self._profile.replies.encode(Fault.MALFORMED)))
                if fatal:
                    self._last(why)
                    self._unasked.clear()
            case _:
                self.requests += 1
                self._ask(self._tamperer.change(received))
        return True

    def _last(self, outcome: str) -> None:
        """Nothing more is read; when everything read is answered, the connection ends."""
        self._lastOutcome = self._lastOutcome or outcome
        self.hold("last")

    def _ask(self, request: bytes) -> None:
        slot = _Slot()
        self._slots.append(slot)
        slot.asking = Deferred.fromCoroutine(self._upstream.answer(request, self.counts))
        slot.asking.addCallbacks(self._answered, self._notAnswered, callbackArgs=(slot,))

    def _answered(self, reply: bytes, slot: _Slot) -> None:
        slot.reply = reply
        self._guarded(self._advance)

    def _notAnswered(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.factory.log.failure("a bug in connection {id}", failure, id=self.connectionId)
            self.drop("a bug in this service")


class RequestRelayFactory(ServiceFactory):
    """
    A relay from TCP to UDP.

    @param clock: the reactor, or a C{Clock} in a test.
    @param upstream: the UDP server, shared by all connections.
    @param profile: where a request ends, and what an error looks like.
    @param tampering: what to change in requests; L{None} for nothing.
    @param mostPipelined: how many requests of one client are under way at a time.
    @param limits: how many connections, how long.
    @param sockets: the TCP options of each connection.
    """

    service: ClassVar[str] = "relay"
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        upstream: Upstream,
        profile: Profile = DEFAULT_PROFILE,
        *,
        tampering: Tampering | None = None,
        mostPipelined: int = 32,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__(clock, limits=limits, sockets=sockets)
        self.upstream = upstream
        self.profile = profile
        self.tampering = tampering
        self.mostPipelined = mostPipelined

    def build(self) -> RequestRelay:
        return RequestRelay(self.upstream, self.profile, self.tampering, self.mostPipelined)

    def finish(self) -> Deferred[None]:
        return super().finish().addCallback(lambda _: self.upstream.close())


# TCP to TCP


class StreamRelay(ServiceConnection):
    """
    One client of a relay from TCP to TCP, and its origin: the bytes of each go to the other, and so does
    what happens to the connection. Nothing is kept: who reads slowly slows the other side down.
    """

    factory: StreamRelayFactory

    def started(self) -> None:
        factory = self.factory
        self._splice = Splice(self, factory.clock, factory.sockets)
        joined = self._splice.join(factory.origin, factory.connectTimeout)
        joined.addErrback(self._notJoined)

    def received(self, data: bytes) -> None:
        self._splice.received(data)

    def inputEnded(self) -> None:
        self._splice.inputEnded()

    def outputFull(self) -> None:
        self._splice.outputFull()

    def outputDrained(self) -> None:
        self._splice.outputDrained()

    def ended(self, reason: Failure) -> None:
        self._splice.ended(reason)

    @property
    def busy(self) -> bool:
        # Nobody here knows where a message ends: a stopping service gives all of them its grace time.
        return not self._closing

    def _notJoined(self, failure: Failure) -> None:
        if not self._closing:
            self.drop(f"no origin: {explain(failure)[0]}")


class StreamRelayFactory(ServiceFactory):
    """
    A relay from TCP to TCP.

    @param clock: the reactor, or a C{Clock} in a test.
    @param origin: where each client's other connection goes.
    @param connectTimeout: seconds that this connection may take to be made.
    @param limits: how many connections, how long.
    @param sockets: the TCP options of each connection, on both sides.
    """

    service: ClassVar[str] = "relay"
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        origin: IStreamClientEndpoint,
        *,
        connectTimeout: float = 10.0,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__(clock, limits=limits, sockets=sockets)
        self.origin = origin
        self.connectTimeout = connectTimeout

    def build(self) -> StreamRelay:
        return StreamRelay()
