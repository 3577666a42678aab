"""
HTTPS that is looked into: which hosts, TLS with the client, the requests inside, and what is refused.
"""

from __future__ import annotations

import ssl
from datetime import timedelta

import pytest
from twisted.logger import capturedLogs, formatEvent

from labnet.authority.certificates import makeAuthority
from labnet.net.hosts import BadHost
from labnet.net.outcome import ClientError, ExitStatus
from labnet.proxy.interception import InterceptedHosts, Interception
from labnet.proxy.policy import Policy
from labnet.proxy.target import Origin
from tests.proxy.secureclient import NOW, SecureClient, intercepting, labAuthority, trusting
from tests.proxy.world import MakeWorld, World, ok, settled

REQUEST = b"GET /page HTTP/1.1\r\nHost: origin.example\r\n\r\n"


@pytest.fixture
def world(makeWorld: MakeWorld) -> World:
    return makeWorld(interception=intercepting("origin.example", "*.below.example", "127.0.0.1"))


def outcome(client: SecureClient) -> str:
    return client.side.protocol.outcome


@pytest.mark.parametrize(
    ("patterns", "host", "covered"),
    [
        (["origin.example"], "origin.example", True),
        (["Origin.Example."], "origin.example", True),
        (["origin.example"], "www.origin.example", False),
        (["origin.example"], "notorigin.example", False),
        (["*.origin.example"], "www.origin.example", True),
        (["*.origin.example"], "a.b.origin.example", True),
        (["*.origin.example"], "origin.example", False),
        (["*.origin.example"], "notorigin.example", False),
        ([".origin.example"], "origin.example", True),
        ([".origin.example"], "www.origin.example", True),
        ([".origin.example"], "notorigin.example", False),
        (["a.example", "b.example"], "b.example", True),
        (["127.0.0.1"], "127.0.0.1", True),
        (["[::1]"], "::1", True),
        (["bücher.example"], "xn--bcher-kva.example", True),
        ([], "origin.example", False),
    ],
)
def test_whichHostsAPatternCovers(patterns: list[str], host: str, covered: bool) -> None:
    assert InterceptedHosts.read(patterns).cover(host) is covered


@pytest.mark.parametrize(
    "pattern", ["", "*", "*.", "*example", "..a", "*..a", "a b", "a..b", "127.1", "0x7f.1"]
)
def test_whatIsNoPattern(pattern: str) -> None:
    with pytest.raises(BadHost):
        InterceptedHosts.read([pattern])


def test_theAuthorityMayNotSignForAll() -> None:
    hosts = InterceptedHosts.read(["origin.example", "*.elsewhere.net", "203.0.113.1", "127.0.0.1"])
    assert hosts.forbidden(labAuthority()) == ["203.0.113.1", "elsewhere.net"]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_aPageThroughAnInterceptedTunnel(world: World, size: int) -> None:
    """Whatever pieces the client's bytes come in; both sides have TLS."""
    client = SecureClient(world, size=size)
    assert client.tunnelled == b"HTTP/1.1 200 Connection established\r\n\r\n"
    client.shake()
    assert client.problem is None
    client.says(REQUEST)
    assert world.attempts[0].origin == Origin("origin.example", 443, secure=True)
    origin = world.origin()
    assert origin.take() == b"GET /page HTTP/1.1\r\nHost: origin.example\r\n\r\n"
    origin.says(ok(b"a page"))
    assert settled(client.take()) == b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\na page"


def test_aBlockedPageThroughAnInterceptedTunnel(world: World) -> None:
    client = SecureClient(world)
    client.shake()
    client.says(REQUEST)
    world.origin().says(ok(b"it says SzamHalo"))
    answer = client.take()
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert b"it says" not in answer


def test_theConnectionIsKept(world: World) -> None:
    client = SecureClient(world)
    client.shake()
    client.says(REQUEST * 2)
    origin = world.origin()
    for body in (b"one", b"two"):
        origin.says(ok(body))
        assert client.take().endswith(body)
    assert len(world.attempts) == 1


def test_earlyBytesOfTLSAreNotLost(world: World) -> None:
    """A client that does not wait for the proxy's 200."""
    client = SecureClient(world)
    hello = client.tls
    with pytest.raises(ssl.SSLWantReadError):
        hello.do_handshake()
    early = world.client()
    target = b"origin.example:443"
    early.says(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, target) + client._out.read())
    client.side = early
    head, _, rest = early.transport.value().partition(b"\r\n\r\n")
    assert head == b"HTTP/1.1 200 Connection established"
    early.transport.clear()
    client._in.write(rest)
    client.shake()
    assert client.problem is None


def test_theCertificateIsForTheHostAndNotForAnother(world: World) -> None:
    client = SecureClient(world, "www.below.example")
    client.shake()
    certificate = client.tls.getpeercert()
    assert certificate is not None
    assert certificate["subjectAltName"] == (("DNS", "www.below.example"),)


def test_anAddressHasACertificateToo(makeWorld: MakeWorld) -> None:
    world = makeWorld(interception=intercepting("127.0.0.1", "::1"))
    for host, connect in (("127.0.0.1", ""), ("::1", "[::1]:443")):
        client = SecureClient(world, host, connect=connect)
        client.shake()
        assert client.problem is None


def test_onlyTheNewerTLSAndOnlyHTTP1(world: World) -> None:
    context = trusting()
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = SecureClient(world, context=context)
    client.shake()
    assert client.tls.selected_alpn_protocol() == "http/1.1"
    assert client.tls.version() == "TLSv1.3"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_olderTLSIsRefused(world: World) -> None:
    context = trusting()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    client = SecureClient(world, context=context)
    client.shake()
    assert client.problem is not None
    assert client.side.closed
    assert "unsupported protocol" in outcome(client)


def test_aClientThatAsksForAnotherHostIsRefused(world: World) -> None:
    """SNI names another host than CONNECT: no certificate is shown."""
    client = SecureClient(world, "other.example", connect="origin.example:443")
    client.shake()
    assert client.problem is not None
    assert "HANDSHAKE_FAILURE" in str(client.problem)
    assert client.side.closed
    expected = 'intercepted origin.example:443: the client asks for "other.example", not for origin.example'
    assert outcome(client) == expected
    assert not world.attempts


def test_aClientThatNamesNoHostIsAtTheTunnelsOne(world: World) -> None:
    context = trusting()
    context.check_hostname = False
    client = SecureClient(world, context=context)
    client.tls = context.wrap_bio(client._in, client._out)
    client.shake()
    assert client.problem is None
    assert client.tls.getpeercert()["subjectAltName"] == (("DNS", "origin.example"),)  # type: ignore[index]


def test_aClientThatDoesNotTrustTheAuthority(world: World) -> None:
    client = SecureClient(world, context=ssl.create_default_context())
    client.shake()
    assert client.side.closed
    assert (
        "alert unknown ca; the client does not trust the lab's authority, see 'labnet ca show'"
        in outcome(client)
    )


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\nHost: origin.example\r\n\r\n", b"\x00", b"SSH-2.0-x\r\n"]
)
def test_whatIsNotTLSIsRefused(world: World, data: bytes) -> None:
    """Nothing inside the tunnel goes anywhere without having been looked at."""
    client = SecureClient(world)
    client.side.says(data)
    assert client.side.closed
    assert client.side.take() == b""
    assert outcome(client) == "intercepted origin.example:443: what comes from the client is not TLS"
    assert not world.attempts


def test_brokenTLSIsRefused(world: World) -> None:
    client = SecureClient(world)
    client.shake()
    client.side.says(b"\x17\x03\x03\x00\x05aaaaa")
    assert client.side.closed
    assert outcome(client).startswith("intercepted origin.example:443: TLS: ")


def test_aHandshakeThatIsNeverCompleted(makeWorld: MakeWorld) -> None:
    """It costs a connection for the time of the limit, however busy the client seems."""
    world = makeWorld(interception=intercepting("origin.example", handshake=5.0))
    client = SecureClient(world)
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    hello = client._out.read()
    for at in range(9):
        assert not client.side.aborted
        client.side.says(hello[at : at + 1])
        world.pump(0.5)
    world.pump(1)
    assert client.side.aborted
    assert outcome(client) == "the TLS handshake took too long"


def test_afterTheHandshakeItsLimitIsOver(makeWorld: MakeWorld) -> None:
    world = makeWorld(interception=intercepting("origin.example", handshake=5.0))
    client = SecureClient(world)
    client.shake()
    world.pump(20)
    assert not client.side.aborted


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: other.example\r\n\r\n", b"421"),
        (b"GET / HTTP/1.1\r\nHost: origin.example:80\r\n\r\n", b"421"),
        (b"GET / HTTP/1.1\r\nHost: origin.example\r\nHost: origin.example\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", b"400"),
        (b"GET https://other.example/ HTTP/1.1\r\nHost: origin.example\r\n\r\n", b"421"),
        (b"GET http://origin.example/ HTTP/1.1\r\nHost: origin.example\r\n\r\n", b"400"),
        (b"CONNECT origin.example:443 HTTP/1.1\r\nHost: origin.example:443\r\n\r\n", b"501"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"505"),
    ],
)
def test_requestsThatAreNotForTheTunnelsHost(world: World, request_: bytes, status: bytes) -> None:
    client = SecureClient(world)
    client.shake()
    client.says(request_)
    assert client.take().startswith(b"HTTP/1.1 " + status)
    assert not world.attempts


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /page HTTP/1.1\r\nHost: ORIGIN.example:443\r\n\r\n",
        b"GET /page HTTP/1.1\r\nHost: origin.example.\r\n\r\n",
        b"GET https://origin.example/page HTTP/1.1\r\nHost: origin.example\r\n\r\n",
        b"GET wss://origin.example/page HTTP/1.1\r\nHost: origin.example\r\n\r\n",
    ],
)
def test_otherSpellingsOfTheTunnelsHost(world: World, request_: bytes) -> None:
    client = SecureClient(world)
    client.shake()
    client.says(request_)
    assert world.origin().take() == REQUEST


@pytest.mark.parametrize("connect", ["ORIGIN.example:443", "origin.example.:443", "[::ffff:127.0.0.1]:443"])
def test_otherSpellingsInCONNECT(world: World, connect: str) -> None:
    """A spelling of its own does not lead around."""
    client = SecureClient(world, connect=connect)
    assert client.tunnelled.startswith(b"HTTP/1.1 200")
    assert not world.attempts


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "127.0.0.001"])
def test_addressesInDisguiseAreRefused(world: World, host: str) -> None:
    client = SecureClient(world, "origin.example", connect=f"{host}:443")
    assert client.tunnelled.startswith(b"HTTP/1.1 400")
    assert not world.attempts


def test_everythingElseIsTunnelled(world: World) -> None:
    client = SecureClient(world, "elsewhere.example")
    assert world.attempts[0].origin == Origin("elsewhere.example", 443)
    assert client.tunnelled == b""


def test_thePortRulesHoldForBoth(world: World) -> None:
    client = SecureClient(world, connect="origin.example:8443")
    assert client.tunnelled.startswith(b"HTTP/1.1 403")


def test_secureAndPlainConnectionsAreNotMixed(world: World) -> None:
    """A plain connection that is kept does not answer a request for https, and the other way round."""
    world.exchange(
        b"GET http://origin.example:443/ HTTP/1.1\r\nHost: origin.example:443\r\n\r\n", ok(b"plain")
    )
    assert len(world.factory.pool) == 1
    client = SecureClient(world)
    client.shake()
    client.says(REQUEST)
    assert [attempt.origin.secure for attempt in world.attempts] == [False, True]


def test_redirectsToHTTPAreLeftAlone(world: World) -> None:
    client = SecureClient(world)
    client.shake()
    client.says(b"GET / HTTP/1.1\r\nHost: origin.example:443\r\n\r\n")
    world.origin().says(ok(b"", b"Location: http://origin.example/x"))
    assert b"\r\nLocation: http://origin.example/x\r\n" in client.take()


def test_whereElseThePageIsIsNotSaid(world: World) -> None:
    """Alt-Svc would lead the client to the same origin through a tunnel of another name."""
    client = SecureClient(world)
    client.shake()
    client.says(REQUEST)
    world.origin().says(ok(b"", b'Alt-Svc: h2="alt.example:443"'))
    assert b"alt" not in client.take().lower()


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (ExitStatus.NOT_UNDERSTOOD, b"HTTP/1.1 502 Bad Gateway\r\n"),
        (ExitStatus.TIMED_OUT, b"HTTP/1.1 504 Gateway Timeout\r\n"),
    ],
)
def test_anOriginThatCannotBeTrusted(world: World, kind: ExitStatus, line: bytes) -> None:
    """The client hears why, over TLS."""
    client = SecureClient(world)
    client.shake()
    client.says(REQUEST)
    world.attempts[0].fail(ClientError("what is wrong with it", kind))
    answer = client.take()
    assert answer.startswith(line)
    assert b"origin.example:443: what is wrong with it" in answer


def test_aWebSocketInside(makeWorld: MakeWorld) -> None:
    """It is a tunnel inside the tunnel: both sides still have TLS."""
    policy = Policy(upgrades=frozenset((b"websocket",)))
    world = makeWorld(policy, interception=intercepting("origin.example"))
    client = SecureClient(world)
    client.shake()
    change = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    client.says(REQUEST[:-2] + change)
    origin = world.origin()
    origin.take()
    origin.says(b"HTTP/1.1 101 Switching Protocols\r\n" + change + b"from the origin")
    answer = client.take()
    assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert answer.endswith(b"\r\n\r\nfrom the origin")
    client.says(b"from the client")
    assert origin.take() == b"from the client"
    origin.leaves()
    assert client.ended


def test_theAuthorityHasExpired(makeWorld: MakeWorld) -> None:
    authority = makeAuthority(NOW - timedelta(days=9), timedelta(days=8))
    world = makeWorld(interception=Interception(InterceptedHosts.read(["origin.example"]), authority))
    client = SecureClient(world)
    assert client.tunnelled.startswith(b"HTTP/1.1 503")
    assert b"has expired" in client.tunnelled


def test_theEndIsSaidInTLS(world: World) -> None:
    client = SecureClient(world)
    client.shake()
    client.says(b"GET /page HTTP/1.1\r\nHost: origin.example\r\nConnection: close\r\n\r\n")
    world.origin().says(ok(b"last"))
    assert client.take().endswith(b"last")
    assert client.ended


def test_aClientThatHasSaidAllGetsItsAnswer(world: World) -> None:
    """close_notify ends one half."""
    client = SecureClient(world)
    client.shake()
    client.says(REQUEST)
    client.finish()
    world.origin().says(ok(b"a page"))
    assert b"a page" in client.take()


def test_aTruncatedAnswerIsNotEndedInTLS(world: World) -> None:
    """Nobody takes it for the whole."""
    client = SecureClient(world)
    client.shake()
    client.says(REQUEST)
    origin = world.origin()
    origin.says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    origin.leaves()
    assert client.take().startswith(b"HTTP/1.1 502")


def test_theLogSaysWhatWasLookedInto(world: World) -> None:
    with capturedLogs() as events:
        client = SecureClient(world)
        client.shake()
        client.says(REQUEST)
        world.origin().says(ok(b"it says SzamHalo"))
        elsewhere = SecureClient(world, "elsewhere.example")
        world.origin()
        elsewhere.side.leaves()
    lines = "\n".join(formatEvent(event) for event in events)
    assert '"CONNECT origin.example:443" 200 intercepted' in lines
    assert '"GET https://origin.example/page" 404 blocked' in lines
    assert '"CONNECT elsewhere.example:443" 200 not inspected: tunnel' in lines
