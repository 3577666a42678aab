"""
The far sides of a relay to UDP: the server that is asked, and one client's own way to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from typing import Protocol as Interface

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.error import BindError, ConnectError, MessageLengthError
from twisted.internet.interfaces import (
    IListeningPort,
    IUDPTransport,
)
from twisted.internet.protocol import DatagramProtocol
from twisted.python.failure import Failure

from labnet.calculator.arithmetic import Fault
from labnet.calculator.wire import DEFAULT_PROFILE, Profile
from labnet.net.endpoints import DatagramTarget
from labnet.net.exchange import Asker, DatagramReactor
from labnet.net.outcome import explain
from labnet.relay.wire import AnswerCache, isError

__all__ = ["Counts", "DatagramUpstream", "DatagramUser", "Upstream"]

#: What a network, and nobody's mistake, makes of an exchange.
_LOST = (ConnectError, BindError, MessageLengthError, OSError)


@dataclass(slots=True)
class Counts:
    """
    What happened to the requests of one connection.

    @ivar retries: requests that were sent again.
    @ivar hits: answers from the cache; C{misses}: looked for there and not found.
    @ivar unanswered: requests that got the profile's error in place of an answer.
    @ivar why: what went wrong with the last of these.
    """

    retries: int = 0
    hits: int = 0
    misses: int = 0
    unanswered: int = 0
    why: str = ""

    def retried(self) -> None:
        """One more was sent again."""
        self.retries += 1


class Upstream:
    """
    The UDP server behind a relay. Each question has a socket of its own, so a late answer can not be
    taken for another's, and there is a bound on these sockets: who finds none free waits for its turn.

    @param target: where the server is.
    @param profile: what its errors look like, and ours.
    @param timeout: seconds to wait for a reply to each try.
    @param tries: how often a request is sent at most.
    @param maxExchanges: how many questions, and sockets, there are at a time, over all connections.
    @param cache: where answers are kept; L{None} to ask each time.
    """

    def __init__(
        self,
        reactor: DatagramReactor,
        target: DatagramTarget,
        profile: Profile = DEFAULT_PROFILE,
        *,
        timeout: float = 1.0,
        tries: int = 3,
        maxExchanges: int = 256,
        cache: AnswerCache | None = None,
    ) -> None:
        self._reactor = reactor
        self._asker = Asker(reactor, target, mostIdle=maxExchanges)
        self._profile = profile
        self._timeout = timeout
        self._tries = tries
        self._sockets = DeferredSemaphore(maxExchanges)
        self._cache = cache

    def close(self) -> None:
        """Let go of the sockets that wait for questions."""
        self._asker.close()

    async def answer(self, request: bytes, counts: Counts) -> bytes:
        """
        The reply to a request: the server's, as it came, or the profile's error when there is none. What
        happened on the way is added to C{counts}.
        """
        cache = self._cache
        if cache is not None:
            known = cache.get(request, self._reactor.seconds())
            if known is not None:
                counts.hits += 1
                return known
            counts.misses += 1
        try:
            reply = await self._ask(request, counts)
        except _LOST as error:
            counts.unanswered += 1
            counts.why = explain(Failure(error))[0]
            return self._profile.replies.encode(Fault.NO_REPLY)
        if cache is not None and not isError(self._profile, reply):
            cache.put(request, reply, self._reactor.seconds())
        return reply

    async def _ask(self, request: bytes, counts: Counts) -> bytes:
        await self._sockets.acquire()
        try:
            return await self._asker.ask(
                request,
                timeout=self._timeout,
                tries=self._tries,
                # On a stream an empty reply would be none.
                accepts=bool,
                sentAgain=counts.retried,
            )
        finally:
            # In the next turn of the reactor, when the socket is closed; and so that a row of questions
            # which fail at once does not become as many calls within each other.
            self._reactor.callLater(0, self._sockets.release)


class DatagramUser(Interface):
    """Who a L{DatagramUpstream} works for."""

    def upstreamReceived(self, datagram: bytes) -> None:
        """The server has sent something."""

    def upstreamFailed(self, reason: str) -> None:
        """A datagram is lost; C{reason} is one of a small fixed set."""

    def upstreamUnusable(self) -> None:
        """There is no way to the server: its name has no address, or there is no socket."""


class DatagramUpstream(DatagramProtocol):
    """
    One UDP client's own way to the server: a socket that is connected to it and hears nobody else.

    @param target: where the server is; a name is looked up first, and what is sent meanwhile is held.
    @param user: who is told.
    """

    #: Datagrams held until the name is looked up; more are lost.
    MOST_HELD = 8

    noisy = False
    transport: IUDPTransport

    def __init__(self, reactor: DatagramReactor, target: DatagramTarget, user: DatagramUser) -> None:
        self._reactor = reactor
        self._target = target
        self._user = user
        self._held: list[bytes] = []
        self._port: IListeningPort | None = None
        self._looking: Deferred[None] | None = None

    def open(self) -> None:
        """Look the server's name up, if it is one, and open the socket."""
        self._looking = Deferred.fromCoroutine(self._open())

    async def _open(self) -> None:
        host = self._target.host
        try:
            if not isIPAddress(host) and not isIPv6Address(host):
                host = await self._reactor.resolve(host, (1, 2, 4))
                self._looking = None
            self._target = DatagramTarget(host, self._target.port)
            interface = "::" if ":" in host else ""
            self._port = self._reactor.listenUDP(0, self, interface=interface, maxPacketSize=65536)
            self.transport.connect(host, self._target.port)
        except _LOST:
            self._looking = None
            self._closePort()
            self._user.upstreamUnusable()
            return
        held, self._held = self._held, []
        for datagram in held:
            self.send(datagram)

    def send(self, datagram: bytes) -> None:
        """Send to the server."""
        if self._port is None:
            if len(self._held) < self.MOST_HELD:
                self._held.append(datagram)
            else:
                self._user.upstreamFailed("the server is not looked up yet")
            return
        try:
            self.transport.write(datagram, (self._target.host, self._target.port))
        except (OSError, MessageLengthError):
            self._user.upstreamFailed("not sendable to the server")

    def isAt(self, address: tuple[str, int]) -> bool:
        """Whether this very socket is at that address."""
        if self._port is None:
            return False
        host: Any = self._port.getHost()
        return (host.host, host.port) == address

    def close(self) -> None:
        """There is nothing more to send."""
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.addErrback(_cancelled)
            looking.cancel()
        self._closePort()

    def _closePort(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()

    # DatagramProtocol

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        if self._port is not None:
            self._user.upstreamReceived(datagram)

    def connectionRefused(self) -> None:
        self._user.upstreamFailed("nothing listens at the server's port")


def _cancelled(failure: Failure) -> None:
    failure.trap(CancelledError)
