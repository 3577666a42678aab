"""
The pages for the operator.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from labnet.net.connection import ServiceConnection
from labnet.net.service import StreamListener
from labnet.proxy.access import TurnedAway
from labnet.proxy.admin import AdminFactory, AdminPages
from labnet.proxy.figures import figuresOf
from labnet.proxy.metrics import Counts, Snapshot
from labnet.proxy.operations import Operations
from labnet.proxy.policy import Policy
from labnet.testing import TCPTransport, doneReason
from tests.proxy.world import GET, SMALL, MakeWorld, ok


class Admin:
    """
    The pages, asked in memory.

    @ivar gathered: what they show, when it is there.
    """

    def __init__(self, clock: Clock) -> None:
        self.healthy = True
        self.gathered: Deferred[Snapshot] = Deferred()
        pages = AdminPages(
            self._gather, lambda: self.healthy, lambda host: host.encode(), ["admin.example"]
        )
        self._factory = AdminFactory(clock, pages)
        self._connections: list[ServiceConnection] = []

    async def _gather(self) -> Snapshot:
        snapshot = await self.gathered
        self.gathered = succeed(snapshot)
        return snapshot

    def begin(self, request: str, host: str = "127.0.0.1:9090") -> TCPTransport:
        """Ask, on a connection of its own."""
        connection = self._factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50_000))
        assert connection is not None
        transport = TCPTransport()
        connection.makeConnection(transport)
        self._connections.append(connection)
        connection.dataReceived(f"{request} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return transport

    def ask(self, request: str, host: str = "127.0.0.1:9090") -> tuple[int, bytes, bytes]:
        """The status, the head and the body of an answer."""
        head, _, body = self.begin(request, host).value().partition(b"\r\n\r\n")
        return int(head.split()[1]), head, body

    def end(self) -> None:
        for connection in self._connections:
            connection.connectionLost(doneReason())
        self._connections.clear()


@pytest.fixture
def admin(clock: Clock) -> Iterator[Admin]:
    made = Admin(clock)
    yield made
    made.end()


def test_health(admin: Admin) -> None:
    assert admin.ask("GET /health")[::2] == (200, b"ok\n")
    assert admin.ask("HEAD /health")[::2] == (200, b"")
    admin.healthy = False
    assert admin.ask("GET /health")[::2] == (503, b"stopping\n")


def test_metrics(admin: Admin) -> None:
    """As soon as they are gathered."""
    transport = admin.begin("GET /metrics")
    assert not transport.value()
    admin.gathered.callback(Counts().snapshot({}, 1.0))
    head, _, body = transport.value().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"text/plain" in head
    assert b"\nlabnet_proxy_processes 1.0\n" in body
    assert admin.ask("HEAD /metrics")[::2] == (200, b"")


def test_whoeverLeavesIsNotGatheredFor(admin: Admin) -> None:
    admin.begin("GET /metrics")
    admin.end()
    assert admin.gathered.called


def test_otherPages(admin: Admin) -> None:
    assert admin.ask("GET /proxy.pac")[::2] == (200, b"127.0.0.1")
    assert b"/metrics" in admin.ask("GET /")[2]
    assert admin.ask("GET /etc/passwd")[0] == 404
    status, head, _ = admin.ask("POST /health")
    assert (status, b"\r\nAllow: GET, HEAD" in head) == (405, True)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:9090", 200),
        ("LocalHost", 200),
        ("127.0.0.1", 200),
        ("[::1]:9090", 200),
        ("192.0.2.7:9090", 200),
        ("Admin.example", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.", 421),
        ("", 421),
    ],
)
def test_byWhichNameItIsAsked(admin: Admin, host: str, status: int) -> None:
    """A name that leads here from elsewhere gets nothing, whatever page it asks for."""
    assert {admin.ask(f"GET {page}", host)[0] for page in ("/health", "/proxy.pac")} == {status}


def test_whatIsReadOff(makeWorld: MakeWorld) -> None:
    """Connections, bytes, the pool, temporary files and tunnels, open ones among them."""
    world = makeWorld(Policy(holding=SMALL.holding, connectPorts=frozenset((443,))), maxConnections=2)
    client, origin = world.exchange(GET, ok(b"good"))
    client.says(GET)
    origin.says(ok(b"x" * 500)[:-100])
    figures = figuresOf([world.factory])
    assert figures["spooled"] == {"": 400}
    assert figures["originsOpen"] == {"": 1}
    assert figures["origins"] == {"new": 1, "reused": 1}
    origin.says(b"x" * 100)
    tunnel = world.client()
    tunnel.says(b"CONNECT s.example:443 HTTP/1.1\r\nHost: s.example:443\r\n\r\n")
    world.origin()
    assert isinstance(world.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50_000)), TurnedAway)
    sent = len(client.transport.value()) + len(tunnel.transport.value())
    for _ in range(2):
        figures = figuresOf([world.factory])
        assert figures["connections"] == {"": 2}
        assert figures["connectionsRefused"] == {"": 1}
        assert figures["originsIdle"] == {"": 1}
        assert figures["bytes"]["out"] == sent
        assert figures["bytes"]["in"] > 2 * len(GET)
        client.leaves() if not client.lost else None
    assert figures["connectionsOpen"] == {"": 1}
    assert figures["tunnelsOpen"] == {"": 1}
    assert figures["spooled"] == {"": 0}
    world.factory.refused.flush()
    tunnel.leaves()
    world.clock.advance(60)


def test_healthIsThatOfTheListeners() -> None:
    operations = Operations(Counts())
    assert not operations.healthy()
    listeners = [StreamListener("proxy", None, None), StreamListener("proxy", None, None)]  # type: ignore[arg-type]
    for listener in listeners:
        operations.watch(listener, None)  # type: ignore[arg-type]
        listener.running = 1
    assert operations.healthy()
    listeners[1].running = 0
    assert not operations.healthy()


@pytest.mark.parametrize(
    ("host", "proxy"),
    [
        (IPv4Address("TCP", "127.0.0.1", 8080), b'"PROXY 127.0.0.1:8080"'),
        (IPv4Address("TCP", "0.0.0.0", 8080), b'"PROXY lab.example:8080"'),
    ],
)
def test_whichProxyBrowsersAreLedTo(host: IPv4Address, proxy: bytes) -> None:
    """Where it listens; or, on every address, where it was asked."""

    class Port:
        def getHost(self) -> IPv4Address:
            return host

    operations = Operations(Counts(), pacDirect=["intranet.example"])
    listener = StreamListener("proxy", None, None)  # type: ignore[arg-type]
    listener.port = Port()  # type: ignore[assignment]
    operations.watch(listener, None)  # type: ignore[arg-type]
    page = operations.autoConfiguration("lab.example")
    assert proxy in page
    assert b'["intranet.example"]' in page
    assert b'"PROXY p.example:3128"' in Operations(Counts(), "p.example:3128").autoConfiguration("x")
