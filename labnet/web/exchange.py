"""
One request and its response, on one connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from typing import Protocol as Interface

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IDelayedCall, IPullProducer, IPushProducer, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.net.connection import Transport
from labnet.net.outcome import ClientError, ExitStatus, explain
from labnet.net.secure import SecureConnection
from labnet.net.sockets import SocketOptions
from labnet.proxy.body import Truncated
from labnet.proxy.wire import BadMessage, ResponseHead
from labnet.web.events import (
    Closed,
    Content,
    Event,
    HeadEnded,
    Received,
    Remark,
    RequestBegan,
    RequestSent,
    Secured,
)
from labnet.web.requests import Manner, Request, withoutSecrets
from labnet.web.response import ResponseReader
from labnet.web.route import Tell, connected

__all__ = ["Exchange", "ExchangeFactory", "Sink"]

_PIECE = 65_536


class Sink(Interface):
    """Where the body of the answer goes. What C{began} and C{write} raise ends the exchange."""

    def attach(self, flow: IPushProducer) -> None:
        """There is a connection: C{flow} can be paused, and resumed, and stopped when nobody reads."""

    def began(self, head: ResponseHead, raw: bytes, length: int | None) -> None:
        """The head of the answer has come; C{raw} are its bytes, C{length} the body's if that is known."""

    def write(self, content: bytes) -> None:
        """A piece of the body."""

    def detach(self) -> None:
        """The connection is over."""


@implementer(IPullProducer)
class _Sending:
    """Writes a request in pieces, each when the one before has left, and tells when the system has all."""

    def __init__(self, transport: Transport, data: bytes, sent: Callable[[], object]) -> None:
        self._transport = transport
        self._data = memoryview(data)
        self._sent = sent
        self.over = False
        transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """The system takes more."""
        if self._data:
            piece, self._data = bytes(self._data[:_PIECE]), self._data[_PIECE:]
            self._transport.write(piece)
        elif not self.over:
            self.stop()
            self._sent()

    def stopProducing(self) -> None:
        """The transport is gone."""
        self.over = True

    def stop(self) -> None:
        """No more of it."""
        if not self.over:
            self.over = True
            self._transport.unregisterProducer()


@implementer(IPushProducer)
class Exchange(Protocol, TimeoutMixin):
    """
    One request and its response. Over L{SecureConnection} it begins when the handshake is complete, else
    with the connection.

    @param head: the request's, as L{encodeHead} makes it.
    @param tunnelled: whether somebody else has told already that there is a connection.
    @param wanted: whether the body of this answer is to go into the sink.
    @ivar reader: what is known of the response.
    @ivar remarks: what the server did not do as it should.
    @ivar done: fires with C{None} when the response is whole and the connection over; fails with
        L{ClientError}, with what ended the connection, or with what the sink raised.
    """

    #: Seconds that a server gets to close the connection after the last byte of its answer, as it was
    #: asked to. If it goes on sending, that can be seen.
    PARTING = 0.25

    transport: Transport

    def __init__(
        self,
        clock: IReactorTime,
        request: Request,
        head: bytes,
        sink: Sink,
        *,
        manner: Manner,
        tell: Tell = lambda event: None,
        tunnelled: bool = False,
        wanted: Callable[[ResponseHead], bool] = lambda head: True,
    ) -> None:
        self.reader = ResponseReader(request.method)
        self.remarks: list[str] = []
        self.done: Deferred[None] = Deferred(self._cancelled)
        self._clock = clock
        self._head = head
        self._request = request
        self._sink = sink
        self._manner = manner
        self._tell = tell
        self._tunnelled = tunnelled
        self._wanted = wanted
        self._taken = False
        self._sending: _Sending | None = None
        self._parting: IDelayedCall | None = None
        self._left = False
        self._problem: Failure | None = None

    def callLater(self, period: float, function: Callable[[], None]) -> Any:
        """For L{TimeoutMixin}."""
        return self._clock.callLater(period, function)

    # The request.

    def connectionMade(self) -> None:
        self._guarded(self._connected)

    def handshakeCompleted(self) -> None:
        """There is TLS below, and it is ready."""
        self._guarded(self._agreed)

    def _connected(self) -> None:
        # The request follows the end of the TLS handshake at once: it is not to wait until that is
        # acknowledged.
        SocketOptions().apply(self.transport)
        if not self._tunnelled:
            self._tell(connected(self.transport))
        self._sink.attach(self)
        if not isinstance(self.transport, SecureConnection):
            self._begin()

    def _agreed(self) -> None:
        assert isinstance(self.transport, SecureConnection)
        agreement = self.transport.agreement
        assert agreement is not None
        self._tell(Secured(agreement.version, agreement.cipher, not self._manner.insecure))
        self._begin()

    def _begin(self) -> None:
        body = self._request.body or b""
        self.setTimeout(self._manner.timeout)  # type: ignore[no-untyped-call]
        self._tell(RequestBegan(withoutSecrets(self._head), len(body)))
        size = len(self._head) + len(body)
        sent = self._head + body if body else self._head
        self._sending = _Sending(self.transport, sent, lambda: self._guarded(self._sent, size))

    def _sent(self, size: int) -> None:
        self._tell(RequestSent(size))

    def _guarded(self, act: Callable[..., object], *args: object) -> None:
        """What is told, and the sink, are other people's: what they raise ends the exchange."""
        try:
            act(*args)
        except Exception as problem:
            self._leave(problem)

    # The response.

    def dataReceived(self, data: bytes) -> None:
        if self._left:
            return
        self.resetTimeout()  # type: ignore[no-untyped-call]
        try:
            self._tell(Received(data))
            for event in self.reader.feed(data):
                self._take(event)
        except BadMessage as problem:
            self._leave(ClientError(f"the answer is not understood: {problem}", ExitStatus.NOT_UNDERSTOOD))
        except Exception as problem:
            # The limits, or the sink, or who is told.
            self._leave(problem)
        else:
            if self.reader.surplus:
                self._leave()
            elif self.reader.end is not None and self._parting is None:
                self.setTimeout(None)  # type: ignore[no-untyped-call]
                self._parting = self._clock.callLater(self.PARTING, self._leave)

    def _take(self, event: Event) -> None:
        self._tell(event)
        match event:
            case Remark(sentence):
                self.remarks.append(sentence)
            case HeadEnded(head, raw, interim=False, length=length):
                self._limit(length or 0)
                self._taken = self._wanted(head)
                if self._taken:
                    self._sink.began(head, raw, length)
            case Content(data):
                self._limit(self.reader.size)
                if self._taken:
                    self._sink.write(data)

    def _limit(self, size: int) -> None:
        most = self._manner.maxSize
        if 0 < most < size:
            raise ClientError(f"the body has more than {most} bytes", ExitStatus.ANSWERED_ERROR)

    # The end.

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop()
        self._sink.detach()
        if self.done.called:
            return
        try:
            if self._left:
                self._tell(Closed("we closed the connection"))
            else:
                self._lost(reason)
        except Truncated as problem:
            self._problem = Failure(ClientError(str(problem), ExitStatus.RESET))
        except Exception:
            self._problem = Failure()
        if self._problem is not None:
            self.done.errback(self._problem)
        else:
            self.done.callback(None)

    def _lost(self, reason: Failure) -> None:
        """The server, or something on the way, has ended the connection."""
        if self._sending is None:
            # Before there was anything to answer: the TLS handshake failed.
            reason.raiseException()
        clean = reason.check(ConnectionDone) is not None
        if clean:
            how = "was closed"
        elif isinstance(self.transport, SecureConnection) and self.transport.cut:
            how = "was closed without TLS's close_notify"
        elif reason.check(ClientError):
            how = f"broke ({explain(reason)[0]})"
        else:
            how = "was reset"
        self._tell(Closed(f"the connection {how}" if not clean else "the server closed the connection"))
        for event in self.reader.finish(how, clean=clean):
            self._take(event)

    def timeoutConnection(self) -> None:
        """Nothing comes."""
        waited = f"{self._manner.timeout:g} s"
        sentence = f"timed out: nothing came for {waited}; {self.reader.progress}"
        self._leave(ClientError(sentence, ExitStatus.TIMED_OUT))

    def _leave(self, problem: Exception | None = None) -> None:
        """It is over, and the connection with it."""
        if self._left:
            return
        self._left = True
        self._problem = Failure(problem) if problem is not None else None
        requestSent = self._sending is not None and self._sending.over
        self._stop()
        if problem is None and requestSent:
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()

    def _cancelled(self, done: Deferred[None]) -> None:
        """Nobody waits any more."""
        self._leave(CancelledError())

    def _stop(self) -> None:
        self.setTimeout(None)  # type: ignore[no-untyped-call]
        parting, self._parting = self._parting, None
        if parting is not None and parting.active():
            parting.cancel()
        if self._sending is not None:
            self._sending.stop()

    # IPushProducer: the sink asks us to pause when nobody reads it.

    def pauseProducing(self) -> None:
        """Take no more of the response, and do not mind the time."""
        if not self._left:
            self.setTimeout(None)  # type: ignore[no-untyped-call]
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Take more of the response."""
        if not self._left:
            if self.reader.end is None:
                self.setTimeout(self._manner.timeout)  # type: ignore[no-untyped-call]
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """Nobody will read it."""
        self._leave(BrokenPipeError())


if TYPE_CHECKING:
    _Factory = Factory[Exchange]
else:
    _Factory = Factory


class ExchangeFactory(_Factory):
    """
    Builds exchanges: C{endpoint.connect(ExchangeFactory(lambda: Exchange(...)))} gives an L{Exchange}.
    """

    noisy = False

    def __init__(self, make: Callable[[], Exchange]) -> None:
        self._make = make

    def buildProtocol(self, addr: IAddress | None) -> Exchange:
        return self._make()
