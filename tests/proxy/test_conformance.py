"""
What the RFCs ask of an intermediary and is seen only from outside: what passes, what is refused, and after
what a connection is closed.
"""

from __future__ import annotations

import pytest

from labnet.proxy.policy import Policy
from tests.proxy.world import FIXED, GET, POST, MakeWorld, chunked, ok, status

STREAMING = Policy(rules=())


# Requests that are the proxy's own to answer


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
def test_optionsForTheProxyItself(makeWorld: MakeWorld, version: bytes) -> None:
    """C{OPTIONS *} asks a forward proxy what it is; before one origin it is for the origin."""
    world = makeWorld()
    client = world.client()
    client.says(b"OPTIONS * " + version + b"\r\nHost: proxy:8080\r\n\r\n")
    assert status(client.take()) == 200
    assert world.attempts == []

    _, origin = makeWorld(target=FIXED).exchange(b"OPTIONS * HTTP/1.1\r\nHost: proxy:8080\r\n\r\n")
    assert origin.take() == b"OPTIONS * HTTP/1.1\r\nHost: site.example:8000\r\n\r\n"


def test_optionsOfAWholeServer(makeWorld: MakeWorld) -> None:
    """Without a path it is the last proxy that asks with an asterisk (RFC 9112, 3.2.4)."""
    _, origin = makeWorld().exchange(b"OPTIONS http://o.example HTTP/1.1\r\nHost: o.example\r\n\r\n")
    assert origin.take() == b"OPTIONS * HTTP/1.1\r\nHost: o.example\r\n\r\n"


@pytest.mark.parametrize("line", [b"OPTIONS *", b"TRACE http://o.example/"])
def test_whatIsAnsweredHereNeedsAHostToo(makeWorld: MakeWorld, line: bytes) -> None:
    client = makeWorld().client()
    client.says(line + b" HTTP/1.1\r\nMax-Forwards: 0\r\n\r\n")
    assert status(client.take()) == 400


@pytest.mark.parametrize("method", [b"PATCH", b"PROPFIND", b"get", b"M-SEARCH", b"!#$%&'*+-.^_`|~09"])
def test_unknownMethodsPass(makeWorld: MakeWorld, method: bytes) -> None:
    """A method is a name and its spelling; what it means is between the client and the origin."""
    client, origin = makeWorld().exchange(GET.replace(b"GET", method), ok(b"done"))
    assert origin.take().startswith(method + b" /page HTTP/1.1\r\n")
    assert client.take().endswith(b"done")


# What could be read in two ways


@pytest.mark.parametrize("method", [b"CONNECT o.example:443", b"TRACE http://o.example/"])
@pytest.mark.parametrize("framing", [b"Content-Length: 4", b"Transfer-Encoding: chunked"])
def test_contentWhereThereIsNone(makeWorld: MakeWorld, method: bytes, framing: bytes) -> None:
    """CONNECT and TRACE have no content; who believes that they have takes the rest for something else."""
    world = makeWorld()
    client = world.client()
    client.says(method + b" HTTP/1.1\r\nHost: o.example\r\n" + framing + b"\r\n\r\n0\r\n\r\n")
    assert status(client.take()) == 400
    assert client.transport.halfClosed
    assert world.attempts == []


@pytest.mark.parametrize("lengths", [b"Content-Length: 3, 3\r\n", b"Content-Length: 3\r\n" * 2])
def test_aRequestWithSeveralLengthsIsTheLast(makeWorld: MakeWorld, lengths: bytes) -> None:
    """It goes on with one, and nothing that follows it on its connection is read."""
    world = makeWorld()
    client, origin = world.exchange(POST + lengths + b"\r\nabc" + GET)
    asked = origin.take()
    assert asked.endswith(b"Content-Length: 3\r\n\r\nabc")
    origin.says(ok(b"done"))
    assert client.take().count(b"HTTP/1.1") == 1
    assert client.transport.halfClosed
    assert len(world.attempts) == 1
    assert origin.take() == b""


DOUBTFUL = [
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: x\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5, 6\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
]


@pytest.mark.parametrize("response", DOUBTFUL)
@pytest.mark.parametrize("policy", [Policy(), STREAMING])
def test_aResponseThatWasRewrittenIsTheLast(makeWorld: MakeWorld, policy: Policy, response: bytes) -> None:
    """The client gets it in one reading; its connection is not asked again."""
    world = makeWorld(policy)
    client, origin = world.exchange(GET, response)
    head, _, body = client.take().partition(b"\r\n\r\n")
    assert head.count(b"Content-Length") + head.count(b"Transfer-Encoding") == (body != b"")
    assert body in (b"hi", b"2\r\nhi\r\n0\r\n\r\n", b"")
    assert origin.closed
    assert len(world.factory.pool) == 0
    assert not client.closed


@pytest.mark.parametrize(
    "response",
    [
        ok(b"hi"),
        ok(b"hi", b"X: a : b"),
        chunked(b"hi"),
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_aResponseThatIsPlainIsNotTheLast(makeWorld: MakeWorld, response: bytes) -> None:
    world = makeWorld()
    world.exchange(GET, response)
    assert len(world.factory.pool) == 1


REFUSED = [
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: , chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
    b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 5\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\n X: a\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    b"HTTP/1.1 205 Reset Content\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nConnection: content-encoding\r\nContent-Encoding: x\r\nContent-Length: 0\r\n\r\n",
]


@pytest.mark.parametrize("response", REFUSED)
def test_aResponseThatCouldBeReadInTwoWaysIsRefused(makeWorld: MakeWorld, response: bytes) -> None:
    """502, nothing of it passes, and the origin's connection is broken off."""
    client, origin = makeWorld().exchange(GET, response)
    answer = client.take()
    assert status(answer) == 502
    assert b"refused; why=" in answer
    assert origin.aborted


@pytest.mark.parametrize(
    "fields",
    [
        b"Connection: authorization\r\nAuthorization: Basic eDp5\r\n",
        b"Connection: close, Cache-Control\r\nCache-Control: no-store\r\n",
        b"Proxy-Connection: Content-Type\r\nContent-Type: text/html\r\n",
    ],
)
def test_aRequestWhoseConnectionNamesWhatIsForAll(makeWorld: MakeWorld, fields: bytes) -> None:
    world = makeWorld()
    client = world.client()
    client.says(GET[:-2] + fields + b"\r\n")
    assert status(client.take()) == 400
    assert world.attempts == []


# Responses without content


def test_aResetContent(makeWorld: MakeWorld) -> None:
    """205 has no content, and says so in one of three ways."""
    for framing, rest in ((b"Content-Length: 0", b""), (b"Transfer-Encoding: chunked", b"0\r\n\r\n")):
        client, _ = makeWorld().exchange(GET, b"HTTP/1.1 205 Reset\r\n" + framing + b"\r\n\r\n" + rest)
        assert status(client.take()) == 205
    client, origin = makeWorld().exchange(GET, b"HTTP/1.1 205 Reset\r\n\r\n")
    origin.leaves()
    assert client.take() == b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n"


def test_chunkedInAnAnswerToHeadIsNoBody(makeWorld: MakeWorld) -> None:
    """It says what a GET would have got (RFC 9112, 6.1); what follows is the next response."""
    world = makeWorld()
    client, _ = world.exchange(
        GET.replace(b"GET", b"HEAD"), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert client.take() == b"HTTP/1.1 200 OK\r\n\r\n"
    assert len(world.factory.pool) == 1


# The end of a message


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "response",
    [ok(b"hello")[:-1], chunked(b"hello")[:-2], chunked(b"hello")[:-5], chunked(b"hello")[:-8]],
)
def test_aTruncatedResponseIsNeverCompleted(makeWorld: MakeWorld, response: bytes, streamed: bool) -> None:
    """502 as long as nothing has gone out, else the client's connection breaks without an end."""
    client, origin = makeWorld(STREAMING if streamed else Policy()).exchange(GET, response)
    origin.leaves()
    answer = client.take()
    if streamed:
        assert client.aborted
        assert not answer.endswith(b"0\r\n\r\n")
    else:
        assert status(answer) == 502


def test_aResetInsteadOfAnEnd(makeWorld: MakeWorld) -> None:
    """A streamed response that ends with its connection is complete only if that ended in good order."""
    for end, complete in (("leaves", True), ("breaks", False)):
        client, origin = makeWorld(STREAMING).exchange(GET, b"HTTP/1.0 200 OK\r\n\r\nhello")
        getattr(origin, end)()
        assert client.take().endswith(b"5\r\nhello\r\n0\r\n\r\n") is complete
        assert client.aborted is not complete


def test_nothingIsReadAfterAClose(makeWorld: MakeWorld) -> None:
    """A request with C{Connection: close} is the last of its connection (RFC 9112, 9.6)."""
    world = makeWorld()
    client, origin = world.exchange(GET[:-2] + b"Connection: close\r\n\r\n" + GET)
    origin.take()
    origin.says(ok(b"last"))
    answer = client.take()
    assert answer.count(b"HTTP/1.1 200") == 1
    assert b"Connection: close\r\n" in answer
    assert origin.take() == b""
    assert client.transport.halfClosed


def test_interimResponsesComeToAnEnd(makeWorld: MakeWorld) -> None:
    """An origin that never says anything final does not keep its client for ever."""
    interim = b"HTTP/1.1 102 Processing\r\n\r\n"
    client, origin = makeWorld().exchange(GET)
    for _ in range(100):
        origin.says(interim)
    assert client.take() == interim * 100
    origin.says(interim)
    assert status(client.take()) == 502
    assert origin.aborted


# Versions


def test_ourVersionIsSentBothWays(makeWorld: MakeWorld) -> None:
    """A proxy is not a wire: the version is its own (RFC 9110, 6.2); Via says what was received."""
    world = makeWorld()
    client = world.client()
    client.says(GET.replace(b"HTTP/1.1", b"HTTP/1.0"))
    origin = world.origin()
    asked = bytes(origin.transport.value())
    assert asked.startswith(b"GET /page HTTP/1.1\r\n")
    assert b"Via: 1.0 " + world.factory.name in asked
    origin.says(ok(b"x").replace(b"HTTP/1.1", b"HTTP/1.0"))
    answer = bytes(client.transport.value())
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Via: 1.0 " + world.factory.name in answer
