"""
The collector's client on a transport in memory.
"""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionDone, ConnectionLost, TimeoutError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from labnet.collector import clienttap
from labnet.collector.client import CollectorClient
from labnet.net.service import ClientService
from labnet.testing import TCPTransport, resultOf


def connected(clock: Clock) -> tuple[CollectorClient, TCPTransport]:
    client = CollectorClient(clock)
    transport = TCPTransport()
    client.makeConnection(transport)
    return client, transport


def test_eachPieceIsOneWriteThenTheStreamEnds(clock: Clock) -> None:
    client, transport = connected(clock)
    assert transport.noDelay
    for piece in (b"one", b"two"):
        assert client.send(piece).called
    assert transport.pieces == [b"one", b"two"]
    done = client.end()
    assert transport.halfClosed
    client.dataReceived(b"thank you")
    client.readConnectionLost()
    assert transport.disconnecting
    client.connectionLost(Failure(ConnectionDone()))
    assert resultOf(done) == b"thank you"
    assert client.sent == 6


def test_aCollectorThatHasEndedItsHalfFirst(clock: Clock) -> None:
    """It is sent everything, and its end, which has been, is not waited for."""
    client, transport = connected(clock)
    client.readConnectionLost()
    client.send(b"one")
    done = client.end()
    assert transport.pieces == [b"one"]
    assert transport.disconnecting
    client.connectionLost(Failure(ConnectionDone()))
    assert resultOf(done) == b""


def test_aCollectorThatDoesNotReadIsWaitedFor(clock: Clock) -> None:
    client, transport = connected(clock)
    write = transport.write

    def full(data: bytes) -> None:
        write(data)
        client.pauseProducing()

    transport.write = full  # type: ignore[method-assign]
    room = client.send(b"x")
    assert not room.called
    client.resumeProducing()
    assert room.called
    clock.advance(60.0)
    assert not transport.disconnected


def test_aCollectorThatNeverReads(clock: Clock) -> None:
    """It is given up after a while, and nothing more is sent to it."""
    client, transport = connected(clock)
    client.pauseProducing()
    room = client.send(b"x", timeout=2.0)
    clock.advance(2.0)
    assert transport.disconnected
    with pytest.raises(TimeoutError, match="the collector did not read for 2 s"):
        resultOf(room)
    client.connectionLost(Failure(ConnectionLost()))


def test_aCollectorThatIsLostWhileWeWait(clock: Clock) -> None:
    client, transport = connected(clock)
    client.pauseProducing()
    room = client.send(b"x")
    client.connectionLost(Failure(ConnectionLost()))
    assert room.called
    room.addErrback(lambda failure: failure.trap(ConnectionLost))
    client.send(b"y").addErrback(lambda failure: failure.trap(ConnectionLost))
    assert transport.pieces == [b"x"]
    with pytest.raises(ConnectionLost):
        resultOf(client.end())


def test_aCollectorThatDoesNotClose(clock: Clock) -> None:
    client, transport = connected(clock)
    done = client.end(timeout=2.0)
    clock.advance(2.0)
    assert transport.disconnected
    with pytest.raises(TimeoutError, match="did not close for 2 s"):
        resultOf(done)


def test_aCollectorThatTalksForEver(clock: Clock) -> None:
    """Only the end of it is kept."""
    client, _ = connected(clock)
    for _ in range(100):
        client.dataReceived(b"x" * 65_536)
    done = client.end()
    client.connectionLost(Failure(ConnectionDone()))
    assert len(resultOf(done)) == 65_536


def test_theOptions() -> None:
    options = clienttap.Options()
    options.parseOptions(["--size", "3", "a", "b c"])
    assert options.pieces == (b"a", b"b c")
    assert isinstance(clienttap.makeService(options), ClientService)
    for arguments, sentence in (
        (["--connect", "udp:h:1"], "--connect: 'udp:h:1': Unknown endpoint type: 'udp'"),
        (["--size", "-1"], "--size: '-1' is not a whole number at least 0"),
    ):
        with pytest.raises(UsageError) as caught:
            clienttap.Options().parseOptions(arguments)
        assert str(caught.value) == sentence
