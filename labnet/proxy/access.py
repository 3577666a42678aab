"""
Who may use the proxy, and how much of it.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Hashable
from dataclasses import replace

from twisted.cred.error import LoginFailed
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from labnet.net.connection import Transport
from labnet.net.limits import DatagramLimits, RateLimit
from labnet.net.lingering import LINGER
from labnet.net.logins import Logins, TooManyTries
from labnet.net.sharing import SharedLimits, SharedRate
from labnet.proxy.networks import LOOPBACK, Networks
from labnet.proxy.wire import BadMessage, Fields, RequestHead

__all__ = ["Access", "Refused", "TurnedAway"]

#: Who is turned away is told so, as long as there are no more than so many at a time.
_MOST_TOLD = 100

_REALM = b'Basic realm="labnet proxy", charset="UTF-8"'


class Refused(BadMessage):
    """
    A request is refused, and its client told what to do about it.

    @ivar fields: of the answer.
    """

    def __init__(self, reason: str, status: int, *fields: tuple[bytes, bytes]) -> None:
        super().__init__(reason, status)
        self.fields = fields


class Access:
    """
    Decides who may use the proxy, and how much.

    @param clients: who may connect. Who comes over a UNIX socket is on this machine.
    @param logins: who they have to be; L{None}: nobody is asked.
    @param asSite: whether the proxy stands before an origin, and asks as that would (RFC 9110, 11.6.1), and
        not as a proxy does (11.7.1).
    @param requestRate: requests a second from one address; 0 for no limit.
    @param mostTunnels: tunnels at the same time; 0 for no limit.
    @param shared: counts these two with other processes together; L{None} where there are none.
    """

    def __init__(
        self,
        clock: IReactorTime,
        *,
        clients: Networks = LOOPBACK,
        logins: Logins | None = None,
        asSite: bool = False,
        requestRate: float = 0.0,
        mostTunnels: int = 0,
        shared: SharedLimits | None = None,
    ) -> None:
        self._clock = clock
        self._clients = clients
        self._logins = logins
        self._asSite = asSite
        self._rate: RateLimit | SharedRate | None = None
        if requestRate and shared is not None:
            self._rate = SharedRate(requestRate, shared)
        elif requestRate:
            self._rate = RateLimit(DatagramLimits(perSource=requestRate, total=0))
        self._mostTunnels = mostTunnels
        self._tunnels: set[Hashable] = set()
        self._tunnelsOfAll = shared.total() if shared is not None else None
        self._told = 0

    def welcomes(self, host: str) -> bool:
        """Whether a client may connect."""
        return self._clients.cover("127.0.0.1" if host == "unix" else host)

    def turnAway(self, answer: bytes) -> TurnedAway | None:
        """
        What tells a client that it may not.

        @param answer: in the words of HTTP.
        @return: L{None} if too many are being told already.
        """
        return TurnedAway(self, self._clock, answer) if self._told < _MOST_TOLD else None

    def telling(self, more: int) -> None:
        """So many more clients are being told that they may not connect."""
        self._told += more

    # Requests.

    def count(self, host: str) -> None:
        """
        One more request of a client.

        @raise Refused: that is too many.
        """
        if self._rate is not None and not self._rate.admits(host, self._clock.seconds()):
            raise Refused("too many requests from this address", 429, (b"Retry-After", b"1"))

    @property
    def asks(self) -> bool:
        """Whether clients have to say who they are."""
        return self._logins is not None

    def identify(self, host: str, head: RequestHead) -> Deferred[str]:
        """
        Who sends a request.

        @return: fires with the name; fails with L{Refused}.
        """
        assert self._logins is not None
        try:
            name, password = _basic(
                head.fields, b"authorization" if self._asSite else b"proxy-authorization"
            )
        except ValueError as problem:
            return fail(self._challenge(str(problem)))
        return self._logins.login(host, name, password).addErrback(self._notKnown)

    def withoutCredentials(self, head: RequestHead) -> RequestHead:
        """The head of a request as somebody else may see it."""
        if not self._asSite:
            return head  # Proxy-Authorization never goes any further.
        return replace(head, fields=head.fields.without((b"authorization",)))

    def _notKnown(self, failure: Failure) -> str:
        if failure.check(TooManyTries):
            raise Refused("too many passwords were tried", 429, (b"Retry-After", b"2"))
        failure.trap(LoginFailed)
        raise self._challenge("wrong name or password")

    def _challenge(self, why: str) -> Refused:
        if self._asSite:
            return Refused(why, 401, (b"WWW-Authenticate", _REALM))
        return Refused(why, 407, (b"Proxy-Authenticate", _REALM))

    # Tunnels.

    def openTunnel(self, connection: Hashable) -> None:
        """
        A client's connection becomes a tunnel.

        @raise Refused: there are too many.
        """
        tunnels = len(self._tunnels) if self._tunnelsOfAll is None else self._tunnelsOfAll.value
        if self._mostTunnels and tunnels >= self._mostTunnels:
            raise Refused("there are too many tunnels", 503, (b"Retry-After", b"5"))
        self._tunnels.add(connection)
        if self._tunnelsOfAll is not None:
            self._tunnelsOfAll.add(+1)

    def closeTunnel(self, connection: Hashable) -> None:
        """It is none any more, or never was."""
        if connection in self._tunnels:
            self._tunnels.remove(connection)
            if self._tunnelsOfAll is not None:
                self._tunnelsOfAll.add(-1)


def _basic(fields: Fields, name: bytes) -> tuple[bytes, bytes]:
    """
    Name and password of the scheme Basic (RFC 7617).

    @raise ValueError: there are none; the text says so, and repeats nothing.
    """
    values = fields.values(name)
    if not values:
        raise ValueError("a name and a password are asked for here")
    scheme, _, encoded = values[0].partition(b" ")
    if len(values) > 1 or scheme.lower() != b"basic":
        raise ValueError("the only scheme here is Basic")
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
    except binascii.Error:
        colon = b""
    if not colon or not user:
        raise ValueError("the credentials are not a name and a password")
    return user, password


class TurnedAway(Protocol):
    """A client that may not use the proxy: it is told so, and has a moment to read that."""

    transport: Transport

    def __init__(self, access: Access, clock: IReactorTime, answer: bytes) -> None:
        self._access = access
        self._clock = clock
        self._answer = answer
        self._end: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._access.telling(+1)
        self.transport.write(self._answer)
        if ISSLTransport.providedBy(self.transport):
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()
        self._end = self._clock.callLater(LINGER, self.transport.abortConnection)

    def dataReceived(self, data: bytes) -> None:
        """Whatever it wants, it does not get it."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._access.telling(-1)
        if self._end is not None and self._end.active():
            self._end.cancel()
