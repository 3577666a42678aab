"""
Connecting with TLS for a protocol that begins when the peer has proved who it is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.authority.certificates import makeAuthority, makeKey
from labnet.authority.store import saveAuthority, saveIssued
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.secure import Trust, VerifiedClientEndpoint, serverStreams
from labnet.net.tls import Received, TLSStream
from labnet.testing import TCPTransport


class Recorder(Protocol):
    """Says hello as soon as it can, and notes what happens to it."""

    def __init__(self) -> None:
        self.data = b""
        self.lost: Failure | None = None

    def connectionMade(self) -> None:
        self.transport.write(b"hello")  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.lost = reason


def factoryOf(build: Callable[[], object]) -> Factory:
    factory = Factory()
    factory.noisy = False
    factory.buildProtocol = lambda addr: build()  # type: ignore[assignment, return-value]
    return factory


class Transport(TCPTransport):
    """As real ones are, it does not mind to be rid of a producer that it does not have."""

    def unregisterProducer(self) -> None:
        if self.producer is not None:
            super().unregisterProducer()


class Attempt:
    """
    One connection that is being made: the endpoint below, and the server at its other end.

    @ivar result: what connecting came to.
    """

    def __init__(
        self,
        clock: Clock,
        trust: Trust,
        host: str = "localhost",
        handshake: float = 10.0,
        protocol: Callable[[], object] = Recorder,
    ) -> None:
        self.made: Deferred[object] = Deferred()
        self.factory: Factory | None = None
        self.transport = Transport()
        self.server: TLSStream = serverStreams()[0]()
        self.said = b""
        self.result: object = None
        endpoint = VerifiedClientEndpoint(clock, trust.streams(host), self, handshake)  # type: ignore[arg-type]
        self.connecting = endpoint.connect(factoryOf(protocol))
        self.connecting.addBoth(self._done)

    def connect(self, factory: Factory) -> Deferred[object]:
        """Of the endpoint below."""
        self.factory = factory
        return self.made

    def accept(self) -> None:
        """The endpoint below has connected."""
        assert self.factory is not None
        self.layer = self.factory.buildProtocol(None)
        self.layer.makeConnection(self.transport)
        self.made.callback(self.layer)

    def carry(self) -> None:
        """Carry what each says to the other until both are silent."""
        while True:
            there, back = self.transport.value(), self.server.output()
            self.transport.clear()
            if not there and not back:
                return
            for event in self.server.received(there) if there else []:
                self.said += event.data if isinstance(event, Received) else b""
            if back:
                self.layer.dataReceived(back)

    def lost(self) -> None:
        self.layer.connectionLost(Failure(ConnectionDone()))

    def _done(self, result: object) -> None:
        self.result = result

    @property
    def problem(self) -> BaseException:
        assert isinstance(self.result, Failure), self.result
        return self.result.value


@pytest.fixture
def attempt(clock: Clock) -> Attempt:
    return Attempt(clock, Trust(insecure=True))


def test_theProtocolBeginsAfterTheHandshake(attempt: Attempt) -> None:
    attempt.accept()
    assert attempt.result is None
    attempt.carry()
    assert isinstance(attempt.result, Recorder)
    assert attempt.said == b"hello"
    attempt.server.write(b"hello yourself")
    attempt.carry()
    assert attempt.result.data == b"hello yourself"
    attempt.lost()
    assert attempt.result.lost is not None


def test_whatFollowsTheHandshakeAtOnceIsNotLost(attempt: Attempt) -> None:
    """The server speaks first, in the same segment as the end of its handshake."""
    attempt.accept()
    hello = attempt.transport.value()
    attempt.transport.clear()
    attempt.server.received(hello)
    attempt.layer.dataReceived(attempt.server.output())
    finished = attempt.transport.value()
    attempt.transport.clear()
    attempt.server.received(finished)
    attempt.server.write(b"welcome")
    attempt.layer.dataReceived(attempt.server.output())
    assert isinstance(attempt.result, Recorder)
    assert attempt.result.data == b"welcome"
    attempt.lost()


def test_aPeerThatIsNotTrusted(clock: Clock) -> None:
    """The reason, and no protocol; the server hears of it by an alert."""
    attempt = Attempt(clock, Trust())
    attempt.accept()
    attempt.carry()
    assert attempt.transport.disconnecting
    attempt.lost()
    assert isinstance(attempt.problem, ClientError)
    assert str(attempt.problem) == (
        "the certificate is not to be trusted: it is signed by itself and by nobody we trust"
    )


@pytest.mark.parametrize(
    ("names", "host", "why"),
    [
        (["localhost"], "localhost", ""),
        (["127.0.0.1"], "127.0.0.1", ""),
        (["*.lab.test"], "a.lab.test", ""),
        (["*.lab.test"], "lab.test", "the certificate is not made out to 'lab.test'"),
        (["localhost"], "other.test", "the certificate is not made out to 'other.test'"),
        (["localhost"], "127.0.0.1", "the certificate is not made out to '127.0.0.1'"),
    ],
)
def test_whoThePeerIs(clock: Clock, tmp_path: Path, names: list[str], host: str, why: str) -> None:
    now, key = datetime.now(UTC), makeKey()
    authority = makeAuthority(now, timedelta(days=1))
    saveAuthority(tmp_path, authority)
    certificate = authority.issue(names, key.public_key(), now, timedelta(days=1))
    file, keyFile = saveIssued(tmp_path, "server", [certificate], key)
    attempt = Attempt(clock, Trust(cafile=str(tmp_path / "ca.pem")), host)
    attempt.server = serverStreams(str(file), str(keyFile))[0]()
    attempt.accept()
    attempt.carry()
    attempt.lost()
    if why:
        assert str(attempt.problem) == why
        assert attempt.said == b""
    else:
        assert isinstance(attempt.result, Recorder)


def test_whatFailsBelow(attempt: Attempt) -> None:
    problem = ConnectionRefusedError()
    attempt.made.errback(problem)
    assert attempt.problem is problem


def test_aHandshakeThatTakesTooLong(clock: Clock) -> None:
    attempt = Attempt(clock, Trust(insecure=True), handshake=3.0)
    attempt.accept()
    clock.advance(2.9)
    assert not attempt.transport.disconnected
    clock.advance(0.1)
    assert attempt.transport.disconnected
    attempt.lost()
    assert isinstance(attempt.problem, ClientError)
    assert str(attempt.problem) == "no TLS handshake in 3 s"
    assert attempt.problem.status is ExitStatus.TIMED_OUT


def test_nobodyWantsItAnyMore(clock: Clock) -> None:
    """Before the connection below is there, and after."""
    for accepted in (False, True):
        attempt = Attempt(clock, Trust(insecure=True))
        if accepted:
            attempt.accept()
        attempt.connecting.cancel()
        assert isinstance(attempt.problem, CancelledError)
        if accepted:
            assert attempt.transport.disconnected
            attempt.lost()


def test_nobodyWantsThisOne(clock: Clock) -> None:
    """A factory may build nothing."""
    attempt = Attempt(clock, Trust(insecure=True), protocol=lambda: None)
    attempt.accept()
    attempt.carry()
    assert attempt.transport.disconnected
    attempt.lost()
    assert isinstance(attempt.problem, ConnectionDone)


def test_anEndWithoutANotice(attempt: Attempt) -> None:
    """Whoever counts on the end to be told that it has everything is told that it has not."""
    attempt.accept()
    attempt.carry()
    assert isinstance(attempt.result, Recorder)
    attempt.layer.readConnectionLost()
    attempt.lost()
    assert attempt.result.lost is not None
    assert attempt.result.lost.check(ClientError)


def test_anEndWithANotice(attempt: Attempt) -> None:
    attempt.accept()
    attempt.carry()
    attempt.server.end()
    attempt.carry()
    attempt.lost()
    assert isinstance(attempt.result, Recorder)
    assert attempt.result.lost is not None
    assert attempt.result.lost.check(ConnectionDone)
