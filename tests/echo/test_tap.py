"""
The echo as a plugin: its options, and the services they make.
"""

from __future__ import annotations

import pytest
from twisted.python.usage import UsageError

from labnet.echo import tap
from labnet.echo.dampening import Patience
from labnet.echo.server import EchoDatagramProtocol, EchoFactory
from labnet.echo.wire import Frames, Lines, Pieces, Style
from labnet.net import options as netOptions
from labnet.net.service import DatagramListener, Listener, StreamListener, listeners
from labnet.testing import DatagramNetwork


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> DatagramNetwork:
    """A reactor in memory in place of the real one."""
    network = DatagramNetwork()
    monkeypatch.setattr(netOptions, "globalReactor", lambda: network)
    return network


def parsed(*arguments: str) -> tap.Options:
    options = tap.Options()
    options.parseOptions(arguments)
    return options


def made(*arguments: str) -> list[Listener]:
    return list(listeners(tap.makeService(parsed(*arguments))))


def factory(listener: Listener) -> EchoFactory:
    assert isinstance(listener, StreamListener)
    assert isinstance(listener.factory, EchoFactory)
    return listener.factory


def answering(listener: Listener) -> EchoDatagramProtocol:
    assert isinstance(listener, DatagramListener)
    assert isinstance(listener.protocol, EchoDatagramProtocol)
    return listener.protocol


def test_theDefaultsAreTheCourses(network: DatagramNetwork) -> None:
    service = tap.makeService(parsed())
    service.privilegedStartService()
    service.startService()
    assert [server[0] for server in network.tcpServers] == [8081, 8082, 8083, 7007, 7008]
    assert {server[3] for server in network.tcpServers} == {"127.0.0.1"}
    assert list(network.sockets) == [("127.0.0.1", port) for port in (50_000, 8082, 8083, 7007)]
    assert [listener.detail for listener in listeners(service)] == [
        "prefix", "upper", "ack", "raw", "framed", "prefix", "upper", "ack", "raw",
    ]  # fmt: skip
    service.stopService()


def test_eachListenerHasItsStyle() -> None:
    *streams, upper, rest = made(
        "--style", "raw", "--listen", "tcp:0", "--listen", "ack=tcp:0", "--listen", "framed=tcp:0",
        "--listen", "upper=udp:0", "--listen", "udp:0",
    )  # fmt: skip
    raw, ack, framed = (factory(listener).echo() for listener in streams)
    assert isinstance(raw, Pieces)
    assert isinstance(ack, Pieces)
    assert isinstance(framed, Frames)
    assert (raw.feed(b"x"), ack.feed(b"x")) == ([b"x"], [b"Message received!"])
    assert (answering(upper).style, answering(rest).style) == (Style.UPPER, Style.RAW)


def test_streamsDoNotShareAnything() -> None:
    """Half a character of one connection is not the beginning of another's."""
    (listener,) = made("--listen", "upper=tcp:0")
    first, second = factory(listener).echo(), factory(listener).echo()
    assert first.feed(b"\xc3") == []
    assert second.feed(b"a") == [b"A"]


def test_lines() -> None:
    prefix, framed = made("--line", "--listen", "tcp:0", "--listen", "framed=tcp:0")
    assert isinstance(factory(prefix).echo(), Lines)
    assert isinstance(factory(framed).echo(), Frames)
    assert (prefix.detail, framed.detail) == ("prefix, lines", "framed")


def test_thePatience() -> None:
    (listener,) = made("--listen", "udp:0", "--repeats", "3", "--unbroken", "0", "--datagram-rate", "5")
    assert answering(listener)._dampening.patience == Patience(repeats=3, unbroken=0)
    assert answering(listener).limits.perSource == 5
    (listener,) = made("--listen", "udp:0")
    assert answering(listener)._dampening.patience == Patience()


def test_theLimitsReachTheFactory() -> None:
    (listener,) = made("--listen", "tcp:0", "--max-connections", "7", "--no-delay", "off")
    assert factory(listener).limits.maxConnections == 7
    assert not factory(listener).sockets.noDelay


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--style", "loud"], "--style: 'loud' is none of prefix, upper, ack, raw, framed"),
        (["--listen", "loud=tcp:0"], "--listen: 'loud=tcp:0': 'loud' is none of prefix, upper, ack, raw"),
        (["--listen", "framed=udp:0"], "--listen: 'framed=udp:0': framed is for streams, not for udp"),
        (["--style", "framed", "--listen", "udp:0"], "framed is for streams, not for udp"),
        (["--repeats", "-1"], "--repeats: '-1' is not a whole number at least 0"),
        (["--unbroken", "x"], "--unbroken: 'x' is not a whole number at least 0"),
    ],
)
def test_aMistakeIsOneLine(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(*arguments)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
