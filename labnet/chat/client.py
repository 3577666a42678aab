"""
The chat's client: talks in a room of ours, or of the course's server.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import TimeoutError
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.chat.wire import DIALECTS, FRAMED, LINE, PLAIN, PROMPT, Dialect, Reader, clean
from labnet.net.connection import Transport
from labnet.net.framing import FramingError
from labnet.net.outcome import ClientError, ExitStatus

__all__ = ["ChatClient", "ChatClientFactory", "NameRefused"]

#: Bytes of one message that a client takes, and of what it waits for to see which framing it is.
_LONGEST = 1 << 20
# Seconds of silence that end a message of the plain framing, and seconds between messages that we send
# in it: a server that reads once for each message takes two that come together for one.
_GAP = 0.02
_PAUSE = 0.05
_ASKS = PROMPT.rstrip()


class NameRefused(ClientError):
    """The server does not let us in under that name; the text is its sentence."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, ExitStatus.ANSWERED_ERROR)


@implementer(IHalfCloseableProtocol, IPushProducer)
class ChatClient(Protocol):
    """
    One connection to a chat server.

    C{await client.introduce(name)} brings it into the room, C{await client.say(text)} says something.

    @param clock: the reactor, or a C{Clock} in a test.
    @param onText: called with each message that comes, as one harmless line.
    @param framing: C{plain}, C{line}, C{framed}, or L{None} to see from the server's question which it is.
    @param timeout: seconds that the server has to ask for the name, and to answer it.
    @ivar ended: fires with L{None} when the connection has ended, whoever ended it and how; it never fails.
    """

    transport: Transport

    def __init__(
        self,
        clock: IReactorTime,
        onText: Callable[[str], object],
        framing: str | None = None,
        timeout: float = 5.0,
    ) -> None:
        self.ended: Deferred[None] = Deferred()
        self._clock = clock
        self._onText = onText
        self._timeout = timeout
        self._dialect: Dialect | None = DIALECTS[framing] if framing else None
        self._reader: Reader | None = self._dialect.reader(_LONGEST) if self._dialect else None
        self._start = b""
        self._quiet: IDelayedCall | None = None
        self._watch: IDelayedCall | None = None
        self._asked = False
        self._name: str | None = None
        self._answer: Deferred[None] | None = None
        self._unsent: deque[tuple[bytes, Deferred[None]]] = deque()
        self._sending: IDelayedCall | None = None
        self._full = False
        self._waiting: list[Deferred[None]] = []
        self._finishing = False
        self._lost: Failure | None = None

    # What one does with it.

    def introduce(self, name: str) -> Deferred[None]:
        """
        Give a name, as soon as the server asks for it. After a refusal it may be called again.

        @return: fires when we are in the room; fails with L{NameRefused}, with L{TimeoutError} when the
            server does not ask or answer, or with what ended the connection.
        """
        if self._lost is not None:
            return fail(self._lost)
        self._name = name
        answer: Deferred[None] = Deferred(self._forget)
        self._answer = answer
        self._watch = self._clock.callLater(self._timeout, self._timeUp)
        self._giveName()
        return answer

    def say(self, text: str) -> Deferred[None]:
        """
        Say something: one line.

        @return: fires when there is room for more; fails with what ended the connection.
        """
        if self._lost is not None:
            return fail(self._lost)
        assert self._dialect is not None, "introduce() comes first"
        return self._send(self._dialect.frame(" ".join(text.splitlines())))

    def finish(self) -> None:
        """There is nothing more to say: end our half once everything is sent. What comes is still heard."""
        self._finishing = True
        self._finishIfSent()

    def leave(self) -> None:
        """End the connection once everything is sent."""
        self._stopSending()
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    # IProtocol and IHalfCloseableProtocol

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        self._stop("_quiet")
        if self._reader is None:
            self._start += data
            self._recognise()
        else:
            self._reader.feed(data)
        self._hear()

    def readConnectionLost(self) -> None:
        self._end()
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """We have nothing more to say."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end()
        self._stopSending()
        self._lost = reason
        self._settle(reason)
        for waiting in (*(sent for _, sent in self._unsent), *self._waiting):
            waiting.errback(reason)
        self._unsent.clear()
        self._waiting.clear()
        if not self.ended.called:
            self.ended.callback(None)

    # IPushProducer

    def pauseProducing(self) -> None:
        """The server does not read; L{say} makes its caller wait."""
        self._full = True

    def resumeProducing(self) -> None:
        """The server reads again."""
        self._full = False
        ready, self._waiting = self._waiting, []
        for waiting in ready:
            waiting.callback(None)

    def stopProducing(self) -> None:
        """The connection is gone; C{connectionLost} follows."""

    # What comes.

    def _recognise(self) -> None:
        """See from the server's first bytes which framing it speaks: its question ends a line, or not."""
        if self._start[:1] == b"\0":
            self._speak(FRAMED)
        elif b"\n" in self._start:
            self._speak(LINE)
        elif len(self._start) > _LONGEST:
            self._giveUp(ClientError("the server asks no question", ExitStatus.NOT_UNDERSTOOD))
        else:
            self._quiet = self._clock.callLater(_GAP, self._silent)

    def _speak(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._reader = dialect.reader(_LONGEST)
        start, self._start = self._start, b""
        self._reader.feed(start)

    def _hear(self) -> None:
        if self._reader is None:
            return
        try:
            while self._lost is None and (message := self._reader.next()) is not None:
                self._heard(clean(message))
        except FramingError as error:
            self._giveUp(ClientError(f"the server's message: {error}", ExitStatus.NOT_UNDERSTOOD))
            return
        if self._reader.pending and self._dialect is PLAIN:
            self._stop("_quiet")
            self._quiet = self._clock.callLater(_GAP, self._silent)

    def _silent(self) -> None:
        self._quiet = None
        if self._reader is None:
            self._speak(PLAIN)
        assert self._reader is not None
        self._reader.pause()
        self._hear()

    def _end(self) -> None:
        """The stream has ended, and with it the last message."""
        self._stop("_quiet")
        if self._reader is None and self._start:
            self._speak(PLAIN)
        if self._reader is not None:
            try:
                self._reader.end()
            except FramingError:
                return  # The rest of a message is none.
            self._hear()
            self._stop("_quiet")

    def _heard(self, text: str) -> None:
        if not self._asked:
            self._asked = True
            self._giveName()
        elif self._answer is None:
            self._onText(text)
        elif text.endswith(_ASKS):
            self._asked = True
            sentence = text.removesuffix(_ASKS).removeprefix("[SERVER]").strip()
            self._settle(Failure(NameRefused(sentence or "the server asks for another name")))
        else:
            self._settle(None)
            self._onText(text)

    # The name.

    def _giveName(self) -> None:
        if self._asked and self._name is not None and self._dialect is not None:
            name, self._name = self._name, None
            self._send(self._dialect.frame(name)).addErrback(lambda failure: None)

    def _settle(self, problem: Failure | None) -> None:
        """The name is answered, or will never be."""
        answer = self._leaveWaiting()
        if answer is not None and not answer.called:
            if problem is None:
                answer.callback(None)
            else:
                answer.errback(problem)

    def _forget(self, answer: Deferred[None]) -> None:
        self._leaveWaiting()

    def _leaveWaiting(self) -> Deferred[None] | None:
        self._stop("_watch")
        answer, self._answer = self._answer, None
        return answer

    def _timeUp(self) -> None:
        what = "answer to the name" if self._asked else "question"
        self._giveUp(TimeoutError(string=f"no {what} from the server in {self._timeout:g} s"))

    def _giveUp(self, problem: Exception) -> None:
        self._settle(Failure(problem))
        self.transport.abortConnection()

    # What goes out.

    def _send(self, data: bytes) -> Deferred[None]:
        if self._dialect is PLAIN:
            sent: Deferred[None] = Deferred()
            self._unsent.append((data, sent))
            if self._sending is None:
                self._sendNext()
            return sent
        self.transport.write(data)
        return self._roomForMore()

    def _sendNext(self) -> None:
        self._sending = None
        if self._unsent:
            data, sent = self._unsent.popleft()
            self._sending = self._clock.callLater(_PAUSE, self._sendNext)
            self.transport.write(data)
            self._roomForMore().chainDeferred(sent)
        self._finishIfSent()

    def _roomForMore(self) -> Deferred[None]:
        if not self._full:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def _finishIfSent(self) -> None:
        if self._finishing and not self._unsent and self._sending is None and self._lost is None:
            self._finishing = False
            self.transport.unregisterProducer()
            if ISSLTransport.providedBy(self.transport):
                self.transport.loseConnection()
            else:
                self.transport.loseWriteConnection()

    def _stopSending(self) -> None:
        self._stop("_sending")

    def _stop(self, which: str) -> None:
        timer: IDelayedCall | None = getattr(self, which)
        setattr(self, which, None)
        if timer is not None and timer.active():
            timer.cancel()


if TYPE_CHECKING:
    _Factory = Factory[ChatClient]
else:
    _Factory = Factory


class ChatClientFactory(_Factory):
    """
    Builds clients; its parameters are L{ChatClient}'s. C{await endpoint.connect(factory)} gives one.
    """

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        onText: Callable[[str], object],
        framing: str | None = None,
        timeout: float = 5.0,
    ) -> None:
        self._clock = clock
        self._onText = onText
        self._framing = framing
        self._timeout = timeout

    def buildProtocol(self, addr: IAddress | None) -> ChatClient:
        return ChatClient(self._clock, self._onText, self._framing, self._timeout)
