"""
One accepted connection, and the factory that keeps them.

Every stream service stands on these two. They count and limit connections, end the idle ones, hold
back a peer that does not read, contain what goes wrong in one connection, log each connection in one
line, and bring all of them to an orderly end when the service stops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import TYPE_CHECKING, ClassVar

from OpenSSL import SSL
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.net.endpoints import describe, peerHost
from labnet.net.limits import Limits, PeerCount
from labnet.net.logs import Tally, counted
from labnet.net.metrics import Family
from labnet.net.sockets import SocketOptions
from labnet.net.tls import sentenceOf

__all__ = ["ServiceConnection", "ServiceFactory", "newConnectionId"]

_connectionIds = count(1)

# A stopping service looks every millisecond, and at most so often, whether the kernel holds more for it:
# in each turn of the reactor 64 KiB are read, and the kernel holds no more than a few MiB.
_TURN = 0.001
_DRAINING_TURNS = 100


def newConnectionId() -> int:
    """A number for the log that nothing else in this process has."""
    return next(_connectionIds)


class Transport(ITCPTransport, IConsumer, IPushProducer):
    """What every stream transport of Twisted is to its protocol."""


@implementer(IHalfCloseableProtocol, IPushProducer)
class ServiceConnection(Protocol):
    """
    One connection of a L{ServiceFactory}.

    A subclass says what to do in L{started}, L{received}, L{inputEnded} and L{ended}, and whether a
    message is under way in L{busy}. What it raises there ends this connection, is logged as a bug, and
    touches no other. One that is not the only source of what it writes, as a relay is not, says in
    L{outputFull} and L{outputDrained} who has to wait.

    @ivar connectionId: a number that no other connection of this process has; it is in the log.
    @ivar peer: who it is, as text.
    @ivar outcome: why it ends, for the log; set by L{drop}, or found from how the transport ended.
    """

    factory: ServiceFactory
    transport: Transport

    def __init__(self) -> None:
        self.connectionId = newConnectionId()
        self.peer = "?"
        self.host = "?"
        self.bytesIn = 0
        self.bytesOut = 0
        self.outcome = ""
        self.openedAt = 0.0
        self.progressAt = 0.0
        self._closing = False
        self._ignoring = False
        self._holds: set[str] = set()
        self._touched = False
        self._bytesSeen = 0
        self._inputEnded = False
        self._isProducer = False
        self._settling = False

    # What a service says.

    def started(self) -> None:
        """The connection is there."""

    def received(self, data: bytes) -> None:
        """A piece of the stream has come."""

    def ignored(self, data: bytes) -> None:
        """A piece has come that is not listened to any more: our last word is said."""

    def inputEnded(self) -> None:
        """The peer has ended its half of the stream. What was already answered still reaches it."""
        self.close()

    def outputFull(self) -> None:
        """
        The peer reads too slowly, and what is written piles up. Unless a subclass says otherwise, the
        peer is not read from either.
        """
        self.hold("output")

    def outputDrained(self) -> None:
        """The peer reads again, and everything written has left."""
        self.release("output")

    def ended(self, reason: Failure) -> None:
        """The connection is gone, whoever ended it."""

    @property
    def busy(self) -> bool:
        """Whether a message has begun and is not answered; a stopping service waits for it."""
        return False

    @property
    def notable(self) -> bool:
        """Whether the log is to have a line for this connection when it is gone."""
        return True

    def summary(self) -> str:
        """What happened on this connection, in a few words for the log."""
        return f"{counted(self.bytesIn, 'byte')} in, {self.bytesOut} out"

    # What a service does.

    def write(self, data: bytes) -> None:
        """Send C{data} in one write."""
        self.bytesOut += len(data)
        self.transport.write(data)

    def touch(self) -> None:
        """
        Something whole was done: the idle time begins anew, as of the next L{watchTime}. Input with which
        nothing is under way does the same; a service calls it where a peer may always be in the middle of
        its next message.
        """
        self._touched = True

    def progressed(self) -> None:
        """
        Something was done. If nothing is under way any more, the idle time begins anew, and a stopping
        service ends the connection. Input alone does as much; a service that answers later calls it after
        the answer.
        """
        if self._ignoring or not self.busy:
            self._touched = True
            if self._settling:
                self.close("service stopped")

    def hold(self, why: str) -> None:
        """
        Do not read from the peer until L{release} is called with the same C{why}; there may be several
        reasons at a time. Nothing more is received, except what a layer such as TLS has read already.
        """
        if why not in self._holds:
            self._holds.add(why)
            if len(self._holds) == 1 and self._readable:
                self.transport.pauseProducing()

    def release(self, why: str) -> None:
        """Read from the peer again, unless there is another reason not to."""
        if why in self._holds:
            self._holds.discard(why)
            if not self._holds and self._readable:
                self.transport.resumeProducing()

    def held(self, why: str) -> bool:
        """Whether this is a reason, just now, not to read from the peer."""
        return why in self._holds

    @property
    def _readable(self) -> bool:
        # To resume a stream that has ended would have its end reported again.
        return not self._closing and not self._inputEnded

    def endOutput(self) -> None:
        """
        End our half of the stream once everything written has been sent; the peer's half goes on. TLS
        has no halves: there the connection is closed.
        """
        if not self._closing:
            self._unregister()
            if ISSLTransport.providedBy(self.transport):
                self.close()
            else:
                self.transport.loseWriteConnection()

    def close(self, outcome: str = "") -> None:
        """End the connection once everything written has been sent."""
        if not self._closing:
            self._closing = self._ignoring = True
            self.outcome = self.outcome or outcome
            self._unregister()
            self.transport.loseConnection()

    def _unregister(self) -> None:
        """A transport keeps a connection, or its half of it, open for as long as it has a producer."""
        if self._isProducer:
            self._isProducer = False
            self.transport.unregisterProducer()

    def drop(self, outcome: str) -> None:
        """End the connection at once, with what is unsent; the peer sees a reset."""
        self._closing = self._ignoring = True
        self.outcome = self.outcome or outcome
        self.transport.abortConnection()

    # IProtocol and IHalfCloseableProtocol

    def connectionMade(self) -> None:
        address = self.transport.getPeer()
        self.peer = describe(address)
        self.host = peerHost(address)
        self.openedAt = self.progressAt = self.factory.clock.seconds()
        self.factory.opened(self)
        self._isProducer = True
        self.transport.registerProducer(self, True)
        self._guarded(self.started)

    def dataReceived(self, data: bytes) -> None:
        # Every piece of every service passes here: no more than is needed, and no _guarded().
        self.bytesIn += len(data)
        try:
            if self._ignoring:
                self.ignored(data)
            else:
                self.received(data)
            if self._settling:
                self.progressed()
        except Exception:
            self._failed()

    def readConnectionLost(self) -> None:
        if not self._inputEnded:
            self._inputEnded = True
            self._guarded(self.inputEnded)

    def writeConnectionLost(self) -> None:
        """Our half is ended; there is nothing more to say."""

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:
        if not self.outcome:
            self.outcome = _outcomeOf(reason, self._closing)
        self._closing = self._ignoring = True
        try:
            self.ended(reason)
        except Exception:
            self.factory.log.failure("a bug at the end of connection {id}", id=self.connectionId)
        self.factory.closed(self)

    # IPushProducer: the transport asks us to pause when the peer does not read.

    def pauseProducing(self) -> None:
        """The peer reads too slowly; see L{outputFull}."""
        self._guarded(self.outputFull)

    def resumeProducing(self) -> None:
        """The peer reads again; see L{outputDrained}."""
        self.touch()
        self._guarded(self.outputDrained)

    def stopProducing(self) -> None:
        """The transport is gone; L{connectionLost} follows."""

    def watch(self, now: float) -> None:
        """Note whether something was done since it was called last, then L{watchTime}."""
        if self._touched or (self.bytesIn != self._bytesSeen and not self.busy):
            self.progressAt = now
        self._touched = False
        self._bytesSeen = self.bytesIn
        self.watchTime(now)

    def watchTime(self, now: float) -> None:
        """
        Called every now and then: end the connection if its time is over. A subclass with limits of its
        own names them in L{ServiceFactory.timeLimits}.
        """
        limits = self.factory.limits
        if limits.idleTimeout and now - self.progressAt >= limits.idleTimeout:
            self.drop(f"idle for {limits.idleTimeout:g} s")
        elif limits.lifetime and now - self.openedAt >= limits.lifetime:
            self.drop(f"open for {limits.lifetime:g} s")

    def settle(self) -> None:
        """The service stops: end now, or as soon as what is under way is answered."""
        self._settling = True
        self.progressed()

    @property
    def holding(self) -> bool:
        """Whether the peer is not read from just now, so that its silence means nothing."""
        return bool(self._holds)

    def _guarded(self, call: Callable[..., object], *args: object) -> None:
        try:
            call(*args)
        except Exception:
            self._failed()

    def _failed(self) -> None:
        """What a service raised ends this connection, and no other."""
        self.factory.log.failure("a bug in connection {id}", id=self.connectionId)
        self.drop("a bug in this service")


def _outcomeOf(reason: Failure, weClosed: bool) -> str:
    if reason.check(ConnectionDone):
        return "closed" if weClosed else "closed by the peer"
    if reason.check(ConnectionLost):
        return f"lost ({reason.getErrorMessage().strip()})"
    if isinstance(reason.value, SSL.Error):
        return sentenceOf(reason.value)
    return reason.getErrorMessage().strip() or str(reason.type)


if TYPE_CHECKING:
    _Factory = Factory[ServiceConnection]
else:
    _Factory = Factory


class ServiceFactory(_Factory):
    """
    Builds the connections of one service and keeps them within its limits.

    @param clock: the reactor, or a C{Clock} in a test.
    @param limits: how many, from whom, how long.
    @param sockets: the TCP options of each connection.
    @ivar connections: those that are open.
    @ivar served: how many there were, these among them.
    @ivar bytesIn: bytes from peers, over connections that have ended.
    @ivar bytesOut: bytes to peers, likewise.
    @ivar settling: whether the service stops, and each connection is being brought to its end.
    """

    noisy = False
    service: ClassVar[str] = "service"
    log = Logger()
    connectionClass: ClassVar[type[ServiceConnection]] = ServiceConnection

    def __init__(
        self,
        clock: IReactorTime,
        *,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        self.clock = clock
        self.limits = limits or Limits()
        self.sockets = sockets or SocketOptions()
        self.connections: set[ServiceConnection] = set()
        self.served = self.bytesIn = self.bytesOut = 0
        self.refused = Tally(self.log, f"{self.service} connections refused", clock)
        self._peers = PeerCount(self.limits)
        self._sweep: IDelayedCall | None = None
        self._finished: list[Deferred[None]] = []
        self._ending: list[IDelayedCall] = []

    def build(self) -> ServiceConnection:
        """A new connection; a subclass gives it what it needs."""
        return self.connectionClass()

    def figures(self) -> Iterable[Family]:
        """Its own figures, beside those that every service has; counted since it was asked first."""
        return ()

    def buildProtocol(self, addr: IAddress | None) -> ServiceConnection | None:
        if self.settling:
            return None
        refusal = self._peers.refusal(peerHost(addr))
        if refusal is not None:
            self.refused.add(refusal)
            return None
        connection = self.build()
        connection.factory = self
        return connection

    def opened(self, connection: ServiceConnection) -> None:
        """A connection is made: count it, set its socket, watch its time."""
        self.served += 1
        self.connections.add(connection)
        self._peers.add(connection.host)
        self.sockets.apply(connection.transport)
        if self._sweep is None:
            self._scheduleSweep()

    def closed(self, connection: ServiceConnection) -> None:
        """A connection is gone: forget it, and write its line if it has one."""
        self.connections.discard(connection)
        self.bytesIn += connection.bytesIn
        self.bytesOut += connection.bytesOut
        self._peers.remove(connection.host)
        if connection.notable:
            self._logEnd(connection)
        if not self.connections:
            self._cancelSweep()
            self._ended()

    def _logEnd(self, connection: ServiceConnection) -> None:
        self.log.info(
            "{service} #{id} {peer}: {summary}; {outcome} after {seconds:.3f} s",
            service=self.service,
            id=connection.connectionId,
            peer=connection.peer,
            summary=connection.summary(),
            outcome=connection.outcome,
            bytesIn=connection.bytesIn,
            bytesOut=connection.bytesOut,
            seconds=self.clock.seconds() - connection.openedAt,
        )

    # Time: one coarse sweep for all connections, not a timer each.

    def timeLimits(self) -> tuple[float, ...]:
        """The limits that the sweep watches, in seconds, 0 for none; the shortest sets its pace."""
        return (self.limits.idleTimeout, self.limits.lifetime)

    def _scheduleSweep(self) -> None:
        limits = [limit for limit in self.timeLimits() if limit]
        if limits and self.connections:
            interval = max(0.05, min(1.0, min(limits) / 4))
            self._sweep = self.clock.callLater(interval, self._sweepNow)

    def _cancelSweep(self) -> None:
        sweep, self._sweep = self._sweep, None
        if sweep is not None and sweep.active():
            sweep.cancel()

    def _sweepNow(self) -> None:
        self._sweep = None
        now = self.clock.seconds()
        for connection in tuple(self.connections):
            connection.watch(now)
        self._scheduleSweep()

    # The end.

    def finish(self) -> Deferred[None]:
        """
        Bring every connection to its end: what was received is answered first; whoever is in the middle
        of a message has C{limits.grace} seconds to complete it; then the rest is aborted.

        @return: fires when the last connection is gone.
        """
        self.refused.flush()
        if not self.connections:
            return succeed(None)
        finished: Deferred[None] = Deferred()
        if not self.settling:
            self._ending = [
                self.clock.callLater(self.limits.grace, self._abortAll),
                self.clock.callLater(_TURN, self._settleQuiet, self._read(), _DRAINING_TURNS),
            ]
        self._finished.append(finished)
        return finished

    @property
    def settling(self) -> bool:
        return bool(self._finished)

    def _read(self) -> dict[ServiceConnection, int]:
        return {connection: connection.bytesIn for connection in self.connections}

    def _settleQuiet(self, before: dict[ServiceConnection, int], turns: int) -> None:
        """
        The kernel may hold requests for us. Who sent nothing in a whole turn of the reactor has none
        there, and is settled. The others get another turn, and in the end are settled, too, except those
        that read slowly: of them we have not read everything, and they have the grace time.
        """
        now = self._read()
        waiting = False
        for connection, amount in now.items():
            if connection.holding or (turns > 0 and amount != before.get(connection)):
                waiting = True
            else:
                connection.settle()
        if waiting and self.settling:
            delay = _TURN if turns > 0 else 20 * _TURN
            self._ending[1] = self.clock.callLater(delay, self._settleQuiet, now, max(0, turns - 1))

    def _ended(self) -> None:
        """The last connection is gone; whoever waited for that is told."""
        ending, self._ending = self._ending, []
        for call in ending:
            if call.active():
                call.cancel()
        waiting, self._finished = self._finished, []
        for finished in waiting:
            finished.callback(None)

    def _abortAll(self) -> None:
        for connection in tuple(self.connections):
            connection.drop("not finished within the grace time")
