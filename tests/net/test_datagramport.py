"""
The port that answers at once does what Twisted's own does: every test here runs on both.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from twisted.internet.error import InvalidAddressError, MessageLengthError
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.udp import Port

from labnet.net.datagramport import AnsweringPort, listenDatagrams
from labnet.testing import DatagramNetwork, LoggedFailures


class Descriptors:
    """A reactor that only notes who wants to read."""

    def __init__(self) -> None:
        self.readers: set[object] = set()
        self.addReader = self.readers.add
        self.removeReader = self.readers.discard


class Answers(DatagramProtocol):
    """Answers with what C{answer} makes of a datagram; what that raises is raised."""

    def __init__(self) -> None:
        self.sources: list[tuple[str, int]] = []
        self.answer = lambda datagram: [datagram.upper()]

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        self.sources.append(addr)
        for answer in self.answer(datagram):
            self.transport.write(answer, addr)


class Room:
    """A port of the given class on a real socket, and one that talks to it."""

    def __init__(self, kind: type[Port], interface: str = "127.0.0.1") -> None:
        self.protocol = Answers()
        self.port = kind(0, self.protocol, interface, 65_536, Descriptors())
        self.port.startListening()
        family = socket.AF_INET6 if ":" in interface else socket.AF_INET
        self.peer = socket.socket(family, socket.SOCK_DGRAM)
        self.peer.bind((interface, 0))
        self.peer.settimeout(5)
        self.peer.connect((interface, self.port.getHost().port))

    def close(self) -> None:
        self.peer.close()
        self.port.socket.close()


@pytest.fixture(params=[Port, AnsweringPort])
def room(request: pytest.FixtureRequest) -> Iterator[Room]:
    room = Room(request.param)
    yield room
    room.close()


def test_everyDatagramIsAnsweredInItsTurn(room: Room) -> None:
    """Those that wait in the kernel are read in one go, empty ones among them, and answered in order."""
    for datagram in (b"one", b"", b"three"):
        room.peer.send(datagram)
    room.port.doRead()
    assert [room.peer.recv(100) for _ in range(3)] == [b"ONE", b"", b"THREE"]
    assert room.protocol.sources == [room.peer.getsockname()] * 3


def test_ipv6AddressesAreHostAndPort() -> None:
    """As Twisted's are: without flow and scope."""
    for kind in (Port, AnsweringPort):
        try:
            room = Room(kind, "::1")
        except OSError:
            pytest.skip("no IPv6 here")
        room.peer.send(b"x")
        room.port.doRead()
        assert room.peer.recv(100) == b"X"
        assert room.protocol.sources == [("::1", room.peer.getsockname()[1])]
        room.close()


def test_whatAProtocolRaisesTouchesNoOtherDatagram(loggedFailures: LoggedFailures) -> None:
    """It is logged, and the next one is answered."""
    room = Room(AnsweringPort)
    room.protocol.answer = lambda datagram: [b"%d" % (1 // int(datagram))]
    room.peer.send(b"0")
    room.peer.send(b"1")
    room.port.doRead()
    assert room.peer.recv(100) == b"1"
    assert loggedFailures.flush(ZeroDivisionError)
    room.close()


def test_anAnswerThatIsTooLongIsSaidSo(loggedFailures: LoggedFailures) -> None:
    """The error is Twisted's: what could not be sent at once is tried in the usual way."""
    room = Room(AnsweringPort)
    room.protocol.answer = lambda datagram: [b"x" * 70_000]
    room.peer.send(b"x")
    room.port.doRead()
    assert loggedFailures.flush(MessageLengthError)
    room.close()


def test_addressesOfOthersAreStillLookedAt(room: Room) -> None:
    """Only the address of the datagram at hand is known to be one."""
    with pytest.raises(InvalidAddressError):
        room.port.write(b"x", ("localhost", 9))


def test_anUnreachableSourceCostsNothing(room: Room) -> None:
    """The kernel reports it with the next read: nobody waits for that."""
    room.peer.send(b"last words")
    source = room.peer.getsockname()
    room.peer.close()
    room.port.doRead()
    assert room.protocol.sources == [source]
    room.port.doRead()
    with pytest.raises(BlockingIOError):
        room.port.socket.recv(1, socket.MSG_DONTWAIT)


def test_aReactorInMemoryHasItsOwnPorts() -> None:
    """There are no descriptors there."""
    port = listenDatagrams(DatagramNetwork(), 4_711, DatagramProtocol(), "127.0.0.1")
    assert not isinstance(port, AnsweringPort)
