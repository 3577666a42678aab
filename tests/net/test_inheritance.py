"""
Sockets that one process holds and others serve.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from zope.interface import providedBy

from labnet.net.endpoints import parseStreamServer
from labnet.net.inheritance import Holding, Inheriting


class Readers:
    """A reactor that only notes who wants to read, and lets things happen at once."""

    def __init__(self) -> None:
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()
        self.addReader = self.readers.add
        self.removeReader = self.readers.discard
        self.addWriter = self.writers.add
        self.removeWriter = self.writers.discard

    def callLater(self, delay: float, call: Any, *arguments: Any) -> None:
        call(*arguments)

    def seconds(self) -> float:
        return 0.0


@pytest.fixture
def reactor() -> Readers:
    return Readers()


@pytest.fixture
def held(reactor: Readers) -> Iterator[Any]:
    """A port that is held, on a socket of the system's choice."""
    port = Holding(reactor).listenTCP(0, Factory(), interface="127.0.0.1")
    yield port
    if port.connected:
        port.loseConnection()


def connect(port: Any) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port.getHost().port), timeout=5)


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_whoIsHeldWaits(reactor: Readers, held: Any) -> None:
    """Connections are taken by the system, and by nobody else."""
    connect(held).close()
    assert not reactor.readers


def test_aPortInUseIsSaid(reactor: Readers, held: Any) -> None:
    with pytest.raises(CannotListenError):
        Holding(reactor).listenTCP(held.getHost().port, Factory(), interface="127.0.0.1")


def test_anotherServesTheSameSocketOneAtATime(reactor: Readers, held: Any) -> None:
    """Of two that wait, one is accepted and the next is left to others; closing one leaves the socket."""
    made: list[Protocol] = []
    factory = Factory.forProtocol(Protocol)
    factory.buildProtocol = lambda address: made.append(Protocol()) or made[-1]  # type: ignore
    port = Inheriting(reactor, [os.dup(held.fileno())]).listenTCP(0, factory)
    assert reactor.readers == {port}
    assert port.getHost() == held.getHost()
    with connect(held), connect(held):
        port.doRead()
        assert len(made) == 1
        port.doRead()
        assert len(made) == 2
    for protocol in made:
        protocol.transport.loseConnection()
    port.loseConnection()
    connect(held).close()


def test_theHolderLeavesTheSocketToTheOthers(reactor: Readers, held: Any) -> None:
    """Only when both have closed it is a connection refused."""
    number = held.getHost().port
    port = Inheriting(reactor, [os.dup(held.fileno())]).listenTCP(0, Factory.forProtocol(Protocol))
    held.loseConnection()
    assert not refused(number)
    port.loseConnection()
    assert refused(number)


def test_theyAreTakenInOrder(reactor: Readers, held: Any) -> None:
    """The first description gets the first descriptor, whatever port it names."""
    other = Holding(reactor).listenTCP(0, Factory(), interface="127.0.0.1")
    inheriting = Inheriting(reactor, [os.dup(held.fileno()), os.dup(other.fileno())])
    ports = [inheriting.listenTCP(number, Factory()) for number in (1, 2)]
    assert [port.getHost() for port in ports] == [held.getHost(), other.getHost()]
    for port in (*ports, other):
        port.loseConnection()


@pytest.mark.parametrize("description", ["unix:/nowhere/x"])
def test_whatCanNotBeSharedIsRefused(reactor: Readers, description: str) -> None:
    endpoint = parseStreamServer(Holding(reactor), description)
    failed = endpoint.listen(Factory())
    refusals: list[Any] = []
    failed.addErrback(refusals.append)
    assert refusals[0].check(CannotListenError)
    with pytest.raises(CannotListenError):
        Holding(reactor).adoptStreamPort(3, socket.AF_INET, Factory())


def test_inAllElseItIsTheReactor(reactor: Readers) -> None:
    assert Holding(reactor).readers is reactor.readers
    assert list(providedBy(Holding(reactor))) == list(providedBy(reactor))
