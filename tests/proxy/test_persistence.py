"""
Connections that are kept, on both sides: pipelining, pooling, repeating, HTTP/1.0.
"""

from __future__ import annotations

import pytest

from labnet.proxy.policy import Policy
from tests.proxy.world import FIXED, GET, MakeWorld, chunked, ok, status


def test_pipelinedRequestsAreAnsweredInOrder(makeWorld: MakeWorld) -> None:
    """Requests sent at once are asked one after another on one origin connection."""
    world = makeWorld()
    client = world.client()
    client.says(b"".join(GET.replace(b"page", b"p%d" % n) for n in range(5)))
    origin = world.origin()
    for n in range(5):
        assert b"/p%d " % n in origin.take()
        origin.says(ok(b"page %d" % n))
    assert [part[-6:] for part in client.take().split(b"HTTP/1.1 200 OK")[1:]] == [
        b"page %d" % n for n in range(5)
    ]
    assert len(world.attempts) == 1


def test_anOriginThatClosesIsNotUsedAgain(makeWorld: MakeWorld) -> None:
    """After Connection: close the next request has a new connection."""
    world = makeWorld()
    client, origin = world.exchange(GET, ok(b"a", b"Connection: close"))
    assert origin.closed
    client.says(GET)
    assert len(world.attempts) == 2


def test_aConnectionWithUnreadRestIsNotUsedAgain(makeWorld: MakeWorld) -> None:
    """What the origin sends beyond its answer can not become the answer to somebody else's request."""
    world = makeWorld()
    _, origin = world.exchange(GET, ok(b"a") + ok(b"poison"))
    assert origin.aborted
    assert len(world.factory.pool) == 0


def test_whatComesUnaskedEndsAWaitingConnection(makeWorld: MakeWorld) -> None:
    """An origin that speaks while it is not asked is not asked again."""
    world = makeWorld()
    _, origin = world.exchange(GET, ok(b"a"))
    assert len(world.factory.pool) == 1
    origin.says(ok(b"poison"))
    assert origin.aborted
    assert len(world.factory.pool) == 0


def test_aStaleConnectionIsRetriedOnce(makeWorld: MakeWorld) -> None:
    """When a kept origin connection dies before its first byte, a GET is sent once more on a new one."""
    world = makeWorld()
    client, origin = world.exchange(GET, ok(b"a"))
    client.take()
    client.says(GET)
    origin.leaves()
    again = world.origin()
    assert again.take().startswith(b"GET /page")
    again.leaves()
    assert status(client.take()) == 502
    assert len(world.attempts) == 2


@pytest.mark.parametrize("body", [b"", b"x"])
def test_aPostIsNotRetried(makeWorld: MakeWorld, body: bytes) -> None:
    """A method that is not idempotent is not sent twice."""
    world = makeWorld()
    client, origin = world.exchange(GET, ok(b"a"))
    client.take()
    client.says(
        b"POST http://origin.example/ HTTP/1.1\r\nHost: origin.example\r\nContent-Length: %d\r\n\r\n"
        % len(body)
        + body
    )
    origin.leaves()
    assert status(client.take()) == 502
    assert len(world.attempts) == 1


def test_waitingOriginConnectionsAreClosedInTime(makeWorld: MakeWorld) -> None:
    """A connection in the pool ends after its idle time, and no timer stays."""
    world = makeWorld()
    _, origin = world.exchange(GET, ok(b"a"))
    world.pump(30)
    assert origin.closed
    assert not origin.aborted
    assert len(world.factory.pool) == 0


def test_http10(makeWorld: MakeWorld) -> None:
    """An HTTP/1.0 client gets no chunks, and its connection ends unless it asked to keep it."""
    request = GET.replace(b"HTTP/1.1", b"HTTP/1.0")
    world = makeWorld(Policy(rules=()))
    client, _ = world.exchange(request, chunked(b"hello", b" world"))
    assert client.take() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello world"
    assert client.transport.halfClosed

    keep = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    client, _ = makeWorld(target=FIXED).exchange(keep, ok(b"hi"))
    assert client.take() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi"
    assert not client.closed


def test_http10KeepAliveIsNotForAForwardProxy(makeWorld: MakeWorld) -> None:
    """What an HTTP/1.0 client says of its connection it may have meant for another (RFC 9112, 9.3)."""
    request = GET.replace(b"HTTP/1.1", b"HTTP/1.0")[:-2] + b"Connection: keep-alive\r\n\r\n"
    client, _ = makeWorld().exchange(request, ok(b"hi"))
    assert b"Connection: close" in client.take()


def test_maxForwards(makeWorld: MakeWorld) -> None:
    """TRACE and OPTIONS that may go no further are answered here; the others go on with one less."""
    world = makeWorld()
    for method, body in ((b"TRACE", b"Accept: x"), (b"OPTIONS", b"")):
        request = method + b" http://o.example/ HTTP/1.1\r\nHost: o.example\r\nAccept: x\r\nCookie: y\r\n"
        client = world.client()
        client.says(request + b"Max-Forwards: 0\r\n\r\n")
        answer = client.take()
        assert status(answer) == 200
        assert body in answer
        assert b"Cookie" not in answer
        assert world.attempts == []
    client, origin = makeWorld().exchange(request + b"Max-Forwards: 3\r\n\r\n")
    assert b"Max-Forwards: 2\r\n" in origin.take()


def test_interimResponses(makeWorld: MakeWorld) -> None:
    """1xx go to an HTTP/1.1 client at once, and never to an HTTP/1.0 client."""
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    client, origin = makeWorld().exchange(GET, interim)
    assert client.take() == interim
    client, origin = makeWorld().exchange(GET.replace(b"HTTP/1.1", b"HTTP/1.0"), interim)
    assert client.take() == b""
    origin.says(ok(b"x"))
    assert status(client.take()) == 200


def test_anInterimResponseWithTheWordIsLeftOut(makeWorld: MakeWorld) -> None:
    """The final one is what is answered for."""
    client, origin = makeWorld().exchange(GET, b"HTTP/1.1 103 Early Hints\r\nLink: SzamHalo\r\n\r\n")
    assert client.take() == b""
    origin.says(ok(b"x"))
    assert status(client.take()) == 200
