"""
Requests that are refused, and how much is taken ahead.
"""

from __future__ import annotations

import pytest

from tests.proxy.world import GET, POST, MakeWorld, ok, status


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET http://user:pw@o/ HTTP/1.1\r\nHost: o\r\n\r\n", 400),
        (b"GET http://o/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http://o/ HTTP/1.1\r\nHost: o\r\nHost: p\r\n\r\n", 400),
        (b"GET http://o/ HTTP/1.1\nHost: o\n\n", 400),
        (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"GET http://o/ HTTP/2.0\r\nHost: o\r\n\r\n", 505),
        (b"GET http://o/" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: o\r\n\r\n", 414),
        (b"GET http://o/ HTTP/1.1\r\nHost: o\r\nX: " + b"a" * 70_000, 431),
        (b"GET http://o/ HTTP/1.1\r\nHost: o\r\n" + b"X: y\r\n" * 300 + b"\r\n", 431),
        (b"CONNECT o HTTP/1.1\r\nHost: o\r\n\r\n", 400),
        (b"CONNECT o:25 HTTP/1.1\r\nHost: o\r\n\r\n", 403),
    ],
)
def test_badRequestsAreAnswered(makeWorld: MakeWorld, request_: bytes, expected: int) -> None:
    """Each with its status; nothing reaches an origin, and the connection ends gently."""
    world = makeWorld()
    client = world.client()
    client.says(request_)
    answer = client.take()
    assert status(answer) == expected
    assert b"Connection: close" in answer
    assert world.attempts == []
    assert client.transport.halfClosed
    client.says(GET)
    assert client.take() == b""


@pytest.mark.parametrize(
    ("first", "said"), [(b"\x16\x03\x01\x02", b"TLS"), (b"\x05\x01\x00", b"SOCKS"), (b"\x04\x01", b"SOCKS")]
)
def test_whoSpeaksSomethingElseIsToldSoAtOnce(makeWorld: MakeWorld, first: bytes, said: bytes) -> None:
    """No request can begin so: nobody waits for its end."""
    client = makeWorld().client()
    client.says(first)
    answer = client.take()
    assert status(answer) == 400
    assert b"what comes is " + said in answer
    assert client.transport.halfClosed


def test_aGoodRequestBeforeABadOne(makeWorld: MakeWorld) -> None:
    """The good one is answered first, then the bad one, then the connection ends."""
    world = makeWorld()
    client = world.client()
    client.says(GET + b"GARBAGE\r\n\r\n")
    world.origin().says(ok(b"good"))
    first, _, second = client.take().partition(b"good")
    assert status(first) == 200
    assert status(second) == 400


def test_aBadChunkInTheMiddleOfAnUpload(makeWorld: MakeWorld) -> None:
    """400 to the client, and the origin's connection breaks, so that it can not take it for the whole."""
    client, origin = makeWorld().exchange(POST + b"Content-Length: 0\r\n\r\n", ok(b"HTTP/1.1"))
    client.take()
    client.says(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    client.says(b"zz\r\n")
    assert status(client.take()) == 400
    assert origin.aborted


def test_aLoopIsRecognised(makeWorld: MakeWorld) -> None:
    """A request that has been here before, by its Via field, is refused."""
    world = makeWorld()
    client = world.client()
    client.says(GET[:-2] + b"Via: 1.1 other, 1.1 " + world.factory.name + b"\r\n\r\n")
    assert status(client.take()) == 508


def test_readingAheadIsBounded(makeWorld: MakeWorld) -> None:
    """A client that pipelines without end is not read from while one answer is outstanding."""
    world = makeWorld()
    client, origin = world.exchange(GET + GET * 2_000)
    assert not client.transport.reading
    origin.says(ok(b"x"))
    assert not client.transport.reading
    assert len(client.take()) < 100


def test_pipeliningWithoutReadingIsBounded(makeWorld: MakeWorld) -> None:
    """No further request is begun for a client that does not read its answers."""
    world = makeWorld()
    client, origin = world.exchange(GET * 3)
    client.fillsAt(500)
    origin.says(ok(b"x" * 1_000))
    asked = origin.take()
    assert asked.count(b"GET ") == 1
    client.drained()
    assert origin.take().count(b"GET ") == 1
