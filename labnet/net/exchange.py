"""
One question and one answer over datagrams, which may be lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectionRefusedError,
    DNSLookupError,
    MessageLengthError,
    TimeoutError,
)
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IUDPTransport
from twisted.internet.protocol import DatagramProtocol
from twisted.python.failure import Failure

from labnet.net.endpoints import DatagramTarget, isHost
from labnet.net.logs import counted

__all__ = ["Asker", "DatagramReactor", "ask"]


class DatagramReactor(Protocol):
    """What datagrams need of a reactor: a clock, ports, and names."""

    def seconds(self) -> float: ...

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kw: object
    ) -> IDelayedCall: ...

    def listenUDP(
        self,
        port: int,
        protocol: DatagramProtocol,
        interface: str = "",
        maxPacketSize: int = 8192,
    ) -> IListeningPort: ...

    def resolve(self, name: str, timeout: tuple[int, ...] = ...) -> Deferred[str]: ...


class _Question:
    """
    A request on its way, and who waits for the answer.

    @ivar sent: how often it went out.
    """

    def __init__(
        self,
        request: bytes,
        timeout: float,
        tries: int,
        accepts: Callable[[bytes], bool],
        sentAgain: Callable[[], object],
        cancel: Callable[[Deferred[bytes]], None],
    ) -> None:
        self.request = request
        self.timeout = timeout
        self.tries = tries
        self.accepts = accepts
        self.sentAgain = sentAgain
        self.sent = 0
        self.answer: Deferred[bytes] = Deferred(cancel)


class _Line(DatagramProtocol):
    """
    A socket that is connected to the server, and has one question at a time: it sends that until an
    acceptable answer comes, or the tries are over.

    @ivar usable: whether it can have another question.
    """

    noisy = False
    transport: IUDPTransport

    def __init__(self, reactor: DatagramReactor, target: DatagramTarget) -> None:
        self._reactor = reactor
        self._target = target
        self._question: _Question | None = None
        self._timer: IDelayedCall | None = None
        self._problem: Failure | None = None
        self.usable = True

    @property
    def busy(self) -> bool:
        """Whether it has a question."""
        return self._question is not None

    def ask(self, question: _Question) -> None:
        """Begin with a question; its answer fires when it is over."""
        self._question = question
        if self._problem is not None:
            self._end(self._problem)
        else:
            self._send()

    def startProtocol(self) -> None:
        try:
            # A connected socket takes answers from nobody else, and hears when nobody listens there.
            self.transport.connect(self._target.host, self._target.port)
        except OSError as error:
            self._problem = Failure(error)

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        question = self._question
        if question is None:
            # A second answer to a question that is over must not become the answer to the next one.
            self.close()
        elif question.accepts(datagram):
            self._end(datagram)

    def stopProtocol(self) -> None:
        # The epoll and poll reactors close the port of a refused datagram, in place of calling
        # connectionRefused: all they see is an error without input.
        if self.usable:
            self.connectionRefused()

    def connectionRefused(self) -> None:
        self.usable = False
        self._end(Failure(ConnectionRefusedError(string=f"nothing listens on {self._target}")))

    def cancelled(self, answer: Deferred[bytes]) -> None:
        """Nobody waits for the answer any more."""
        self._question = None
        self.close()

    def close(self) -> None:
        """There will be no more questions."""
        self.usable = False
        self._stopTimer()
        if self.transport is not None:
            self.transport.stopListening()

    def _send(self) -> None:
        question, self._timer = self._question, None
        assert question is not None
        if question.sent == question.tries:
            tries = counted(question.tries, "try", "tries")
            problem = f"no answer from {self._target} in {tries}"
            self._end(Failure(TimeoutError(string=problem)))
            return
        if question.sent:
            question.sentAgain()
        question.sent += 1
        self._timer = self._reactor.callLater(question.timeout, self._send)
        try:
            self.transport.write(question.request, (self._target.host, self._target.port))
        except (OSError, MessageLengthError) as error:
            self._end(Failure(error))

    def _stopTimer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _end(self, result: bytes | Failure) -> None:
        question, self._question = self._question, None
        self._stopTimer()
        if isinstance(result, Failure) or (question is not None and question.sent > 1):
            # An answer to one of its other tries may still come.
            self.close()
        if question is not None and not question.answer.called:
            if isinstance(result, Failure):
                question.answer.errback(result)
            else:
                question.answer.callback(result)


class Asker:
    """
    Asks one server over datagrams, any number of questions at a time, each on a socket that no other
    uses meanwhile. A socket is used again only if its question went out once and was answered, so that
    an answer that comes late is never taken for the answer to a later question.

    @param target: the server; a name is looked up with each question.
    @param mostIdle: sockets that are kept for later questions.
    """

    def __init__(self, reactor: DatagramReactor, target: DatagramTarget, mostIdle: int = 16) -> None:
        self._reactor = reactor
        self._target = target
        self._mostIdle = mostIdle
        self._idle: dict[DatagramTarget, list[_Line]] = {}
        self._closed = False

    async def ask(
        self,
        request: bytes,
        *,
        timeout: float = 1.0,
        tries: int = 3,
        accepts: Callable[[bytes], bool] = lambda datagram: True,
        sentAgain: Callable[[], object] = lambda: None,
    ) -> bytes:
        """
        Send C{request} and return the answer; parameters and exceptions are those of L{ask}.
        """
        target = await self._resolved(timeout, tries)
        line = self._line(target)
        question = _Question(request, timeout, tries, accepts, sentAgain, line.cancelled)
        line.ask(question)
        try:
            return await question.answer
        finally:
            self._keep(target, line)

    def close(self) -> None:
        """Let go of the sockets; one that is in use is let go of after its question."""
        self._closed = True
        idle, self._idle = self._idle, {}
        for lines in idle.values():
            for line in lines:
                line.close()

    async def _resolved(self, timeout: float, tries: int) -> DatagramTarget:
        target = self._target
        if isIPAddress(target.host) or isIPv6Address(target.host):
            return target
        if not isHost(target.host):
            raise DNSLookupError(f"{target.host!r} is no name")
        host = await self._reactor.resolve(target.host, (max(1, round(timeout)),) * tries)
        return DatagramTarget(host, target.port)

    def _line(self, target: DatagramTarget) -> _Line:
        idle = self._idle.get(target, [])
        while idle:
            line = idle.pop()
            if line.usable:
                return line
        line = _Line(self._reactor, target)
        interface = "::" if ":" in target.host else ""
        self._reactor.listenUDP(0, line, interface=interface, maxPacketSize=65536)
        return line

    def _keep(self, target: DatagramTarget, line: _Line) -> None:
        if not line.usable:
            return
        idle = self._idle.setdefault(target, [])
        if self._closed or len(idle) >= self._mostIdle:
            line.close()
        else:
            idle.append(line)


async def ask(
    reactor: DatagramReactor,
    target: DatagramTarget,
    request: bytes,
    *,
    timeout: float = 1.0,
    tries: int = 3,
    accepts: Callable[[bytes], bool] = lambda datagram: True,
    sentAgain: Callable[[], object] = lambda: None,
) -> bytes:
    """
    Send C{request} and return the answer: one question, on a socket of its own. L{Asker} is for many.

    @param target: where to; a name is looked up first.
    @param timeout: seconds to wait for each try.
    @param tries: how often the request is sent at most.
    @param accepts: whether a datagram is an answer; what is none is ignored.
    @param sentAgain: called each time the request goes out once more.
    @raise TimeoutError: no answer came.
    @raise ConnectionRefusedError: nothing listens there.
    @raise twisted.internet.error.DNSLookupError: the name has no address.
    @raise OSError: the network does not take the request.
    """
    asker = Asker(reactor, target, mostIdle=0)
    return await asker.ask(request, timeout=timeout, tries=tries, accepts=accepts, sentAgain=sentAgain)
