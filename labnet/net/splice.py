"""
Two connections made one: what a relay from TCP to TCP and a proxy's tunnel are made of.

The bytes of each side go to the other, and so does what happens to the connection: its half-close, its
reset, and the slowness of who reads it. Nothing is kept.
"""

from __future__ import annotations

from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, TimeoutError
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure

from labnet.net.connection import ServiceConnection
from labnet.net.origin import Origin, OriginFactory
from labnet.net.sockets import SocketOptions

__all__ = ["Splice"]


class Splice:
    """
    Joins a connection to an origin. The connection hands what concerns it to the methods of the same
    names.

    @param near: the client's connection.
    @param clock: the reactor, or a C{Clock} in a test.
    @param sockets: the TCP options of the connection to the origin.
    """

    #: Bytes of the client that are held while its origin is being connected; then it is not read from.
    MOST_EARLY = 65_536

    def __init__(
        self, near: ServiceConnection, clock: IReactorTime, sockets: SocketOptions | None = None
    ) -> None:
        self._near = near
        self._clock = clock
        self._sockets = sockets
        self._connecting: Deferred[Origin] | None = None
        self._origin: Origin | None = None
        self._originEnded = False
        self._nearEnded = False
        self._early: list[bytes] = []
        self._earlySize = 0

    def join(self, endpoint: IStreamClientEndpoint, timeout: float) -> Deferred[None]:
        """
        Connect to the origin.

        @param timeout: seconds that may take.
        @return: fires when it is done, before anything of the origin reaches the client; fails as the
            endpoint fails, or with C{TimeoutError}.
        """
        joined: Deferred[None] = Deferred()
        factory = OriginFactory(self._clock, self, self._sockets)
        connecting = self._connecting = cast(Deferred[Origin], endpoint.connect(factory))
        connecting.addTimeout(timeout, self._clock, _timedOut)
        connecting.addCallbacks(self._connected, self._notConnected, (joined,), errbackArgs=(joined,))
        return joined

    def adopt(self, origin: Origin) -> None:
        """Join an origin that is connected already, and whose downstream this is."""
        self._origin = origin
        self._near.touch()

    def _connected(self, origin: Origin, joined: Deferred[None]) -> None:
        self._connecting = None
        self._origin = origin
        self._near.touch()
        joined.callback(None)
        early, self._early = self._early, []
        if early:
            origin.write(b"".join(early))
        self._near.release("connecting")
        if self._nearEnded:
            self.inputEnded()

    def _notConnected(self, failure: Failure, joined: Deferred[None]) -> None:
        self._connecting = None
        joined.errback(failure)

    # What the client's connection does.

    def received(self, data: bytes) -> None:
        """Pass it to the origin."""
        self._near.touch()
        if self._origin is not None:
            self._origin.write(data)
            return
        self._early.append(data)
        self._earlySize += len(data)
        if self._earlySize >= self.MOST_EARLY:
            self._near.hold("connecting")

    def inputEnded(self) -> None:
        """End our half towards the origin, once there is one: the client may still want the answer."""
        self._nearEnded = True
        self._near.touch()
        if self._origin is None:
            return
        if self._originEnded:
            self._origin.finish()
        else:
            self._origin.endOutput()

    def outputFull(self) -> None:
        """Do not read from the origin."""
        if self._origin is not None:
            self._origin.pause()

    def outputDrained(self) -> None:
        """Read from the origin again."""
        if self._origin is not None:
            self._origin.resume()

    def ended(self, reason: Failure) -> None:
        """End the origin's connection the way in which the client's ended."""
        self._early.clear()
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()
        origin, self._origin = self._origin, None
        if origin is not None:
            if reason.check(ConnectionDone):
                origin.finish()
            else:
                origin.abort()

    # Downstream: what the origin does.

    def originReceived(self, data: bytes) -> None:
        """Pass it to the client."""
        self._near.touch()
        self._near.write(data)

    def originEnded(self) -> None:
        """End our half towards the client; when both sides have ended, the connections are over."""
        self._originEnded = True
        self._near.touch()
        self._near.endOutput()
        if self._nearEnded and self._origin is not None:
            self._origin.finish()

    def originFull(self) -> None:
        """Do not read from the client."""
        self._near.hold("origin")

    def originDrained(self) -> None:
        """Read from the client again."""
        self._near.touch()
        self._near.release("origin")

    def originLost(self, reason: Failure) -> None:
        """End the client's connection the way in which the origin's ended."""
        if self._origin is None:
            return
        self._origin = None
        if reason.check(ConnectionDone):
            self._near.close("ended by both sides" if self._nearEnded else "closed by the origin")
        else:
            self._near.drop(f"origin lost ({reason.getErrorMessage().strip()})")


def _timedOut(result: object, timeout: float) -> Origin:
    raise TimeoutError(string=f"not connected in {timeout:g} s")
