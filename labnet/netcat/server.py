"""
A connection of netcat's, whoever opened it, and listening for one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IListeningPort,
    IReactorTime,
    ISSLTransport,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.net.connection import ServiceConnection, ServiceFactory
from labnet.net.endpoints import DatagramAddress, describe
from labnet.net.limits import Limits
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.sockets import SocketOptions
from labnet.netcat.datagrams import DatagramPeer
from labnet.netcat.session import Session

__all__ = ["PeerConnection", "PeerFactory", "converse", "leaving"]


class PeerConnection(ServiceConnection):
    """
    A stream between a L{Session} and its peer.

    @ivar label: what the session calls the peer.
    """

    factory: PeerFactory

    def __init__(self, session: Session, label: str) -> None:
        super().__init__()
        self.label = label
        self._session = session
        self._halfEnded = False
        self._timedOut: Failure | None = None

    # What the session does.

    def write(self, data: bytes) -> None:
        self.touch()
        super().write(data)

    def endOutput(self) -> None:
        """
        End our half. An endpoint of Twisted's with TLS has no halves: there the peer ends the connection.
        """
        if not ISSLTransport.providedBy(self.transport):
            super().endOutput()

    # What the connection does.

    def started(self) -> None:
        here = describe(self.transport.getHost())
        if self.factory.listening:
            self._session.narrate(f"{self.label} has connected, from {self.peer} to {here}")
        else:
            self._session.narrate(f"connected to {self.peer}, from {here}")
        if not self._secure:
            self._session.peerOpened(self)

    def handshakeCompleted(self) -> None:
        """TLS is agreed upon; see L{labnet.net.secure.HandshakeListener}."""
        agreement = getattr(self.transport, "agreement", None)
        if agreement is not None:
            self._session.narrate(f"{self.label} agreed to {agreement.version}, {agreement.cipher}")
            self._session.peerOpened(self)

    def received(self, data: bytes) -> None:
        self.touch()
        self._session.peerReceived(self, data)

    def inputEnded(self) -> None:
        cut = getattr(self.transport, "cut", False) is True
        self._session.peerEnded(self, "FIN without close_notify" if cut else self._ending)

    def writeConnectionLost(self) -> None:
        self._halfEnded = True
        self._session.weEnded(self, self._ending)

    def outputFull(self) -> None:
        self._session.peerFull(self)

    def outputDrained(self) -> None:
        self._session.peerDrained(self)

    def ended(self, reason: Failure) -> None:
        if reason.check(ConnectionDone) and not self._halfEnded:
            self._session.weEnded(self, self._ending)
        self._session.peerLost(self, self._timedOut or reason)

    @property
    def _ending(self) -> str:
        return "TLS close_notify" if self._secure else "FIN"

    @property
    def _secure(self) -> bool:
        """Whether a L{labnet.net.secure.SecureConnection} is below, with whatever layers in between."""
        return hasattr(self.transport, "agreement")

    def watchTime(self, now: float) -> None:
        """A netcat that has waited long enough tells why it ends."""
        idle = self.factory.limits.idleTimeout
        if idle and now - self.progressAt >= idle:
            self._timedOut = Failure(ClientError(f"nothing moved for {idle:g} s", ExitStatus.TIMED_OUT))
        super().watchTime(now)


class PeerFactory(ServiceFactory):
    """
    Builds the connections of one session.

    @param session: whose.
    @param listening: whether the peers come to us.
    @ivar taken: fires with the first connection.
    """

    service: ClassVar[str] = "netcat"
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        session: Session,
        *,
        listening: bool,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__(clock, limits=limits, sockets=sockets)
        self.listening = listening
        self.taken: Deferred[None] = Deferred()
        self._session = session
        self._built = 0

    def buildProtocol(self, addr: object) -> ServiceConnection | None:
        """One, or as many as the limits allow if the session goes on after its first."""
        if self._session.over or (self._built and not self._session.manner.keep):
            return None
        return super().buildProtocol(addr)  # type: ignore[arg-type]

    def build(self) -> PeerConnection:
        self._built += 1
        label = f"#{self._built}" if self._session.manner.keep else "the peer"
        return PeerConnection(self._session, label)

    def opened(self, connection: ServiceConnection) -> None:
        super().opened(connection)
        if not self.taken.called:
            self.taken.callback(None)


async def converse(
    reactor: Any,
    session: Session,
    places: Sequence[IStreamServerEndpoint | DatagramAddress],
    *,
    limits: Limits | None = None,
    sockets: SocketOptions | None = None,
    announce: bool = False,
) -> ExitStatus:
    """
    Listen, and lead the conversation with who comes.

    @param places: where to listen; the first peer on any of them is the one, unless the session keeps on.
    @param limits: how many at a time, how long; C{idleTimeout} 0 to wait for ever.
    @param announce: whether to tell where, even if the session narrates nothing.
    @return: the session's exit status.
    @raise twisted.internet.error.CannotListenError: it can not listen there.
    """
    limits = limits or Limits(idleTimeout=0.0)
    factory = PeerFactory(reactor, session, listening=True, limits=limits, sockets=sockets)
    ports: list[IListeningPort] = []

    async def conversation() -> ExitStatus:
        for place in places:
            port = await _listen(reactor, session, factory, place, limits.idleTimeout)
            ports.append(port)
            where = describe(port.getHost())
            factory.log.info("{service} listens on {address}", service=factory.service, address=where)
            if announce and not session.manner.narrate:
                session.complain(f"listening on {where}")
            session.narrate(f"listening on {where}")
        if not session.manner.keep:
            factory.taken.addCallback(lambda ignored: _stop(ports))
        return await session.done

    return await leaving(conversation(), session, factory, ports)


async def leaving(
    conversation: Awaitable[ExitStatus],
    session: Session,
    factory: PeerFactory,
    ports: list[IListeningPort],
) -> ExitStatus:
    """Wait for a conversation, and let go of everything, however it ends."""
    waited = True
    try:
        return await conversation
    except CancelledError:
        # Nobody waits any more; the process may be about to end.
        waited = False
        raise
    finally:
        left = _leave(session, factory, ports)
        if waited:
            await left


def _leave(session: Session, factory: PeerFactory, ports: list[IListeningPort]) -> Deferred[None]:
    """Let go of everything; fires when the last connection has ended and nothing listens any more."""
    session.abandon()
    session.done.addErrback(lambda failure: None)
    return _stop(ports).addCallback(lambda ignored: factory.finish())


async def _listen(
    reactor: Any,
    session: Session,
    factory: PeerFactory,
    place: IStreamServerEndpoint | DatagramAddress,
    idleTimeout: float,
) -> IListeningPort:
    if isinstance(place, DatagramAddress):
        peer: DatagramProtocol = DatagramPeer(reactor, session, idleTimeout=idleTimeout)
        if place.layers is not None:
            peer = place.layers.aroundDatagrams(peer, reactor, factory.service)
        port: IListeningPort = reactor.listenUDP(
            place.port, peer, interface=place.interface, maxPacketSize=65536
        )
        return port
    return await place.listen(factory)


def _stop(ports: list[IListeningPort]) -> Deferred[None]:
    """Stop listening, everywhere."""
    stopped = Deferred.fromCoroutine(_stopAll(ports[:]))
    ports.clear()
    return stopped


async def _stopAll(ports: list[IListeningPort]) -> None:
    for port in ports:
        await maybeDeferred(port.stopListening)
