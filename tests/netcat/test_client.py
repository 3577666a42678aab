"""
Connecting, and what may come between.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError, DNSLookupError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.net.endpoints import DatagramTarget
from labnet.net.outcome import ExitStatus
from labnet.netcat.client import converse, converseOverDatagrams
from labnet.netcat.session import Manner
from labnet.testing import DatagramNetwork, TCPTransport
from tests.netcat.world import World, fin, gone


class Endpoint:
    """An endpoint that connects when a test says so."""

    def __init__(self) -> None:
        self.connecting: Deferred[Protocol] = Deferred()
        self.factory: Factory[Protocol] | None = None

    def connect(self, factory: Factory[Protocol]) -> Deferred[Protocol]:
        self.factory = factory
        return self.connecting

    def succeed(self) -> Protocol:
        assert self.factory is not None
        protocol = self.factory.buildProtocol(None)  # type: ignore[arg-type]
        assert protocol is not None
        protocol.makeConnection(TCPTransport())
        self.connecting.callback(protocol)
        return protocol


def begun(world: World) -> tuple[Endpoint, list[object]]:
    """A conversation that connects, and what it comes to."""
    endpoint, results = Endpoint(), []  # type: ignore[var-annotated]
    running = Deferred.fromCoroutine(converse(world.clock, world.session, endpoint))  # type: ignore[arg-type]
    running.addBoth(results.append)
    return endpoint, results


def failedWith(results: list[object], kind: type[Exception]) -> None:
    (result,) = results
    assert isinstance(result, Failure)
    assert result.check(kind), result


def test_aConversation(clock: Clock) -> None:
    world = World(clock, Manner(given=b"question"), watched=False)
    endpoint, results = begun(world)
    peer = endpoint.succeed()
    fin(peer)  # type: ignore[arg-type]
    gone(peer)  # type: ignore[arg-type]
    world.written()
    assert results == [ExitStatus.OK]


def test_refused(clock: Clock) -> None:
    """Standard input and output are let go of, too."""
    world = World(clock, watched=False)
    endpoint, results = begun(world)
    endpoint.connecting.errback(Failure(ConnectionRefusedError()))
    failedWith(results, ConnectionRefusedError)
    assert world.standard.disconnecting


def test_standardOutputIsClosedWhileConnecting(clock: Clock) -> None:
    """The attempt is given up, and the broken pipe is what is told."""
    world = World(clock, watched=False)
    _, results = begun(world)
    world.session.writeConnectionLost()
    clock.advance(0)
    failedWith(results, BrokenPipeError)


def test_standardOutputIsClosedJustBeforeTheConnection(clock: Clock) -> None:
    """No peer is taken any more, which the endpoint tells as a failure of its own."""
    world = World(clock, watched=False)
    endpoint, results = begun(world)
    world.session.writeConnectionLost()
    with pytest.raises(AssertionError):
        endpoint.succeed()
    endpoint.connecting.errback(Failure(RuntimeError("no protocol")))
    clock.advance(0)
    failedWith(results, BrokenPipeError)


def test_interruptedWhileConnecting(clock: Clock) -> None:
    world = World(clock, watched=False)
    endpoint = Endpoint()
    running = Deferred.fromCoroutine(converse(clock, world.session, endpoint))  # type: ignore[arg-type]
    results: list[object] = []
    running.addBoth(results.append)
    running.cancel()
    failedWith(results, CancelledError)
    assert world.standard.disconnecting


def test_aNameWithoutAnAddress(clock: Clock) -> None:
    """What can not even be asked for fails at once."""
    for name in ("nowhere.test", "a..b"):
        world = World(clock, watched=False)
        results: list[object] = []
        target = DatagramTarget(name, 9)
        talk = converseOverDatagrams(DatagramNetwork(), world.session, target)
        Deferred.fromCoroutine(talk).addBoth(results.append)
        failedWith(results, DNSLookupError)
        assert world.standard.disconnecting
