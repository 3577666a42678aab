"""
One request and its response, end to end: what a client sends, what the origin sees, and what comes back.
"""

from __future__ import annotations

import gc
import gzip
import weakref
from collections.abc import Callable

import pytest

from labnet.proxy.policy import COURSE_404, Policy
from labnet.proxy.server import ProxyConnection
from labnet.testing import inPieces
from tests.proxy.world import BAD, GET, POST, WORD, MakeWorld, Side, World, chunked, ok, status


def test_aPageGoesThrough(makeWorld: MakeWorld) -> None:
    """The request reaches the origin in origin-form, and the page comes back in one write."""
    client, origin = makeWorld().exchange(GET)
    assert origin.take() == b"GET /page HTTP/1.1\r\nHost: origin.example\r\n\r\n"
    origin.says(ok(b"hello"))
    assert len(client.transport.pieces) == 1
    assert client.take() == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    assert not client.closed


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("response", "body"),
    [
        (ok(b"hello world"), b"hello world"),
        (chunked(b"hello", b" ", b"world"), b"hello world"),
        (ok(gzip.compress(b"x" * 500), b"Content-Encoding: gzip"), gzip.compress(b"x" * 500)),
    ],
)
def test_anySegmentation(makeWorld: MakeWorld, response: bytes, body: bytes, step: int) -> None:
    """However the request and the response are cut, the client gets the same page."""
    world = makeWorld()
    client = world.client()
    for piece in inPieces(GET, step):
        client.says(piece)
    origin = world.origin()
    for piece in inPieces(response, step):
        origin.says(piece)
    head, _, received = client.take().partition(b"\r\n\r\n")
    assert received == body
    assert b"Content-Length: %d" % len(body) in head
    assert b"chunked" not in head


@pytest.mark.parametrize("step", [1, 5, 8, 10_000])
@pytest.mark.parametrize(
    "response",
    [
        ok(BAD),
        ok(b"fine", b"X-Mark: a SzamHalo b"),
        b"HTTP/1.1 200 SzamHalo\r\nContent-Length: 0\r\n\r\n",
        chunked(BAD[:60], BAD[60:]),
        chunked(b"clean", trailers=b"X-Late: SzamHalo\r\n"),
        ok(gzip.compress(BAD), b"Content-Encoding: gzip"),
        ok(gzip.compress(BAD[:58]) + gzip.compress(BAD[58:]), b"Content-Encoding: gzip"),
    ],
    ids=["body", "field", "reason", "chunks", "trailer", "gzip", "gzip members"],
)
def test_theWordNeverReachesTheClient(makeWorld: MakeWorld, response: bytes, step: int) -> None:
    """Wherever the word is and however the response is cut, the client gets the 404 and nothing else."""
    world = makeWorld()
    pieces = inPieces(response, step)
    client, origin = world.exchange(GET, *pieces)
    answer = client.take()
    assert status(answer) == 404
    page = answer.partition(b"\r\n\r\n")[2]
    assert page.startswith(b"<!DOCTYPE html>")
    assert b"SzamHalo" not in page
    assert b'X-Labnet-Filter: blocked; rule="SzamHalo"' in answer
    assert not client.closed
    assert origin.closed or origin.protocol in [c for w in world.factory.pool._idle.values() for c in w]


def test_whereTheWordWasFound(makeWorld: MakeWorld) -> None:
    """The field tells rule, place, offset in the decoded content, and coding."""
    client, _ = makeWorld().exchange(GET, ok(gzip.compress(BAD), b"Content-Encoding: gzip"))
    line = b'X-Labnet-Filter: blocked; rule="SzamHalo"; where="body"; offset=56; coding="gzip"\r\n'
    assert line in client.take()


def test_theCoursesExactAnswer(makeWorld: MakeWorld) -> None:
    """With course404 the client gets the course's 160 bytes, and the connection ends."""
    client, _ = makeWorld(Policy(course404=True)).exchange(GET, ok(BAD))
    assert client.take() == COURSE_404
    assert len(COURSE_404) == 160
    assert client.transport.halfClosed


def test_aCleanCloseDelimitedPage(makeWorld: MakeWorld) -> None:
    """A body that ends with the connection is complete when that ends in good order."""
    client, origin = makeWorld().exchange(GET, b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello ", b"world")
    assert client.take() == b""
    origin.leaves()
    assert client.take() == b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 11\r\n\r\nhello world"


@pytest.mark.parametrize(
    "response",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", chunked(b"hello")[:-1], b"HTTP/1.1 200"],
    ids=["length", "chunked", "head"],
)
def test_aTruncatedResponseIsNotPassedOn(makeWorld: MakeWorld, response: bytes) -> None:
    """A response that ends too early is answered with 502."""
    client, origin = makeWorld().exchange(GET, response)
    origin.leaves()
    assert status(client.take()) == 502


def test_aResetIsNoEnd(makeWorld: MakeWorld) -> None:
    """A body that would end with the connection does not end with a reset."""
    client, origin = makeWorld().exchange(GET, b"HTTP/1.0 200 OK\r\n\r\nhello")
    origin.breaks()
    assert status(client.take()) == 502


@pytest.mark.parametrize(
    "response",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    ],
)
def test_anOriginThatMakesNoSense(makeWorld: MakeWorld, response: bytes) -> None:
    """What is no HTTP, or could be read in two ways, is answered with 502, and that origin is left."""
    client, origin = makeWorld().exchange(GET, response)
    assert status(client.take()) == 502
    assert origin.aborted


@pytest.mark.parametrize(
    ("method", "response"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 99\r\n\r\n"),
    ],
)
def test_responsesWithoutABody(makeWorld: MakeWorld, method: bytes, response: bytes) -> None:
    """They end with their head, and go through unchanged; the next request is answered, too."""
    client, origin = makeWorld().exchange(GET.replace(b"GET", method), response)
    assert client.take() == response
    client.says(GET)
    origin.take()
    origin.says(ok(b"next"))
    assert client.take().endswith(b"next")


def test_hopByHopFieldsStayBehind(makeWorld: MakeWorld) -> None:
    """The fields of one connection, and those that Connection names, go no further, in both directions."""
    hop = b"Connection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: x\r\nUpgrade: h2c\r\n"
    request = GET[:-2] + hop + b"Proxy-Authorization: Basic eDp5\r\nCookie: a=b\r\n\r\n"
    client, origin = makeWorld().exchange(request)
    assert origin.take() == b"GET /page HTTP/1.1\r\nHost: origin.example\r\nCookie: a=b\r\n\r\n"
    origin.says(ok(b"hi", *hop.strip().split(b"\r\n"), b"Set-Cookie: c"))
    answer = client.take()
    assert answer == (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: c\r\nConnection: close\r\n\r\nhi"
    )


def _passes(client: Side, world: World) -> None:
    world.origin().says(ok(gzip.compress(b"clean"), b"Content-Encoding: gzip"))


def _isBlocked(client: Side, world: World) -> None:
    world.origin().says(ok(WORD))


def _isLeft(client: Side, world: World) -> None:
    world.origin().says(ok(b"half of it")[:-5])
    client.breaks()


def _failsToReach(client: Side, world: World) -> None:
    world.attempts[-1].fail(ConnectionRefusedError())


@pytest.mark.parametrize("ends", [_passes, _isBlocked, _isLeft, _failsToReach])
@pytest.mark.parametrize("request_", [GET, POST + b"Content-Length: 2\r\n\r\nhi"])
def test_whatIsOverWaitsForNoCollector(
    makeWorld: MakeWorld, ends: Callable[[Side, World], None], request_: bytes
) -> None:
    """An exchange goes as soon as it is over, and the body that it holds with it: no cycle keeps it."""
    world = makeWorld(Policy(inspectRequest=True))
    client = world.client()
    gc.collect()
    gc.disable()
    try:
        client.says(request_)
        assert isinstance(client.protocol, ProxyConnection)
        assert client.protocol._exchange is not None
        exchange = weakref.ref(client.protocol._exchange)
        ends(client, world)
        world.attempts.clear()
        assert exchange() is None
    finally:
        gc.enable()
