"""
The small services: their bytes, their servers on a transport in memory, and the plugin.
"""

from __future__ import annotations

import struct

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.usage import UsageError

from labnet.classic import tap
from labnet.classic.server import (
    CHARGEN_PAUSE,
    ChargenFactory,
    DiscardFactory,
    daytimeFactory,
    qotdFactory,
    timeFactory,
)
from labnet.classic.wire import LONGEST_QUOTE, NOISE, QUOTES, daytime, timeSince1900
from labnet.net.connection import ServiceConnection, ServiceFactory
from labnet.net.limits import Limits
from labnet.net.service import listeners
from labnet.testing import TCPTransport, doneReason, hangUp


def connected(factory: ServiceFactory) -> tuple[ServiceConnection, TCPTransport]:
    protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
    assert protocol is not None
    transport = TCPTransport()
    protocol.makeConnection(transport)
    return protocol, transport


def test_daytimeIsALine() -> None:
    assert daytime(1_795_207_358.9) == b"Friday, November 20, 2026 20:42:38-UTC\r\n"
    assert daytime(0) == b"Thursday, January 1, 1970 00:00:00-UTC\r\n"


@pytest.mark.parametrize(
    ("year", "seconds", "answer"),
    [  # RFC 868, except for the last one: the number begins anew.
        (1970, 0, 2_208_988_800),
        (1976, 189_302_400, 2_398_291_200),
        (1980, 315_532_800, 2_524_521_600),
        (1983, 420_595_200, 2_629_584_000),
        (2036, 2_085_978_496, 0),
    ],
)
def test_timeIsTheSecondsSince1900(year: int, seconds: int, answer: int) -> None:
    assert struct.unpack(">I", timeSince1900(seconds)) == (answer,)


def test_noiseIsLinesOf72PrintableCharacters() -> None:
    lines = NOISE.split(b"\r\n")
    assert lines.pop() == b""
    assert {len(line) for line in lines} == {72}
    assert lines[0].startswith(b' !"#')
    assert lines[1].startswith(b'!"#$')
    assert b"".join(line[:1] for line in lines) == bytes(range(32, 127))


def test_quotesAreShort() -> None:
    assert all(len(f"{quote}\r\n".encode("ascii")) <= LONGEST_QUOTE for quote in QUOTES)


@pytest.mark.parametrize(
    ("factory", "word"),
    [
        (lambda clock: daytimeFactory(clock, now=lambda: 0.0), daytime(0)),
        (lambda clock: timeFactory(clock, now=lambda: 0.0), b"\x83\xaa\x7e\x80"),
        (lambda clock: qotdFactory(clock, quotes=("Why?",)), b"Why?\r\n"),
    ],
)
def test_aWordIsSaidThenItEnds(clock: Clock, factory: object, word: bytes) -> None:
    assert callable(factory)
    protocol, transport = connected(factory(clock))
    assert transport.pieces == [word]
    assert transport.halfClosed
    protocol.dataReceived(b"never looked at")
    protocol.readConnectionLost()
    hangUp(protocol)


def test_quotesInTurn(clock: Clock) -> None:
    factory = qotdFactory(clock, quotes=("a", "b"))
    said = []
    for _ in range(3):
        protocol, transport = connected(factory)
        said += transport.pieces
        protocol.connectionLost(doneReason())
    assert said == [b"a\r\n", b"b\r\n", b"a\r\n"]


def test_discardSaysNothing(clock: Clock) -> None:
    protocol, transport = connected(DiscardFactory(clock, limits=Limits(idleTimeout=10.0)))
    for _ in range(20):
        protocol.dataReceived(b"x" * 65_536)
        clock.advance(1.0)
    assert transport.pieces == []
    assert not transport.disconnecting
    clock.pump([1.0] * 11)
    assert transport.disconnected
    hangUp(protocol)


def test_noiseGoesOnUntilThePeerCloses(clock: Clock) -> None:
    """A block at a time: nobody makes it send faster, and input changes nothing."""
    protocol, transport = connected(ChargenFactory(clock))
    protocol.dataReceived(b"x")
    clock.pump([CHARGEN_PAUSE] * 10)
    assert transport.pieces == [NOISE] * 11
    protocol.readConnectionLost()
    assert transport.disconnecting
    clock.advance(1.0)
    assert len(transport.pieces) == 11
    hangUp(protocol)


def test_noiseWaitsForWhoDoesNotRead(clock: Clock) -> None:
    """What is queued is bounded by the transport, and who never reads loses the connection."""
    protocol, transport = connected(ChargenFactory(clock, limits=Limits(idleTimeout=10.0)))
    protocol.pauseProducing()
    clock.advance(1.0)
    assert transport.pieces == [NOISE]
    protocol.resumeProducing()
    clock.advance(CHARGEN_PAUSE)
    assert transport.pieces == [NOISE] * 2
    protocol.pauseProducing()
    clock.pump([1.0] * 11)
    assert transport.disconnected
    hangUp(protocol)


def test_noiseThatIsNotTakenIsNotFollowedByMore(clock: Clock) -> None:
    """The transport may say that it is full while it is written to."""
    protocol, transport = connected(ChargenFactory(clock))
    write = transport.write

    def full(data: bytes) -> None:
        write(data)
        protocol.pauseProducing()

    transport.write = full
    clock.pump([CHARGEN_PAUSE] * 10)
    assert transport.pieces == [NOISE] * 2
    protocol.connectionLost(doneReason())


def test_noiseEndsWithTheService(clock: Clock) -> None:
    factory = ChargenFactory(clock)
    protocol, transport = connected(factory)
    finished = factory.finish()
    clock.pump([0.001] * 10)
    assert transport.disconnecting
    hangUp(protocol)
    assert finished.called


# The plugin


def parsed(*arguments: str) -> tap.Options:
    options = tap.Options()
    options.parseOptions(arguments)
    return options


def test_theDefaultPortsAreTheOldOnesAnd7000(memory: MemoryReactorClock) -> None:
    service = tap.makeService(parsed())
    service.privilegedStartService()
    assert [(port, factory.service, interface) for port, factory, _, interface in memory.tcpServers] == [
        (7009, "discard", "127.0.0.1"),
        (7013, "daytime", "127.0.0.1"),
        (7017, "qotd", "127.0.0.1"),
        (7019, "chargen", "127.0.0.1"),
        (7037, "time", "127.0.0.1"),
    ]
    service.stopService()


def test_theLimitsReachTheFactories(memory: MemoryReactorClock) -> None:
    (listener,) = listeners(tap.makeService(parsed("--listen", "time=tcp:0", "--lifetime", "3")))
    assert listener.factory.limits.lifetime == 3
    assert listener.factory.limits.maxPerPeer == 100


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--listen", "tcp:0"],
            "--listen: 'tcp:0': say which of discard, daytime, qotd, chargen, time, as in daytime=tcp:0",
        ),
        (
            ["--listen", "chargen=udp:0"],
            "--listen: 'chargen=udp:0': over udp these would be amplifiers; use tcp",
        ),
        (
            ["--listen", "finger=tcp:0"],
            "--listen: 'finger=tcp:0': 'finger' is none of discard, daytime, qotd, chargen, time",
        ),
    ],
)
def test_aMistakeIsOneLine(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(*arguments)
    assert str(caught.value) == sentence
