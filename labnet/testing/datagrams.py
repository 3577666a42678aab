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

from labnet.net.datagramimpairment import DatagramImpairment
from labnet.net.faults import Direction, Faults, Word

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

    @ivar loses: says of each datagram whether it never arrives; at first none does not.
    @ivar delay: seconds under way.
    @ivar names: what C{resolve} knows.
    @ivar sockets: those that are open, by address.
    @ivar mostSockets: beyond so many none can be opened.
    @ivar sent: everything that was sent, lost or not.
    @ivar lost: what never arrives.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.loses: Callable[[Datagram], bool] = lambda datagram: False
        self.delay = 0.0
        self.names: dict[str, str] = {}
        self.sockets: dict[Address, MemorySocket] = {}
        self.mostSockets = 65_536
        self.sent: list[Datagram] = []
        self.lost: list[Datagram] = []
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
        """A datagram sets out."""
        self.sent.append(datagram)
        if self.loses(datagram):
            self.lost.append(datagram)
        else:
            self.carry(datagram)

    def carry(self, datagram: Datagram) -> None:
        """It is under way, and arrives after the delay."""
        self.callLater(self.delay, self._arrive, datagram)

    def settle(self) -> None:
        """Let everything arrive that arrives without time passing."""
        self.advance(0)

    def pass_(self, seconds: float) -> None:
        """Let time pass in small steps, as it does, and everything arrive."""
        until = self.seconds() + seconds
        self.settle()
        while self.seconds() < until:
            self.advance(min(0.05, until - self.seconds()))

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
    A client and a server that exchange datagrams, with faults under way.

    @param client: the protocol that asks; it listens on any port.
    @param server: the protocol that answers; it listens on L{serverAddress}.
    @param faults: what happens to datagrams, as in C{docs/faults.md}: C{in} is towards the server, C{out}
        towards the client, and those of each direction are counted from 1. C{"in: drop=#1; out: drop=10%"}
        loses the first question, and one answer out of ten: always the same ones with the same C{seed},
        which is 0 if the line has none.
    @raise labnet.net.faults.BadFaults: there are no such faults.
    @ivar clientAddress: where the client listens.
    @ivar serverAddress: where the server listens.
    @ivar done: what the faults have done, in order, a line each.
    """

    serverAddress: Address = ("127.0.0.1", 10_001)

    def __init__(
        self, client: DatagramProtocol, server: DatagramProtocol, faults: str | Faults = ""
    ) -> None:
        super().__init__()
        chosen = Faults.parse(faults) if isinstance(faults, str) else faults
        self.done: list[str] = []
        self._ways: dict[tuple[Address, Address], _Way] = {}
        host, port = self.serverAddress
        there = self.listenUDP(port, server, host).address
        self.clientAddress: Address = self.listenUDP(0, client, host).address
        for way, direction in (
            ((self.clientAddress, there), Direction.IN),
            ((there, self.clientAddress), Direction.OUT),
        ):
            self._ways[way] = _Way(self, chosen, direction)

    def carry(self, datagram: Datagram) -> None:
        way = self._ways.get((datagram.source, datagram.destination))
        if way is not None:
            way.carry(datagram)
        else:
            super().carry(datagram)

    def passOn(self, datagram: Datagram) -> None:
        """The faults have let it go."""
        super().carry(datagram)


class _Way:
    """One direction of a pair."""

    def __init__(self, pair: DatagramPair, faults: Faults, direction: Direction) -> None:
        self._pair = pair
        self._direction = direction
        self._impairment = DatagramImpairment(
            faults.datagrams(direction), lambda purpose: faults.random(1, f"{direction.value} {purpose}")
        )
        self._timer: IDelayedCall | None = None

    def carry(self, datagram: Datagram) -> None:
        dropped = self._impairment.done[Word.DROP]
        self._source = datagram.source
        self._impairment.received(datagram.payload, datagram.destination, self._pair.seconds())
        if self._impairment.done[Word.DROP] > dropped:
            self._pair.lost.append(datagram)
        self._deliver()

    def _deliver(self) -> None:
        """Pass on what is due, and come back for what is not."""
        while (delivery := self._impairment.take(self._pair.seconds())) is not None:
            if delivery.note:
                self._pair.done.append(f"{self._direction.value}: {delivery.note}")
            if delivery.datagram is not None and delivery.address is not None:
                self._pair.passOn(Datagram(delivery.datagram, self._source, delivery.address))
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        at = self._impairment.nextAt()
        if at is not None:
            self._timer = self._pair.callLater(at - self._pair.seconds(), self._deliver)
