"""
A network of datagrams in memory, for tests: with a clock, without sockets, and as lossy as a test says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError, DNSLookupError, MessageLengthError
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.testing import MemoryReactorClock

Address = tuple[str, int]


@dataclass(frozen=True)
class Datagram:
    """One datagram under way, or lost."""

    payload: bytes
    source: Address
    destination: Address


class MemorySocket:
    """A UDP socket of a L{DatagramNetwork}: its C{IUDPTransport} and its C{IListeningPort}."""

    def __init__(self, network: DatagramNetwork, address: Address, protocol: DatagramProtocol) -> None:
        self._network = network
        self.address = address
        self.protocol = protocol
        self.connectedTo: Address | None = None

    def getHost(self) -> IPv4Address:
        return IPv4Address("UDP", *self.address)

    def connect(self, host: str, port: int) -> None:
        self.connectedTo = (host, port)

    def write(self, payload: bytes, address: Address | None = None) -> None:
        destination = address or self.connectedTo
        assert destination is not None
        if len(payload) > 65_507:
            raise MessageLengthError("message too long")
        self._network.send(Datagram(payload, self.address, destination))

    def stopListening(self) -> Deferred[None]:
        if self._network.sockets.pop(self.address, None) is not None:
            self.protocol.doStop()
        return succeed(None)


class Peer(DatagramProtocol):
    """
    A plain program at the other end: keeps what it receives, and answers if it is told how.

    @ivar received: what came, as payload and address.
    """

    noisy = False

    def __init__(self, answer: Callable[[bytes], bytes | None] | None = None) -> None:
        self._answer = answer
        self.received: list[tuple[bytes, Address]] = []

    @property
    def payloads(self) -> list[bytes]:
        return [payload for payload, _ in self.received]

    def datagramReceived(self, datagram: bytes, addr: Address) -> None:
        self.received.append((datagram, addr))
        answer = self._answer(datagram) if self._answer is not None else None
        if answer is not None:
            self.transport.write(answer, addr)

    def send(self, payload: bytes, address: Address) -> None:
        self.transport.write(payload, address)


class DatagramNetwork(MemoryReactorClock):
    """
    A reactor in memory whose C{listenUDP} works: what is sent arrives C{delay} seconds later, when the
    clock is advanced (by 0 is enough for a C{delay} of 0).

    @ivar loses: says which datagrams never arrive; at first none does not.
    @ivar delay: seconds under way.
    @ivar names: what C{resolve} knows.
    @ivar sockets: those that are open, by address.
    @ivar mostSockets: beyond so many none can be opened.
    @ivar sent: everything that was sent, lost or not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loses: Callable[[Datagram], bool] = lambda datagram: False
        self.delay = 0.0
        self.names: dict[str, str] = {}
        self.sockets: dict[Address, MemorySocket] = {}
        self.mostSockets = 65_536
        self.sent: list[Datagram] = []
        self._nextPort = 40_000

    def listenUDP(
        self, port: int, protocol: DatagramProtocol, interface: str = "", maxPacketSize: int = 8192
    ) -> MemorySocket:
        if port == 0:
            self._nextPort += 1
            port = self._nextPort
        address = (interface or "127.0.0.1", port)
        if address in self.sockets or len(self.sockets) >= self.mostSockets:
            raise CannotListenError(interface, port, OSError("no socket"))
        socket = self.sockets[address] = MemorySocket(self, address, protocol)
        protocol.makeConnection(socket)
        return socket

    def resolve(self, name: str, timeout: object = ()) -> Deferred[str]:
        if name in self.names:
            return succeed(self.names[name])
        return fail(DNSLookupError(name))

    def peer(self, answer: Callable[[bytes], bytes | None] | None = None, port: int = 0) -> Peer:
        """A plain program with a socket of its own."""
        peer = Peer(answer)
        self.listenUDP(port, peer, "127.0.0.1")
        return peer

    def addressOf(self, protocol: DatagramProtocol) -> Address:
        """Where a protocol listens."""
        return next(socket.address for socket in self.sockets.values() if socket.protocol is protocol)

    def send(self, datagram: Datagram) -> None:
        self.sent.append(datagram)
        if not self.loses(datagram):
            self.callLater(self.delay, self._arrive, datagram)

    def settle(self) -> None:
        """Let everything arrive that arrives without time passing."""
        for _ in range(1_000):
            if not any(call.getTime() <= self.seconds() for call in self.getDelayedCalls()):
                return
            self.advance(0)
        raise AssertionError("datagrams go round and round")

    def pass_(self, seconds: float) -> None:
        """Let time pass in small steps, as it does, and everything arrive."""
        until = self.seconds() + seconds
        self.settle()
        while self.seconds() < until:
            self.advance(min(0.05, until - self.seconds()))
            self.settle()

    def _arrive(self, datagram: Datagram) -> None:
        socket = self.sockets.get(datagram.destination)
        if socket is None:
            sender = self.sockets.get(datagram.source)
            if sender is not None and sender.connectedTo == datagram.destination:
                sender.protocol.connectionRefused()
        elif socket.connectedTo in (None, datagram.source):
            socket.protocol.datagramReceived(datagram.payload, datagram.source)
