"""
The calculator's clients, over TCP and UDP.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Protocol as Interface

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import TimeoutError
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from labnet.calculator.arithmetic import Calculation, Fault, Number
from labnet.calculator.wire import DEFAULT_PROFILE, Profile, ReplyNotUnderstood
from labnet.net.connection import Transport
from labnet.net.endpoints import DatagramTarget
from labnet.net.exchange import DatagramReactor, ask

__all__ = ["Calculator", "CalculatorClient", "CalculatorClientFactory", "DatagramCalculator"]

_UNASKED = "a reply that nobody asked for"


class Calculator(Interface):
    """Somebody who calculates, over whatever transport."""

    def calculate(self, calculation: Calculation) -> Deferred[Number | Fault]:
        """
        Ask.

        @return: fires with the result, or with why there is none; fails with L{ValueError} when the
            operands do not fit the profile, with L{TimeoutError}, L{ReplyNotUnderstood}, or whatever
            ended the connection.
        """

    def close(self) -> None:
        """There will be no more questions."""


class _Question:
    """A calculation and who waits for it."""

    __slots__ = ("answer", "askedAt", "request")

    def __init__(self, request: bytes, cancel: Callable[[Deferred[Number | Fault]], None]) -> None:
        self.request = request
        self.answer: Deferred[Number | Fault] = Deferred(cancel)
        self.askedAt = 0.0


class CalculatorClient(Protocol):
    """
    One connection to a calculator.

    Questions are pipelined, except where the profile's requests or replies do not say where they end: then
    they go out one at a time. When one is not answered in time, or the connection is lost, every waiting
    question fails: there is no telling which reply would belong to which.

    @param clock: the reactor, or a C{Clock} in a test.
    @param profile: which bytes go over the wire.
    @param timeout: seconds to wait for each reply.
    @param pause: seconds of silence that end a reply which does not say where it ends.
    """

    transport: Transport

    def __init__(
        self,
        clock: IReactorTime,
        profile: Profile = DEFAULT_PROFILE,
        timeout: float = 5.0,
        pause: float = 0.02,
    ) -> None:
        self._clock = clock
        self._profile = profile
        self._timeout = timeout
        self._pause = pause
        self._reader = profile.replies.reader()
        self._pipelines = profile.requests.delimited and self._reader.delimited
        self._unsent: deque[_Question] = deque()
        self._unanswered: deque[_Question] = deque()
        self._timer: IDelayedCall | None = None
        self._quiet: IDelayedCall | None = None
        self._ended: Failure | None = None
        self._lost = False

    def calculate(self, calculation: Calculation) -> Deferred[Number | Fault]:
        """See L{Calculator.calculate}."""
        try:
            request = self._profile.requests.encode(calculation)
        except ValueError:
            return fail()
        if self._ended is not None:
            return fail(self._ended)
        question = _Question(request, self._cancelled)
        self._unsent.append(question)
        self._sendMore()
        return question.answer

    def close(self) -> None:
        """End the connection; what is not answered by now fails."""
        self.transport.loseConnection()

    # IProtocol

    def dataReceived(self, data: bytes) -> None:
        if self._ended is not None:
            return
        self._cancelQuiet()
        try:
            self._answer(self._reader.feed(data))
        except ReplyNotUnderstood:
            self._giveUp(Failure())
            return
        if not self._reader.delimited and self._unanswered:
            self._quiet = self._clock.callLater(self._pause, self._silence)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        self._cancelQuiet()
        if self._unanswered and self._ended is None:
            # The end of the stream ends a reply, too.
            self._silence()
        self._giveUp(reason)

    # How questions go out and answers come in.

    def _sendMore(self) -> None:
        while (
            self._ended is None
            and not self._lost
            and self._unsent
            and (self._pipelines or not self._unanswered)
        ):
            question = self._unsent.popleft()
            question.askedAt = self._clock.seconds()
            self._unanswered.append(question)
            self.transport.write(question.request)
        self._watch()

    def _answer(self, replies: list[Number | Fault]) -> None:
        # What is more than was asked for would be taken for the answer to the next question.
        answered = [self._unanswered.popleft() for _ in replies[: len(self._unanswered)]]
        surplus = len(replies) > len(answered) or (not self._unanswered and self._reader.pending)
        for question, reply in zip(answered, replies, strict=False):
            if not question.answer.called:
                question.answer.callback(reply)
        if surplus:
            raise ReplyNotUnderstood(_UNASKED)
        self._sendMore()

    def _silence(self) -> None:
        self._quiet = None
        try:
            self._answer(self._reader.end())
        except ReplyNotUnderstood:
            self._giveUp(Failure())

    def _watch(self) -> None:
        """One timer, for the question that waits longest."""
        if self._timer is None and self._unanswered and self._ended is None:
            self._timer = self._clock.callLater(max(0.0, self._timeLeft()), self._timeUp)

    def _timeLeft(self) -> float:
        return self._unanswered[0].askedAt + self._timeout - self._clock.seconds()

    def _timeUp(self) -> None:
        self._timer = None
        if self._unanswered and self._timeLeft() <= 0:
            self._giveUp(Failure(TimeoutError(string=f"no reply for {self._timeout:g} s")))
        else:
            self._watch()

    def _cancelled(self, answer: Deferred[Number | Fault]) -> None:
        """A question that nobody waits for any more is not sent; a reply to it is passed over."""
        self._unsent = deque(question for question in self._unsent if question.answer is not answer)

    def _cancelQuiet(self) -> None:
        quiet, self._quiet = self._quiet, None
        if quiet is not None and quiet.active():
            quiet.cancel()

    def _giveUp(self, reason: Failure) -> None:
        if self._ended is not None:
            return
        self._ended = reason
        self._cancelQuiet()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if not self._lost:
            self.transport.abortConnection()
        waiting = [*self._unanswered, *self._unsent]
        self._unanswered.clear()
        self._unsent.clear()
        for question in waiting:
            if not question.answer.called:
                question.answer.errback(reason)


if TYPE_CHECKING:
    _Factory = Factory[CalculatorClient]
else:
    _Factory = Factory


class CalculatorClientFactory(_Factory):
    """
    Builds clients of a calculator; its parameters are L{CalculatorClient}'s.

    C{endpoint.connect(CalculatorClientFactory(reactor))} gives a L{CalculatorClient}.
    """

    noisy = False

    def __init__(
        self, clock: IReactorTime, profile: Profile = DEFAULT_PROFILE, timeout: float = 5.0
    ) -> None:
        self._clock = clock
        self._profile = profile
        self._timeout = timeout

    def buildProtocol(self, addr: IAddress | None) -> CalculatorClient:
        return CalculatorClient(self._clock, self._profile, self._timeout)


class DatagramCalculator:
    """
    A calculator over UDP: each question is a datagram, and sent again when no reply comes.

    @param target: where it is.
    @param profile: which bytes go over the wire.
    @param timeout: seconds to wait for a reply to each try.
    @param tries: how often a question is sent at most.
    """

    def __init__(
        self,
        reactor: DatagramReactor,
        target: DatagramTarget,
        profile: Profile = DEFAULT_PROFILE,
        timeout: float = 1.0,
        tries: int = 3,
    ) -> None:
        self._reactor = reactor
        self._target = target
        self._profile = profile
        self._timeout = timeout
        self._tries = tries

    def calculate(self, calculation: Calculation) -> Deferred[Number | Fault]:
        """See L{Calculator.calculate}."""
        return Deferred.fromCoroutine(self._calculate(calculation))

    def close(self) -> None:
        """There is nothing to close: each question has a socket of its own."""

    async def _calculate(self, calculation: Calculation) -> Number | Fault:
        datagram = await ask(
            self._reactor,
            self._target,
            self._profile.requests.encode(calculation),
            timeout=self._timeout,
            tries=self._tries,
        )
        return self._profile.replies.decodeDatagram(datagram)
