"""
The fast path does what the plain path does: the same bytes to the client and to the origin, the same ends,
the same records, whatever comes in whatever pieces.
"""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from labnet.proxy.decoding import DecodingLimits
from labnet.proxy.journal import Record
from labnet.proxy.policy import Holding, Policy, Uninspectable
from labnet.proxy.rules import Conditions, Pattern, Rule
from labnet.proxy.server import ProxyConnection
from labnet.testing.strategies import segmented
from tests.proxy.world import BAD, FIXED, GET, WORD, World, ok

DATE = b"Date: Sat, 28 Nov 2026 12:00:00 GMT"
PAGE = ok(b"<p>good</p>", DATE, b"Content-Type: text/html")


class Records:
    """A journal that keeps what it hears, without the times of this machine."""

    def __init__(self) -> None:
        self.kept: list[tuple[object, ...]] = []

    def ended(self, record: Record) -> None:
        found = record._replace(connection=0, at=0.0, inspection=record.inspection is not None and 0.0)
        head = found.request
        request = head and (head.method, head.target, head.fields.lines, head.raw)
        response = found.response and found.response.raw
        self.kept.append(tuple(found._replace(request=request, response=response)))  # type: ignore[arg-type]


def play(actions: list[tuple[str, Any]], fast: bool, policy: Policy | None, fixed: bool) -> tuple[Any, ...]:
    """
    Let a client and an origin, whose connections have served once, do what C{actions} say.

    @return: what came of it, and whether the fast path was taken at any time.
    """
    clock, records = Clock(), Records()
    world = World(clock, policy, target=FIXED if fixed else None)
    world.factory.fast = fast
    world.factory.policy = world.factory.policy
    world.factory.journal = records
    host = b"site.example:8000" if fixed else b"origin.example"
    first = b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host if fixed else GET
    client, origin = world.exchange(first, PAGE)
    client.take()
    origin.take()
    took = False
    for what, argument in actions:
        if what == "client" and client.transport.reading and not client.closed and not client.lost:
            client.says(argument)
        elif what == "origin" and origin.transport.reading and not origin.closed and not origin.lost:
            origin.says(argument)
        elif what == "wait":
            world.pump(argument)
        elif what in ("ends", "leaves", "breaks") and not client.lost and not client.closed:
            getattr(client, what)()
        elif what == "gone" and not origin.lost and not origin.closed:
            origin.leaves()
        assert isinstance(client.protocol, ProxyConnection)
        took = took or client.protocol._fast is not None
    world.pump(1)
    seen = (
        [
            client.take(),
            client.closed,
            client.aborted,
            client.transport.halfClosed,
            client.transport.reading,
        ],
        [origin.take(), origin.closed, origin.aborted],
        [attempt.origin for attempt in world.attempts],
        len(world.factory.pool),
    )
    world.end()
    assert not clock.getDelayedCalls()
    return (*seen, records.kept), took


REQUESTS = [
    GET,
    b"GET http://origin.example/other?q=1 HTTP/1.1\r\nHost: origin.example\r\nAccept: */*\r\n\r\n",
    b"GET http://origin.example/ HTTP/1.1\r\nHost: origin.example\r\nConnection: close\r\n\r\n",
    b"GET http://origin.example/ HTTP/1.1\r\nHost: origin.example\r\nProxy-Connection: keep-alive\r\n\r\n",
    b"GET http://origin.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n",
    b"GET http://origin.example/ HTTP/1.1\r\nHost: origin.example\r\nRange: bytes=0-3\r\n\r\n",
    b"GET http://origin.example/ HTTP/1.1\r\nHost: origin.example\r\nContent-Length: 3\r\n\r\nabc",
    b"GET http://origin.example/ HTTP/1.1\r\nHost: origin.example\r\nExpect: 100-continue\r\n\r\n",
    b"GET http://origin.example/ HTTP/1.1\r\nHost: origin.example\r\nConnection: x-y\r\nX-Y: 1\r\n\r\n",
    b"GET http://origin.example/ HTTP/1.1\r\nHost: origin.example\r\nConnection: cache-control\r\n\r\n",
    b"GET http://origin.example/ HTTP/1.1\r\nHost: origin.example\r\nBad Field: 1\r\n\r\n",
    b"GET http://origin.example/#f HTTP/1.1\r\nHost: origin.example\r\n\r\n",
    b"GET http://u@origin.example/ HTTP/1.1\r\nHost: origin.example\r\n\r\n",
    b"GET http://origin.example/ HTTP/1.0\r\n\r\n",
    b"GET http://origin.example/ HTTP/1.1\r\n\r\n",
    b"HEAD http://origin.example/ HTTP/1.1\r\nHost: origin.example\r\n\r\n",
    GET + GET,
    b"GET /path HTTP/1.1\r\nHost: localhost:8080\r\n\r\n",
    b"GET /path HTTP/1.1\r\nHost: site.example:8000\r\nAccept-Encoding: gzip, br, *\r\n\r\n",
    b"GET http://site.example:8000/p HTTP/1.1\r\nHost: site.example:8000\r\n\r\n",
]
RESPONSES = [
    PAGE,
    ok(BAD, DATE),
    ok(b"x", DATE, b"X-Word: " + WORD),
    ok(b"x", DATE, b"Connection: close"),
    ok(b"x", DATE, b"Content-Encoding: identity"),
    ok(b"x", DATE, b"Content-Encoding: gzip"),
    ok(gzip.compress(b"<p>good</p>"), DATE, b"Content-Encoding: gzip"),
    ok(gzip.compress(BAD), DATE, b"Content-Encoding: x-gzip"),
    ok(gzip.compress(bytes(50_000)), DATE, b"Content-Encoding: gzip"),
    ok(gzip.compress(b"<p>good</p>")[:-4], DATE, b"Content-Encoding: gzip"),
    ok(zlib.compress(gzip.compress(b"<p>good</p>")), DATE, b"Content-Encoding: gzip, deflate"),
    ok(b"x", DATE, b"Content-Encoding: compress"),
    ok(b"x", DATE, b"Content-Type: text/html; charset=utf-7"),
    ok(b"<meta charset=iso-2022-jp>", DATE),
    ok(b"x", DATE, b"Location: http://site.example:8000/there"),
    ok(b"x", DATE, b"Connection: keep-alive, x-hop", b"X-Hop: 1", b"Keep-Alive: timeout=5"),
    ok(b"x" * 300, DATE),
    ok(b"S\0z\0a\0m\0H\0a\0l\0o\0", DATE),
    ok(b"x"),
    ok(b""),
    PAGE.replace(b"200 OK", b"404 Not Found"),
    PAGE.replace(b"200 OK", b"206 Partial Content"),
    PAGE.replace(b"200 OK", b"205 Reset Content"),
    PAGE.replace(b"HTTP/1.1", b"HTTP/1.0"),
    PAGE.replace(b"\r\n", b"\n"),
    b"\r\n" + PAGE,
    PAGE + b"more",
    PAGE.replace(b"Content-Type:", b"Content-Length: 11\r\nContent-Type:"),
    PAGE.replace(b"Content-Type:", b"Content-Length: 12\r\nContent-Type:"),
    PAGE.replace(b"Content-Type:", b"Content-Type :"),
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + PAGE,
    b"HTTP/1.1 200 OK\r\n" + DATE + b"\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + DATE + b"\r\n\r\nuntil the end",
    b"HTTP/1.1 304 Not Modified\r\n" + DATE + b"\r\n\r\n",
    b"nonsense\r\n\r\n",
]
POLICIES = [
    None,
    Policy(uninspectable=Uninspectable.CUT),
    Policy(uninspectable=Uninspectable.PASS),
    Policy(holding=Holding(memory=100, disk=200)),
    Policy(rules=(Rule(b"Szam+Halo", Pattern.EXPRESSION), Rule(b"evil"))),
    Policy(rules=(Rule(b"szamhalo", Pattern.FOLDED),)),
    Policy(skipTypes=frozenset(("text/html",))),
    Policy(inspectRequest=True),
    Policy(rules=()),
    Policy(decoding=DecodingLimits(ratioFrom=1_000)),
]


@st.composite
def actions(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """Up to three exchanges, and what may come in between."""
    found: list[tuple[str, Any]] = []
    for _ in range(draw(st.integers(1, 3))):
        request, response = draw(st.sampled_from(REQUESTS)), draw(st.sampled_from(RESPONSES))
        whole = st.booleans()
        found += [("client", piece) for piece in ([request] if draw(whole) else draw(segmented(request)))]
        found += [("origin", piece) for piece in ([response] if draw(whole) else draw(segmented(response)))]
    strays = st.sampled_from(
        [("wait", 1.5), ("wait", 70.0), ("ends", None), ("leaves", None), ("breaks", None), ("gone", None),
         ("client", GET)]
    )  # fmt: skip
    for stray in draw(st.lists(strays, max_size=2)):
        found.insert(draw(st.integers(0, len(found))), stray)
    return found


@given(actions(), st.sampled_from(POLICIES), st.booleans())
@example([("client", GET), ("origin", PAGE[:30]), ("wait", 1.5), ("origin", PAGE[30:])], None, False)
@example([("client", GET), ("origin", PAGE[:-3]), ("gone", None)], None, False)
@example([("client", GET), ("gone", None)], None, False)
@example([("client", GET), ("wait", 70.0)], None, False)
@example([("client", GET), ("client", GET), ("origin", PAGE), ("origin", PAGE)], None, False)
def test_bothPathsAreOne(done: list[tuple[str, Any]], policy: Policy | None, fixed: bool) -> None:
    """Nobody can tell from outside which path was taken, and the journal hears the same."""
    plain, _ = play(done, False, policy, fixed)
    fast, _ = play(done, True, policy, fixed)
    assert fast == plain


PLAIN_HOST = [request for request in REQUESTS if request.startswith(b"GET http://origin.example/ HTTP/1.1")]


@pytest.mark.parametrize("answer", RESPONSES)
@pytest.mark.parametrize("request_", PLAIN_HOST)
def test_everyPair(request_: bytes, answer: bytes) -> None:
    """The same for each request with each response, in one piece, and for a request after it."""
    script = [("client", request_), ("origin", answer), ("client", GET), ("origin", PAGE)]
    assert play(script, True, None, False)[0] == play(script, False, None, False)[0]


@pytest.mark.parametrize("index", range(len(REQUESTS)))
def test_whichRequestsAreFast(index: int) -> None:
    """The ordinary ones go the fast path, and of the others none."""
    _, took = play([("client", REQUESTS[index])], True, None, False)
    assert took is (index in (0, 1, 2, 3, 5, 8))


def test_requestsThatAreLookedAtAreForThePlainPath() -> None:
    """So are those whose response is not looked at."""
    assert play([("client", GET)], True, None, False)[1]
    assert not play([("client", GET)], True, Policy(inspectRequest=True), False)[1]
    elsewhere = Rule(b"evil", where=Conditions(paths=("/a",)))
    assert not play([("client", GET)], True, Policy(rules=(elsewhere,)), False)[1]
    here = Rule(b"evil", where=Conditions(paths=("/p",)))
    assert play([("client", GET)], True, Policy(rules=(here,)), False)[1]


def test_eachPathHasItsRules() -> None:
    """What is remembered of a response for one path is not taken for another's."""
    world = World(Clock(), Policy(rules=(Rule(b"good", where=Conditions(paths=("/b",))), Rule(b"evil"))))
    client, origin = world.exchange(GET, PAGE)
    client.take()
    for path, answer in [(b"a", b"200"), (b"a?x", b"200"), (b"b", b"404")]:
        client.says(GET.replace(b"page", path))
        origin.says(PAGE)
        assert client.take().startswith(b"HTTP/1.1 " + answer)
    world.end()


def test_anotherPolicyIsForTheRequestsAfterIt() -> None:
    """What was asked for under the old rules is answered by them; what comes then, by the new ones."""
    world = World(Clock())
    client, origin = world.exchange(GET, PAGE)
    client.take()
    client.says(GET)
    world.factory.policy = Policy(rules=(Rule(b"good"),))
    origin.says(PAGE)
    assert client.take().startswith(b"HTTP/1.1 200")
    client.says(GET)
    origin.says(PAGE)
    assert client.take().startswith(b"HTTP/1.1 404")
    world.end()


def test_aDateIsOfToday() -> None:
    """Where the origin gives no Date we do, and none that was remembered."""
    world = World(Clock())
    client, origin = world.exchange(GET, PAGE)
    client.take()
    client.says(GET)
    origin.says(ok(b"x"))
    assert b"\r\nDate: " in client.transport.value()
    assert b"1970" not in client.transport.value()
    world.end()


def test_aBugOnTheFastPathIsOneClientsProblem(monkeypatch: pytest.MonkeyPatch, loggedFailures: Any) -> None:
    """The client is answered, the origin's connection is not used again, and the bug is in the log."""
    world = World(Clock())
    client, origin = world.exchange(GET, PAGE)
    client.take()
    monkeypatch.setattr("labnet.proxy.fastpath.isClean", lambda *a: 1 / 0)
    client.says(GET)
    origin.says(PAGE)
    assert client.take().startswith(b"HTTP/1.1 502")
    assert origin.aborted
    assert len(loggedFailures.flush(ZeroDivisionError)) == 1
    world.end()
