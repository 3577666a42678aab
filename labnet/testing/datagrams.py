"""
A network of datagrams in memory: with a clock, without sockets, and as unreliable as a test says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError, DNSLookupError, MessageLengthError
from twisted.internet.interfaces import IDelayedCall, IUDPTransport
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.testing import MemoryReactorClock

from labnet.testing.datagramfaults import DatagramFaults, Fate

__all__ = ["Address", "Datagram", "DatagramNetwork", "DatagramPair", "MemorySocket", "Peer"]

Address = tuple[str, int]

#: The most that a datagram over IPv4 can hold, in bytes.
_LONGEST = 65_507
#: So many datagrams may arrive without time passing; then two programs answer each other without end.
_MOST_AT_ONCE = 100_000


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
        assert destination is not None, "written without an address to a socket that is not connected"
        if len(payload) > _LONGEST:
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
        """What came, without the addresses."""
        return [payload for payload, _ in self.received]

    def datagramReceived(self, datagram: bytes, addr: Address) -> None:
        self.received.append((datagram, addr))
        answer = self._answer(datagram) if self._answer is not None else None
        if answer is not None:
            self.send(answer, addr)

    def send(self, payload: bytes, address: Address) -> None:
        """Send a datagram."""
        assert self.transport is not None
        self.transport.write(payload, address)


class DatagramNetwork(MemoryReactorClock):
    """
    A reactor in memory whose C{listenUDP} works: what is sent arrives C{delay} seconds later, when the
    clock is advanced (by 0 is enough for a C{delay} of 0).

    @ivar faults: what happens to datagrams under way; at first nothing. Datagrams are counted together,
        whoever sends them.
    @ivar loses: says of each datagram whether it never arrives, before the faults count it.
    @ivar delay: seconds under way, to which those of the faults come.
    @ivar names: what C{resolve} knows.
    @ivar sockets: those that are open, by address.
    @ivar mostSockets: beyond so many none can be opened.
    @ivar sent: everything that was sent, lost or not.
    @ivar lost: what never arrives.
    """

    def __init__(self, faults: DatagramFaults | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.faults = faults or DatagramFaults()
        self.loses: Callable[[Datagram], bool] = lambda datagram: False
        self.delay = 0.0
        self.names: dict[str, str] = {}
        self.sockets: dict[Address, MemorySocket] = {}
        self.mostSockets = 65_536
        self.sent: list[Datagram] = []
        self.lost: list[Datagram] = []
        self._overtaken: dict[tuple[Address, Address], list[tuple[IDelayedCall, Datagram]]] = {}
        self._nextPort = 40_000
        self._at, self._count = -1.0, 0

    def listenUDP(
        self, port: int, protocol: DatagramProtocol, interface: str = "", maxPacketSize: int = 8192
    ) -> MemorySocket:
        """A socket; port 0 is any free one. As with a reactor, C{CannotListenError} if it is taken."""
        if port == 0:
            self._nextPort += 1
            port = self._nextPort
        address = (interface or "127.0.0.1", port)
        if address in self.sockets or len(self.sockets) >= self.mostSockets:
            raise CannotListenError(interface, port, OSError("no socket"))
        socket = self.sockets[address] = MemorySocket(self, address, protocol)
        protocol.makeConnection(cast(IUDPTransport, socket))
        return socket

    def resolve(self, name: str, timeout: object = ()) -> Deferred[str]:
        """The address of a name in L{names}; for others C{DNSLookupError}."""
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
        """A datagram sets out; what the faults say happens to it."""
        self.sent.append(datagram)
        if self.loses(datagram):
            self.lost.append(datagram)
            return
        fate = self.fateOf(datagram)
        if not fate.copies:
            self.lost.append(datagram)
        for delay in fate.copies:
            call = self.callLater(self.delay + delay, self._arrive, datagram)
            if fate.overtaken:
                way = datagram.source, datagram.destination
                self._overtaken.setdefault(way, []).append((call, datagram))
        if fate.copies and not fate.overtaken:
            self._release(datagram, self.delay + fate.copies[0])

    def fateOf(self, datagram: Datagram) -> Fate:
        """What happens to a datagram; a subclass may decide by where it goes."""
        return self.faults.next()

    def settle(self) -> None:
        """Let everything arrive that arrives without time passing."""
        self.advance(0)

    def pass_(self, seconds: float) -> None:
        """Let time pass in small steps, as it does, and everything arrive."""
        until = self.seconds() + seconds
        self.settle()
        while self.seconds() < until:
            self.advance(min(0.05, until - self.seconds()))

    def _release(self, datagram: Datagram, delay: float) -> None:
        """Those that were to be overtaken by this one arrive right after it."""
        for call, earlier in self._overtaken.pop((datagram.source, datagram.destination), []):
            if call.active():
                call.cancel()
                self.callLater(delay, self._arrive, earlier)

    def _arrive(self, datagram: Datagram) -> None:
        if self._at != self.seconds():
            self._at, self._count = self.seconds(), 0
        self._count += 1
        assert self._count < _MOST_AT_ONCE, "datagrams go round and round"
        socket = self.sockets.get(datagram.destination)
        if socket is None:
            sender = self.sockets.get(datagram.source)
            if sender is not None and sender.connectedTo == datagram.destination:
                sender.protocol.connectionRefused()
        elif socket.connectedTo in (None, datagram.source):
            socket.protocol.datagramReceived(datagram.payload, datagram.source)


class DatagramPair(DatagramNetwork):
    """
    A client and a server that exchange datagrams, with faults of its own for each direction.

    @param client: the protocol that asks; it listens on any port.
    @param server: the protocol that answers; it listens on L{serverAddress}.
    @param toServer: what happens to the client's datagrams, counted from 1.
    @param toClient: what happens to the server's.
    @ivar clientAddress: where the client listens.
    @ivar serverAddress: where the server listens.
    """

    serverAddress: Address = ("127.0.0.1", 10_001)

    def __init__(
        self,
        client: DatagramProtocol,
        server: DatagramProtocol,
        *,
        toServer: DatagramFaults | None = None,
        toClient: DatagramFaults | None = None,
    ) -> None:
        super().__init__()
        self.toServer = toServer or DatagramFaults()
        self.toClient = toClient or DatagramFaults()
        host, port = self.serverAddress
        self.listenUDP(port, server, host)
        self.clientAddress: Address = self.listenUDP(0, client, host).address

    def fateOf(self, datagram: Datagram) -> Fate:
        return (self.toServer if datagram.destination == self.serverAddress else self.toClient).next()
