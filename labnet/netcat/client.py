"""
Connecting to a peer.
"""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from labnet.net.endpoints import DatagramTarget, isHost
from labnet.net.limits import Limits
from labnet.net.outcome import ExitStatus
from labnet.net.sockets import SocketOptions
from labnet.netcat.datagrams import DatagramPeer
from labnet.netcat.server import PeerFactory, leaving
from labnet.netcat.session import Session

__all__ = ["converse", "converseOverDatagrams"]

T = TypeVar("T")


async def converse(
    reactor: IReactorTime,
    session: Session,
    endpoint: IStreamClientEndpoint,
    *,
    idleTimeout: float = 0.0,
    sockets: SocketOptions | None = None,
) -> ExitStatus:
    """
    Connect, and lead the conversation.

    @param endpoint: where to; it bounds the time that connecting takes.
    @param idleTimeout: seconds without a byte in either direction after which it is over; 0 for no limit.
    @return: the session's exit status.
    @raise Exception: what the endpoint fails with, or the session.
    """
    limits = Limits(idleTimeout=idleTimeout, grace=0.0)
    factory = PeerFactory(reactor, session, listening=False, limits=limits, sockets=sockets)
    connecting = endpoint.connect(factory)

    def giveUp(result: T) -> T:
        """Whoever reads standard output may leave before there is a connection."""
        if not connecting.called:
            # Not from within: who waits for the connection looks at this result next.
            reactor.callLater(0, connecting.cancel)
        return result

    session.done.addBoth(giveUp)

    async def conversation() -> ExitStatus:
        try:
            await connecting
        except Exception:
            # An endpoint may fail with anything. It matters unless the conversation was over before.
            if not session.over:
                raise
        return await session.done

    return await leaving(conversation(), session, factory, [])


async def converseOverDatagrams(
    reactor: Any, session: Session, target: DatagramTarget, *, idleTimeout: float = 0.0
) -> ExitStatus:
    """
    Lead the conversation over UDP. Parameters and exceptions as for L{converse}.

    @param target: where to; a name is looked up first.
    """
    try:
        host = target.host
        if not isIPAddress(host) and not isIPv6Address(host):
            if not isHost(host):
                raise DNSLookupError(f"{host!r} is no name")
            host = await reactor.resolve(host, (1, 3, 11))
        resolved = DatagramTarget(host, target.port)
        peer = DatagramPeer(reactor, session, resolved, idleTimeout)
        reactor.listenUDP(0, peer, interface="::" if ":" in host else "", maxPacketSize=65536)
        return await session.done
    finally:
        session.abandon()
        session.done.addErrback(lambda failure: None)
