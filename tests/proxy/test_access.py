"""
Who may use the proxy: clients, names and passwords, rates, tunnels.
"""

from __future__ import annotations

from base64 import b64encode

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from labnet.net.lingering import LINGER
from labnet.net.logins import Logins
from labnet.proxy.access import Access, TurnedAway
from labnet.proxy.networks import Networks
from labnet.testing import TCPTransport, doneReason
from tests.passwords import PASSWORDS, Threads, atOnce
from tests.proxy.records import Kept
from tests.proxy.world import FIXED, GET, MakeWorld, Side, World, ok, status

RIGHT = b"Basic " + b64encode(b"joe:secret")
WRONG = b"Basic " + b64encode(b"joe:guess")
CONNECT = b"CONNECT secure.example:443 HTTP/1.1\r\nHost: secure.example:443\r\n\r\n"


def having(request: bytes, name: bytes, value: bytes) -> bytes:
    """The request with one more field."""
    return request.removesuffix(b"\r\n") + name + b": " + value + b"\r\n\r\n"


def proving(request: bytes, value: bytes = RIGHT) -> bytes:
    return having(request, b"Proxy-Authorization", value)


# Clients


def test_whoIsNotAClientIsTurnedAway(clock: Clock, makeWorld: MakeWorld) -> None:
    """It is told so, and gone in a moment; all of them together are one line of the log."""
    world = makeWorld(access=Access(clock, clients=Networks(["10.0.0.0/8"])))
    with capturedLogs() as events:
        for _ in range(3):
            turned = world.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
            assert isinstance(turned, TurnedAway)
            transport = TCPTransport()
            turned.makeConnection(transport)
            assert status(transport.value()) == 403
            assert b"does not serve your address" in transport.value()
            assert transport.halfClosed
            turned.dataReceived(GET)
            clock.advance(LINGER)
            assert transport.disconnected
            turned.connectionLost(doneReason())
        clock.advance(10)
    lines = [formatEvent(event) for event in events]
    assert lines == ["3 proxy connections refused: 3 not among the clients"]
    assert world.factory.buildProtocol(IPv4Address("TCP", "10.1.1.1", 1)) is not None


@pytest.mark.parametrize(("limit", "why"), [("maxConnections", "in all"), ("maxPerPeer", "of one address")])
def test_whoIsOneTooManyIsToldSo(clock: Clock, makeWorld: MakeWorld, limit: str, why: str) -> None:
    """The others go on."""
    world = makeWorld(**{limit: 1})
    client = world.client()
    with capturedLogs() as events:
        turned = world.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        assert isinstance(turned, TurnedAway)
        transport = TCPTransport()
        turned.makeConnection(transport)
        assert status(transport.value()) == 503
        assert b"Retry-After: 5\r\n" in transport.value()
        turned.connectionLost(doneReason())
        clock.advance(10)
    assert [formatEvent(event) for event in events] == [
        f"1 proxy connections refused: 1 over the limit {why}"
    ]
    client.says(GET)
    world.origin().says(ok(b"x"))
    assert status(client.take()) == 200


def test_notAllAreToldAtTheSameTime(clock: Clock) -> None:
    """Beyond a hundred they are closed without a word, until others have gone."""
    access = Access(clock)
    told = []
    while (turned := access.turnAway(b"no")) is not None:
        told.append(turned)
        turned.makeConnection(TCPTransport())
    assert len(told) == 100
    for turned in told:
        turned.connectionLost(doneReason())
    assert access.turnAway(b"no") is not None
    assert not clock.getDelayedCalls()


def test_whoIsOnThisMachineIsAClient(clock: Clock) -> None:
    """By default, and nobody else; over a UNIX socket, too."""
    access = Access(clock)
    hosts = ["127.0.0.1", "127.9.9.9", "::1", "unix", "192.0.2.1", "2001:4860::1", "None"]
    assert [access.welcomes(host) for host in hosts] == [True] * 4 + [False] * 3


# Names and passwords


@pytest.fixture
def asking(clock: Clock, makeWorld: MakeWorld) -> World:
    return makeWorld(access=Access(clock, logins=Logins(clock, PASSWORDS, atOnce)))


def asked(world: World, request: bytes) -> tuple[Side, bytes]:
    client = world.client()
    client.says(request)
    return client, client.take()


@pytest.mark.parametrize(
    "request_",
    [
        GET, CONNECT, proving(GET, WRONG), proving(CONNECT, WRONG), proving(GET, b"Basic ???"),
        proving(GET, b"Basic"), proving(GET, b"Basic " + b64encode(b"joe")),
        proving(GET, b"Basic " + b64encode(b":secret")), proving(GET, b"Bearer abc"),
        proving(proving(GET)), having(GET, b"Authorization", RIGHT),
    ],
)  # fmt: skip
def test_whoProvesNothingIsAsked(asking: World, request_: bytes) -> None:
    """407 with a challenge, for tunnels as well, and no origin hears of it."""
    client, answer = asked(asking, request_)
    assert status(answer) == 407
    assert b'\r\nProxy-Authenticate: Basic realm="labnet proxy", charset="UTF-8"\r\n' in answer
    assert not asking.attempts
    assert client.transport.halfClosed


@pytest.mark.parametrize("scheme", [b"Basic", b"basic", b"BASIC"])
def test_theRightPassword(asking: World, scheme: bytes) -> None:
    """The origin never hears of it, and neither does the log, which has the name."""
    with capturedLogs() as events:
        client, origin = asking.exchange(proving(GET, RIGHT.replace(b"Basic", scheme)), ok(b"page"))
        assert client.take().endswith(b"page")
        assert b"roxy-" not in origin.take()
        client.says(proving(GET))
        assert origin.take() != b""
        origin.says(ok(b"again"))
        assert client.take().endswith(b"again")
    text = "\n".join(formatEvent(event) for event in events)
    assert RIGHT.decode() not in text
    assert "secret" not in text
    assert asking.factory.connections


def test_theLogHasTheName(asking: World) -> None:
    """... of who has proved to have it, and for no other request."""
    kept = asking.factory.journal = Kept()
    client, _ = asking.exchange(proving(GET), ok(b"page"))
    assert kept.take().user == "joe"
    client.says(proving(GET, WRONG))
    record = kept.take()
    assert (record.status, record.user) == (407, "")


def test_tunnelsAfterThePassword(asking: World) -> None:
    client, origin = asking.exchange(proving(CONNECT))
    assert client.take() == b"HTTP/1.1 200 Connection established\r\n\r\n"
    client.says(b"bytes")
    assert origin.take() == b"bytes"


def test_aHashTakesItsTime(clock: Clock, makeWorld: MakeWorld) -> None:
    """The client waits, others do not; what it sends in the meantime comes after, in order."""
    threads = Threads()
    world = makeWorld(access=Access(clock, logins=Logins(clock, PASSWORDS, threads)))
    client = world.client()
    client.says(proving(GET) + proving(GET.replace(b"/page", b"/next")))
    assert (client.take(), world.attempts) == (b"", [])
    assert client.protocol.busy
    threads.runOne()
    origin = world.origin()
    assert origin.take().startswith(b"GET /page ")
    origin.says(ok(b"one"))
    assert origin.take().startswith(b"GET /next ")
    assert not threads.waiting


def test_halfClosingWhileItIsComputed(clock: Clock, makeWorld: MakeWorld) -> None:
    """A client that ends its half after its request gets its answer."""
    threads = Threads()
    world = makeWorld(access=Access(clock, logins=Logins(clock, PASSWORDS, threads)))
    client = world.client()
    client.says(proving(GET))
    client.ends()
    assert not client.closed
    threads.runOne()
    world.origin().says(ok(b"page"))
    assert client.take().endswith(b"page")
    assert client.closed


def test_leavingWhileItIsComputed(clock: Clock, makeWorld: MakeWorld) -> None:
    """Nobody is asked on behalf of who has left."""
    threads = Threads()
    world = makeWorld(access=Access(clock, logins=Logins(clock, PASSWORDS, threads)))
    client = world.client()
    client.says(proving(GET))
    client.breaks()
    threads.waiting.clear()
    assert not world.attempts


def test_tooManyTries(asking: World) -> None:
    """From one address, wrong passwords are soon not even looked at; right ones that are known are."""
    answers = [status(asked(asking, proving(GET, WRONG))[1]) for _ in range(4)]
    assert answers == [407, 407, 429, 429]
    _, answer = asked(asking, proving(GET, WRONG))
    assert b"\r\nRetry-After: 2\r\n" in answer


def test_beforeASite(clock: Clock, makeWorld: MakeWorld) -> None:
    """There it asks as the site would, and the site does not hear of the answer."""
    access = Access(clock, logins=Logins(clock, PASSWORDS, atOnce), asSite=True)
    world = makeWorld(target=FIXED, access=access)
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    _, answer = asked(world, request)
    assert status(answer) == 401
    assert b'\r\nWWW-Authenticate: Basic realm="labnet proxy", charset="UTF-8"\r\n' in answer
    client, origin = world.exchange(having(request, b"Authorization", RIGHT), ok(b"page"))
    assert client.take().endswith(b"page")
    assert b"uthorization" not in origin.take()


# How much


def test_requestsASecond(clock: Clock, makeWorld: MakeWorld) -> None:
    """Twice the rate in a burst, then 429 with the time to wait."""
    world = makeWorld(access=Access(clock, requestRate=1.0))
    _, origin = world.exchange(GET, ok(b"page"))
    asked(world, GET)
    origin.says(ok(b"page"))
    _, answer = asked(world, GET)
    assert status(answer) == 429
    assert b"\r\nRetry-After: 1\r\n" in answer
    clock.advance(1)
    client, _ = asked(world, GET)
    origin.says(ok(b"page"))
    assert status(client.take()) == 200


def test_tunnelsAtTheSameTime(clock: Clock, makeWorld: MakeWorld) -> None:
    """One too many is 503; when one has ended there is room."""
    world = makeWorld(access=Access(clock, mostTunnels=1))
    first, _ = world.exchange(CONNECT)
    assert status(first.take()) == 200
    _, answer = asked(world, CONNECT)
    assert status(answer) == 503
    assert b"\r\nRetry-After: 5\r\n" in answer
    first.breaks()
    client, _ = world.exchange(CONNECT)
    assert status(client.take()) == 200
