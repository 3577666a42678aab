"""
Upgrade: a change to another protocol, passed through as a tunnel where it is allowed, and nowhere else.
"""

from __future__ import annotations

import pytest
from twisted.logger import LogEvent

from labnet.proxy.policy import Policy
from labnet.testing import inPieces
from tests.proxy.world import FIXED, GET, POST, MakeWorld, Side, World, ok, settled, status

ALLOWED = Policy(upgrades=frozenset((b"websocket",)))
ASK = (
    b"GET http://o.example/chat HTTP/1.1\r\nHost: o.example\r\nConnection: keep-alive, Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n"
)
AGREE = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: y\r\n\r\n"
)


def upgraded(world: World, request: bytes = ASK, agreement: bytes = AGREE) -> tuple[Side, Side]:
    client, origin = world.exchange(request)
    origin.take()
    origin.says(agreement)
    assert status(client.take()) == 101
    return client, origin


def test_whatEachSideIsTold(makeWorld: MakeWorld) -> None:
    """The fields of the change are those of each connection, made anew."""
    client, origin = makeWorld(ALLOWED).exchange(ASK)
    assert origin.take() == (
        b"GET /chat HTTP/1.1\r\nHost: o.example\r\nSec-WebSocket-Key: x\r\n"
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    origin.says(AGREE)
    assert client.take() == (
        b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: y\r\n"
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )


@pytest.mark.parametrize("step", [1, 7, 1_000])
def test_bytesGoBothWays(makeWorld: MakeWorld, step: int) -> None:
    """Also those that came together with the 101 or with the request; nobody looks at them."""
    world = makeWorld(ALLOWED)
    client, origin = world.exchange(ASK + b"early ")
    stream = AGREE + b"SzamHalo"
    for piece in inPieces(stream, step):
        origin.says(piece)
    assert client.take().partition(b"\r\n\r\n")[2] == b"SzamHalo"
    client.says(b"HTTP/1.1")
    assert origin.take().partition(b"\r\n\r\n")[2] == b"early HTTP/1.1"
    origin.says(b"HTTP/1.1 200 OK\r\n\r\n")
    assert client.take() == b"HTTP/1.1 200 OK\r\n\r\n"


def test_itEndsAsItsSidesEnd(makeWorld: MakeWorld) -> None:
    """In good order or with a reset, and its connection is never pooled."""
    for leave, ended in (("leaves", "closed"), ("breaks", "aborted")):
        world = makeWorld(ALLOWED)
        client, origin = upgraded(world)
        getattr(origin, leave)()
        assert getattr(client, ended)
        client, origin = upgraded(world)
        getattr(client, leave)()
        assert getattr(origin, ended)
        origin.finish()
        assert len(world.factory.pool) == 0


def test_itHasBackPressure(makeWorld: MakeWorld) -> None:
    client, origin = upgraded(makeWorld(ALLOWED))
    client.full()
    assert not origin.transport.reading
    client.drained()
    assert origin.transport.reading
    origin.full()
    assert not client.transport.reading
    origin.drained()
    assert client.transport.reading


def test_aClientThatIsFullWhenItChanges(makeWorld: MakeWorld) -> None:
    """An origin that was held back for the client is read from again when the client reads."""
    client, origin = makeWorld(ALLOWED).exchange(ASK)
    client.fillsAt(10)
    origin.says(AGREE + b"more")
    assert not origin.transport.reading
    client.drained()
    assert origin.transport.reading
    client.says(b"hello")
    assert origin.take().endswith(b"hello")


def test_anIdleOneIsLetGo(makeWorld: MakeWorld) -> None:
    world = makeWorld(ALLOWED, idleTimeout=30.0)
    client, origin = upgraded(world)
    world.pump(40)
    assert client.aborted
    client.finish()
    assert origin.aborted


def test_theLogSaysThatNobodyLooked(makeWorld: MakeWorld, loggedEvents: list[LogEvent]) -> None:
    client, _ = upgraded(makeWorld(ALLOWED))
    client.leaves()
    noted = [f"{event.get('status')}{event.get('note')}" for event in loggedEvents]
    assert "101 not inspected: websocket" in noted


def test_inFrontOfOneOrigin(makeWorld: MakeWorld) -> None:
    client, origin = upgraded(makeWorld(ALLOWED, target=FIXED), ASK.replace(b"http://o.example", b""))
    client.says(b"ping")
    assert origin.take() == b"ping"


# What is not allowed, or not asked for


@pytest.mark.parametrize(
    "request_",
    [
        ASK.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        ASK.replace(b"keep-alive, Upgrade", b"keep-alive"),
        ASK.replace(b"HTTP/1.1", b"HTTP/1.0"),
        POST + b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nhi",
        GET,
    ],
    ids=["protocol", "option", "version", "content", "nothing"],
)
def test_whatIsNotAChangeGoesOnWithoutIt(makeWorld: MakeWorld, request_: bytes) -> None:
    """The field stays behind, the request goes on; a 101 to it is refused."""
    client, origin = makeWorld(ALLOWED).exchange(request_)
    asked = origin.take()
    assert b"HTTP/1.1\r\n" in asked
    assert b"Upgrade" not in asked
    origin.says(AGREE)
    assert status(client.take()) == 502
    assert origin.aborted


def test_withoutPermissionNothingChanges(makeWorld: MakeWorld) -> None:
    client, origin = makeWorld().exchange(ASK)
    assert b"Upgrade" not in origin.take()
    origin.says(ok(b"no"))
    assert client.take().endswith(b"no")
    assert not client.closed


def test_onlyWhatIsAllowedIsAskedFor(makeWorld: MakeWorld) -> None:
    _, origin = makeWorld(ALLOWED).exchange(
        ASK.replace(b"Upgrade: websocket", b"Upgrade: h2c, WebSocket, websocket/13")
    )
    assert b"\r\nUpgrade: WebSocket\r\n" in origin.take()


def test_anOriginThatDeclines(makeWorld: MakeWorld) -> None:
    """It answers as to any request, and the connection goes on as it was."""
    world = makeWorld(ALLOWED)
    client, _ = world.exchange(ASK, ok(b"SzamHalo"))
    assert status(client.take()) == 404
    client.says(GET)
    assert len(world.attempts) == 2


@pytest.mark.parametrize(
    "agreement",
    [
        AGREE.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        AGREE.replace(b"Upgrade: websocket", b"Upgrade: websocket, h2c"),
        AGREE.replace(b"Upgrade: websocket", b"Upgrade:"),
        AGREE.replace(b"Upgrade: websocket\r\n", b""),
        AGREE.replace(b"Connection: Upgrade\r\n", b""),
    ],
)
def test_aChangeToSomethingElseIsRefused(makeWorld: MakeWorld, agreement: bytes) -> None:
    client, origin = makeWorld(ALLOWED).exchange(ASK, agreement)
    assert status(client.take()) == 502
    assert origin.aborted


def test_theWordInTheAgreement(makeWorld: MakeWorld) -> None:
    client, origin = makeWorld(ALLOWED).exchange(ASK, AGREE[:-2] + b"X: SzamHalo\r\n\r\nframes")
    answer = client.take()
    assert status(answer) == 404
    assert b"frames" not in settled(answer)
    assert origin.aborted
