"""
The near side of a relay from UDP to UDP.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar, cast

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from labnet.calculator.wire import DEFAULT_PROFILE, Profile
from labnet.net.connection import newConnectionId
from labnet.net.datagram import ServiceDatagramProtocol
from labnet.net.endpoints import DatagramTarget
from labnet.net.exchange import DatagramReactor
from labnet.net.limits import DatagramLimits
from labnet.net.logs import counted
from labnet.relay.client import DatagramUpstream
from labnet.relay.server import Tamperer
from labnet.relay.wire import Tampering

__all__ = ["ClientLimits", "DatagramRelay"]


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """
    What a relay from UDP to UDP keeps of its clients. A client is an address with its port.

    @ivar expire: seconds without a datagram either way after which a client is forgotten.
    @ivar most: clients at a time.
    @ivar mostPerHost: of these, from one host. A loop of relays makes a new client each time round, and
        so ends here.
    @ivar repliesPerRequest: what the server may send for each datagram of the client; more is dropped.
    @ivar mostReplies: how many replies may be outstanding in all.
    """

    expire: float = 30.0
    most: int = 1_024
    mostPerHost: int = 256
    repliesPerRequest: int = 8
    mostReplies: int = 256


class _DatagramClient:
    """One client of a L{DatagramRelay}."""

    def __init__(self, relay: DatagramRelay, address: tuple[str, int]) -> None:
        self.connectionId = newConnectionId()
        self.address = address
        self.openedAt = self.activeAt = relay.clock.seconds()
        self.requests = 0
        self.replies = 0
        self.owed = 0
        self.tamperer = Tamperer(relay.tampering, relay.profile, self.connectionId)
        self.upstream = DatagramUpstream(relay.reactor, relay.target, self)
        self._relay = relay

    def upstreamReceived(self, datagram: bytes) -> None:
        self._relay.upstreamReceived(self, datagram)

    def upstreamFailed(self, reason: str) -> None:
        self._relay.drop(reason)

    def upstreamUnusable(self) -> None:
        self._relay.drop("the server can not be reached")
        self._relay.forget(self, "no way to the server")


class DatagramRelay(ServiceDatagramProtocol):
    """
    A relay from UDP to UDP. Each client has a socket of its own towards the server, so the server sees
    as many clients as there are, and each reply goes to the one it is for.

    @param reactor: the clock, and where sockets are opened.
    @param target: where the server is.
    @param clientLimits: how many clients, for how long.
    @param tampering: what to change in requests; L{None} for nothing.
    @param profile: how requests look; matters only when something is changed in them.
    @param limits: how often, from how many.
    """

    service: ClassVar[str] = "relay"
    log = Logger()

    def __init__(
        self,
        reactor: DatagramReactor,
        target: DatagramTarget,
        *,
        clientLimits: ClientLimits | None = None,
        tampering: Tampering | None = None,
        profile: Profile = DEFAULT_PROFILE,
        limits: DatagramLimits | None = None,
    ) -> None:
        super().__init__(cast(IReactorTime, reactor), limits=limits)
        self.reactor = reactor
        self.target = target
        self.clientLimits = clientLimits or ClientLimits()
        self.tampering = tampering
        self.profile = profile
        # The one that has been silent longest is the first.
        self._clients: OrderedDict[tuple[str, int], _DatagramClient] = OrderedDict()
        self._perHost: dict[str, int] = {}
        self._expiry: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._clients)

    def requestReceived(self, datagram: bytes, address: tuple[str, int]) -> None:
        # An IPv6 address comes with two more numbers.
        client = self._clients.get(address[:2]) or self._newClient(address[:2])
        if client is not None:
            limits = self.clientLimits
            client.requests += 1
            client.owed = min(client.owed + limits.repliesPerRequest, limits.mostReplies)
            self._active(client)
            client.upstream.send(client.tamperer.changeDatagram(datagram))

    def upstreamReceived(self, client: _DatagramClient, datagram: bytes) -> None:
        """The server has sent this to a client."""
        if not client.owed:
            self.drop("more replies than requests allow")
            return
        client.owed -= 1
        client.replies += 1
        self._active(client)
        self.reply(datagram, client.address)

    def forget(self, client: _DatagramClient, outcome: str) -> None:
        """Close a client's socket, and write its line."""
        if self._clients.pop(client.address, None) is None:
            return
        host = client.address[0]
        self._perHost[host] -= 1
        if not self._perHost[host]:
            del self._perHost[host]
        client.upstream.close()
        tampered = f", {client.tamperer.changed} tampered with" if client.tamperer.changed else ""
        self.log.info(
            "{service} #{id} udp:{host}:{port}: {counted} in, {replies} out{tampered}; "
            "{outcome} after {seconds:.3f} s",
            service=self.service,
            id=client.connectionId,
            host=f"[{host}]" if ":" in host else host,
            port=client.address[1],
            counted=counted(client.requests, "datagram"),
            requests=client.requests,
            replies=client.replies,
            tampered=tampered,
            outcome=outcome,
            seconds=self.clock.seconds() - client.openedAt,
        )

    def stopProtocol(self) -> None:
        super().stopProtocol()
        for client in tuple(self._clients.values()):
            self.forget(client, "service stopped")
        expiry, self._expiry = self._expiry, None
        if expiry is not None and expiry.active():
            expiry.cancel()

    def _newClient(self, address: tuple[str, int]) -> _DatagramClient | None:
        limits = self.clientLimits
        if len(self._clients) >= limits.most:
            self.drop("too many clients")
        elif self._perHost.get(address[0], 0) >= limits.mostPerHost:
            self.drop("too many clients of one host")
        elif any(client.upstream.isAt(address) for client in self._clients.values()):
            self.drop("from this relay itself")
        else:
            client = self._clients[address] = _DatagramClient(self, address)
            self._perHost[address[0]] = self._perHost.get(address[0], 0) + 1
            client.upstream.open()
            # Without a way to the server it is forgotten already.
            return self._clients.get(address)
        return None

    def _active(self, client: _DatagramClient) -> None:
        client.activeAt = self.clock.seconds()
        self._clients.move_to_end(client.address)
        if self._expiry is None:
            self._expiry = self.clock.callLater(self.clientLimits.expire, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        now, expire = self.clock.seconds(), self.clientLimits.expire
        while self._clients:
            client = next(iter(self._clients.values()))
            left = client.activeAt + expire - now
            if left > 0:
                self._expiry = self.clock.callLater(left, self._expire)
                return
            self.forget(client, f"silent for {expire:g} s")
