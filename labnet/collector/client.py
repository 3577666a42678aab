"""
The collector's client: sends pieces, each in a segment of its own as far as one can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, TimeoutError
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.net.connection import Transport

__all__ = ["CollectorClient", "connectCollector", "sendPieces"]

_Result = TypeVar("_Result")

# What a collector says is not looked at; the end of it is kept for the caller.
_LONGEST_REPLY = 65_536


@implementer(IHalfCloseableProtocol, IPushProducer)
class CollectorClient(Protocol):
    """
    One connection to a collector.

    @param clock: the reactor, or a C{Clock} in a test.
    @ivar sent: bytes sent so far.
    """

    transport: Transport

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self.sent = 0
        self._said = bytearray()
        self._room: Deferred[None] | None = None
        self._ended: Failure | None = None
        self._isProducer = False
        self._peerEnded = False
        self._done: Deferred[bytes] | None = None

    def send(self, piece: bytes, timeout: float = 5.0) -> Deferred[None]:
        """
        Send a piece; the next one after there is room for it.

        @param timeout: seconds to wait for that.
        @return: fires when there is room for another one; fails with L{TimeoutError} when there is none in
            that time, or with how the connection was lost.
        """
        if self._ended is not None:
            return fail(self._ended)
        self.sent += len(piece)
        self.transport.write(piece)
        room = self._room
        if room is None:
            return succeed(None)
        timer = self._clock.callLater(timeout, self._notRead, timeout)
        return room.addBoth(_stopping(timer))

    def end(self, timeout: float = 5.0) -> Deferred[bytes]:
        """
        There is no more.

        @param timeout: seconds to wait for the collector to close.
        @return: fires with what the collector said, when it has closed; fails with L{TimeoutError} when it
            does not, or with how the connection was lost.
        """
        done: Deferred[bytes] = Deferred(lambda done: self.transport.abortConnection())
        self._done = done
        if self._ended is not None:
            self._finish(self._ended)
            return done
        done.addBoth(_stopping(self._clock.callLater(timeout, self._notClosed, timeout)))
        self._unregister()
        if self._peerEnded or ISSLTransport.providedBy(self.transport):
            self.transport.loseConnection()  # TLS has no halves, and an ended one will not end again.
        else:
            self.transport.loseWriteConnection()
        return done

    def close(self) -> None:
        """End the connection at once."""
        self._unregister()
        self.transport.abortConnection()

    # IProtocol and IHalfCloseableProtocol

    def connectionMade(self) -> None:
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        self._isProducer = True
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        self._said += data
        del self._said[:-_LONGEST_REPLY]

    def readConnectionLost(self) -> None:
        # It will not say any more; whether it still reads is not to be known. After our end it is over.
        self._peerEnded = True
        if self._done is not None:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our half is ended."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._ended = reason
        room, self._room = self._room, None
        if room is not None and not room.called:
            room.errback(reason)
        if self._done is not None:
            self._finish(reason)

    # IPushProducer: the transport asks us to wait when the collector does not read.

    def pauseProducing(self) -> None:
        """What is sent piles up."""
        if self._room is None:
            self._room = Deferred(lambda room: None)

    def resumeProducing(self) -> None:
        """There is room again."""
        room, self._room = self._room, None
        if room is not None and not room.called:
            room.callback(None)

    def stopProducing(self) -> None:
        """The transport is gone; L{connectionLost} follows."""

    def _unregister(self) -> None:
        if self._isProducer and self._ended is None:
            self._isProducer = False
            self.transport.unregisterProducer()

    def _notRead(self, timeout: float) -> None:
        room, self._room = self._room, None
        self.transport.abortConnection()
        if room is not None and not room.called:
            room.errback(TimeoutError(string=f"the collector did not read for {timeout:g} s"))

    def _notClosed(self, timeout: float) -> None:
        problem = Failure(TimeoutError(string=f"the collector did not close for {timeout:g} s"))
        self.transport.abortConnection()
        self._finish(problem)

    def _finish(self, reason: Failure) -> None:
        done = self._done
        if done is not None and not done.called:
            done.callback(bytes(self._said) if reason.check(ConnectionDone) else reason)


def _stopping(timer: IDelayedCall) -> Callable[[_Result], _Result]:
    """A callback that lets every result pass, and stops this timer."""

    def stop(result: _Result) -> _Result:
        if timer.active():
            timer.cancel()
        return result

    return stop


async def connectCollector(clock: IReactorTime, endpoint: IStreamClientEndpoint) -> CollectorClient:
    """Connect to a collector."""
    factory = Factory.forProtocol(lambda: CollectorClient(clock))
    return cast(CollectorClient, await endpoint.connect(factory))


async def sendPieces(
    clock: IReactorTime,
    endpoint: IStreamClientEndpoint,
    pieces: Iterable[bytes],
    *,
    pause: float = 0.0,
    timeout: float = 5.0,
) -> bytes:
    """
    Send pieces to a collector, and return what it says until it closes.

    @param pause: seconds between two pieces; without one, the network may join them.
    @param timeout: seconds to wait for the collector to read each of them, and to close after the last one.
    """
    client = await connectCollector(clock, endpoint)
    try:
        for number, piece in enumerate(pieces):
            if pause and number:
                await deferLater(clock, pause)
            await client.send(piece, timeout)
        return await client.end(timeout)
    finally:
        client.close()
