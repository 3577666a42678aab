"""
Transports that write at once do what Twisted's own do, only sooner: every test here runs on both.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer, IReactorPluggableNameResolver
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.internet.task import Clock
from twisted.internet.tcp import Server
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.net import direct
from labnet.net.direct import DirectConnector, DirectServer, DirectServerEndpoint, connectsDirectly
from labnet.testing import RecordingProducer


class Descriptors:
    """A reactor that only notes who wants to read and write."""

    def __init__(self) -> None:
        self.writers: set[object] = set()
        self.readers: set[object] = set()
        self.addReader = self.readers.add
        self.addWriter = self.writers.add
        self.removeReader = self.readers.discard
        self.removeWriter = self.writers.discard


class Wire:
    """A transport of the given class on one end of a pair of sockets, and the other end."""

    def __init__(self, transport: type[Server]) -> None:
        ours, self.peer = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8_192)
        self.peer.setblocking(False)
        self.reactor = Descriptors()
        self.protocol = Protocol()
        self.transport = transport(ours, self.protocol, ("", 0), None, 0, self.reactor)
        self.protocol.makeConnection(self.transport)

    def flush(self) -> bytes:
        """Let the transport write as long as it wants to, and return what arrived."""
        received = self.arrived()
        while self.transport in self.reactor.writers:
            why = self.transport.doWrite()
            received += self.arrived()
            if why:
                break
        return received

    def arrived(self) -> bytes:
        received = b""
        while True:
            try:
                piece = self.peer.recv(65_536)
            except BlockingIOError:
                return received
            if not piece:
                return received
            received += piece

    def close(self) -> None:
        self.peer.close()
        if hasattr(self.transport, "socket"):
            self.transport.socket.close()


@pytest.fixture(params=[Server, DirectServer])
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    wire = Wire(request.param)
    yield wire
    wire.close()


def test_itIsSupported() -> None:
    """This Twisted has what the fast path needs; if this fails, the slow path is in use."""
    assert direct.SUPPORTED


def test_aSmallWriteLeavesAtOnce() -> None:
    """What the kernel takes is gone after the write, without a turn of the reactor."""
    wire = Wire(DirectServer)
    wire.transport.write(b"hello")
    assert wire.arrived() == b"hello"
    assert not wire.reactor.writers
    wire.close()


def test_everythingArrivesInOrder(wire: Wire) -> None:
    """Small and large pieces mixed, more than the kernel takes, arrive whole and in order."""
    pieces = [bytes([65 + n % 26]) * (1 if n % 3 else 9_000) for n in range(60)]
    received = b""
    for number, piece in enumerate(pieces):
        wire.transport.write(piece)
        if number % 7 == 0:
            received += wire.arrived()
    assert received + wire.flush() == b"".join(pieces)


def test_writeSequenceKeepsTheOrder(wire: Wire) -> None:
    """It may queue; a later write does not overtake it."""
    wire.transport.writeSequence([b"one ", b"two "])
    wire.transport.write(b"three")
    assert wire.flush() == b"one two three"


def test_closingSendsWhatIsQueued(wire: Wire) -> None:
    """loseConnection comes after everything written; what is written after it is Twisted's affair."""
    data = b"x" * 100_000
    wire.transport.write(data)
    wire.transport.loseConnection()
    assert wire.flush() == data
    assert wire.transport.disconnecting


def test_halfClosingSendsWhatIsQueued(wire: Wire) -> None:
    """loseWriteConnection likewise, and nothing is sent after it."""
    data = b"x" * 100_000
    wire.transport.write(data)
    wire.transport.loseWriteConnection()
    wire.transport.write(b"")
    assert wire.flush() == data
    wire.transport.write(b"late")
    assert wire.flush() == b""


@implementer(IPushProducer)
def test_halfClosingWithNothingQueuedIsDoneAtOnce() -> None:
    """The peer sees the end of our half without a turn of the reactor, and the other half goes on."""
    wire = Wire(DirectServer)
    wire.transport.write(b"last words")
    wire.transport.loseWriteConnection()
    assert wire.transport not in wire.reactor.writers
    assert wire.peer.recv(100) == b"last words"
    assert wire.peer.recv(100) == b""
    wire.transport.write(b"nothing more")
    assert wire.transport not in wire.reactor.writers
    assert wire.transport in wire.reactor.readers
    wire.close()


def test_aPushProducerIsPausedAndResumed(wire: Wire) -> None:
    """When the peer does not read it is paused, and resumed when everything has left."""
    producer = RecordingProducer()
    wire.transport.registerProducer(producer, True)
    wire.transport.write(b"x" * 200_000)
    assert producer.calls == ["pause"]
    assert len(wire.flush()) == 200_000
    assert producer.calls == ["pause", "resume"]


def test_aPullProducerIsAskedAgain(wire: Wire) -> None:
    """Each write of a pull producer is followed by the question for more, from the reactor."""
    producer = RecordingProducer()
    wire.transport.registerProducer(producer, False)
    producer.calls.clear()
    wire.transport.write(b"piece")
    assert wire.transport in wire.reactor.writers
    assert wire.flush() == b"piece"
    assert producer.calls[0] == "resume"
    wire.transport.unregisterProducer()


def test_aBrokenConnectionEndsInTheReactor(wire: Wire) -> None:
    """A write to a peer that is gone does not raise, and does not end the connection under our feet."""
    ended = []
    wire.protocol.connectionLost = ended.append  # type: ignore[assignment,method-assign]
    wire.peer.close()
    wire.transport.write(b"x")
    wire.transport.write(b"y")
    assert ended == []
    assert wire.transport in wire.reactor.writers
    assert not isinstance(wire.transport.doWrite(), ConnectionDone)


def test_afterTheEndNothingIsSent(wire: Wire) -> None:
    """A write on a connection that is lost goes nowhere."""
    wire.transport.connectionLost(Failure(ConnectionDone()))
    wire.transport.write(b"late")
    assert wire.arrived() == b""


def test_onlyPlainTCPInARealReactor() -> None:
    """An endpoint in memory, or of another kind, is left as it is."""
    memory = TCP4ServerEndpoint(MemoryReactorClock(), 0)
    assert direct.direct(memory._reactor, memory) is memory
    from twisted.internet import reactor

    real = TCP4ServerEndpoint(reactor, 0)
    assert isinstance(direct.direct(reactor, real), DirectServerEndpoint)
    other = object()
    assert direct.direct(reactor, other) is other


class Reactor(Descriptors, Clock):
    """Descriptors, and a clock for the connector."""

    def __init__(self) -> None:
        Clock.__init__(self)
        Descriptors.__init__(self)


def test_aClientWritesAtOnceFromItsFirstWordOn() -> None:
    """What is written in connectionMade has left when that returns, and no writer is registered for it."""
    arrived: list[bytes] = []

    class Greets(Protocol):
        def connectionMade(self) -> None:
            self.transport.write(b"hello")
            arrived.append(peer.recv(100))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        reactor = Reactor()
        factory = ClientFactory.forProtocol(Greets)
        factory.noisy = False
        host, port = listener.getsockname()
        connector = DirectConnector(host, port, factory, 30, None, reactor)
        connector.connect()
        reactor.advance(0)
        peer, _ = listener.accept()
        with peer:
            connector.transport.doWrite()
            assert arrived == [b"hello"]
            assert connector.transport not in reactor.writers
            connector.transport.connectionLost(Failure(ConnectionDone()))
            assert peer.recv(100) == b""


def test_whoeverFillsTheBufferGetsALargerOne() -> None:
    """A stream is read in larger pieces than a request."""
    wire = Wire(DirectServer)
    received: list[bytes] = []
    wire.protocol.dataReceived = received.append
    wire.transport.bufferSize = 4
    wire.peer.send(b"fourandmore")
    wire.transport.doRead()
    wire.transport.doRead()
    assert received == [b"four", b"andmore"]
    wire.close()


def test_aReactorInMemoryConnectsInItsOwnWay() -> None:
    """There is nothing to write at once there."""
    reactor = MemoryReactorClock()
    assert connectsDirectly(reactor) is reactor


def test_aReactorOfDescriptorsIsStillItself() -> None:
    """Only how it connects is another: endpoints find its interfaces and its clock."""
    connecting = connectsDirectly(reactor)
    assert connecting is not reactor
    assert IReactorPluggableNameResolver.providedBy(connecting)
    assert connecting.callLater == reactor.callLater
