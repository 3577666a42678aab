"""
A network in memory: what a datagram service and its clients need of a reactor, and nothing real.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import DNSLookupError
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock

from labnet.discovery.server import DiscoveryProtocol

Peer = tuple[str, int]
#: The side of the network that is not under test: a datagram and who sent it in, the answer out.
Answerer = Callable[[bytes, Peer], bytes | None]


class FakePort:
    """The transport of one protocol: what it sends goes to the network's answerer, or into C{sent}."""

    def __init__(self, network: Network | None, protocol: DatagramProtocol, where: Peer) -> None:
        self.network = network
        self.protocol = protocol
        self.where = where
        self.target: Peer | None = None
        self.sent: list[tuple[bytes, Peer]] = []
        self.open = True

    def connect(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.where = (self.network.facing if self.network else "127.0.0.1", self.where[1])

    def write(self, datagram: bytes, address: Peer) -> None:
        assert self.open
        self.sent.append((datagram, address))
        if self.network is not None:
            self.network.deliver(self, datagram, address)

    def getHost(self) -> IPv4Address | IPv6Address:
        kind = IPv6Address if ":" in self.where[0] else IPv4Address
        return kind("UDP", *self.where)

    def stopListening(self) -> Deferred[None]:
        if self.open:
            self.open = False
            if self.network is not None:
                self.network.ports.remove(self)
                # As Twisted does: not before the caller has returned.
                self.network.callLater(0, self.protocol.doStop)
            else:
                self.protocol.doStop()
        return succeed(None)


class Network(Clock):
    """
    A reactor whose datagrams all reach C{answerer}.

    @ivar facing: the host that this machine has towards everybody.
    @ivar requests: what was sent, in order.
    @ivar answerer: L{None} when nobody answers.
    @ivar refusing: whether the other machine says that nothing listens there.
    """

    def __init__(self, answerer: Answerer | None = None, facing: str = "127.0.0.1") -> None:
        super().__init__()
        self.answerer = answerer
        self.facing = facing
        self.refusing = False
        self.requests: list[bytes] = []
        self.ports: list[FakePort] = []
        self.names = {"localhost": "127.0.0.1", "server.example": "192.0.2.1"}

    def listenUDP(
        self, port: int, protocol: DatagramProtocol, interface: str = "", maxPacketSize: int = 8192
    ) -> FakePort:
        fake = FakePort(self, protocol, (interface, port or 40_000 + len(self.requests)))
        self.ports.append(fake)
        protocol.makeConnection(fake)
        return fake

    def resolve(self, name: str, timeout: tuple[int, ...] = ()) -> Deferred[str]:
        return succeed(self.names[name]) if name in self.names else fail(DNSLookupError(name))

    def deliver(self, sender: FakePort, datagram: bytes, address: Peer) -> None:
        self.requests.append(datagram)
        self.callLater(0, self._arrive, sender, datagram, address)

    def _arrive(self, sender: FakePort, datagram: bytes, address: Peer) -> None:
        if self.refusing and sender.open:
            sender.protocol.connectionRefused()
        answer = self.answerer(datagram, sender.where) if self.answerer and not self.refusing else None
        if answer is not None and sender.open:
            sender.protocol.datagramReceived(answer, address)


class Served:
    """An address server without a network: C{ask} gives it a datagram and takes its answer."""

    def __init__(self, server: DiscoveryProtocol, where: Peer = ("127.0.0.1", 10001)) -> None:
        self.server = server
        self.port = FakePort(None, server, where)
        server.makeConnection(self.port)

    def ask(self, datagram: bytes, source: Peer = ("127.0.0.1", 50_000)) -> bytes | None:
        before = len(self.port.sent)
        self.server.datagramReceived(datagram, source)
        answers = self.port.sent[before:]
        assert len(answers) <= 1
        if not answers:
            return None
        assert answers[0][1] == source
        return answers[0][0]

    def stop(self) -> None:
        self.port.stopListening()
