"""
The dashboard's pages: who may ask, for what, and how.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock

from labnet.net.connection import ServiceFactory
from labnet.net.faulting import FaultSwitch
from labnet.net.layers import LayeredEndpoint, Layers
from labnet.net.service import StreamListener
from labnet.net.trace import Happening
from labnet.testing import LoggedFailures
from tests.dashboard.pages import TOKEN, World
from tests.dashboard.traces import IN, REQUEST, begin, talk

PUBLIC = ["/locked.css", "/locked.js"]
ASSETS = ["/dashboard.css", "/dashboard.js", "/ladder.js", "/panels.js", "/words.js"]
LOCKED = ["/", "/events", "/conversation?id=1", "/export.pcapng", "/metrics", "/nothing", *ASSETS]


@pytest.fixture
def world(clock: Clock) -> Iterator[World]:
    world = World(clock, hosts=("lab.example",))
    yield world
    world.close()


# Who may ask


def test_thePage(world: World) -> None:
    """With the token in its URL, once; with a strict policy, no cookie, and nothing from anywhere else."""
    answer = world.ask(f"/?token={TOKEN}", token=None)
    assert answer.status == 200
    head = answer.head.lower()
    assert b"content-security-policy: default-src 'none'; script-src 'self'; style-src 'self';" in head
    assert b"unsafe" not in head
    assert b"frame-ancestors 'none'" in head
    assert b"cache-control: no-store" in head
    assert b"referrer-policy: no-referrer" in head
    assert b"x-content-type-options: nosniff" in head
    assert b"set-cookie" not in head
    assert TOKEN.encode() in answer.body
    assert b"{token}" not in answer.body
    assert b"://" not in answer.body


@pytest.mark.parametrize("path", ASSETS)
def test_whatBelongsToIt(world: World, path: str) -> None:
    """Comes with the token only, is what it says, and makes no markup of what it is told."""
    answer = world.ask(f"{path}?token={TOKEN}", token=None)
    assert answer.status == 200
    assert (b"text/css" if path.endswith("css") else b"text/javascript") in answer.head
    for dangerous in (b"innerHTML", b"outerHTML", b"insertAdjacentHTML", b"document.write", b"eval("):
        assert dangerous not in answer.body


@pytest.mark.parametrize("path", LOCKED)
@pytest.mark.parametrize("token", [None, "", "a", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "%ff"])
def test_nothingWithoutTheToken(world: World, path: str, token: str | None) -> None:
    """Neither in the head nor in the URL is another one taken, and nobody is told what there is."""
    begin(world.trace)
    for answer in (
        world.ask(path, token=token),
        world.ask(f"{path}{'&' if '?' in path else '?'}token={token or ''}", token=None),
    ):
        assert answer.status == 401
        assert b"www-authenticate: bearer" in answer.head.lower()
        assert TOKEN.encode() not in answer.body
        assert b"calculator" not in answer.body
    assert len(world.viewers) == 0


@pytest.mark.parametrize("path", PUBLIC)
def test_whoHasNoTokenIsToldWhereItIs(world: World, path: str) -> None:
    assert b"in the log" in world.ask("/", token=None).body
    assert world.ask(path, token=None).status == 200


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9080", "127.0.0.1:9080", "[::1]:9080", "192.0.2.7", "lab.example:9080"]
)
def test_namesOfThePage(world: World, host: str) -> None:
    assert world.ask("/", host=host).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:9080", "", "[evil]:1", "\xff", "a:b:1"]
)
def test_otherSitesNamesAreNotOurs(world: World, host: str) -> None:
    """A name of somebody else's that was made to lead here gets nothing, with the token or without."""
    for path in (*LOCKED, *PUBLIC):
        for token in (TOKEN, None):
            answer = world.ask(path, host=host, token=token)
            assert answer.status == 421
            assert TOKEN.encode() not in answer.body


def test_onlyWhatThereIs(world: World) -> None:
    assert world.ask("/nothing").status == 404
    assert world.ask("/../etc/passwd").status == 404
    assert world.ask("/locked.html").status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_otherMethods(world: World, method: str) -> None:
    for path in ("/", "/events", "/conversation?id=1"):
        answer = world.ask(path, method)
        assert answer.status == 405
        assert b"allow: get" in answer.head.lower()


def test_whatChangesSomethingNeedsTheTokenInItsHead(world: World) -> None:
    """A form of another site can put it into a URL, if it knows it from somewhere; not there."""
    assert world.ask(f"/?token={TOKEN}", "POST", token=None).status == 401


def test_headIsGetWithoutItsContent(world: World) -> None:
    """And opens no stream."""
    whole = world.ask("/dashboard.css")
    answer = world.ask("/dashboard.css", "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert b"content-length: %d\r\n" % len(whole.body) in answer.head.lower() + b"\r\n"
    assert world.ask("/events", "HEAD").status == 405


# One conversation


def test_aConversation(world: World) -> None:
    """As a whole, and what came after an event."""
    conversation = begin(world.trace)
    talk(world.trace, conversation, (IN, REQUEST))
    answer = world.ask("/conversation?id=1").json
    assert answer["conversation"]["service"] == "calculator"
    assert [rung["what"] for rung in answer["rungs"]] == ["opened", "received"]
    assert answer["rungs"][1]["fields"][0][2:4] == ["request 1", "12 + 34"]
    world.trace.add(conversation, Happening.CLOSED, 101.0, note="reset by us")
    answer = world.ask("/conversation?id=1&after=2").json
    assert [rung["what"] for rung in answer["rungs"]] == ["closed"]
    assert answer["conversation"]["outcome"] == "reset by us"


@pytest.mark.parametrize("query", ["?id=2", "", "?id=-1", "?id=x", "?id=" + "9" * 5000, "?id=%C2%B2"])
def test_aConversationThatIsNotThere(world: World, query: str) -> None:
    begin(world.trace)
    answer = world.ask(f"/conversation{query}")
    assert answer.status == 404
    assert "no longer kept" in answer.json["error"]


def test_aBodyIsBounded(world: World) -> None:
    assert world.ask("/", "POST", body=b"x" * 10_000).status == 413


# Files


def test_aFileForWireshark(world: World) -> None:
    """Of all conversations, or of those that are asked for; a whole section in either case."""
    for service in ("calculator", "echo", "echo"):
        talk(world.trace, begin(world.trace, service), (IN, service.encode()))
    every = world.ask("/export.pcapng")
    assert every.status == 200
    assert b"content-type: application/x-pcapng" in every.head.lower()
    assert b'filename="labnet.pcapng"' in every.head
    for query, counts in (
        ("", (1, 2)),
        ("?service=echo", (0, 2)),
        ("?service=echo/struct9&last=1", (0, 1)),
        ("?text=%231", (1, 0)),
        ("?peer=127.0.0.1:50000&state=open", (1, 2)),
    ):
        file = world.ask(f"/export.pcapng{query}").body
        assert b"\x0a\x0d\x0d\x0a" in file[:20]
        assert (_packets(file, b"calculator"), _packets(file, b"echo")) == counts


def _packets(file: bytes, data: bytes) -> int:
    """Segments that have this as their data: it is behind the end of a TCP header, and not in a comment."""
    return len(re.findall(rb"\x50\x18.{6}" + data, file, re.DOTALL))


@pytest.mark.parametrize("query", ["", "?peer=192.0.2.1", "?service=chat", "?text=%237"])
def test_aFileOfNothing(world: World, query: str) -> None:
    if query:
        talk(world.trace, begin(world.trace), (IN, REQUEST))
    answer = world.ask(f"/export.pcapng{query}")
    assert (answer.status, answer.json) == (404, {"error": "There are no such conversations."})


def test_aBugCutsTheFile(
    world: World, monkeypatch: pytest.MonkeyPatch, loggedFailures: LoggedFailures
) -> None:
    """Who reads it notices: the connection is reset, and the answer has no end."""

    def broken(*arguments: object, **more: object) -> Iterator[bytes]:
        yield b"x"
        raise ZeroDivisionError

    monkeypatch.setattr("labnet.net.pcapng.write", broken)
    begin(world.trace)
    line = world.get("/export.pcapng")
    assert line.transport.disconnected
    assert not line.transport.value().endswith(b"0\r\n\r\n")
    assert loggedFailures.flush(ZeroDivisionError)


@pytest.mark.parametrize("query", ["?peer=somebody", "?last=-1", "?last=%C2%B2", "?last=9999999999"])
def test_aFileOfNothingThatMakesSense(world: World, query: str) -> None:
    assert world.ask(f"/export.pcapng{query}").status == 400


def test_aFileIsMadeAsItIsRead(world: World) -> None:
    """A large one waits for its reader, and is given up when that leaves."""
    for _ in range(40):
        talk(world.trace, begin(world.trace, "echo"), *[(IN, b"x" * 16_000)] * 8)
    slow = world.get("/export.pcapng")
    assert len(slow.transport.value()) < 300_000
    whole = b""
    while not whole.endswith(b"\r\n0\r\n\r\n"):
        whole += slow.transport.readAll()
        world.clock.advance(0)
    assert len(whole) > 40 * 8 * 16_000
    gone = world.get("/export.pcapng")
    gone.leave()
    assert len(gone.transport.value()) < 300_000


# Faults


def test_faultsNeedTheTokenInTheHead(world: World) -> None:
    switch = breakable(world)
    assert world.ask(f"/faults?number=0&token={TOKEN}", "POST", token=None, body=b"cut=3").status == 401
    assert world.ask("/faults?number=0").status == 405
    assert switch.current is None


def test_faults(world: World) -> None:
    """Turned on and off; what is mistaken is said with its place, and changes nothing."""
    switch = breakable(world)
    answer = world.ask("/faults?number=0", "POST", body=b"seed=7; cut=3")
    assert (answer.status, answer.json) == (200, {"line": "seed=7; cut=3/1ms"})
    for body, sentence in ((b"dely=40ms", "did you mean delay?"), (b"\xff", "UTF-8")):
        answer = world.ask("/faults?number=0", "POST", body=body)
        assert answer.status == 400
        assert sentence in answer.json["error"]
    assert world.ask("/faults?number=1", "POST", body=b"cut=3").status == 404
    assert str(switch.current) == "seed=7; cut=3/1ms"
    assert world.ask("/faults?number=0", "POST").json == {"line": ""}
    assert switch.current is None


def breakable(world: World) -> FaultSwitch:
    """One listener with a switch."""
    switch = FaultSwitch()
    reactor = MemoryReactorClock()
    endpoint = serverFromString(reactor, "tcp:1")
    layered = LayeredEndpoint(endpoint, Layers(faults=switch), reactor)
    world.listeners.append(StreamListener("echo", layered, ServiceFactory(world.clock)))
    return switch


# Figures


def test_figures(world: World) -> None:
    pytest.importorskip("prometheus_client")
    answer = world.ask(f"/metrics?token={TOKEN}", token=None)
    assert answer.status == 200
    assert b"text/plain" in answer.head
    assert b"labnet_build_info" in answer.body
    assert world.ask("/metrics", token=None).status == 401


def test_figuresNeedTheirExtra(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labnet.net.exposition.available", lambda: False)
    answer = world.ask("/metrics")
    assert answer.status == 501
    assert "labnet[metrics]" in answer.json["error"]
