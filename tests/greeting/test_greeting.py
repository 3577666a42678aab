"""
The greeting: its server and its client on a transport in memory, and both as plugins.
"""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost, TimeoutError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from labnet.greeting import clienttap, tap
from labnet.greeting.client import GreetingClient
from labnet.greeting.server import GreetingFactory
from labnet.greeting.wire import LONGEST_GREETING
from labnet.net.service import ClientService, StreamListener, listeners
from labnet.testing import TCPTransport, hangUp, inPieces, resultOf

# The server


def test_whoConnectsIsGreetedThenItEnds(clock: Clock) -> None:
    """In one write, the course's bytes; and what a talkative client says does not cost it the greeting."""
    protocol = GreetingFactory(clock).buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
    assert protocol is not None
    transport = TCPTransport()
    protocol.makeConnection(transport)
    assert transport.pieces == [b"Hello, client! Connection established."]
    assert transport.halfClosed
    protocol.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
    assert not transport.disconnecting
    protocol.readConnectionLost()
    hangUp(protocol)
    assert protocol.outcome == "greeted"


def parsed(*arguments: str) -> tap.Options:
    options = tap.Options()
    options.parseOptions(arguments)
    return options


def test_thePluginListensAndGreets(memory: MemoryReactorClock) -> None:
    service = tap.makeService(parsed("--text", "Szia, kliens! ő", "--max-per-peer", "3"))
    service.privilegedStartService()
    service.startService()
    ((port, factory, _, interface),) = memory.tcpServers
    assert (port, interface) == (50_000, "127.0.0.1")
    assert factory.greeting == "Szia, kliens! ő".encode()
    assert factory.limits.maxPerPeer == 3
    (listener,) = listeners(service)
    assert isinstance(listener, StreamListener)
    service.stopService()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--listen", "udp:0"], "--listen: 'udp:0': nobody connects over udp"),
        (["--text", "x" * (LONGEST_GREETING + 1)], "--text: more than 65536 bytes"),
        (["--listen", "loud=tcp:0"], "'loud=tcp:0': nothing stands before tcp: or udp: here"),
    ],
)
def test_aMistakeIsOneLine(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(*arguments)
    assert sentence in str(caught.value)


# The client


def connected(clock: Clock) -> tuple[GreetingClient, StringTransport]:
    client = GreetingClient(clock, timeout=5.0)
    transport = StringTransport()
    client.makeConnection(transport)
    return client, transport


def test_aGreetingInAnyPieces(clock: Clock) -> None:
    client, _ = connected(clock)
    for byte in inPieces(b"Hello, client!", 1):
        client.dataReceived(byte)
    assert not client.heard.called
    client.connectionLost(Failure(ConnectionDone()))
    assert resultOf(client.heard) == b"Hello, client!"


def test_aServerThatDoesNotClose(clock: Clock) -> None:
    """What it has said by the time is the greeting."""
    client, transport = connected(clock)
    client.dataReceived(b"Hello")
    clock.advance(5.0)
    assert resultOf(client.heard) == b"Hello"
    assert transport.disconnected


def test_aServerThatSaysNothing(clock: Clock) -> None:
    client, _ = connected(clock)
    clock.advance(5.0)
    with pytest.raises(TimeoutError, match="no greeting for 5 s"):
        resultOf(client.heard)


def test_aServerThatIsLost(clock: Clock) -> None:
    client, _ = connected(clock)
    client.connectionLost(Failure(ConnectionLost()))
    with pytest.raises(ConnectionLost):
        resultOf(client.heard)


def test_aServerThatNeverStops(clock: Clock) -> None:
    client, transport = connected(clock)
    client.dataReceived(b"x" * LONGEST_GREETING * 2)
    assert len(resultOf(client.heard)) == LONGEST_GREETING
    assert transport.disconnected


def test_theClientsOptions() -> None:
    options = clienttap.Options()
    with pytest.raises(UsageError) as caught:
        options.parseOptions(["--connect", "tcp:h"])
    assert str(caught.value) == "--connect: 'tcp:h' is not of the form tcp:HOST:PORT"
    options = clienttap.Options()
    options.parseOptions([])
    assert isinstance(clienttap.makeService(options), ClientService)
