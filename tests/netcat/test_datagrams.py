"""
Netcat over datagrams.
"""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import MessageLengthError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.net.endpoints import DatagramTarget
from labnet.net.outcome import ExitStatus, explain
from labnet.netcat.datagrams import DatagramPeer
from labnet.netcat.session import Manner
from tests.netcat.world import World

ALICE, BOB = ("127.0.0.1", 5001), ("127.0.0.1", 5002)


class UDPTransport:
    """A UDP socket that keeps what is sent, as payload and address."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, object]] = []
        self.connectedTo: tuple[str, int] | None = None
        self.reading = True
        self.open = True

    def getHost(self) -> IPv4Address:
        return IPv4Address("UDP", "127.0.0.1", 4000)

    def connect(self, host: str, port: int) -> None:
        self.connectedTo = (host, port)

    def write(self, datagram: bytes, address: object = None) -> None:
        if len(datagram) > 1000:
            raise MessageLengthError("message too long")
        self.sent.append((datagram, address or self.connectedTo))

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def stopListening(self) -> None:
        self.open = False


def started(world: World, target: DatagramTarget | None = None, idle: float = 0) -> DatagramPeer:
    peer = DatagramPeer(world.clock, world.session, target, idle)
    peer.transport = UDPTransport()
    peer.startProtocol()
    return peer


def test_eachReadIsADatagram(clock: Clock) -> None:
    """To whom the socket is connected; what comes back is written."""
    world = World(clock, Manner(patience=2.0))
    peer = started(world, DatagramTarget(*ALICE))
    world.type(b"one")
    world.type(b"two")
    assert peer.transport.sent == [(b"one", ALICE), (b"two", ALICE)]
    peer.datagramReceived(b"back", ALICE)
    assert world.out == b"back"
    world.session.readConnectionLost()
    clock.advance(1.5)
    peer.datagramReceived(b" again", ALICE)
    clock.advance(1.5)
    assert peer.transport.open
    clock.advance(0.5)
    assert not peer.transport.open
    assert world.written() is ExitStatus.OK


def test_theFirstWhoSendsIsThePeer(clock: Clock) -> None:
    world = World(clock, Manner(narrate=True))
    peer = started(world)
    assert not world.standard.reading
    peer.datagramReceived(b"hello", ALICE)
    peer.datagramReceived(b"me too", BOB)
    peer.datagramReceived(b"and me", BOB)
    world.type(b"hi")
    assert world.out == b"hello"
    assert peer.transport.sent == [(b"hi", ALICE)]
    assert [line[13:] for line in world.told] == [
        "the peer is udp:127.0.0.1:5001",
        "not listening to udp:127.0.0.1:5002, nor to others",
    ]
    world.session.abandon()
    world.written()


def test_keepingOnEverybodyIsHeard(clock: Clock) -> None:
    world = World(clock, Manner(keep=True))
    peer = started(world)
    peer.datagramReceived(b"hello ", ALICE)
    peer.datagramReceived(b"me too", BOB)
    world.type(b"hi")
    assert world.out == b"hello me too"
    assert peer.transport.sent == [(b"hi", BOB)]
    world.session.abandon()
    world.written()


def test_aSlowStandardOutput(clock: Clock) -> None:
    """The socket is not read from; what the system can not keep is lost, as over UDP it may be."""
    world = World(clock)
    peer = started(world, DatagramTarget(*ALICE))
    world.session.pauseProducing()
    assert not peer.transport.reading
    world.session.resumeProducing()
    assert peer.transport.reading
    world.session.abandon()
    world.written()
    peer.hold("closed")
    peer.release("closed")
    peer.write(b"late")
    peer.datagramReceived(b"late", ALICE)
    peer.close()
    assert peer.transport.sent == []


def test_whatDoesNotFitIsToldAndTheRestGoesOn(clock: Clock) -> None:
    world = World(clock)
    peer = started(world, DatagramTarget(*ALICE))
    world.type(bytes(1001))
    world.type(b"fits")
    assert world.told == ["a datagram of 1001 bytes is not sent: it is too long"]
    assert peer.transport.sent == [(b"fits", ALICE)]
    assert peer.bytesOut == 4
    world.session.abandon()
    world.written()


def test_anEmptyDatagram(clock: Clock) -> None:
    """It is one, and nothing is written for it."""
    world = World(clock, Manner(narrate=True, hexadecimal=True))
    peer = started(world, DatagramTarget(*ALICE))
    peer.datagramReceived(b"", ALICE)
    assert world.told[-1].endswith("the peer sent an empty datagram")
    assert world.out == b"< 0.000 s, 0 bytes\n"
    world.session.abandon()
    world.written()


@pytest.mark.parametrize("how", ["connectionRefused", "stopProtocol"])
def test_nobodyListens(clock: Clock, how: str) -> None:
    """In whichever of its ways Twisted tells."""
    world = World(clock)
    peer = started(world, DatagramTarget(*ALICE))
    if how == "stopProtocol":
        peer.transport = None
    getattr(peer, how)()
    result = world.written()
    assert isinstance(result, Failure)
    assert explain(result)[1] is ExitStatus.REFUSED


def test_aSocketThatIsClosedBeforeAnybodyCame(clock: Clock) -> None:
    """Nothing is left of it, and it is no peer that was lost."""
    world = World(clock)
    peer = started(world, idle=2.0)
    peer.stopProtocol()
    assert clock.getDelayedCalls() == []
    assert world.results == []
    world.session.abandon()
    world.written()


def test_nothingMoves(clock: Clock) -> None:
    world = World(clock)
    peer = started(world, DatagramTarget(*ALICE), idle=2.0)
    clock.advance(1.5)
    world.type(b"x")
    clock.advance(1.5)
    peer.datagramReceived(b"x", ALICE)
    clock.advance(1.5)
    assert peer.transport.open
    clock.advance(0.5)
    result = world.written()
    assert isinstance(result, Failure)
    assert explain(result) == ("nothing moved for 2 s", ExitStatus.TIMED_OUT)
