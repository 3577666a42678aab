"""
The proxy before one origin, and how it ends.
"""

from __future__ import annotations

import pytest

from tests.proxy.world import FIXED, GET, MakeWorld, ok, status

# Fixed target


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
