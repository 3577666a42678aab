"""
The chat's page: who may post, what streams carry, and how browsers come and go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from labnet.chat.room import Room
from labnet.chat.server import ChatLimits, LiveRoom, Member
from labnet.chat.web import PING, PageFactory, pageFactory
from labnet.net.site import SiteConnection
from tests.chat.members import House
from tests.connections import TCPTransport, done

TAB = b"0123456789abcdef" * 2
ORIGIN = b"http://localhost:9996"


@dataclass
class Answer:
    status: int
    head: bytes
    body: bytes

    @property
    def error(self) -> str:
        value = json.loads(self.body)["error"]
        assert isinstance(value, str)
        return value


class Line:
    """One HTTP connection."""

    def __init__(self, factory: PageFactory, host: str = "127.0.0.1") -> None:
        connection = factory.buildProtocol(IPv4Address("TCP", host, 4711))
        assert isinstance(connection, SiteConnection)
        self.connection = connection
        self.transport = TCPTransport()
        self.transport.peerAddr = IPv4Address("TCP", host, 4711)
        connection.makeConnection(self.transport)

    def heard(self) -> bytes:
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    def events(self) -> list[dict[str, Any]]:
        """The events that a stream has carried since the last time."""
        data = self.heard().decode()
        return [json.loads(found) for found in re.findall(r"^data: (.*)$", data, re.MULTILINE)]


@dataclass
class Tab:
    """A tab of a browser, with what the page would know."""

    world: World
    cookie: bytes
    token: bytes
    tab: bytes = TAB
    stream: Line | None = None
    overrides: dict[bytes, bytes | None] = field(default_factory=dict)

    def post(self, path: bytes, body: bytes = b"", **changed: bytes | None) -> Answer:
        fields: dict[bytes, bytes | None] = {
            b"Host": b"localhost:9996",
            b"Origin": ORIGIN,
            b"Cookie": b"labnet-chat=" + self.cookie,
            b"X-Chat-Token": self.token,
            b"X-Chat-Tab": self.tab,
        }
        fields |= {name.replace("_", "-").encode(): value for name, value in changed.items()}
        return self.world.ask(b"POST", path, fields, body)

    def listen(self) -> Line:
        self.stream = self.world.line()
        self.stream.connection.dataReceived(
            b"GET /events?tab=" + self.tab + b" HTTP/1.1\r\nHost: localhost:9996\r\nCookie: labnet-chat="
            + self.cookie + b"\r\n\r\n"
        )  # fmt: skip
        return self.stream


class World:
    def __init__(self, clock: Clock, limits: ChatLimits | None = None, hosts: tuple[str, ...] = ()) -> None:
        self.clock = clock
        self.house = House(clock, limits)
        self.live = self.house.live
        self.factory = pageFactory(clock, self.live, hosts)
        self.lines: list[Line] = []

    def line(self) -> Line:
        line = Line(self.factory)
        self.lines.append(line)
        return line

    def ask(
        self, method: bytes, path: bytes, fields: dict[bytes, bytes | None], body: bytes = b""
    ) -> Answer:
        line = self.line()
        head = b"".join(
            name + b": " + value + b"\r\n" for name, value in fields.items() if value is not None
        )
        line.connection.dataReceived(
            method + b" " + path + b" HTTP/1.1\r\n" + head
            + b"Content-Length: %d\r\n\r\n" % len(body) + body
        )  # fmt: skip
        self.clock.advance(0)
        head, _, rest = line.heard().partition(b"\r\n\r\n")
        return Answer(int(head.split()[1]), head, rest)

    def get(self, path: bytes, **fields: bytes | None) -> Answer:
        given: dict[bytes, bytes | None] = {b"Host": b"localhost:9996"}
        return self.ask(b"GET", path, given | {name.encode(): value for name, value in fields.items()})

    def open(self, tab: bytes = TAB) -> Tab:
        """Load the page."""
        answer = self.get(b"/")
        assert answer.status == 200
        cookie = re.search(rb"labnet-chat=([0-9a-f]{32});", answer.head)
        token = re.search(rb'name="chat-token" content="([0-9a-f]{64})"', answer.body)
        assert cookie is not None
        assert token is not None
        return Tab(self, cookie[1], token[1], tab)

    def enter(self, name: bytes, tab: bytes = TAB) -> Tab:
        """Load the page, join, and listen; what came so far is read."""
        opened = self.open(tab)
        assert opened.post(b"/join", name).status == 200
        opened.listen().heard()
        self.clock.advance(0)
        for guest in self.house.guests:
            guest.heard()
        return opened

    def close(self) -> None:
        for line in self.lines:
            if line.connection in self.factory.connections:
                line.connection.connectionLost(done())
        self.clock.advance(PING)
        self.house.close()
        self.clock.advance(PING)


@pytest.fixture
def world(clock: Clock) -> Iterator[World]:
    world = World(clock)
    yield world
    world.close()


# What is served, and to whom


def test_thePage(world: World) -> None:
    """With a cookie that scripts can not read, a policy, and nothing from anywhere else."""
    answer = world.get(b"/")
    assert answer.status == 200
    head = answer.head.lower()
    assert b"httponly" in head
    assert b"samesite=strict" in head
    assert b"content-security-policy: default-src 'none'; script-src 'self'" in head
    assert b"frame-ancestors 'none'" in head
    assert b"cache-control: no-store" in head
    assert b"x-content-type-options: nosniff" in head
    assert b"http://" not in answer.body
    assert b"https://" not in answer.body
    assert b"{token}" not in answer.body
    for path, kind in ((b"/chat.css", b"text/css"), (b"/chat.js", b"text/javascript")):
        assert kind in world.get(path).head
    assert b"innerHTML" not in world.get(b"/chat.js").body
    assert world.get(b"/nothing").status == 404
    assert world.get(b"/../etc/passwd").status == 404


def test_aBrowserKeepsItsCookie(world: World) -> None:
    tab = world.open()
    answer = world.get(b"/", Cookie=b"labnet-chat=" + tab.cookie)
    assert b"Set-Cookie" not in answer.head
    assert tab.token in answer.body
    assert b"Set-Cookie" in world.get(b"/", Cookie=b"labnet-chat=nonsense").head


@pytest.mark.parametrize(
    "host",
    [b"localhost", b"LOCALHOST:9996", b"127.0.0.1:9996", b"[::1]:9996", b"192.0.2.7", b"chat.example:9996"],
)
def test_namesOfThePage(clock: Clock, host: bytes) -> None:
    world = World(clock, hosts=("Chat.Example",))
    assert world.get(b"/", Host=host).status == 200
    world.close()


@pytest.mark.parametrize(
    "host", [b"evil.example", b"localhost.evil.example:9996", b"", b"[evil]:1", b"\xff", b"a:b:1"]
)
def test_otherSitesNamesAreNotOurs(world: World, host: bytes) -> None:
    """A name of somebody else's that was made to lead here gets nothing: no page, no token, no events."""
    for path in (b"/", b"/events?tab=" + TAB, b"/chat.js"):
        answer = world.get(path, Host=host)
        assert answer.status == 421
        assert b"Set-Cookie" not in answer.head


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"Origin": b"http://evil.example"}, "another site"),
        ({"Origin": b"null"}, "another site"),
        ({"Origin": None}, "another site"),
        ({"Origin": b"http://localhost:9997"}, "another site"),
        ({"Origin": b"http://127.0.0.1:9996"}, "another site"),
        ({"X_Chat_Token": None}, "too old"),
        ({"X_Chat_Token": b""}, "too old"),
        ({"X_Chat_Token": b"0" * 64}, "too old"),
        ({"X_Chat_Token": b"\xff" * 64}, "too old"),
        ({"Cookie": None}, "too old"),
        ({"Cookie": b"labnet-chat=" + b"0" * 32}, "too old"),
    ],
)
def test_aForgedPostDoesNothing(world: World, changed: dict[str, bytes | None], sentence: str) -> None:
    ear = world.house.enter("ear")
    member = world.enter(b"ann")
    ear.heard()
    for path, body in ((b"/say", b"forged"), (b"/leave", b""), (b"/join", b"somebody")):
        answer = member.post(path, body, **changed)
        assert answer.status == 403
        assert sentence in answer.error
    assert ear.heard() == b""
    assert member.post(b"/say", b"real").status == 204
    assert ear.lines() == ["[ann] real"]


def test_getDoesNothing(world: World) -> None:
    """What changes something is a POST."""
    for path in (b"/join", b"/say", b"/leave"):
        assert world.get(path).status == 405


def test_aTokenIsForItsCookieOnly(world: World) -> None:
    one, two = world.open(), world.open()
    assert two.post(b"/join", b"ann", X_Chat_Token=one.token).status == 403


# In the room


def test_oneRoomWithTheOthers(world: World) -> None:
    """A browser is a member like any other, and is shown its own messages where they stand in the order."""
    bob = world.house.enter("bob")
    ann = world.open()
    assert json.loads(ann.post(b"/join", b" ann ").body) == {"name": "ann"}
    assert bob.lines() == ["[SERVER] ann joined the chat!"]
    stream = ann.listen()
    assert stream.events() == [
        {"kind": "joined", "name": "ann"},
        {"kind": "people", "you": "ann", "names": ["bob", "ann"], "total": 2},
    ]
    bob.send(b"hi <b>\n")
    ann.post(b"/say", "h\u00e9llo".encode())
    bob.send(b"/nick rob\n/me waves\n")
    assert bob.lines() == ["[ann] h\u00e9llo", "[SERVER] bob is now rob"]
    assert stream.events() == [
        {"kind": "said", "name": "bob", "text": "hi <b>"},
        {"kind": "said", "name": "ann", "text": "h\u00e9llo"},
        {"kind": "renamed", "old": "bob", "new": "rob"},
        {"kind": "did", "name": "rob", "text": "waves"},
    ]
    ann.post(b"/say", b"/who")
    assert stream.events() == [{"kind": "told", "text": "2 here: rob, ann"}]


def test_history(world: World) -> None:
    world.house.enter("bob").send(b"before\n")
    ann = world.open()
    ann.post(b"/join", b"ann")
    assert ann.listen().events()[:2] == [
        {"kind": "told", "text": "1 earlier message:"},
        {"kind": "said", "name": "bob", "text": "before"},
    ]


@pytest.mark.parametrize("name", [b"BOB", b"server", b"", b"a\nb", b"\xff", b"x" * 33])
def test_aRefusedName(world: World, name: bytes) -> None:
    bob = world.house.enter("bob")
    ann = world.open()
    answer = ann.post(b"/join", name)
    assert answer.status == 409
    assert answer.error.endswith(".")
    assert bob.heard() == b""
    assert ann.post(b"/join", b"ann").status == 200


def test_whatIsSaidIsHarmless(world: World) -> None:
    bob = world.house.enter("bob")
    ann = world.enter(b"ann")
    ann.post(b"/say", b"one\r\ndata: {}\n\nevent: x\x1b[2J\xe2\x80\xae")
    assert bob.lines() == ["[ann] one\u240d\u240adata: {}\u240a\u240aevent: x\u241b[2J\\u202e"]
    assert ann.stream is not None
    (event,) = ann.stream.events()
    assert event["text"] == "one\u240d\u240adata: {}\u240a\u240aevent: x\u241b[2J\\u202e"


def test_tooLongAndTooFast(clock: Clock) -> None:
    world = World(clock, ChatLimits(rate=1, burst=2, longest=10))
    ann = world.enter(b"ann")
    answer = ann.post(b"/say", b"x" * 11)
    assert (answer.status, answer.error) == (413, "A message has at most 10 bytes.")
    assert [ann.post(b"/say", b"x").status for _ in range(3)] == [204, 204, 429]
    clock.advance(1)
    assert ann.post(b"/say", b"x").status == 204
    world.close()


def test_whoIsNotInTheRoom(world: World) -> None:
    tab = world.open()
    assert tab.post(b"/say", b"hello").status == 410
    assert tab.post(b"/leave").status == 204
    assert tab.listen().heard().startswith(b"HTTP/1.1 204 ")
    assert tab.post(b"/join", b"ann", X_Chat_Tab=b"short").status == 409
    assert len(world.live.room) == 0


def test_leaving(world: World) -> None:
    for path, body in ((b"/leave", b""), (b"/say", b"/quit")):
        bob = world.house.enter("bob " + path[1:].decode())
        ann = world.enter(b"ann")
        bob.heard()
        assert ann.post(path, body).status == 204
        assert bob.lines() == ["[SERVER] ann left the chat"]
        assert ann.stream is not None
        assert ann.stream.heard().endswith(b"0\r\n\r\n")


def test_twoTabsAreTwoMembers(world: World) -> None:
    ann = world.enter(b"ann")
    other = Tab(world, ann.cookie, ann.token, tab=b"f" * 32)
    assert other.post(b"/join", b"ann").status == 409
    assert other.post(b"/join", b"bob").status == 200
    assert len(world.live.room) == 2


def test_joiningTwiceIsJoiningOnce(world: World) -> None:
    ann = world.enter(b"ann")
    assert json.loads(ann.post(b"/join", b"other").body) == {"name": "ann"}
    assert len(world.live.room) == 1


# Streams that break, and readers that are slow


def test_aStreamThatComesBack(world: World) -> None:
    """What was said meanwhile comes then; nobody else noticed."""
    bob = world.house.enter("bob")
    ann = world.enter(b"ann")
    bob.heard()
    assert ann.stream is not None
    ann.stream.connection.connectionLost(done())
    bob.send(b"one\n")
    world.clock.advance(PING - 1)
    bob.send(b"two\n")
    events = ann.listen().events()
    assert [event.get("text") for event in events[:-1]] == ["one", "two"]
    assert events[-1]["kind"] == "people"
    world.clock.advance(PING)
    assert bob.heard() == b""


def test_aStreamThatDoesNotComeBack(world: World) -> None:
    bob = world.house.enter("bob")
    ann = world.enter(b"ann")
    bob.heard()
    assert ann.stream is not None
    ann.stream.connection.connectionLost(done())
    world.clock.advance(PING)
    assert bob.lines() == ["[SERVER] ann left the chat"]
    assert ann.post(b"/say", b"hello").status == 410


def test_aPageThatNeverListens(world: World) -> None:
    """To join is not enough to keep a name."""
    ann = world.open()
    ann.post(b"/join", b"ann")
    world.clock.advance(PING)
    assert len(world.live.room) == 0


def test_aSecondStreamTakesThePlaceOfTheFirst(world: World) -> None:
    bob = world.house.enter("bob")
    ann = world.enter(b"ann")
    first = ann.stream
    assert first is not None
    second = ann.listen()
    second.heard()
    assert first.heard().endswith(b"0\r\n\r\n")
    bob.send(b"hi\n")
    assert first.heard() == b""
    assert [event["text"] for event in second.events()] == ["hi"]
    world.clock.advance(2 * PING)
    assert len(world.live.room) == 2


def test_signsOfLife(world: World) -> None:
    ann = world.enter(b"ann")
    assert ann.stream is not None
    world.clock.advance(PING)
    assert b": ping\n\n" in ann.stream.heard()


@pytest.mark.parametrize("attached", [True, False])
def test_aSlowBrowserIsDropped(world: World, attached: bool) -> None:
    """Whether its stream is not read, or is not there: what waits for it is bounded."""
    bob = world.house.enter("bob")
    ann = world.enter(b"ann")
    bob.heard()
    assert ann.stream is not None
    if attached:
        ann.stream.connection.pauseProducing()
    else:
        ann.stream.connection.connectionLost(done())
    for _ in range(90):
        bob.send(b"x" * 4_000 + b"\n")
        world.clock.advance(0.1)
    assert bob.lines() == ["[SERVER] ann left the chat"]
    assert ann.stream.transport.disconnected is attached
    assert len(ann.stream.heard()) < 400_000


def test_aBrowserThatHasStoppedForGood(world: World) -> None:
    ann = world.enter(b"ann")
    assert ann.stream is not None
    ann.stream.connection.pauseProducing()
    world.clock.pump([1.0] * 59)
    assert not ann.stream.transport.disconnected
    world.clock.pump([1.0] * 15)
    assert ann.stream.transport.disconnected
    assert len(world.live.room) == 0


def test_manyPeople(world: World) -> None:
    """The list at the beginning of a stream is bounded."""
    room: Room[Member] = world.live.room
    for number in range(600):
        room.join(object(), f"guest {number}")  # type: ignore[arg-type]
    page = world.factory.page
    event = json.loads(page.people("guest 1").decode().removeprefix("data: "))
    assert len(event["names"]) == 500
    assert event["total"] == 600
    for member in tuple(room):
        room.leave(member)


def test_theServiceStops(clock: Clock) -> None:
    """Streams end, and no timer is left for tabs that might come back."""
    world = World(clock)
    ann = world.enter(b"ann")
    stopped: list[object] = []
    world.factory.finish().addCallback(stopped.append)
    clock.pump([0.002] * 3)
    assert ann.stream is not None
    assert ann.stream.transport.disconnecting
    for line in world.lines:
        if line.connection in world.factory.connections:
            line.connection.connectionLost(done())
    assert stopped == [None]
    assert len(world.live.room) == 0
    clock.advance(0)
    assert clock.getDelayedCalls() == []


def test_theLog(world: World) -> None:
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    ann = world.enter("\u00e9va".encode())
    ann.post(b"/say", b"secret")
    ann.post(b"/leave")
    globalLogPublisher.removeObserver(observe)
    assert [line for line in lines if "browser" in line] == [
        'chat browser 127.0.0.1: "\\xe9va", 1 messages; left'
    ]
    assert "secret" not in "".join(lines)


def test_liveRoomsAreApart(clock: Clock) -> None:
    """A token of one page is nothing to another."""
    one, two = World(clock), World(clock)
    tab = one.open()
    assert Tab(two, tab.cookie, tab.token).post(b"/join", b"ann").status == 403
    assert isinstance(one.live, LiveRoom)
    one.close()
    two.close()
