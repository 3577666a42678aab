"""
The layer of TLS between a connection and its protocol, and the certificates it is given.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.net.outcome import ExitStatus, explain
from labnet.net.secure import (
    HANDSHAKE,
    BadCertificate,
    SecureConnection,
    SecureFactory,
    Trust,
    serverStreams,
)
from labnet.netcat.session import Manner
from labnet.testing import TCPTransport
from tests.netcat.world import World


class Secure:
    """One side: a session, and its connection below which there is TLS."""

    def __init__(self, clock: Clock, *, server: bool) -> None:
        self.world = World(clock, Manner(narrate=True), listening=server)
        streams = serverStreams()[0] if server else Trust(insecure=True).streams("localhost")
        self.layer = SecureFactory(clock, streams, self.world.factory).buildProtocol(None)
        assert isinstance(self.layer, SecureConnection)
        self.transport = TCPTransport()
        self.layer.makeConnection(self.transport)

    def taken(self) -> bytes:
        data = self.transport.value()
        self.transport.clear()
        return data

    def closed(self, reason: Exception | None = None) -> tuple[str, ExitStatus] | object:
        """The connection below has ended; how the session ends."""
        self.layer.connectionLost(Failure(reason or ConnectionDone()))
        result = self.world.written()
        return explain(result) if isinstance(result, Failure) else result


@pytest.fixture
def pair(clock: Clock) -> tuple[Secure, Secure]:
    return Secure(clock, server=False), Secure(clock, server=True)


def carry(one: Secure, other: Secure) -> None:
    while True:
        there, back = one.taken(), other.taken()
        if there:
            other.layer.dataReceived(there)
        if back:
            one.layer.dataReceived(back)
        if not there and not back:
            return


def test_halvesAreKept(pair: tuple[Secure, Secure]) -> None:
    client, server = pair
    carry(client, server)
    client.world.type(b"question")
    client.world.session.readConnectionLost()
    carry(client, server)
    assert server.world.out == b"question"
    assert not client.transport.disconnecting
    server.world.type(b"answer")
    server.world.session.readConnectionLost()
    carry(client, server)
    assert client.world.out == b"answer"
    assert client.transport.disconnecting
    assert client.closed() is server.closed() is ExitStatus.OK
    assert [line[13:] for line in client.world.told if "close_notify" in line] == [
        "we ended our half towards the peer (TLS close_notify) after 8 bytes",
        "the peer ended its half (TLS close_notify) after 6 bytes",
    ]


def test_nothingIsReadBeforeTheHandshake(pair: tuple[Secure, Secure]) -> None:
    """What somebody types is not taken for a peer of whom nobody knows yet who it is."""
    client, server = pair
    assert not client.world.standard.reading
    carry(client, server)
    assert client.world.standard.reading
    client.closed(ConnectionLost())
    server.closed(ConnectionLost())


def test_aHandshakeThatTakesTooLong(clock: Clock) -> None:
    server = Secure(clock, server=True)
    clock.advance(HANDSHAKE)
    assert server.transport.disconnected
    assert server.closed(ConnectionAborted()) == ("no TLS handshake in 10 s", ExitStatus.TIMED_OUT)


def test_whatIsNoTLS(clock: Clock) -> None:
    """It ends the connection with a sentence; what the peer is told is sent first."""
    server = Secure(clock, server=True)
    server.layer.dataReceived(b"GET / HTTP/1.0\r\n\r\n")
    assert server.transport.disconnecting
    assert not server.transport.disconnected
    result = server.closed()
    assert isinstance(result, tuple)
    assert result[0].startswith("TLS: ")
    assert result[1] is ExitStatus.NOT_UNDERSTOOD


def test_aCutStreamIsTheResult(pair: tuple[Secure, Secure]) -> None:
    """What came is there, and we may still send; in the end it is said."""
    client, server = pair
    carry(client, server)
    server.world.type(b"half an ans")
    carry(client, server)
    client.layer.readConnectionLost()
    client.world.type(b"still")
    carry(client, server)
    assert server.world.out == b"still"
    client.world.session.readConnectionLost()
    assert client.world.out == b"half an ans"
    result = client.closed()
    assert isinstance(result, tuple)
    assert "without TLS's close_notify" in result[0]
    assert result[1] is ExitStatus.RESET
    server.closed(ConnectionLost())


def test_aReset(pair: tuple[Secure, Secure]) -> None:
    client, server = pair
    carry(client, server)
    assert client.closed(ConnectionLost()) == ("the peer reset the connection (RST)", ExitStatus.RESET)
    server.closed(ConnectionLost())


def test_aSlowPeer(pair: tuple[Secure, Secure]) -> None:
    """Back-pressure passes through the layer, both ways."""
    client, server = pair
    carry(client, server)
    assert client.transport.producer is not None
    client.transport.producer.pauseProducing()
    assert not client.world.standard.reading
    client.transport.producer.resumeProducing()
    assert client.world.standard.reading
    client.world.session.pauseProducing()
    assert not client.transport.reading
    client.closed(ConnectionLost())
    server.closed(ConnectionLost())


def test_filesThatHoldNoCertificate(tmp_path: Path) -> None:
    path = tmp_path / "empty.pem"
    path.write_text("nothing\n")
    for given in (str(path), str(tmp_path / "missing.pem")):
        with pytest.raises(BadCertificate, match="holds no certificates in PEM"):
            Trust(cafile=given)
        with pytest.raises(BadCertificate, match="hold no certificate with its key in PEM"):
            serverStreams(given)


def test_aCertificateMadeForTheOccasion() -> None:
    """Another one each time."""
    fingerprints = {serverStreams()[1] for _ in range(2)}
    assert len(fingerprints) == 2
    assert all(len(fingerprint) == 95 for fingerprint in fingerprints)
