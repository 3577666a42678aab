"""
The proxy's two protocols together: what a client sends, what the origin sees, and what comes back.
"""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest
from twisted.internet.error import ConnectionRefusedError, DNSLookupError, TimeoutError

from labnet.proxy.inspection import Rule
from labnet.proxy.policy import COURSE_404, COURSE_PAGE, Holding, Policy, Uninspectable
from labnet.proxy.target import Origin
from tests.proxy.world import GET, MakeWorld, chunked, ok

SMALL = Policy(holding=Holding(memory=100, disk=1_000))


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


# One exchange


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
    for at in range(0, len(GET), step):
        client.says(GET[at : at + step])
    origin = world.origin()
    for at in range(0, len(response), step):
        origin.says(response[at : at + step])
    head, _, received = client.take().partition(b"\r\n\r\n")
    assert received == body
    assert b"Content-Length: %d" % len(body) in head
    assert b"chunked" not in head


WORD = b"SzamHalo"
BAD = b"<html>" + b"x" * 50 + WORD + b"y" * 50


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
    pieces = [response[at : at + step] for at in range(0, len(response), step)]
    client, origin = world.exchange(GET, *pieces)
    answer = client.take()
    assert status(answer) == 404
    assert answer.endswith(b"\r\n\r\n" + COURSE_PAGE)
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


# Connections that are kept


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
        b"POST http://origin.example/ HTTP/1.1\r\nHost: o\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    origin.leaves()
    assert status(client.take()) == 502
    assert len(world.attempts) == 1


def test_waitingOriginConnectionsAreClosedInTime(makeWorld: MakeWorld) -> None:
    """A connection in the pool ends after its idle time, and no timer stays."""
    world = makeWorld()
    _, origin = world.exchange(GET, ok(b"a"))
    world.pump(30)
    assert origin.aborted
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


# Bodies of requests

POST = b"POST http://o.example/ HTTP/1.1\r\nHost: o.example\r\n"


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


def test_aChunkedUploadStaysChunked(makeWorld: MakeWorld) -> None:
    """Chunks are taken apart and made anew: no extension and no odd spelling goes on."""
    client, origin = makeWorld().exchange(POST + b"Transfer-Encoding: chunked\r\n\r\n003;x=y\r\nabc\r\n")
    client.says(b"2\r\nde\r\n0\r\n\r\n")
    _, _, body = origin.take().partition(b"\r\n\r\n")
    assert body == b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


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
    for at in range(0, len(request_), step):
        client.says(request_[at : at + step])
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


@pytest.mark.parametrize("coding", [b"rot13", b"gzip"])
def test_aRequestThatCanNotBeLookedAt(makeWorld: MakeWorld, coding: bytes) -> None:
    """It is refused with 415."""
    world = makeWorld(LOOK)
    client = world.client()
    client.says(POST + b"Content-Encoding: %b\r\nContent-Length: 4\r\n\r\n" % coding)
    client.says(b"junk")
    assert status(client.take()) == 415


# What can not be looked at


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (ok(b"x", b"Content-Encoding: rot13"), b"unknown content coding"),
        (ok(b"not gzip", b"Content-Encoding: gzip"), b"damaged"),
        (ok(gzip.compress(b"abc")[:-3], b"Content-Encoding: gzip"), b"too early"),
        (ok(b"y" * 1_001), b"over 1000 bytes"),
        (b"HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\n\r\nSzam", b"206"),
    ],
    ids=["coding", "damaged", "truncated", "too large", "partial"],
)
def test_theUninspectableIsRefused(makeWorld: MakeWorld, response: bytes, why: bytes) -> None:
    """By default it is answered with 502 and the reason; with pass it goes through."""
    client, _ = makeWorld(SMALL).exchange(GET, response)
    answer = client.take()
    assert status(answer) == 502
    assert why in answer

    passing = replace(SMALL, uninspectable=Uninspectable.PASS)
    client, _ = makeWorld(passing).exchange(GET, response)
    assert client.take().partition(b"\r\n\r\n")[2] == response.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("step", [1, 3, 50, 5_000])
def test_cutPassesOnWhatIsClean(makeWorld: MakeWorld, step: int) -> None:
    """With cut a large page is streamed, whole and unchanged, chunked or with its length."""
    body = bytes(range(256)) * 10
    for response in (ok(body), chunked(body)):
        policy = replace(SMALL, uninspectable=Uninspectable.CUT)
        pieces = [response[at : at + step] for at in range(0, len(response), step)]
        client, _ = makeWorld(policy).exchange(GET, *pieces)
        head, _, received = client.take().partition(b"\r\n\r\n")
        if b"chunked" in head:
            received = unchunked(received)
        assert received == body
        assert not client.closed


def unchunked(data: bytes) -> bytes:
    content = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        if size == b"0":
            assert data == b"\r\n"
            return content
        content += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]


@pytest.mark.parametrize("step", [1, 3, 8, 50, 5_000])
def test_cutStopsBeforeTheWord(makeWorld: MakeWorld, step: int) -> None:
    """Not a byte of the word reaches the client, and the connection breaks."""
    policy = replace(SMALL, uninspectable=Uninspectable.CUT)
    response = ok(b"c" * 700 + WORD + b"d" * 700)
    pieces = [response[at : at + step] for at in range(0, len(response), step)]
    client, origin = makeWorld(policy).exchange(GET, *pieces)
    received = client.take().partition(b"\r\n\r\n")[2]
    if step == 5_000:
        assert received == COURSE_PAGE
    else:
        assert set(received) == {ord("c")}
        assert client.aborted
    assert origin.aborted


def test_aTypeThatIsNotLookedAtIsStreamed(makeWorld: MakeWorld) -> None:
    """Its pieces go through as they come, and a client that does not read holds the origin back."""
    policy = Policy(skipTypes=frozenset(("video/*",)))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: Video/MP4; x=y\r\nContent-Length: 1000\r\n\r\n"
    client, origin = makeWorld(policy).exchange(GET, head + b"SzamHalo")
    assert client.take().endswith(b"\r\n\r\nSzamHalo")
    client.full()
    assert not origin.transport.reading
    client.drained()
    assert origin.transport.reading


def test_aLongBodyWaitsOnDisk(makeWorld: MakeWorld) -> None:
    """What does not fit into memory is sent from a file, as fast as the client reads."""
    policy = replace(SMALL, holding=Holding(memory=100, disk=10**7))
    body = bytes(range(256)) * 4_000
    client, origin = makeWorld(policy).exchange(GET, ok(body)[:-1])
    assert client.take() == b""
    client.fillsAt(65_536)
    origin.says(body[-1:])
    first = client.take()
    assert 65_536 < len(first) < 400_000
    received = first
    while not received.endswith(body[-1:]) or len(received) < len(body):
        client.drained()
        received += client.take()
    assert received.partition(b"\r\n\r\n")[2] == body


def test_noRules(makeWorld: MakeWorld) -> None:
    """Without rules everything is streamed, and ranges are left alone."""
    request = GET[:-2] + b"Range: bytes=0-3\r\nAccept-Encoding: rot13\r\n\r\n"
    client, origin = makeWorld(Policy(rules=())).exchange(request)
    assert b"Range: bytes=0-3\r\nAccept-Encoding: rot13\r\n" in origin.take()
    origin.says(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\n\r\nSzam")
    assert client.take().endswith(b"\r\n\r\nSzam")


def test_rangesAndUnknownCodingsAreNotAskedFor(makeWorld: MakeWorld) -> None:
    """A page that is looked at is asked for whole, in a coding that can be undone."""
    _, origin = makeWorld().exchange(GET[:-2] + b"Range: bytes=0-3\r\nAccept-Encoding: rot13, gzip\r\n\r\n")
    asked = origin.take()
    assert b"Range" not in asked
    assert b"Accept-Encoding: gzip\r\n" in asked


def test_severalRules(makeWorld: MakeWorld) -> None:
    """The answer names the rule that was met."""
    policy = Policy(rules=(Rule(b"one"), Rule(b"two")))
    client, _ = makeWorld(policy).exchange(GET, ok(b"only two here"))
    assert b'rule="two"; where="body"; offset=5' in client.take()


# Errors of origins, and time


@pytest.mark.parametrize(
    ("error", "expected"),
    [(ConnectionRefusedError(), 502), (DNSLookupError(), 502), (TimeoutError(), 504)],
)
def test_anOriginThatIsNotReached(makeWorld: MakeWorld, error: Exception, expected: int) -> None:
    """502 for one that can not be reached, 504 for one that does not answer; the client stays."""
    world = makeWorld()
    client = world.client()
    client.says(GET)
    world.attempts[0].fail(error)
    answer = client.take()
    assert status(answer) == expected
    assert b"X-Labnet-Filter: refused; why=" in answer
    assert not client.closed


def test_aSilentOrigin(makeWorld: MakeWorld) -> None:
    """An origin that accepts and says nothing is answered for with 504."""
    world = makeWorld()
    client, origin = world.exchange(GET)
    world.pump(59)
    assert client.take() == b""
    world.pump(2)
    assert status(client.take()) == 504
    assert origin.aborted


def test_anOriginThatStopsInTheMiddle(makeWorld: MakeWorld) -> None:
    """504, too, as long as nothing was passed on."""
    world = makeWorld()
    client, origin = world.exchange(GET)
    for _ in range(3):
        world.pump(40)
        origin.says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"[:10] if _ == 0 else b"")
    assert status(client.take()) == 504


def test_aSlowHead(makeWorld: MakeWorld) -> None:
    """A head that comes byte by byte has 20 seconds in all, then it is answered with 408."""
    world = makeWorld()
    client = world.client()
    for byte in GET[:19]:
        client.says(bytes([byte]))
        world.clock.advance(1)
    assert client.take() == b""
    world.pump(2)
    assert status(client.take()) == 408
    assert client.transport.halfClosed
    world.pump(3)
    assert client.aborted


def test_anUploadThatStops(makeWorld: MakeWorld) -> None:
    """408 for a client that stops in the middle of its body; the origin is left."""
    world = makeWorld()
    client, origin = world.exchange(POST + b"Content-Length: 100\r\n\r\nabc")
    world.pump(61)
    assert status(client.take()) == 408
    assert origin.aborted


def test_aClientThatDoesNotRead(makeWorld: MakeWorld) -> None:
    """It loses its connection, and the origin's goes with it."""
    world = makeWorld(Policy(rules=()))
    client, origin = world.exchange(GET, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    client.full()
    world.pump(61)
    assert client.aborted
    client.finish()
    assert origin.aborted


def test_anIdleClient(makeWorld: MakeWorld) -> None:
    """A client that asks nothing is let go after the idle time."""
    world = makeWorld(idleTimeout=30.0)
    client = world.client()
    world.pump(31)
    assert client.aborted


# Clients that leave


def test_leavingWhileConnectingCancels(makeWorld: MakeWorld) -> None:
    """A client that leaves cancels the attempt."""
    world = makeWorld()
    client = world.client()
    client.says(GET)
    client.breaks()
    assert world.attempts[0].cancelled


def test_leavingDuringTheAnswerCancels(makeWorld: MakeWorld) -> None:
    """... and ends the origin's connection when there is one."""
    client, origin = makeWorld().exchange(GET, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    client.breaks()
    assert origin.aborted


def test_halfClosingAndWaiting(makeWorld: MakeWorld) -> None:
    """A client that ends only its half gets its answer, then the connection closes."""
    client, origin = makeWorld().exchange(GET)
    client.ends()
    origin.says(ok(b"still here"))
    answer = client.take()
    assert b"Connection: close" in answer
    assert answer.endswith(b"still here")
    assert client.closed


def test_halfClosingIsNotForEver(makeWorld: MakeWorld) -> None:
    """An answer that does not begin in time is cancelled: the client may be gone."""
    world = makeWorld()
    client, origin = world.exchange(GET)
    client.ends()
    world.pump(6)
    assert client.aborted
    client.finish()
    assert origin.aborted


def test_leavingInTheMiddleOfARequest(makeWorld: MakeWorld) -> None:
    """Half a request is not for the origin to wait for."""
    client, origin = makeWorld().exchange(POST + b"Content-Length: 100\r\n\r\nabc")
    client.ends()
    client.finish()
    assert origin.aborted


# Bad requests


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
    client, origin = makeWorld().exchange(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
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


# Fixed target

FIXED = Origin("site.example", 8000)


def test_fixedTarget(makeWorld: MakeWorld) -> None:
    """Every request goes to the one origin, under its name; redirects to it lead back to the proxy."""
    world = makeWorld(target=FIXED)
    client, origin = world.exchange(b"GET /a?b HTTP/1.1\r\nHost: localhost:8080\r\n\r\n")
    assert world.attempts[0].origin == FIXED
    assert origin.take() == b"GET /a?b HTTP/1.1\r\nHost: site.example:8000\r\n\r\n"
    origin.says(ok(b"", b"Location: http://site.example:8000/there"))
    assert b"Location: http://localhost:8080/there\r\n" in client.take()


def test_fixedTargetHasNoTunnels(makeWorld: MakeWorld) -> None:
    """CONNECT is refused with 501."""
    client = makeWorld(target=FIXED).client()
    client.says(b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert status(client.take()) == 501


# Tunnels

CONNECT = b"CONNECT secure.example:443 HTTP/1.1\r\nHost: secure.example:443\r\n\r\n"


def test_aTunnel(makeWorld: MakeWorld) -> None:
    """Bytes go both ways, also those that were sent ahead; half-closes are carried over."""
    world = makeWorld()
    client = world.client()
    client.says(CONNECT + b"early ")
    origin = world.origin()
    assert world.attempts[0].origin == Origin("secure.example", 443)
    assert client.take() == b"HTTP/1.1 200 Connection established\r\n\r\n"
    client.says(b"hello")
    assert origin.take() == b"early hello"
    origin.says(b"SzamHalo")
    assert client.take() == b"SzamHalo"
    client.ends()
    assert origin.transport.halfClosed
    origin.says(b"last words")
    assert client.take() == b"last words"
    origin.ends()
    assert client.closed or client.transport.halfClosed


def test_aTunnelHasBackPressure(makeWorld: MakeWorld) -> None:
    """Whoever does not read stops the other side, and only that."""
    client, origin = makeWorld().exchange(CONNECT)
    client.full()
    assert not origin.transport.reading
    client.drained()
    assert origin.transport.reading
    origin.full()
    assert not client.transport.reading
    origin.drained()
    assert client.transport.reading


def test_aTunnelThatCanNotBeOpened(makeWorld: MakeWorld) -> None:
    """502, as for any other request."""
    world = makeWorld()
    client = world.client()
    client.says(CONNECT)
    world.attempts[0].fail(ConnectionRefusedError())
    assert status(client.take()) == 502


def test_leavingATunnelThatIsBeingOpened(makeWorld: MakeWorld) -> None:
    """The attempt is cancelled."""
    world = makeWorld()
    client = world.client()
    client.says(CONNECT)
    client.breaks()
    assert world.attempts[0].cancelled


# The end of the service


def test_stoppingLetsTheAnswerEnd(makeWorld: MakeWorld) -> None:
    """A request in flight is answered, with Connection: close; an idle client goes at once."""
    world = makeWorld()
    idle = world.client()
    client, origin = world.exchange(GET)
    finished = world.factory.finish()
    world.pump(0.1, 0.001)
    assert idle.closed
    idle.finish()
    assert not client.closed
    origin.says(ok(b"done"))
    assert b"Connection: close" in client.take()
    world.pump(3)
    client.finish()
    origin.finish()
    assert finished.called


def test_aBugIsOneClientsProblem(
    makeWorld: MakeWorld, monkeypatch: pytest.MonkeyPatch, loggedFailures: object
) -> None:
    """An exception in the middle ends that client and no other, and is logged."""
    world = makeWorld()
    other, _ = world.exchange(GET)
    monkeypatch.setattr("labnet.proxy.server.parseRequestHead", lambda *a: 1 / 0)
    client = world.client()
    client.says(GET)
    assert client.aborted
    assert not other.closed
    assert len(loggedFailures.flush(ZeroDivisionError)) == 1  # type: ignore[attr-defined]
