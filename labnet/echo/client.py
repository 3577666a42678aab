"""
The echo's clients, over TCP and UDP.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from labnet.echo.wire import LONGEST_FRAME, LONGEST_LINE, LineReader, answers
from labnet.net.connection import Transport
from labnet.net.endpoints import DatagramTarget
from labnet.net.exchange import DatagramReactor, ask
from labnet.net.framing import FramingError, LengthPrefixed

__all__ = [
    "EchoClient",
    "FrameReplies",
    "LineReplies",
    "NotAnEcho",
    "QuietReplies",
    "Replies",
    "connectEcho",
    "echoDatagram",
]

#: The longest answer that a client takes, in bytes: a prefix, and an upper case of three times the size.
_LONGEST_REPLY = 4 * LONGEST_FRAME


class NotAnEcho(Exception):
    """What came is no answer of an echo; the text says why."""


class Replies:
    """
    How a client sends messages, and tells where an answer ends; one message at a time.

    @cvar quiet: whether silence ends an answer, because nothing in the stream does.
    """

    quiet = False

    def encode(self, message: bytes) -> bytes:
        """
        What is sent.

        @raise ValueError: such a message can not be sent.
        """
        raise NotImplementedError

    def feed(self, data: bytes) -> bytes | None:
        """
        A piece of the answer.

        @return: the answer if it is whole.
        @raise NotAnEcho: it can not be one.
        """
        raise NotImplementedError

    def end(self) -> bytes | None:
        """The stream, or the waiting, has ended: the answer, if what has come is one."""
        return None


class QuietReplies(Replies):
    """
    Plain text: an answer ends when it is what one of the styles says, or else when nothing more comes.
    """

    quiet = True

    def __init__(self) -> None:
        self._expected: frozenset[bytes] = frozenset()
        self._reply = bytearray()

    def encode(self, message: bytes) -> bytes:
        if not message:
            raise ValueError("an empty message is nothing in a stream")
        self._expected = answers(message)
        return message

    def feed(self, data: bytes) -> bytes | None:
        self._reply += data
        if len(self._reply) > _LONGEST_REPLY:
            raise NotAnEcho(f"more than {_LONGEST_REPLY} bytes")
        return self.end() if any(self._reply == expected for expected in self._expected) else None

    def end(self) -> bytes | None:
        reply = bytes(self._reply)
        self._reply.clear()
        return reply or None


class LineReplies(Replies):
    """Lines: a message is one, and so is an answer."""

    def __init__(self) -> None:
        self._reader = LineReader(_LONGEST_REPLY)

    def encode(self, message: bytes) -> bytes:
        if b"\n" in message or len(message) > LONGEST_LINE:
            raise ValueError(f"a line has at most {LONGEST_LINE} bytes and no newline")
        return message + b"\n"

    def feed(self, data: bytes) -> bytes | None:
        lines = self._reader.feed(data)
        if self._reader.problem:
            raise NotAnEcho(self._reader.problem)
        if len(lines) > 1 or (lines and self._reader.pending):
            raise NotAnEcho("more than one line for one")
        return lines[0][0] if lines else None

    def end(self) -> bytes | None:
        last = self._reader.end()
        return last[0][0] if last else None


class FrameReplies(Replies):
    """Messages and answers with their length in front."""

    def __init__(self) -> None:
        self._framing = LengthPrefixed(LONGEST_FRAME)

    def encode(self, message: bytes) -> bytes:
        return self._framing.encode(message)

    def feed(self, data: bytes) -> bytes | None:
        try:
            messages = self._framing.feed(data)
        except FramingError as error:
            raise NotAnEcho(str(error)) from error
        if len(messages) > 1 or (messages and (self._framing.pending or self._framing.broken)):
            raise NotAnEcho("more than one message for one")
        return messages[0] if messages else None


class _Question:
    """A message, and who waits for its answer."""

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.answer: Deferred[bytes] = Deferred(lambda answer: None)


class EchoClient(Protocol):
    """
    One connection to an echo. Messages go out one after the other, each when the last is answered. When
    one is not answered in time, or the connection is lost, all that wait fail.

    @param clock: the reactor, or a C{Clock} in a test.
    @param replies: where an answer ends.
    @param timeout: seconds to wait for each answer.
    @param pause: seconds of silence that end an answer which nothing else ends.
    @ivar open: whether another message can be said.
    """

    transport: Transport

    def __init__(
        self, clock: IReactorTime, replies: Replies, timeout: float = 5.0, pause: float = 0.1
    ) -> None:
        self._clock = clock
        self._replies = replies
        self._timeout = timeout
        self._pause = pause
        self._waiting: deque[_Question] = deque()
        self._asked: _Question | None = None
        self._timer: IDelayedCall | None = None
        self._quiet: IDelayedCall | None = None
        self._problem: Failure | None = None

    @property
    def open(self) -> bool:
        return self._problem is None

    def say(self, message: bytes) -> Deferred[bytes]:
        """
        Say something.

        @return: fires with the answer; fails with L{ValueError} when it can not be said, with
            L{TimeoutError}, L{NotAnEcho}, or whatever ended the connection.
        """
        if self._problem is not None:
            return fail(self._problem)
        question = _Question(message)
        self._waiting.append(question)
        self._next()
        return question.answer

    def close(self) -> None:
        """End the connection; what is not answered by now fails."""
        self._giveUp(Failure(ConnectionDone()))
        self.transport.loseConnection()

    # IProtocol

    def dataReceived(self, data: bytes) -> None:
        if self._problem is not None:
            return
        self._stopQuiet()
        try:
            if self._asked is None:
                raise NotAnEcho("an answer that nobody asked for")
            answer = self._replies.feed(data)
        except NotAnEcho:
            self._giveUp(Failure())
            return
        if answer is not None:
            self._answered(answer)
        elif self._replies.quiet:
            self._quiet = self._clock.callLater(self._pause, self._silence)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        answer = self._replies.end() if self._asked is not None and reason.check(ConnectionDone) else None
        asked, self._asked = self._asked, None if answer is not None else self._asked
        self._giveUp(reason)
        if answer is not None and asked is not None and not asked.answer.called:
            asked.answer.callback(answer)

    # How messages go out and answers come in.

    def _next(self) -> None:
        while self._asked is None and self._waiting and self._problem is None:
            question = self._waiting.popleft()
            if question.answer.called:  # Nobody waits for it any more.
                continue
            try:
                message = self._replies.encode(question.message)
            except ValueError:
                question.answer.errback(Failure())
                continue
            self._asked = question
            self._timer = self._clock.callLater(self._timeout, self._timeUp)
            self.transport.write(message)

    def _answered(self, answer: bytes) -> None:
        asked, self._asked = self._asked, None
        self._stopTimer()
        if asked is not None and not asked.answer.called:
            asked.answer.callback(answer)
        self._next()

    def _silence(self) -> None:
        self._quiet = None
        answer = self._replies.end()
        if answer is not None:
            self._answered(answer)

    def _timeUp(self) -> None:
        self._timer = None
        self._giveUp(Failure(TimeoutError(string=f"no answer for {self._timeout:g} s")))

    def _stopTimer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _stopQuiet(self) -> None:
        quiet, self._quiet = self._quiet, None
        if quiet is not None and quiet.active():
            quiet.cancel()

    def _giveUp(self, problem: Failure) -> None:
        if self._problem is not None:
            return
        self._problem = problem
        self._stopTimer()
        self._stopQuiet()
        waiting = [*([self._asked] if self._asked is not None else []), *self._waiting]
        self._asked = None
        self._waiting.clear()
        if not problem.check(ConnectionDone):
            self.transport.abortConnection()
        for question in waiting:
            if not question.answer.called:
                question.answer.errback(problem)


async def connectEcho(
    clock: IReactorTime,
    endpoint: IStreamClientEndpoint,
    replies: Callable[[], Replies] = QuietReplies,
    *,
    timeout: float = 5.0,
    pause: float = 0.1,
) -> EchoClient:
    """Connect to an echo; the parameters are L{EchoClient}'s."""
    factory = Factory.forProtocol(lambda: EchoClient(clock, replies(), timeout, pause))
    return cast(EchoClient, await endpoint.connect(factory))


async def echoDatagram(
    reactor: DatagramReactor,
    target: DatagramTarget,
    message: bytes,
    *,
    timeout: float = 1.0,
    tries: int = 3,
) -> bytes:
    """
    Say something to an echo over UDP, and return its answer.

    @raise TimeoutError: none came; the other exceptions are L{ask}'s.
    """
    return await ask(reactor, target, message, timeout=timeout, tries=tries)
