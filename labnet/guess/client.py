"""
The client of the game.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import TimeoutError
from twisted.internet.interfaces import (
    IDelayedCall,
    IReactorTime,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from labnet.guess.wire import (
    HIGHEST,
    SIZE,
    Answer,
    AnswerNotUnderstood,
    Question,
    Search,
    decodeAnswer,
)
from labnet.net.connection import Transport
from labnet.net.outcome import ClientError, ExitStatus

__all__ = ["GuessClient", "connectGuess", "play"]


class GuessClient(Protocol):
    """
    One player's connection.

    @param clock: the reactor, or a C{Clock} in a test.
    @param timeout: seconds to wait for each answer.
    """

    transport: Transport

    def __init__(self, clock: IReactorTime, timeout: float = 5.0) -> None:
        self._clock = clock
        self._timeout = timeout
        self._buffer = bytearray()
        self._timer: IDelayedCall | None = None
        self._waiting: Deferred[Answer] | None = None
        self._ended: Failure | None = None

    def ask(self, question: Question) -> Deferred[Answer]:
        """
        Ask, one question at a time.

        @return: fires with the answer; fails with L{TimeoutError}, L{AnswerNotUnderstood}, or with how
            the connection was lost.
        """
        if self._ended is not None and len(self._buffer) < SIZE:
            return fail(self._ended)
        waiting: Deferred[Answer] = Deferred(lambda waiting: self.close())
        self._waiting = waiting
        self._timer = self._clock.callLater(self._timeout, self._timeUp)
        if self._ended is None:
            self.transport.write(question.encode())
        self._look()
        return waiting

    def leave(self) -> None:
        """The game is over: end the connection in peace."""
        self.transport.loseConnection()

    def close(self) -> None:
        """End the connection at once."""
        self._stopTimer()
        if self._ended is None:
            self.transport.abortConnection()

    def connectionMade(self) -> None:
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        # Nobody sends two answers to a question and C{V}; what is more than that is not kept.
        self._buffer += data[: 4 * SIZE - len(self._buffer)]
        self._look()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._ended = reason
        self._fire(reason)

    def _look(self) -> None:
        if self._waiting is not None and len(self._buffer) >= SIZE:
            message = bytes(self._buffer[:SIZE])
            del self._buffer[:SIZE]
            try:
                self._fire(decodeAnswer(message))
            except AnswerNotUnderstood:
                self._fire(Failure())

    def _timeUp(self) -> None:
        self._timer = None
        self._fire(Failure(TimeoutError(string=f"no answer for {self._timeout:g} s")))

    def _stopTimer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _fire(self, result: Answer | Failure) -> None:
        self._stopTimer()
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(result)


async def connectGuess(
    clock: IReactorTime, endpoint: IStreamClientEndpoint, timeout: float = 5.0
) -> GuessClient:
    """Join the game."""
    factory = Factory.forProtocol(lambda: GuessClient(clock, timeout))
    factory.noisy = False
    return cast(GuessClient, await endpoint.connect(factory))


async def play(
    clock: IReactorTime,
    endpoint: IStreamClientEndpoint,
    *,
    pause: float = 0.0,
    timeout: float = 5.0,
    told: Callable[[Question, Answer], object] = lambda question, answer: None,
) -> Answer:
    """
    Play one game by halves.

    @param pause: seconds between two questions.
    @param timeout: seconds to wait for each answer.
    @param told: called with each question and its answer.
    @return: the last answer: C{WON}, C{OUT} or C{OVER}.
    @raise ClientError: what the server answers makes no sense.
    """
    client = await connectGuess(clock, endpoint, timeout)
    search = Search()
    try:
        # After seven halves and one guess a server of this game has nothing left to say yes or no to.
        for asked in range(HIGHEST.bit_length() + 1):
            if asked and pause:
                await deferLater(clock, pause)
            question = search.next()
            answer = await client.ask(question)
            told(question, answer)
            if answer not in (Answer.YES, Answer.NO):
                client.leave()
                return answer
            if question.relation == b"=":
                break
            search.heard(answer)
        raise ClientError("the server answers a guess with yes or no", ExitStatus.NOT_UNDERSTOOD)
    except BaseException as error:
        # However it ends, cancelled or never waited for, it does not stay connected.
        client.close()
        if isinstance(error, AnswerNotUnderstood):
            raise ClientError(str(error), ExitStatus.NOT_UNDERSTOOD) from error
        raise
