"""
The dashboard's options, and the service that is made of them.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.testing import MemoryReactorClock

from labnet.dashboard.tap import Options, makeService
from labnet.net.layers import LayeredEndpoint
from labnet.net.options import UsageError
from labnet.net.service import StreamListener, listeners
from labnet.net.trace import Trace


def options(*arguments: str) -> Options:
    parsed = Options()
    parsed.parseOptions(arguments)
    return parsed


def mistake(*arguments: str) -> str:
    with pytest.raises(UsageError) as caught:
        options(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def watched(parsed: Options) -> list[tuple[str, str]]:
    return [
        (listener.serviceName, listener.detail)
        for listener in listeners(makeService(parsed))
        if listener.serviceName != "dashboard"
    ]


def test_theTokenIsANewOneEachTime(memory: MemoryReactorClock) -> None:
    assert options().token != options().token
    assert len(options().token) == 32


def test_theTokenOfAFile(memory: MemoryReactorClock, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("0123456789abcdef\n")
    assert options("--token-file", str(file)).token == "0123456789abcdef"
    for text in ("", "short", "0123456789 abcdef", "0123456789abcdef\nmore", "x" * 201, "0123456789abcde/"):
        file.write_text(text)
        assert "a token has 16 to 200" in mistake("--token-file", str(file))
    file.write_bytes(b"\xff" * 20)
    assert "not UTF-8 at byte 0" in mistake("--token-file", str(file))
    assert "No such file" in mistake("--token-file", str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("tcp:9100=tcp:127.0.0.1:9000", ("relay", "to tcp:127.0.0.1:9000")),
        ("tcp:9100:interface=127.0.0.1=tcp:localhost:9000", ("relay", "to tcp:localhost:9000")),
        ("tcp:port=9100=tls:localhost:9000", ("relay", "to tls:localhost:9000")),
        ("udp:9100=udp:127.0.0.1:9001", ("relay", "to udp:127.0.0.1:9001")),
        ("calculator=tcp:9100=tcp:127.0.0.1:9000", ("calculator", "struct9")),
        ("chat=tcp:9100=tcp:127.0.0.1:9000", ("chat", "plain")),
        ("web=tcp:9100=tcp:127.0.0.1:9000", ("web", "")),
        ("calculator/net=udp:9100=udp:127.0.0.1:9000", ("calculator", "net")),
    ],
)
def test_whatIsWatched(memory: MemoryReactorClock, description: str, expected: tuple[str, str]) -> None:
    """It is shown under the name it was given, or as the relay that it goes through."""
    assert watched(options("--watch", description)) == [expected]


def test_severalAreWatched(memory: MemoryReactorClock) -> None:
    parsed = options("--watch", "echo=tcp:1=tcp:127.0.0.1:2", "--watch", "tcp:3=tcp:127.0.0.1:4")
    assert [service for service, _ in watched(parsed)] == ["echo", "relay"]


@pytest.mark.parametrize(
    ("description", "problem"),
    [
        ("tcp:9100", "is not of the form LISTEN=TARGET"),
        ("tcp:9100=", "is not of the form LISTEN=TARGET"),
        ("9100=tcp:127.0.0.1:9000", "is not of the form LISTEN=TARGET"),
        ("chess=tcp:9100=tcp:127.0.0.1:9000", "there is no service 'chess'"),
        ("calculator/nett=tcp:9100=tcp:127.0.0.1:9000", "there is no calculator that is 'nett'"),
        ("tcp:nine=tcp:127.0.0.1:9000", "the port must be a number"),
        ("tcp:9100=tcp:127.0.0.1:none", "the port must be a number"),
        ("udp:9100=tcp:127.0.0.1:9000", "UDP can only be relayed --to udp:HOST:PORT"),
    ],
)
def test_mistakesInWhatIsWatched(memory: MemoryReactorClock, description: str, problem: str) -> None:
    message = mistake("--watch", description)
    assert message.startswith(f"--watch: {description!r}")
    assert problem in message


def test_otherMistakes(memory: MemoryReactorClock) -> None:
    assert "browsers come over streams only" in mistake("--listen", "udp:9080")
    assert "--web-host: 'a b'" in mistake("--web-host", "a b")
    assert "--max-viewers" in mistake("--max-viewers", "0")


def test_itDoesNotLookAtItself(memory: MemoryReactorClock) -> None:
    """What it shows is in the trace it is given, and its own connections are not; those of a relay are."""
    parsed = options("--watch", "tcp:9100=tcp:127.0.0.1:9000")
    parsed.layers.trace = Trace()
    dashboard = makeService(parsed)
    assert dashboard.scene.trace is parsed.layers.trace
    relay, page = (one for one in listeners(dashboard) if isinstance(one, StreamListener))
    assert isinstance(relay.endpoint, LayeredEndpoint)
    assert relay.endpoint.layers.trace is parsed.layers.trace
    assert not isinstance(page.endpoint, LayeredEndpoint)
