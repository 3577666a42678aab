"""
A client and a server, joined in memory: both ends of a connection, and what TCP does between them.
"""

from __future__ import annotations

from typing import ClassVar

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.testing.segmentation import Segmentation, asWritten
from labnet.testing.transport import TCPTransport, doneReason, resetReason

__all__ = ["ConnectedPair"]

#: So many pieces may arrive without time passing; then two programs answer each other without end.
_MOST_AT_ONCE = 1_000_000


class _End(TCPTransport):
    """
    One end of a L{ConnectedPair}: what is written here arrives at the other one.

    @ivar unread: bytes that were written here, and that the other protocol has not read.
    """

    #: Bytes that may be under way before a producer is asked to pause, as in Twisted.
    BUFFER: ClassVar[int] = 65_536

    def __init__(self, clock: Clock, here: IPv4Address, there: IPv4Address) -> None:
        # A protocol that resumes after the end does no harm on a real transport.
        super().__init__(here, there, lenient=True)
        self.unread = 0
        self._clock = clock
        self._ended = False
        self._closing = False
        self._full = False
        self._batch: list[bytes] = []
        self._batchAt = -1.0
        self._calling = False
        self._at = -1.0
        self._count = 0

    def join(self, other: _End, segmentation: Segmentation, delay: float) -> None:
        """Where this leads, and how."""
        self._other = other
        self._segmentation = segmentation
        self._delay = delay

    # What the protocol does.

    def write(self, data: bytes) -> None:
        if not data or self.lost is not None:
            return  # As on a real transport, nobody hears it.
        super().write(data)
        if self._batchAt != self._clock.seconds() or not self._batch:
            self._batch, self._batchAt = [], self._clock.seconds()
            self._clock.callLater(self._delay, self._carry, self._batch)
        self._batch.append(data)
        self.unread += len(data)
        if self.unread > self.BUFFER and self.streaming and not self._full:
            self._full = True
            self.producer.pauseProducing()

    def registerProducer(self, producer: object, streaming: bool) -> None:
        super().registerProducer(producer, streaming)  # type: ignore[no-untyped-call]
        self._full = False
        if not streaming:
            self._clock.callLater(0, self._drained)

    def resumeProducing(self) -> None:
        super().resumeProducing()  # type: ignore[no-untyped-call]
        self._soon()

    def loseWriteConnection(self) -> None:
        super().loseWriteConnection()
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self._clock.callLater(0, self._writeEnded)
        self._endOutput()

    def loseConnection(self) -> None:
        if not self.disconnecting:
            super().loseConnection()
            self._closeWhenSent()

    def abortConnection(self) -> None:
        if self.lost is None and not self.disconnected:
            self.disconnected = self.disconnecting = True
            self._clock.callLater(0, self._gone, Failure(ConnectionAborted()))
            self._clock.callLater(self._delay, self._other._gone, resetReason())

    # What happens between the two.

    def _carry(self, batch: list[bytes]) -> None:
        """What was written at one time reaches the other machine."""
        if batch is self._batch:
            self._batch = []
        pieces = [bytes(piece) for piece in self._segmentation(tuple(batch)) if piece]
        assert b"".join(pieces) == b"".join(batch), "a segmentation keeps the bytes and their order"
        self._other._arrive(pieces)

    def _arrive(self, pieces: list[bytes | None] | list[bytes]) -> None:
        if self.lost is not None:
            # Nobody is there: who still sends is told so by a reset, unless it closes as well.
            if pieces != [None]:
                self._clock.callLater(self._delay, self._other._gone, resetReason())
            return
        self._waiting += pieces
        self._soon()

    def _soon(self) -> None:
        if not self._calling and self._waiting:
            self._calling = True
            self._clock.callLater(0, self._next)

    def _next(self) -> None:
        """One piece is read; each in a turn of the reactor of its own."""
        self._calling = False
        if self.lost is not None or self.disconnecting or not self._waiting or not self.reading:
            return
        self._countTurn()
        piece = self._waiting.popleft()
        self.take(piece)
        if piece is not None:
            self._other._wasRead(len(piece))
        self._soon()

    def _countTurn(self) -> None:
        if self._at != self._clock.seconds():
            self._at, self._count = self._clock.seconds(), 0
        self._count += 1
        assert self._count < _MOST_AT_ONCE, "the two talk without end"

    def _wasRead(self, count: int) -> None:
        self.unread -= count
        if not self.unread:
            self._drained()
        if self._closing:
            self._closeWhenSent()

    def _drained(self) -> None:
        """There is room again."""
        if self.producer is not None and self.lost is None and (self._full or not self.streaming):
            self._full = False
            self.producer.resumeProducing()

    def _closeWhenSent(self) -> None:
        """Over as soon as the rest would fit into the other machine's memory."""
        self._closing = self.unread > self.BUFFER
        if not self._closing:
            self._clock.callLater(0, self._gone, doneReason())

    def _endOutput(self) -> None:
        if not self._ended:
            self._ended = True
            self._clock.callLater(self._delay, self._other._arrive, [None])

    def _writeEnded(self) -> None:
        if self.lost is None:
            IHalfCloseableProtocol(self.protocol).writeConnectionLost()

    def _gone(self, reason: Failure) -> None:
        if self.lost is None:
            self.lose(reason)

    def lose(self, reason: Failure) -> None:
        super().lose(reason)
        self._endOutput()


class ConnectedPair:
    """
    A client protocol and a server protocol, joined in memory: what one writes arrives at the other when
    the clock is advanced, by nothing if there is no delay. Nothing else decides when, so that every run is
    like every other.

    Between them it is as with TCP between two machines. The bytes arrive in their order, in pieces that the
    segmentations decide, each in a C{dataReceived} and a turn of the reactor of its own. They wait while
    the other protocol pauses; a producer is asked to pause when 64 KiB wait, and to go on when all is read.
    C{loseWriteConnection} and C{loseConnection} end one half after everything that was written: the other
    protocol is told by C{readConnectionLost} if it is an C{IHalfCloseableProtocol}, and by
    C{connectionLost} otherwise. Who writes to a protocol that has closed is reset, and so is the other end
    of C{abortConnection}.

    @param clock: also the clock of the two protocols, if they have one.
    @param client: connected second.
    @param server: connected first, as its connection is accepted before the client hears of it.
    @param toServer: the pieces in which the client's bytes arrive; at first as they were written.
    @param toClient: the same for the server's bytes.
    @param delay: seconds under way, in each direction.
    @ivar clientTransport: the client's end; its C{pieces} are what it wrote, its C{lost} says how it ended.
    @ivar serverTransport: the server's.
    """

    def __init__(
        self,
        clock: Clock,
        client: IProtocol,
        server: IProtocol,
        *,
        toServer: Segmentation = asWritten,
        toClient: Segmentation = asWritten,
        delay: float = 0.0,
    ) -> None:
        self.clock = clock
        self.client = client
        self.server = server
        near, far = IPv4Address("TCP", "127.0.0.1", 50_000), IPv4Address("TCP", "127.0.0.1", 9000)
        ours, theirs = _End(clock, near, far), _End(clock, far, near)
        ours.join(theirs, toServer, delay)
        theirs.join(ours, toClient, delay)
        self.clientTransport: TCPTransport = ours
        self.serverTransport: TCPTransport = theirs
        theirs.connect(server)
        ours.connect(client)

    def settle(self) -> None:
        """Let everything happen that happens without time passing."""
        self.clock.advance(0)

    def reset(self) -> None:
        """The network breaks: both ends are told of a reset, and what was under way is lost."""
        for end in (self.serverTransport, self.clientTransport):
            if end.lost is None:
                end.lose(resetReason())

    @property
    def ended(self) -> bool:
        """Whether the connection is over at both ends."""
        return self.clientTransport.lost is not None and self.serverTransport.lost is not None
