"""
Asking who is there, against transports in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from labnet.scan.identify import MOST_ASKED, Manners, identify, identifyAll
from labnet.scan.wire import LONGEST_REPLY, QUESTIONS, Identity

HOST = ip_address("127.0.0.1")
MANNERS = Manners(listening=0.3, patience=0.5, pause=0.1, atOnce=2)
CALCULATION = QUESTIONS[0].request


class Peer(StringTransport):
    """Our end of a connection whose other end is the test."""

    def __init__(self, protocol: Any) -> None:
        super().__init__()
        self.protocol = protocol
        protocol.makeConnection(self)

    def says(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def leaves(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))


class World:
    """A reactor without a network. The test accepts the connections, one after the other."""

    def __init__(self) -> None:
        self.reactor = MemoryReactorClock()
        self._taken = 0

    def accept(self) -> Peer:
        factory = self.reactor.tcpClients[self._taken][2]
        self._taken += 1
        return Peer(factory.buildProtocol(None))

    def refuse(self) -> None:
        factory = self.reactor.tcpClients[self._taken][2]
        self._taken += 1
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))

    @property
    def waiting(self) -> int:
        return len(self.reactor.tcpClients) - self._taken

    def identify(self, port: int = 4_000) -> tuple[Deferred[Identity], list[Identity]]:
        results: list[Identity] = []
        asked = Deferred.fromCoroutine(identify(self.reactor, HOST, port, MANNERS))
        return asked.addCallback(results.append), results


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    assert not world.reactor.getDelayedCalls(), "a timer was left behind"


def test_whoSpeaksFirstIsAskedNothing(world: World) -> None:
    _, results = world.identify()
    peer = world.accept()
    peer.says(b"Enter your ")
    world.reactor.advance(0.05)
    peer.says(b"username: ")
    world.reactor.advance(0.1)
    assert results == [Identity("chat")]
    assert peer.value() == b""
    assert peer.disconnecting
    assert not world.waiting


def test_aGreetingThatEndsIsComplete(world: World) -> None:
    _, results = world.identify()
    peer = world.accept()
    peer.says(b"Hello, client! Connection established.")
    peer.leaves()
    assert results == [Identity("greeting")]


def test_theFirstQuestionGoesOnTheConnectionThatWasListenedTo(world: World) -> None:
    _, results = world.identify(9000)
    peer = world.accept()
    assert peer.value() == b""
    world.reactor.advance(0.3)
    assert peer.value() == CALCULATION
    peer.says(bytes.fromhex("2e0000000000000052"))
    world.reactor.advance(0.1)
    assert results == [Identity("calculator", "struct9 or ffc")]
    assert not world.waiting


def test_eachOtherQuestionHasAConnectionOfItsOwn(world: World) -> None:
    _, results = world.identify()
    world.accept()
    world.reactor.advance(0.3)
    world.reactor.advance(0.5)
    peer = world.accept()
    assert peer.value() == b"labnet-scan"
    peer.says(b"LABNET-SCAN")
    world.reactor.advance(0.1)
    assert results == [Identity("echo", "upper")]


def test_oneWhoLeavesWithoutAWordIsAskedAgainFromTheBeginning(world: World) -> None:
    """The first question is not lost with the connection that was listened on."""
    _, results = world.identify()
    world.accept().leaves()
    peer = world.accept()
    assert peer.value() == CALCULATION
    peer.says(b"46")
    peer.leaves()
    assert results == [Identity("calculator", "text")]


def test_oneWhoNeverAnswersEndsAtLast(world: World) -> None:
    """Every wait has a limit; and whoever says nothing is said to say nothing."""
    asked, results = world.identify()
    for _ in range(len(QUESTIONS) * 3):
        while world.waiting:
            world.accept()
        world.reactor.advance(0.5)
    assert results == [Identity("unknown", "says nothing")]
    assert asked.called


def test_anAnswerThatNobodyKnowsIsKept(world: World) -> None:
    _, results = world.identify()
    first = world.accept()
    world.reactor.advance(0.3)
    first.says(b"what?")
    for _ in range(len(QUESTIONS) * 3):
        while world.waiting:
            world.accept()
        world.reactor.advance(0.5)
    assert results == [Identity("unknown", said=(b"what?",))]


def test_aFloodIsCut(world: World) -> None:
    """No more is kept than the limit, and a peer that never pauses does not keep us."""
    _, results = world.identify()
    peer = world.accept()
    for _ in range(100):
        peer.says(b"x" * 1_000)
    assert results == [Identity("unknown", said=(b"x" * LONGEST_REPLY,))]
    assert peer.disconnecting


def test_onePortThatCloses(world: World) -> None:
    """When nobody is there any more, what was heard so far is the answer."""
    _, results = world.identify()
    world.accept()
    world.reactor.advance(0.3)
    world.reactor.advance(0.5)
    world.refuse()
    assert results == [Identity("unknown", "says nothing")]


def test_cancellingLeavesNothing(world: World) -> None:
    asked, _ = world.identify()
    peer = world.accept()
    asked.cancel()
    asked.addErrback(lambda failure: failure.trap(CancelledError))
    assert peer.disconnecting


def test_aFewPortsAreAskedAtATime(world: World) -> None:
    places = [(HOST, port) for port in range(1, 6)]
    progress: list[int] = []
    results: list[dict[Any, Identity]] = []
    asked = Deferred.fromCoroutine(identifyAll(world.reactor, places, MANNERS, progress.append))
    asked.addCallback(results.append)
    for _ in places:
        assert 1 <= world.waiting <= MANNERS.atOnce
        world.refuse()
    assert progress == [1, 2, 3, 4, 5]
    assert set(results[0].values()) == {Identity("unknown", "gone when asked")}


def test_aTrapIsAskedSoFarAndNoFurther(world: World) -> None:
    """A machine that answers on every port does not keep us for hours."""
    places = [(HOST, port) for port in range(1, MOST_ASKED + 100)]
    results: list[dict[Any, Identity]] = []
    asked = Deferred.fromCoroutine(identifyAll(world.reactor, places, MANNERS))
    asked.addCallback(results.append)
    while world.waiting:
        world.refuse()
    assert len(results[0]) == MOST_ASKED
