"""
Responses that have no end, or may have none: nobody waits for it.
"""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest

from labnet.proxy.policy import Holding, Policy, Uninspectable
from labnet.proxy.rules import Rule
from tests.proxy.world import GET, MakeWorld, chunked, status

CUT = Policy(uninspectable=Uninspectable.CUT)
PASS = Policy(uninspectable=Uninspectable.PASS)
EVENTS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
PARTS = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=x\r\n\r\n"
ENDLESS = b"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n"


def event(text: bytes) -> bytes:
    data = b"data: " + text + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize(
    ("policy", "coding"),
    [(Policy(), b""), (Policy(), b"Content-Encoding: gzip\r\n"), (CUT, b"Content-Encoding: gzip\r\n")],
    ids=["block", "block gzip", "cut gzip"],
)
def test_aStreamThatEndsIsLookedAt(makeWorld: MakeWorld, policy: Policy, coding: bytes) -> None:
    """As what a program that talks says: it arrives when it has come to its end, or is blocked."""
    for text in (b"clean", b"SzamHalo"):
        client, origin = makeWorld(policy).exchange(GET, EVENTS[:-2] + coding + b"\r\n")
        data = b"data: " + text + b"\n\n"
        data = gzip.compress(data) if coding else data
        origin.says(b"%x\r\n%b\r\n" % (len(data), data))
        if text == b"SzamHalo":
            assert status(client.take()) == 404
        else:
            assert client.take() == b""
            origin.says(b"0\r\n\r\n")
            assert client.take().endswith(data)


@pytest.mark.parametrize("head", [EVENTS, PARTS])
def test_aStreamThatDoesNotEndIsRefused(makeWorld: MakeWorld, head: bytes) -> None:
    """When its time is over; at once, where there is no such time."""
    world = makeWorld(Policy(holding=Holding(seconds=30)))
    client, origin = world.exchange(GET, head)
    world.pump(29)
    assert client.take() == b""
    world.pump(2)
    assert b"the response can not be looked at: no end within 30 s" in client.take()
    assert origin.aborted

    client, origin = makeWorld(Policy(holding=Holding(seconds=0))).exchange(GET, head)
    assert b"the response can not be looked at: a stream that may have no end" in client.take()
    assert origin.aborted
    assert not client.closed


def test_aStreamIsCutAtTheWord(makeWorld: MakeWorld) -> None:
    """Each event goes on at once and whole, with the head before the first; not a byte of the word does."""
    client, origin = makeWorld(CUT).exchange(GET, EVENTS)
    assert status(client.take()) == 200
    for text in (b"one", b"two", b"Szam", b"alo"):
        origin.says(event(text))
        assert client.take() == event(text)
    origin.says(event(b"a SzamHalo")[:-8])
    assert b"Szam" not in client.take()
    origin.says(event(b"a SzamHalo")[-8:])
    assert client.take() == b""
    assert client.aborted
    assert origin.aborted


def test_whatTheWordCouldBeginWithWaits(makeWorld: MakeWorld) -> None:
    """And goes on when it has not begun."""
    client, origin = makeWorld(CUT).exchange(GET, PARTS)
    client.take()
    origin.says(b"abc Szam")
    assert client.take() == b"4\r\nabc \r\n"
    origin.says(b"bathely")
    assert client.take() == b"b\r\nSzambathely\r\n"
    origin.says(b"S")
    assert client.take() == b""
    origin.leaves()
    assert client.take() == b"1\r\nS\r\n0\r\n\r\n"


def test_aStreamPassesWhereItMay(makeWorld: MakeWorld) -> None:
    client, origin = makeWorld(PASS).exchange(GET, EVENTS)
    assert status(client.take()) == 200
    origin.says(event(b"SzamHalo"))
    assert client.take() == event(b"SzamHalo")


def test_aStreamOfATypeThatIsNotLookedAt(makeWorld: MakeWorld) -> None:
    policy = Policy(skipTypes=frozenset(("text/event-stream",)))
    client, origin = makeWorld(policy).exchange(GET, EVENTS)
    origin.says(event(b"x"))
    assert client.take().endswith(event(b"x"))


def test_aStreamInACodingCanNotBeCut(makeWorld: MakeWorld) -> None:
    """So none is asked for."""
    request = GET[:-2] + b"Accept: text/event-stream\r\nAccept-Encoding: gzip, br\r\n\r\n"
    _, origin = makeWorld(CUT).exchange(request)
    assert b"\r\nAccept-Encoding: identity\r\n" in origin.take()


def test_aStreamThatSaysHowLongItIsHasAnEnd(makeWorld: MakeWorld) -> None:
    """It is held and looked at as anything else; so is one that is over with its head."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\n"
    client, _ = makeWorld().exchange(GET, head + b"data: x\n\n")
    assert status(client.take()) == 200
    client, _ = makeWorld().exchange(GET, head.replace(b"9", b"0"))
    assert status(client.take()) == 200


# What does not say that it has no end


def test_aBodyOfUnknownLengthIsNotHeldForEver(makeWorld: MakeWorld) -> None:
    """However busily it comes."""
    world = makeWorld(Policy(holding=Holding(seconds=30)))
    client, origin = world.exchange(GET, ENDLESS)
    for _ in range(29):
        origin.says(b"music")
        world.pump(1)
    assert client.take() == b""
    world.pump(2)
    answer = client.take()
    assert status(answer) == 502
    assert b"the response can not be looked at: no end within 30 s" in answer
    assert origin.aborted


def test_aBodyOfUnknownLengthPassesWhereItMay(makeWorld: MakeWorld) -> None:
    """What was held, and what comes then."""
    world = makeWorld(replace(PASS, holding=Holding(memory=10, seconds=30)))
    client, origin = world.exchange(GET, ENDLESS + b"a long song")
    world.pump(31)
    assert client.take().endswith(b"a long song\r\n")
    origin.says(b", and on")
    assert client.take() == b"8\r\n, and on\r\n"
    world.pump(35)
    assert not client.aborted


def test_aBodyOfKnownLengthHasAllTheTimeItNeeds(makeWorld: MakeWorld) -> None:
    """As has one that is held no more, and waits for a slow client."""
    world = makeWorld(Policy(holding=Holding(seconds=10)))
    client, origin = world.exchange(GET, b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n")
    for _ in range(39):
        origin.says(b"x")
        world.pump(1)
    assert client.take() == b""
    origin.says(b"x")
    assert client.take().endswith(b"x" * 40)

    world = makeWorld(Policy(holding=Holding(memory=10, seconds=10)))
    client = world.client()
    client.fillsAt(10)
    client.says(GET)
    world.origin().says(chunked(b"y" * 500_000))
    world.pump(20)
    assert not client.aborted
    while not client.transport.value().endswith(b"y" * 100) or len(client.transport.value()) < 500_000:
        client.drained()


def test_noLimit(makeWorld: MakeWorld) -> None:
    world = makeWorld(Policy(holding=Holding(seconds=0)))
    client, origin = world.exchange(GET, ENDLESS)
    for _ in range(5):
        origin.says(b"music")
        world.pump(50)
    assert client.take() == b""


def test_manyRulesAndOneBeginning(makeWorld: MakeWorld) -> None:
    """The longest beginning of any of them waits."""
    policy = replace(CUT, rules=(Rule(b"abcx"), Rule(b"bcde"), Rule(b"cdefg")))
    client, origin = makeWorld(policy).exchange(GET, PARTS)
    client.take()
    origin.says(b"--abcd")
    assert client.take() == b"3\r\n--a\r\n"
    origin.says(b"ef")
    assert client.aborted or client.take() == b""
