"""
The chat's page: who may ask, who may post, and what browsers do in the room.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock

from labnet.chat.server import ChatLimits
from tests.chat.browsers import TAB, Tab, World


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


def test_headIsGetWithoutItsContent(world: World) -> None:
    """Where there is something to get; it opens no stream, and changes nothing."""
    fields = {b"Host": b"localhost:9996"}
    whole = world.get(b"/chat.css")
    answer = world.ask(b"HEAD", b"/chat.css", fields)
    assert (answer.status, answer.body) == (200, b"")
    assert b"content-length: %d\r\n" % len(whole.body) in answer.head.lower() + b"\r\n"
    for path in (b"/events", b"/say", b"/join", b"/leave"):
        assert world.ask(b"HEAD", path, fields).status == 405


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
