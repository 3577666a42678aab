"""
Responses that can not be looked at, or need not be, and what each policy makes of them.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace

import pytest

from labnet.proxy.policy import Holding, Policy, Uninspectable
from labnet.proxy.rules import Pattern, Rule
from labnet.testing import inPieces
from tests.proxy.world import GET, POST, SMALL, WORD, MakeWorld, chunked, ok, status, unchunked


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
        pieces = inPieces(response, step)
        client, _ = makeWorld(policy).exchange(GET, *pieces)
        head, _, received = client.take().partition(b"\r\n\r\n")
        if b"chunked" in head:
            received = unchunked(received)
        assert received == body
        assert not client.closed


@pytest.mark.parametrize("step", [1, 3, 8, 50, 5_000])
def test_cutStopsBeforeTheWord(makeWorld: MakeWorld, step: int) -> None:
    """Not a byte of the word reaches the client, and the connection breaks."""
    policy = replace(SMALL, uninspectable=Uninspectable.CUT)
    response = ok(b"c" * 700 + WORD + b"d" * 700)
    pieces = inPieces(response, step)
    client, origin = makeWorld(policy).exchange(GET, *pieces)
    received = client.take().partition(b"\r\n\r\n")[2]
    if step == 5_000:
        assert received.startswith(b"<!DOCTYPE html>")
        assert WORD not in received
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


#: An expression that takes longer than anybody waits on content like that of L{HARD}.
SLOW = Rule(rb"(a+)+b", Pattern.EXPRESSION, name="too hard", seconds=0.005)
HARD = b"a" * 60


@pytest.mark.parametrize(
    "response",
    [
        ok(HARD),
        ok(gzip.compress(HARD), b"Content-Encoding: gzip"),
        ok(zlib.compress(HARD), b"Content-Encoding: deflate"),
        ok(HARD * 1_000),
        ok(b"x", b"X-Field: " + HARD),
        chunked(b"x", trailers=b"X-Field: " + HARD + b"\r\n"),
        ok(HARD.decode().encode("utf-16")),
    ],
    ids=["body", "gzip", "deflate", "long body", "head", "trailers", "utf-16"],
)
@pytest.mark.parametrize("policy", list(Uninspectable))
def test_aRuleThatTakesTooLong(makeWorld: MakeWorld, response: bytes, policy: Uninspectable) -> None:
    """What can not be decided in time follows the policy, and the rule is named."""
    client, _ = makeWorld(Policy(rules=(SLOW,), uninspectable=policy)).exchange(GET, response)
    answer = client.take()
    if policy is Uninspectable.PASS:
        assert status(answer) == 200
    else:
        assert status(answer) == 502
        assert b"it takes too long to look for too hard" in answer


def test_whatASlowRuleDoesNotHide(makeWorld: MakeWorld) -> None:
    """What another rule blocks is blocked, also where what can not be looked at may pass."""
    policy = Policy(rules=(SLOW, Rule(b"b{3}c", Pattern.EXPRESSION)), uninspectable=Uninspectable.PASS)
    for response in (ok(HARD + b" bbbc"), ok(b"x", b"X-Field: " + HARD, b"X-Other: bbbc")):
        client, _ = makeWorld(policy).exchange(GET, response)
        assert status(client.take()) == 404


def test_aStreamIsCutWhereARuleTakesTooLong(makeWorld: MakeWorld) -> None:
    """What was decided before has gone out; with what is not, the connection breaks off."""
    rule = replace(SLOW, longest=100)
    policy = replace(SMALL, rules=(rule,), uninspectable=Uninspectable.CUT)
    client, origin = makeWorld(policy).exchange(GET, ok(b"x" * 1_000 + HARD * 20)[:-1_200], HARD * 10)
    received = client.take().partition(b"\r\n\r\n")[2]
    assert received.startswith(b"x" * 700)
    assert b"a" not in received
    assert client.aborted
    assert origin.aborted


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (GET.replace(b"/page", b"/" + HARD), 403),
        (POST + b"Content-Length: 60\r\n\r\n" + HARD, 415),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Field: " + HARD + b"\r\n\r\n", 415),
    ],
    ids=["head", "body", "trailers"],
)
def test_aRequestForWhichARuleTakesTooLong(makeWorld: MakeWorld, request_: bytes, expected: int) -> None:
    """It reaches no origin, whatever the policy."""
    policy = Policy(rules=(SLOW,), inspectRequest=True, uninspectable=Uninspectable.PASS)
    world = makeWorld(policy)
    client = world.client()
    client.says(request_)
    assert status(client.take()) == expected
    assert world.attempts == []


def test_interimResponsesForWhichARuleTakesTooLong(makeWorld: MakeWorld) -> None:
    """They are left out, as with a blocked string."""
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: " + HARD + b"\r\n\r\n"
    client, _ = makeWorld(Policy(rules=(SLOW,))).exchange(GET, interim, ok(b"clean"))
    assert client.take().startswith(b"HTTP/1.1 200 OK\r\n")
