"""
The greeting's client.
"""

from __future__ import annotations

from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from labnet.greeting.wire import LONGEST_GREETING
from labnet.net.connection import Transport

__all__ = ["GreetingClient", "greeting"]


class GreetingClient(Protocol):
    """
    Listens until the peer closes, or the time is over, or more has come than a greeting has.

    @param clock: the reactor, or a C{Clock} in a test.
    @param timeout: seconds.
    @ivar heard: fires with what the peer said; fails with L{TimeoutError} when it said nothing in that
        time, and with the reason when the connection was lost before it said anything.
    """

    transport: Transport

    def __init__(self, clock: IReactorTime, timeout: float = 5.0) -> None:
        self._clock = clock
        self._timeout = timeout
        self._timer: IDelayedCall | None = None
        self._said = bytearray()
        self.heard: Deferred[bytes] = Deferred(lambda heard: self._end())

    def connectionMade(self) -> None:
        self._timer = self._clock.callLater(self._timeout, self._timeUp)

    def dataReceived(self, data: bytes) -> None:
        self._said += data
        if len(self._said) >= LONGEST_GREETING:
            self._fire(bytes(self._said[:LONGEST_GREETING]))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # A peer that closes without a word has greeted with nothing; one that is lost has not greeted.
        said = bytes(self._said)
        self._fire(said if said or reason.check(ConnectionDone) else reason)

    def _timeUp(self) -> None:
        self._timer = None
        problem = Failure(TimeoutError(string=f"no greeting for {self._timeout:g} s"))
        self._fire(bytes(self._said) or problem)

    def _fire(self, result: bytes | Failure) -> None:
        self._end()
        if not self.heard.called:
            self.heard.callback(result)

    def _end(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        self.transport.abortConnection()


async def greeting(clock: IReactorTime, endpoint: IStreamClientEndpoint, timeout: float = 5.0) -> bytes:
    """
    Connect, and return what the server says until it closes, or for C{timeout} seconds.

    @raise TimeoutError: it says nothing in that time.
    """
    factory = Factory.forProtocol(lambda: GreetingClient(clock, timeout))
    client = cast(GreetingClient, await endpoint.connect(factory))
    return await client.heard
