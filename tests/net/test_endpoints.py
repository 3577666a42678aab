"""
Where to listen and where to connect, as text.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock

from labnet.net.endpoints import (
    BACKLOG,
    BadEndpoint,
    DatagramAddress,
    DatagramTarget,
    describe,
    isDatagram,
    isHost,
    parseDatagramAddress,
    parseDatagramTarget,
    parseStreamClient,
    parseStreamServer,
    peerHost,
    withoutMapping,
)


def listening(description: str) -> tuple[int, Factory, int, str]:
    """What the reactor is told: port, factory, backlog and interface."""
    reactor = MemoryReactorClock()
    parseStreamServer(reactor, description).listen(Factory())
    (told,) = reactor.tcpServers
    return told


@pytest.mark.parametrize(
    ("description", "where"),
    [
        ("tcp:9000", (9000, "127.0.0.1")),
        ("tcp:0", (0, "127.0.0.1")),
        ("tcp:port=9000", (9000, "127.0.0.1")),
        ("tcp:9000:interface=0.0.0.0", (9000, "0.0.0.0")),
        ("tcp:9000:interface=", (9000, "")),
        ("tcp:interface=127.0.0.2:port=9000", (9000, "127.0.0.2")),
        (r"tcp:9000:interface=\:\:1", (9000, "::1")),
        ("tcp6:9000", (9000, "::1")),
        (r"tcp6:9000:interface=\:\:", (9000, "::")),
        ("haproxy:tcp:9000", (9000, "127.0.0.1")),
        ("tcp:9000:backlog=5", (9000, "127.0.0.1")),
    ],
)
def test_loopbackUnlessToldOtherwise(description: str, where: tuple[int, str]) -> None:
    port, _, _, interface = listening(description)
    assert (port, interface) == where


@pytest.mark.parametrize(
    ("description", "backlog"),
    [
        ("tcp:9000", BACKLOG),
        ("tcp6:9000", BACKLOG),
        ("haproxy:tcp:9000", BACKLOG),
        ("tcp:9000:backlog=5", 5),
    ],
)
def test_whoComesInABurstMayWait(description: str, backlog: int) -> None:
    assert listening(description)[2] == backlog


@pytest.mark.parametrize(
    ("description", "backlog"),
    [("unix:/x", BACKLOG), ("unix:/x:mode=600", BACKLOG), ("unix:/x:600:7", 7), ("unix:/x:backlog=8", 8)],
)
def test_soMayWhoComesToAUNIXSocket(description: str, backlog: int) -> None:
    reactor = MemoryReactorClock()
    parseStreamServer(reactor, description).listen(Factory())
    (told,) = reactor.unixServers
    assert told[2] == backlog


@pytest.mark.parametrize(
    "description",
    [
        "", "tcp", "tcp:", "tcp:x", "tcp:-1", "tcp:65536", "tcp:0000000001000000", "tcp:" + "9" *
        5000, "tcp:٩",
        "tcp:9000:interface=nonsense", "tcp:9000:nonsense=1", "tcp:9000\\", "nonsense:1",
        "haproxy:", "unix:",
        "ssl:9000:privateKey=/nowhere", "systemd:domain=INET:index=7", "tcp:9000\n", "tcp6:x",
    ],
)  # fmt: skip
def test_whatIsNoPlaceToListenOn(description: str) -> None:
    """Is told in one line that names what was given, and none of Twisted's functions."""
    with pytest.raises(BadEndpoint) as caught:
        parseStreamServer(MemoryReactorClock(), description)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(repr(description))
    assert "()" not in text


@pytest.mark.parametrize(
    "description",
    [
        "", "tcp", "tcp:h", "tcp::1", "tcp:h:0", "tcp:h:65536", "tcp:h:x", "tcp:a..b:1", "tcp:a b:1",
        "tls:h", "tcp:h:1:timeout=x", "tcp:h:1:nonsense=1", "nonsense:h", "udp:h:1",
        "tcp:" + "a" * 70 + ":1",
    ],
)  # fmt: skip
def test_whatIsNoPlaceToConnectTo(description: str) -> None:
    with pytest.raises(BadEndpoint) as caught:
        parseStreamClient(MemoryReactorClock(), description, 1.0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("description", "timeout"), [("tcp:127.0.0.1:9000", 7), ("tcp:127.0.0.1:9000:timeout=3", 3)]
)
def test_anAttemptToConnectHasALimit(description: str, timeout: int) -> None:
    from twisted.internet.protocol import Factory

    reactor = MemoryReactorClock()
    attempt = parseStreamClient(reactor, description, 7.2).connect(Factory())
    assert reactor.tcpClients[0][:2] == ("127.0.0.1", 9000)
    assert reactor.tcpClients[0][3] == timeout
    attempt.addErrback(lambda _: None)
    attempt.cancel()


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("udp:9001", DatagramAddress(9001, "127.0.0.1")),
        ("udp:0", DatagramAddress(0, "127.0.0.1")),
        ("udp:port=9001", DatagramAddress(9001, "127.0.0.1")),
        ("udp:9001:interface=0.0.0.0", DatagramAddress(9001, "0.0.0.0")),
        (r"udp:9001:interface=\:\:1", DatagramAddress(9001, "::1")),
    ],
)
def test_whereToListenForDatagrams(description: str, expected: DatagramAddress) -> None:
    assert parseDatagramAddress(description) == expected


@pytest.mark.parametrize(
    "description",
    [
        "", "udp", "udp:", "udp:x", "udp:65536", "udp:1:interface=", "udp:1:interface=me",
        "udp:1:127.0.0.1",
        "udp:1:interface=::1", "udp:1:interface=127.0.0.1:x", "tcp:1", "udp:" + "0" * 5000 + "1", "udp:1_0",
    ],
)  # fmt: skip
def test_whereNotToListenForDatagrams(description: str) -> None:
    with pytest.raises(BadEndpoint) as caught:
        parseDatagramAddress(description)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("udp:localhost:9001", DatagramTarget("localhost", 9001)),
        ("udp:127.0.0.1:9001", DatagramTarget("127.0.0.1", 9001)),
        (r"udp:\:\:1:9001", DatagramTarget("::1", 9001)),
        ("udp:[::1]:9001", DatagramTarget("::1", 9001)),
    ],
)
def test_whereToSendDatagrams(description: str, expected: DatagramTarget) -> None:
    """And what a target says of itself is read back as the same target."""
    assert parseDatagramTarget(description) == expected
    assert parseDatagramTarget(str(expected)) == expected


@pytest.mark.parametrize(
    "description",
    [
        "",
        "udp:h",
        "udp::1",
        "udp:h:0",
        "udp:h:65536",
        "udp:[]:1",
        "udp:[h]:1",
        "udp:a:b:1",
        "tcp:h:1",
        "udp:a..b:1",
    ],
)
def test_whereNotToSendDatagrams(description: str) -> None:
    with pytest.raises(BadEndpoint):
        parseDatagramTarget(description)


@given(st.text(max_size=40))
def test_anyTextIsReadOrRefused(text: str) -> None:
    """With L{BadEndpoint} and with nothing else."""
    for prefix in ("", "tcp:", "udp:", "tcp:127.0.0.1:", "tcp:1:", "udp:1:interface=", "udp:["):
        for parse in (
            lambda given: parseStreamServer(MemoryReactorClock(), given),
            lambda given: parseStreamClient(MemoryReactorClock(), given, 1.0),
            parseDatagramAddress,
            parseDatagramTarget,
        ):
            try:
                parse(prefix + text)
            except BadEndpoint as error:
                told = str(error)
            else:
                told = ""
            assert "\n" not in told


def test_addressesAsText() -> None:
    assert describe(IPv4Address("TCP", "127.0.0.1", 9000)) == "tcp:127.0.0.1:9000"
    assert describe(IPv6Address("UDP", "::1", 9001)) == "udp:[::1]:9001"
    assert describe(UNIXAddress(b"/run/x\xff")) == r"unix:/run/x\xff"
    assert describe(UNIXAddress(None)) == "unix:"
    assert describe(None) == "None"


def test_whatCountsAsOnePeer() -> None:
    assert peerHost(IPv4Address("TCP", "192.0.2.1", 1)) == "192.0.2.1"
    assert peerHost(IPv6Address("TCP", "::ffff:192.0.2.1", 1)) == "192.0.2.1"
    assert peerHost(IPv6Address("TCP", "2001:db8::1", 1)) == "2001:db8::1"
    assert peerHost(UNIXAddress(b"/run/x")) == "unix"
    assert withoutMapping("::ffff:1") == "::ffff:1"


def test_datagramsOrNot() -> None:
    assert isDatagram("udp:1")
    assert not isDatagram("tcp:1")


@pytest.mark.parametrize(
    ("host", "is_"),
    [("a.b", True), ("bücher.example", True), ("a..b", False), ("", False), ("a\nb", False)],
)
def test_whatCanBeLookedUp(host: str, is_: bool) -> None:
    assert isHost(host) is is_
