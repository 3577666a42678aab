"""
The layer of one connection that breaks it on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IProducer,
    IProtocol,
    IPullProducer,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.net.impairment import Action, Effect, StreamImpairment, told
from labnet.net.layer import Layer

if TYPE_CHECKING:
    from labnet.net.faulting import FaultyFactory

__all__ = ["FaultyConnection"]

#: Actions of one direction in one turn of the reactor; the other connections have their turn, too.
_AT_ONCE = 1_000
#: Seconds until a producer that had nothing to say is asked again.
_ASK_AGAIN = 0.01


@implementer(IPushProducer)
class _Flow:
    """
    One direction of a connection: lets its impairment act when it is due, and holds its source back when
    enough is held. To the transport that it writes to it is a producer.

    @param perform: does what an action says.
    @param moved: called whenever something may have changed; with whether the source has to wait.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        impairment: StreamImpairment,
        perform: Callable[[Action], object],
        moved: Callable[[bool], object],
        failed: Callable[[], object],
    ) -> None:
        self.impairment = impairment
        self._clock = clock
        self._perform = perform
        self._moved = moved
        self._failed = failed
        self._timer: IDelayedCall | None = None
        self._pumping = False
        self._blocked = False
        self._stopped = False

    def received(self, data: bytes) -> None:
        """A piece has come."""
        if not self._stopped:
            self.impairment.received(data, self._clock.seconds())
            self.pump()

    def ended(self, how: Effect) -> None:
        """The source has ended."""
        self.impairment.ended(how, self._clock.seconds())
        self.pump()

    @property
    def waits(self) -> bool:
        """Whether the source has to wait."""
        return self._blocked or self.impairment.full

    @property
    def goesOn(self) -> bool:
        """Whether something is held that will be passed on, or that somebody may ask for."""
        flowing = self._blocked or self.impairment.flows
        return bool(self.impairment.held) and flowing and not self._stopped

    def pump(self) -> None:
        """Do what is due."""
        if self._pumping or self._stopped:
            return
        self._pumping = True
        try:
            for _ in range(_AT_ONCE):
                take = self.impairment.takeTimed if self._blocked else self.impairment.take
                action = take(self._clock.seconds())
                if action is None:
                    break
                self._perform(action)
                if self._stopped:
                    return
        except Exception:
            self.log.failure("a bug in what is behind the faults")
            self._failed()
            return
        finally:
            self._pumping = False
        self._schedule()
        self._moved(self.waits)

    def _schedule(self) -> None:
        at = self.impairment.timedAt() if self._blocked else self.impairment.nextAt()
        timer, self._timer = self._timer, None
        if at is not None:
            delay = max(0.0, at - self._clock.seconds()) if at > -math.inf else 0.0
            if timer is not None and timer.active():
                timer.reset(delay)
                self._timer = timer
            else:
                self._timer = self._clock.callLater(delay, self._wake)
        elif timer is not None and timer.active():
            timer.cancel()

    def _wake(self) -> None:
        self._timer = None
        self.pump()

    # Who receives has enough, and wants more.

    def pauseProducing(self) -> None:
        """Pass nothing on."""
        self._blocked = True
        self.pump()

    def resumeProducing(self) -> None:
        """Pass on what has waited."""
        self._blocked = False
        self.pump()

    def stopProducing(self) -> None:
        """Nothing more is passed on."""
        self._stopped = True
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


@implementer(IHalfCloseableProtocol)
class FaultyConnection(Layer):
    """
    Breaks one connection. A direction without an impairment is not touched.

    It takes the end of the peer's half itself, even for a protocol that does not: what is held comes first.
    So it does when the whole connection ends in good order; after a reset what is held is lost.

    @param inward: what is done to what the peer sends; L{None} for nothing.
    @param outward: likewise, to what the protocol writes.
    @param number: of the connection, for the log; from 1.
    @param line: the faults that do the same again.
    """

    def __init__(
        self,
        factory: FaultyFactory,
        wrapped: IProtocol,
        inward: StreamImpairment | None,
        outward: StreamImpairment | None,
        number: int,
        line: str,
    ) -> None:
        super().__init__(wrapped)
        self._factory = factory
        self.number = number
        self.line = line
        clock = factory.clock
        self._inward = _Flow(clock, inward, self._doIn, self._readOrNot, self._abort) if inward else None
        self._outward = _Flow(clock, outward, self._doOut, self._ask, self._abort) if outward else None
        self._disconnecting = False
        self._registered = False
        self._inputEnded = False
        self._paused = False
        self._producer: IProducer | None = None
        self._streaming = True
        self._producerPaused = False
        self._asking: IDelayedCall | None = None
        self._ending: Effect | None = None
        self._lost = False
        self._why: Failure | None = None
        # How the connection below has ended, while the protocol still gets what is held.
        self._parting: Failure | None = None
        self._leaving: IDelayedCall | None = None

    # What the transport does.

    def makeConnection(self, transport: Any) -> None:
        if self._outward is not None:
            self._registered = True
            transport.registerProducer(self._outward, True)
        super().makeConnection(transport)
        for flow in (self._inward, self._outward):
            if flow is not None:
                flow.pump()

    def dataReceived(self, data: bytes) -> None:
        if self._inward is None:
            self.wrapped.dataReceived(data)
        else:
            self._inward.received(data)

    def readConnectionLost(self) -> None:
        """The peer has ended its half."""
        self._inputEnded = True
        if self._inward is None:
            self._endInput()
        else:
            self._inward.ended(Effect.HALF_CLOSE)

    def writeConnectionLost(self) -> None:
        """Our half has ended."""
        half = IHalfCloseableProtocol(self.wrapped, None)
        if half is not None:
            half.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        flow = self._inward
        self._outwardEnds()
        if flow is not None and self._why is None and reason.check(ConnectionDone) and flow.goesOn:
            # It ended in good order, as TLS does without halves: what is held comes first.
            self._parting = reason
            flow.ended(Effect.HALF_CLOSE)
        else:
            self._finish(reason)

    def _outwardEnds(self) -> None:
        """Nothing more can be sent."""
        self._lost = True
        if self._outward is not None:
            self._outward.stopProducing()
        asking, self._asking = self._asking, None
        if asking is not None and asking.active():
            asking.cancel()
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()

    def _finish(self, reason: Failure) -> None:
        """The protocol is told the end, once."""
        self._parting = None
        if self._inward is not None:
            self._inward.stopProducing()
        self._factory.ended(self)
        super().connectionLost(self._why or reason)

    def _partNow(self) -> None:
        """The connection is gone below, and the protocol does not want what is held."""
        if self._parting is not None:
            self._finish(self._parting)

    # What the protocol does.

    def write(self, data: bytes) -> None:
        if self._parting is not None:
            return
        if self._outward is None:
            self.transport.write(data)
        else:
            self._outward.received(bytes(data))

    @property
    def disconnecting(self) -> bool:
        """Whether the end was asked for."""
        return self._disconnecting or super().disconnecting

    def loseConnection(self) -> None:
        """End the connection, after everything that was written."""
        self._disconnecting = True
        if self._parting is not None:
            self._leave()
        else:
            self._end(Effect.CLOSE)

    def loseWriteConnection(self) -> None:
        """End our half, after everything that was written."""
        if self._parting is None:
            self._end(Effect.HALF_CLOSE)

    def abortConnection(self) -> None:
        """End the connection at once, with what is held."""
        self._disconnecting = True
        if self._parting is not None:
            self._leave()
        else:
            self._abort()

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        if self._outward is None:
            self.transport.registerProducer(producer, streaming)
        elif self._producer is not None:
            raise RuntimeError("there is a producer already")
        elif self._lost:
            producer.stopProducing()
        else:
            self._producer, self._streaming, self._producerPaused = producer, streaming, False
            self._ask(self._outward.waits)

    def unregisterProducer(self) -> None:
        if self._outward is None:
            self.transport.unregisterProducer()
            return
        self._producer = None
        if self._ending is not None and not self._lost:
            self._outward.ended(self._ending)

    def pauseProducing(self) -> None:
        """The protocol does not want to receive anything just now."""
        if self._inward is None:
            self.transport.pauseProducing()
        else:
            self._inward.pauseProducing()

    def resumeProducing(self) -> None:
        """The protocol wants to receive again."""
        if self._inward is None:
            self.transport.resumeProducing()
        else:
            self._inward.resumeProducing()

    def stopProducing(self) -> None:
        """The protocol does not want to receive anything any more."""
        self.loseConnection()

    # In between.

    def _doIn(self, action: Action) -> None:
        self._note("in", action.note)
        match action.effect:
            case Effect.DATA:
                self.wrapped.dataReceived(action.data)
            case Effect.HALF_CLOSE:
                self._endInput()
            case Effect.CLOSE:
                self.loseConnection()
            case Effect.RESET:
                self._reset(action.note)

    def _doOut(self, action: Action) -> None:
        self._note("out", action.note)
        match action.effect:
            case Effect.DATA:
                self.transport.write(action.data)
            case Effect.HALF_CLOSE if not ISSLTransport.providedBy(self.transport):
                self._unregister()
                self.transport.loseWriteConnection()
            case Effect.HALF_CLOSE | Effect.CLOSE:  # TLS has no halves.
                self._unregister()
                self.transport.loseConnection()
            case Effect.RESET:
                self._reset(action.note)

    def _unregister(self) -> None:
        """A transport keeps a connection, or its half of it, open for as long as it has a producer."""
        if self._registered:
            self._registered = False
            self.transport.unregisterProducer()

    def _endInput(self) -> None:
        half = IHalfCloseableProtocol(self.wrapped, None)
        if half is not None:
            half.readConnectionLost()
        else:
            self.loseConnection()

    def _end(self, how: Effect) -> None:
        if self._outward is None:
            (self.transport.loseConnection if how is Effect.CLOSE else self.transport.loseWriteConnection)()
        elif self._producer is not None:
            self._ending = how  # A producer keeps the connection open, as it does below.
        else:
            self._outward.ended(how)

    def _reset(self, note: str) -> None:
        self._why = Failure(ConnectionLost(f"a fault on purpose: {note}"))
        self._abort()

    def _abort(self) -> None:
        for flow in (self._inward, self._outward):
            if flow is not None:
                flow.stopProducing()
        if self._parting is not None:
            self._leave()
        else:
            self.transport.abortConnection()

    def _leave(self) -> None:
        # Not before the protocol is done with what it does just now.
        if self._leaving is None:
            self._leaving = self._factory.clock.callLater(0, self._partNow)

    def _note(self, direction: str, note: str) -> None:
        if note:
            self._factory.happened(self, f"{direction}: {note}")

    def _readOrNot(self, wait: bool) -> None:
        """The transport is the source of what comes in."""
        if self._parting is not None:
            if self._inward is None or not self._inward.goesOn:
                self._leave()
            return
        # To resume a stream that has ended would have its end reported again.
        if wait != self._paused and not self._inputEnded and not self._lost:
            self._paused = wait
            (self.transport.pauseProducing if wait else self.transport.resumeProducing)()

    def _ask(self, wait: bool) -> None:
        """The protocol's producer is the source of what goes out."""
        producer = self._producer
        if producer is None:
            return
        if self._streaming:
            if wait != self._producerPaused:
                self._producerPaused = wait
                pushing = cast(IPushProducer, producer)
                (pushing.pauseProducing if wait else pushing.resumeProducing)()
        elif not wait and self._asking is None and self._outward and not self._outward.impairment.held:
            self._asking = self._factory.clock.callLater(0, self._pull)

    def _pull(self) -> None:
        """Ask a producer that has to be asked for each piece."""
        self._asking = None
        flow, producer = self._outward, self._producer
        if producer is None or flow is None or self._lost or flow.waits:
            return
        before = flow.impairment.offset
        cast(IPullProducer, producer).resumeProducing()
        still = self._producer is producer and not self._lost and not flow.impairment.held
        if still and self._asking is None:
            delay = 0.0 if flow.impairment.offset > before else _ASK_AGAIN
            self._asking = self._factory.clock.callLater(delay, self._pull)

    def summary(self) -> str:
        """What was done, in a few words; empty for nothing."""
        directions = (("in", self._inward), ("out", self._outward))
        parts = [(name, told(flow.impairment.done)) for name, flow in directions if flow is not None]
        return "; ".join(f"{name}: {text}" for name, text in parts if text)
