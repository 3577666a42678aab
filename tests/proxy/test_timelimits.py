"""
Peers that are slow without ever stopping: each has one connection, for so long and no longer.
"""

from __future__ import annotations

from labnet.proxy.policy import PhaseLimits, Policy
from labnet.testing import inPieces
from tests.proxy.world import GET, POST, MakeWorld, status

PATIENT = Policy(rules=(), phases=PhaseLimits(exchange=300.0))
CONNECT = b"CONNECT secure.example:443 HTTP/1.1\r\nHost: secure.example:443\r\n\r\n"


def test_aSlowUpload(makeWorld: MakeWorld) -> None:
    """A body that comes byte by byte has as long as the whole exchange."""
    world = makeWorld(PATIENT)
    client, origin = world.exchange(POST + b"Content-Length: 100\r\n\r\n")
    for _ in range(9):
        client.says(b"x")
        world.pump(30)
        assert client.take() == b""
    client.says(b"x")
    world.pump(31)
    assert status(client.take()) == 408
    assert origin.aborted


def test_aSlowOrigin(makeWorld: MakeWorld) -> None:
    """One that drips is answered for with 504, or broken off when its answer has begun."""
    world = makeWorld(PATIENT)
    client, origin = world.exchange(GET)
    for byte in inPieces(b"HTTP/1.1 2", 1):
        origin.says(byte)
        world.pump(30)
    world.pump(1)
    assert status(client.take()) == 504
    client, origin = world.exchange(GET, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    for _ in range(10):
        origin.says(b"x")
        world.pump(30)
    world.pump(1)
    assert client.aborted
    client.finish()
    assert origin.aborted


def test_aSlowReader(makeWorld: MakeWorld) -> None:
    """One that reads a little now and then, so that it never stops, is dropped in the end."""
    world = makeWorld(PATIENT)
    client, origin = world.exchange(GET, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
    for _ in range(10):
        client.full()
        assert not origin.transport.reading
        world.pump(30)
        client.drained()
    world.pump(1)
    assert client.aborted


def test_theSlowCostOneConnectionEach(makeWorld: MakeWorld) -> None:
    """While one drips its head, and one its body, others are served, and nothing piles up."""
    world = makeWorld(PATIENT)
    head = world.client()
    head.says(GET[:10])
    body, _ = world.exchange(POST + b"Content-Length: 100\r\n\r\nx")
    client, _ = world.exchange(GET, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert client.take().endswith(b"ok")
    assert len(world.factory.connections) == 3
    world.pump(301)
    assert head.transport.halfClosed or head.aborted
    assert status(body.take()) == 408


def test_anIdleTunnel(makeWorld: MakeWorld) -> None:
    """Bytes in either direction keep it open; without any it is dropped."""
    world = makeWorld(PATIENT, idleTimeout=60.0)
    client, origin = world.exchange(CONNECT)
    client.take()
    for _ in range(3):
        world.pump(40)
        client.says(b"x")
        world.pump(40)
        origin.says(b"y")
    assert not client.aborted
    world.pump(62)
    assert client.aborted


def test_noLimitIsNone(makeWorld: MakeWorld) -> None:
    """Zero stands for no limit of the whole exchange."""
    world = makeWorld(Policy(rules=(), phases=PhaseLimits(exchange=0.0)))
    client, origin = world.exchange(GET, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    for _ in range(20):
        origin.says(b"x")
        world.pump(50)
    assert not client.aborted


def test_aSlowReaderOfTheLastAnswer(makeWorld: MakeWorld) -> None:
    """
    Its end is waited for when it has read what was written, not before; and then what its system has not
    taken yet still gets there, for a reset would throw it away. Who reads nothing at all is dropped.
    """
    world = makeWorld(PATIENT)
    client, origin = world.exchange(GET[:-2] + b"Connection: close\r\n\r\n")
    client.fillsAt(1_000)
    origin.says(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5_000)
    world.pump(20)
    assert not client.transport.halfClosed
    assert not client.closed
    assert not client.aborted
    client.drained()
    assert client.transport.halfClosed
    world.pump(3)
    assert client.closed
    assert not client.aborted
    world.pump(PATIENT.phases.response)
    assert client.aborted
