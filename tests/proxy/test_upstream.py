"""
Through another proxy: requests, and tunnels.
"""

from __future__ import annotations

from base64 import b64encode

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost, TimeoutError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.proxy.networks import Destinations, Pattern
from labnet.proxy.target import Origin, Route
from labnet.proxy.upstream import TunnelEndpoint, Upstream, Upstreams, basicCredentials
from labnet.proxy.wire import BadMessage
from labnet.testing import TCPTransport, doneReason, inPieces
from tests.proxy.world import GET, MakeWorld, ok, status

NEXT = Upstream("next.example", 3128, authorization=basicCredentials("joe", "secret"))
PLAIN = Upstream("plain.example", 3128)
SECRET = b64encode(b"joe:secret")


def test_whichHostsGoThroughWhich() -> None:
    """The first pattern that a host fits, by name or as an address."""
    chosen = [
        (Pattern.read(".lab.example"), None),
        (Pattern.read("10.0.0.0/8"), None),
        (Pattern.read("*.org"), PLAIN),
    ]
    upstreams = Upstreams(NEXT, chosen)
    hosts = ["a.lab.example", "10.1.1.1", "www.org", "other.example"]
    assert [upstreams.of(host) for host in hosts] == [None, None, PLAIN, NEXT]
    assert Upstreams().of("any.example") is None


def test_aSecretIsNotShown() -> None:
    assert "secret" not in repr(NEXT) + str(NEXT)
    assert SECRET.decode() not in repr(NEXT) + str(NEXT)
    route = Upstreams(NEXT).through(Route(Origin("o.example", 80), b"/", b"o.example"))
    assert SECRET.decode() not in repr(route)


@pytest.mark.parametrize(
    ("origin", "target", "sent"),
    [
        (Origin("o.example", 80), b"/a?b", b"http://o.example/a?b"),
        (Origin("::1", 8080), b"/", b"http://[::1]:8080/"),
        (Origin("o.example", 80), b"*", b"http://o.example"),
    ],
)
def test_theWholeURLIsAskedFor(origin: Origin, target: bytes, sent: bytes) -> None:
    route = Upstreams(NEXT).through(Route(origin, target, origin.authority))
    assert (route.target, route.origin, route.hop) == (sent, origin, NEXT)


def test_whatIsSecureGoesThroughATunnel() -> None:
    route = Route(Origin("o.example", 443, secure=True), b"/", b"o.example")
    assert Upstreams(NEXT).through(route) == route


def test_namesAreJudged() -> None:
    """The other proxy looks them up, so what is written has to do."""
    upstreams = Upstreams(NEXT, destinations=Destinations(confined=True))
    with pytest.raises(BadMessage, match=r"127\.0\.0\.1:80: its address is loopback"):
        upstreams.through(Route(Origin("127.0.0.1", 80), b"/", b""))


def test_requests(makeWorld: MakeWorld) -> None:
    """In absolute-form and with our credentials; connections to the other proxy serve all origins."""
    world = makeWorld(upstreams=Upstreams(NEXT))
    client, upstream = world.exchange(GET)
    assert world.attempts[0].origin == NEXT
    asked = upstream.take()
    assert asked.startswith(b"GET http://origin.example/page HTTP/1.1\r\nHost: origin.example\r\n")
    assert b"\r\nProxy-Authorization: Basic " + SECRET + b"\r\n" in asked
    upstream.says(ok(b"page"))
    assert client.take().endswith(b"page")
    client.says(GET.replace(b"origin", b"other"))
    assert upstream.take().startswith(b"GET http://other.example/page ")
    assert len(world.attempts) == 1


def test_itsChallengeIsForUs(makeWorld: MakeWorld) -> None:
    """A 407 of the other proxy is 502: the client has nothing to say to it."""
    world = makeWorld(upstreams=Upstreams(NEXT))
    challenge = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n"
    client, _ = world.exchange(GET, challenge)
    answer = client.take()
    assert status(answer) == 502
    assert b"upstream proxy next.example:3128: it does not take our name and password (407)" in answer
    assert b"Proxy-Authenticate" not in answer


# Tunnels


class Heard(Protocol):
    def __init__(self) -> None:
        self.data = b""

    def dataReceived(self, data: bytes) -> None:
        self.data += data


class Tunnelling:
    """Somebody who wants a tunnel through an upstream in memory."""

    def __init__(self, clock: Clock, upstream: Upstream = NEXT) -> None:
        self.transport = TCPTransport()
        self.found: list[object] = []
        endpoint = TunnelEndpoint(clock, self, upstream, Origin("o.example", 443), 5.0)
        self.made: Deferred[object] = endpoint.connect(Factory.forProtocol(Heard))
        self.made.addBoth(self.found.append)

    def connect(self, factory: Factory) -> Deferred[object]:
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)
        made: Deferred[object] = Deferred()
        made.callback(self.protocol)
        return made

    @property
    def problem(self) -> BaseException:
        (failure,) = self.found
        assert isinstance(failure, Failure)
        return failure.value


@pytest.mark.parametrize("step", [1, 1000])
def test_aTunnel(clock: Clock, step: int) -> None:
    """With our credentials; what comes behind the head is the origin's."""
    tunnelling = Tunnelling(clock)
    assert tunnelling.transport.value() == (
        b"CONNECT o.example:443 HTTP/1.1\r\nHost: o.example:443\r\nProxy-Authorization: Basic "
        + SECRET
        + b"\r\n\r\n"
    )
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Fine\r\nX: y\r\n\r\nearly"
    for piece in inPieces(data, step):
        tunnelling.protocol.dataReceived(piece)
    (inner,) = tunnelling.found
    assert isinstance(inner, Heard)
    assert inner.data == b"early"
    tunnelling.protocol.readConnectionLost()
    assert tunnelling.transport.disconnecting
    tunnelling.protocol.connectionLost(doneReason())


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 407 No\r\n\r\n", "upstream proxy next.example:3128: it does not take our name"),
        (b"HTTP/1.1 503 Full\r\n\r\n", "upstream proxy next.example:3128: it refuses the tunnel: 503 Full"),
        (b"nonsense\r\n\r\n", "upstream proxy next.example:3128: "),
    ],
)
def test_noTunnel(clock: Clock, answer: bytes, says: str) -> None:
    tunnelling = Tunnelling(clock)
    tunnelling.protocol.dataReceived(answer)
    assert str(tunnelling.problem).startswith(says)
    assert tunnelling.transport.disconnected


def test_anUpstreamThatSaysNothing(clock: Clock) -> None:
    """Time runs out, or it leaves."""
    tunnelling = Tunnelling(clock)
    clock.advance(5)
    assert isinstance(tunnelling.problem, TimeoutError)
    assert tunnelling.transport.disconnected
    other = Tunnelling(clock, PLAIN)
    assert b"Authorization" not in other.transport.value()
    other.protocol.connectionLost(doneReason())
    assert isinstance(other.problem, ConnectionLost)
    assert not clock.getDelayedCalls()
