"""
The origin of one scenario: it answers exactly what the plan says.
"""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from labnet.proxyselftest.scenario import Pause, Plan, Reply

__all__ = ["Origin", "OriginConnection"]

_LONGEST_HEAD = 65_536


class OriginConnection(Protocol):
    """
    Answers requests, one after another. It knows no requests with content: their replies close.
    """

    transport: ITCPTransport

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._buffer = b""
        self._steps: Iterator[bytes | Pause] | None = None
        self._closes = False
        self._closed = False
        self._waiting: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._origin.connections.add(self)
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        self._buffer = (self._buffer + data)[-_LONGEST_HEAD:]
        self._go()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._closed = True
        self._origin.connections.discard(self)
        self._stopWaiting()

    def resume(self) -> None:
        """End the pause there is, if there is one."""
        if self._waiting is not None:
            self._stopWaiting()
            self._go()

    def _go(self) -> None:
        """Say what can be said now."""
        while self._waiting is None and not self._closed:
            if self._steps is None and not self._begin():
                return
            assert self._steps is not None
            step = next(self._steps, None)
            if step is None:
                self._steps = None
                if self._closes:
                    self._close()
            elif isinstance(step, Pause):
                self._waiting = self._origin.clock.callLater(self._origin.pause, self.resume)
            else:
                self._origin.said.append(step)
                self.transport.write(step)

    def _begin(self) -> bool:
        """Take the next request. Whether there is one that is answered."""
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return False
        self._buffer = rest
        reply = self._origin.replyTo(head + end)
        if reply is None:
            self._close()
            return False
        self._steps, self._closes = iter(reply.steps), reply.closes
        return True

    def _close(self) -> None:
        self._closed = True
        self.transport.loseConnection()

    def _stopWaiting(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting.active():
            waiting.cancel()


class Origin(Factory):  # type: ignore[type-arg, unused-ignore]
    """
    The connections of one scenario's origin.

    @param pause: seconds that a pause lasts when nobody ends it.
    @ivar heard: the heads of the requests.
    @ivar said: what was answered, in the pieces in which it was written.
    """

    noisy = False

    def __init__(self, clock: IReactorTime, plan: Plan, pause: float) -> None:
        self.clock = clock
        self.pause = pause
        self.connections: set[OriginConnection] = set()
        self.heard: list[bytes] = []
        self.said: list[bytes] = []
        self._replies = plan.replies

    def buildProtocol(self, addr: IAddress | None) -> OriginConnection:
        return OriginConnection(self)

    def replyTo(self, head: bytes) -> Reply | None:
        """The reply to a request."""
        self.heard.append(head)
        lowered = head.lower()
        return next((reply for reply in self._replies if reply.when.lower() in lowered), None)

    def clientHeard(self) -> None:
        """The client has got something: what was said last is through the proxy."""
        for connection in tuple(self.connections):
            connection.resume()

    def close(self) -> None:
        """Break all connections off."""
        for connection in tuple(self.connections):
            connection.transport.abortConnection()
