"""
Origins that fail, time that runs out, and clients that leave.
"""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionRefusedError, DNSLookupError, TimeoutError

from labnet.proxy.policy import Policy
from tests.proxy.world import GET, POST, MakeWorld, ok, status

# Errors of origins, and time


@pytest.mark.parametrize(
    ("error", "expected"),
    [(ConnectionRefusedError(), 502), (DNSLookupError(), 502), (TimeoutError(), 504)],
)
def test_anOriginThatIsNotReached(makeWorld: MakeWorld, error: Exception, expected: int) -> None:
    """502 for one that can not be reached, 504 for one that does not answer; the client stays."""
    world = makeWorld()
    client = world.client()
    client.says(GET)
    world.attempts[0].fail(error)
    answer = client.take()
    assert status(answer) == expected
    assert b"X-Labnet-Filter: refused; why=" in answer
    assert not client.closed


def test_aSilentOrigin(makeWorld: MakeWorld) -> None:
    """An origin that accepts and says nothing is answered for with 504."""
    world = makeWorld()
    client, origin = world.exchange(GET)
    world.pump(59)
    assert client.take() == b""
    world.pump(2)
    assert status(client.take()) == 504
    assert origin.aborted


def test_anOriginThatStopsInTheMiddle(makeWorld: MakeWorld) -> None:
    """504, too, as long as nothing was passed on."""
    world = makeWorld()
    client, origin = world.exchange(GET)
    for _ in range(3):
        world.pump(40)
        origin.says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"[:10] if _ == 0 else b"")
    assert status(client.take()) == 504


def test_aSlowHead(makeWorld: MakeWorld) -> None:
    """A head that comes byte by byte has 20 seconds in all, then it is answered with 408."""
    world = makeWorld()
    client = world.client()
    for byte in GET[:19]:
        client.says(bytes([byte]))
        world.clock.advance(1)
    assert client.take() == b""
    world.pump(2)
    assert status(client.take()) == 408
    assert client.transport.halfClosed
    world.pump(3)
    assert client.closed
    assert not client.aborted


def test_anUploadThatStops(makeWorld: MakeWorld) -> None:
    """408 for a client that stops in the middle of its body; the origin is left."""
    world = makeWorld()
    client, origin = world.exchange(POST + b"Content-Length: 100\r\n\r\nabc")
    world.pump(61)
    assert status(client.take()) == 408
    assert origin.aborted


def test_aClientThatDoesNotRead(makeWorld: MakeWorld) -> None:
    """It loses its connection, and the origin's goes with it."""
    world = makeWorld(Policy(rules=()))
    client, origin = world.exchange(GET, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    client.full()
    world.pump(61)
    assert client.aborted
    client.finish()
    assert origin.aborted


def test_anIdleClient(makeWorld: MakeWorld) -> None:
    """A client that asks nothing is let go after the idle time."""
    world = makeWorld(idleTimeout=30.0)
    client = world.client()
    world.pump(31)
    assert client.aborted


# Clients that leave


def test_leavingWhileConnectingCancels(makeWorld: MakeWorld) -> None:
    """A client that leaves cancels the attempt."""
    world = makeWorld()
    client = world.client()
    client.says(GET)
    client.breaks()
    assert world.attempts[0].cancelled


def test_leavingDuringTheAnswerCancels(makeWorld: MakeWorld) -> None:
    """... and ends the origin's connection when there is one."""
    client, origin = makeWorld().exchange(GET, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    client.breaks()
    assert origin.aborted


def test_halfClosingAndWaiting(makeWorld: MakeWorld) -> None:
    """A client that ends only its half gets its answer, then the connection closes."""
    client, origin = makeWorld().exchange(GET)
    client.ends()
    origin.says(ok(b"still here"))
    answer = client.take()
    assert b"Connection: close" in answer
    assert answer.endswith(b"still here")
    assert client.closed


def test_halfClosingIsNotForEver(makeWorld: MakeWorld) -> None:
    """An answer that does not begin in time is cancelled: the client may be gone."""
    world = makeWorld()
    client, origin = world.exchange(GET)
    client.ends()
    world.pump(6)
    assert client.aborted
    client.finish()
    assert origin.aborted


def test_leavingInTheMiddleOfARequest(makeWorld: MakeWorld) -> None:
    """Half a request is not for the origin to wait for."""
    client, origin = makeWorld().exchange(POST + b"Content-Length: 100\r\n\r\nabc")
    client.ends()
    client.finish()
    assert origin.aborted
