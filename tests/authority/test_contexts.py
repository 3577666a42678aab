"""
The certificates that are kept: one for each host, for as long as it holds, and not more of them than there
may be.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from OpenSSL import SSL

from labnet.authority.certificates import NotPermitted, makeAuthority
from labnet.authority.contexts import ServerContexts
from labnet.net.hosts import BadHost
from labnet.net.tls import Failed, Handshaken, TLSStream

NOW = datetime.now(UTC).replace(microsecond=0)


class Calendar:
    """What time it is, as a test says."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


def kept(calendar: Calendar, days: int = 365, most: int = 256) -> ServerContexts:
    return ServerContexts(makeAuthority(NOW, timedelta(days=days)), calendar, most=most)


def shaken(server: TLSStream, name: bytes | None = b"localhost") -> tuple[SSL.Connection, list[object]]:
    """A client that takes anything, after the handshake, and what the server's side came to."""
    connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
    if name is not None:
        connection.set_tlsext_host_name(name)
    connection.set_connect_state()
    client = TLSStream(connection)
    client.start()
    events: list[object] = []
    while data := client.output():
        events += server.received(data)
        client.received(server.output())
    return connection, events


def serial(contexts: ServerContexts, host: str) -> int:
    """Which certificate a client of that host is shown."""
    certificate = shaken(contexts.stream(host), host.encode("ascii"))[0].get_peer_certificate()
    assert certificate is not None
    return certificate.get_serial_number()


def test_oneForEachHost(calendar: Calendar) -> None:
    contexts = kept(calendar)
    first = serial(contexts, "a.test")
    assert serial(contexts, "a.test") == first
    assert serial(contexts, "b.test") != first
    assert len(contexts) == 2


def test_oneSpellingOfAHost(calendar: Calendar) -> None:
    contexts = kept(calendar)
    for host in ("a.test", "A.Test", "a.test."):
        contexts.stream(host)
    assert len(contexts) == 1


def test_renewedADayBeforeItsEnd(calendar: Calendar) -> None:
    contexts = kept(calendar)
    first = serial(contexts, "a.test")
    calendar.time = NOW + timedelta(days=6, seconds=-1)
    assert serial(contexts, "a.test") == first
    calendar.time = NOW + timedelta(days=6)
    assert serial(contexts, "a.test") != first
    assert len(contexts) == 1


def test_theLastDayOfAnAuthority(calendar: Calendar) -> None:
    """There is nothing longer to be had then, and it is not made again for each client."""
    contexts = kept(calendar, days=3)
    calendar.time = NOW + timedelta(days=2, hours=12)
    assert serial(contexts, "a.test") == serial(contexts, "a.test")
    calendar.time = NOW + timedelta(days=3)
    with pytest.raises(ValueError, match="has expired"):
        contexts.stream("a.test")


def test_whatWasNotUsedForLongestGoes(calendar: Calendar) -> None:
    contexts = kept(calendar, most=2)
    first = {host: serial(contexts, host) for host in ("a.test", "b.test")}
    contexts.stream("a.test")
    contexts.stream("c.test")
    assert len(contexts) == 2
    assert serial(contexts, "a.test") == first["a.test"]
    assert serial(contexts, "b.test") != first["b.test"]


def test_whatThereIsNoCertificateFor(calendar: Calendar) -> None:
    contexts = kept(calendar)
    with pytest.raises(NotPermitted):
        contexts.stream("www.bank.org")
    with pytest.raises(BadHost):
        contexts.stream("a b")
    assert len(contexts) == 0


def test_theChainHasTheAuthority(calendar: Calendar) -> None:
    """A browser that is told to trust its key by the hash has to see it."""
    contexts = kept(calendar)
    chain = shaken(contexts.stream("localhost"))[0].get_peer_cert_chain()
    assert chain is not None
    assert [link.to_cryptography() for link in chain][1:] == [contexts.authority.certificate]


@pytest.mark.parametrize("name", [b"localhost", b"LOCALHOST", b"localhost.", None])
def test_namesThatAreTaken(calendar: Calendar, name: bytes | None) -> None:
    assert isinstance(shaken(kept(calendar).stream("localhost"), name)[1][0], Handshaken)


def test_anotherNameIsRefusedWithoutACertificate(calendar: Calendar) -> None:
    connection, events = shaken(kept(calendar).stream("localhost"), b"a\x1b.test")
    assert events == [Failed('the client asks for "a\\x1b.test", not for localhost')]
    assert connection.get_peer_certificate() is None
