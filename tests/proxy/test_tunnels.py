"""
Tunnels: CONNECT.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionRefusedError

from labnet.proxy.target import Origin
from tests.proxy.world import MakeWorld, status

CONNECT = b"CONNECT secure.example:443 HTTP/1.1\r\nHost: secure.example:443\r\n\r\n"


def test_aTunnel(makeWorld: MakeWorld) -> None:
    """Bytes go both ways, also those that were sent ahead; half-closes are carried over."""
    world = makeWorld()
    client = world.client()
    client.says(CONNECT + b"early ")
    origin = world.origin()
    assert world.attempts[0].origin == Origin("secure.example", 443)
    assert client.take() == b"HTTP/1.1 200 Connection established\r\n\r\n"
    client.says(b"hello")
    assert origin.take() == b"early hello"
    origin.says(b"SzamHalo")
    assert client.take() == b"SzamHalo"
    client.ends()
    assert origin.transport.halfClosed
    origin.says(b"last words")
    assert client.take() == b"last words"
    origin.ends()
    assert client.closed or client.transport.halfClosed


def test_aTunnelHasBackPressure(makeWorld: MakeWorld) -> None:
    """Whoever does not read stops the other side, and only that."""
    client, origin = makeWorld().exchange(CONNECT)
    client.full()
    assert not origin.transport.reading
    client.drained()
    assert origin.transport.reading
    origin.full()
    assert not client.transport.reading
    origin.drained()
    assert client.transport.reading


def test_aTunnelThatCanNotBeOpened(makeWorld: MakeWorld) -> None:
    """502, as for any other request."""
    world = makeWorld()
    client = world.client()
    client.says(CONNECT)
    world.attempts[0].fail(ConnectionRefusedError())
    assert status(client.take()) == 502


def test_leavingATunnelThatIsBeingOpened(makeWorld: MakeWorld) -> None:
    """The attempt is cancelled."""
    world = makeWorld()
    client = world.client()
    client.says(CONNECT)
    client.breaks()
    assert world.attempts[0].cancelled
