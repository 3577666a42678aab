"""
The bodies of requests: streamed or held and looked at, early answers, expectations.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from labnet.proxy.policy import Holding, Policy
from labnet.testing import inPieces
from tests.proxy.world import GET, POST, SMALL, MakeWorld, ok, status

# Bodies of requests


def test_anUploadIsStreamed(makeWorld: MakeWorld) -> None:
    """What the client sends reaches the origin piece by piece, also what came before it was connected."""
    world = makeWorld()
    client = world.client()
    client.says(POST + b"Content-Length: 10\r\n\r\nab")
    client.says(b"cd")
    origin = world.origin()
    assert origin.take().endswith(b"Content-Length: 10\r\n\r\nabcd")
    client.says(b"efghij")
    assert origin.take() == b"efghij"
    origin.says(ok(b"thanks"))
    assert client.take().endswith(b"thanks")
    assert not client.closed


CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"003;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: z\r\n\r\n"
OLD = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_aChunkedUploadStaysChunked(makeWorld: MakeWorld) -> None:
    """
    To an origin that has shown that it speaks HTTP/1.1. Chunks are taken apart and made anew: no
    extension and no odd spelling goes on.
    """
    client, origin = makeWorld().exchange(POST + b"Content-Length: 0\r\n\r\n", ok(b"1.1"))
    origin.take()
    client.says(CHUNKED + CHUNKS[:14])
    assert origin.take().endswith(b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    client.says(CHUNKS[14:])
    assert origin.take() == b"2\r\nde\r\n0\r\n\r\n"


@pytest.mark.parametrize("known", [b"", OLD], ids=["unknown", "HTTP/1.0"])
def test_aChunkedUploadToWhoMayNotKnowChunks(makeWorld: MakeWorld, known: bytes) -> None:
    """It is held until its length is known, whatever is in it, and goes with that (RFC 9112, 6.1)."""
    world = makeWorld()
    if known:
        world.exchange(POST + b"Content-Length: 0\r\n\r\n", known)
    attempts = len(world.attempts)
    client = world.client()
    client.says(CHUNKED[:-2] + b"Content-Encoding: rot13\r\nExpect: 100-continue\r\n\r\n")
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.says(CHUNKS[:14])
    assert len(world.attempts) == attempts
    client.says(CHUNKS[14:])
    asked = world.origin().take()
    assert b"Transfer-Encoding" not in asked
    assert asked.endswith(b"Content-Encoding: rot13\r\nContent-Length: 5\r\n\r\nabcde")


def test_anOriginMayGrowOld(makeWorld: MakeWorld) -> None:
    """What it said last counts; and it is this origin that said it."""
    world = makeWorld()
    modern = ok(b"1.1", b"Connection: close")
    for answer, held in ((modern, False), (OLD, True), (modern, False)):
        world.exchange(POST + b"Content-Length: 0\r\n\r\n", answer)
        attempts = len(world.attempts)
        client = world.client()
        client.says(CHUNKED)
        assert (len(world.attempts) == attempts) is held
    client = world.client()
    attempts = len(world.attempts)
    client.says(CHUNKED.replace(b"o.example", b"p.example"))
    assert len(world.attempts) == attempts


def test_aChunkedUploadThatIsTooLongToHold(makeWorld: MakeWorld) -> None:
    """Whoever says its length can send it: 411."""
    world = makeWorld(replace(SMALL, rules=()))
    client = world.client()
    client.says(CHUNKED + b"3e8\r\n" + b"x" * 1_000 + b"\r\n")
    assert client.take() == b""
    client.says(b"1\r\nx\r\n")
    assert status(client.take()) == 411
    assert world.attempts == []


def test_aSlowOriginHoldsTheUploadBack(makeWorld: MakeWorld) -> None:
    """When the origin does not read, the client is not read from until it does again."""
    client, origin = makeWorld().exchange(POST + b"Content-Length: 1000000\r\n\r\n")
    origin.full()
    assert not client.transport.reading
    origin.drained()
    assert client.transport.reading


def test_anUploadBeforeTheConnectionIsBounded(makeWorld: MakeWorld) -> None:
    """While the origin is being reached only 64 KiB are taken."""
    world = makeWorld()
    client = world.client()
    client.says(POST + b"Content-Length: 1000000\r\n\r\n")
    client.says(b"x" * 65_537)
    assert not client.transport.reading
    origin = world.origin()
    assert client.transport.reading
    assert len(origin.take().partition(b"\r\n\r\n")[2]) == 65_537


def test_anAnswerBeforeTheEndOfTheRequest(makeWorld: MakeWorld) -> None:
    """It reaches the client, and both connections end, because nobody waits for the rest."""
    client, origin = makeWorld().exchange(POST + b"Content-Length: 100\r\n\r\nabc", ok(b"too much"))
    answer = client.take()
    assert b"Connection: close" in answer
    assert answer.endswith(b"too much")
    assert origin.closed
    assert client.transport.halfClosed
    client.says(b"more of the upload")
    assert not client.closed


def test_expectContinueGoesToTheOrigin(makeWorld: MakeWorld) -> None:
    """The origin decides about Expect: 100-continue."""
    client, origin = makeWorld().exchange(POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert b"Expect: 100-continue\r\n" in origin.take()
    origin.says(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.says(b"hi")
    assert origin.take() == b"hi"


def test_tooLargeARequest(makeWorld: MakeWorld) -> None:
    """A body beyond the limit is answered with 413."""
    client, origin = makeWorld(Policy(mostRequestBody=5)).exchange(POST + b"Content-Length: 6\r\n\r\nabc")
    client.says(b"def")
    assert status(client.take()) == 413
    assert origin.aborted


# Requests that are looked at

LOOK = Policy(inspectRequest=True)


@pytest.mark.parametrize("step", [1, 4, 1000])
@pytest.mark.parametrize(
    "request_",
    [
        b"GET http://o.example/SzamHalo HTTP/1.1\r\nHost: o.example\r\n\r\n",
        b"GET http://o.example/Szam%48alo HTTP/1.1\r\nHost: o.example\r\n\r\n",
        GET[:-2] + b"Cookie: SzamHalo\r\n\r\n",
        POST + b"Content-Length: 12\r\n\r\nxxSzamHaloxx",
        POST + b"Transfer-Encoding: chunked\r\n\r\n4\r\nSzam\r\n4\r\nHalo\r\n0\r\n\r\n",
    ],
    ids=["target", "encoded", "field", "body", "chunks"],
)
def test_aBlockedRequestReachesNoOrigin(makeWorld: MakeWorld, request_: bytes, step: int) -> None:
    """With inspectRequest the origin does not even see a connection."""
    world = makeWorld(LOOK)
    client = world.client()
    for piece in inPieces(request_, step):
        client.says(piece)
    answer = client.take()
    assert status(answer) == 404
    assert b'where="request"' in answer
    assert world.attempts == []


def test_aCleanRequestIsHeldThenSent(makeWorld: MakeWorld) -> None:
    """A body that was looked at goes to the origin whole, and the client is told to send it."""
    world = makeWorld(LOOK)
    client = world.client()
    client.says(POST + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.says(b"5\r\nhello\r\n0\r\n\r\n")
    origin = world.origin()
    assert origin.take() == (b"POST / HTTP/1.1\r\nHost: o.example\r\nContent-Length: 5\r\n\r\nhello")


def test_aLongHeldRequestIsSentAsTheOriginReads(makeWorld: MakeWorld) -> None:
    """What waits on disk goes to the origin piece by piece."""
    policy = replace(LOOK, holding=Holding(memory=100, disk=10**7))
    world = makeWorld(policy)
    client = world.client()
    body = bytes(range(256)) * 4_000
    client.says(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    attempt = world.attempts[-1]
    origin = attempt.prepare()
    origin.fillsAt(65_536)
    attempt.done(origin)
    world.sides.append(origin)
    received = origin.take()
    assert len(received) < 400_000
    while len(received) < len(body):
        origin.drained()
        received += origin.take()
    assert received.partition(b"\r\n\r\n")[2] == body
    origin.says(ok(b"thanks"))
    assert client.take().endswith(b"thanks")


@pytest.mark.parametrize(
    "field",
    [
        b"Content-Encoding: rot13",
        b"Content-Encoding: gzip",
        b"Content-Type: text/plain; charset=utf-7",
        b"Content-Range: bytes 0-3/8",
    ],
)
def test_aRequestThatCanNotBeLookedAt(makeWorld: MakeWorld, field: bytes) -> None:
    """It is refused with 415, and reaches no origin."""
    world = makeWorld(LOOK)
    client = world.client()
    client.says(POST + field + b"\r\nContent-Length: 4\r\n\r\n")
    client.says(b"Szam")
    assert status(client.take()) == 415
    assert world.attempts == []
