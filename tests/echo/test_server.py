"""
The echo servers on a transport, and on a network, in memory.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from functools import partial

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from labnet.echo.dampening import Patience
from labnet.echo.server import EchoDatagramProtocol, EchoFactory, EchoProtocol
from labnet.echo.wire import Echo, Frames, Lines, Pieces, Style
from labnet.net import datagram as netDatagram
from labnet.net.limits import DatagramLimits, Limits
from labnet.testing import Datagram, DatagramNetwork, TCPTransport, doneReason, hangUp, resetReason


def connected(
    clock: Clock, echo: Callable[[], Echo] | None = None, limits: Limits | None = None
) -> tuple[EchoProtocol, TCPTransport]:
    protocol = EchoFactory(clock, echo, limits=limits).buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
    assert isinstance(protocol, EchoProtocol)
    transport = TCPTransport()
    protocol.makeConnection(transport)
    return protocol, transport


# Streams


def test_eachPieceIsAnsweredInOneWrite(clock: Clock) -> None:
    protocol, transport = connected(clock)
    for piece in (b"one", b"two"):
        protocol.dataReceived(piece)
    assert transport.pieces == [b"Echo: one", b"Echo: two"]
    protocol.readConnectionLost()
    hangUp(protocol)
    assert protocol.outcome == "closed by the peer"


def test_anAcknowledgementIsSaidOnceAndArrives(clock: Clock) -> None:
    """Our half ends after it; what is still on its way is read, so that no reset overtakes it."""
    protocol, transport = connected(clock, partial(Pieces, Style.ACK))
    protocol.dataReceived(b"first")
    protocol.dataReceived(b"second")
    assert transport.pieces == [b"Message received!"]
    assert transport.halfClosed
    assert not transport.disconnecting
    protocol.readConnectionLost()
    hangUp(protocol)
    assert protocol.outcome == "answered"


def test_theEndOfTheStreamGivesOutWhatWasHeld(clock: Clock) -> None:
    """Half a character, and a line without an end, are answered before the connection closes."""
    for echo, sent, last in (
        (partial(Pieces, Style.UPPER), b"\xc3", b"\xc3"),
        (partial(Lines, Style.PREFIX), b"half", b"Echo: half"),
    ):
        protocol, transport = connected(clock, echo)
        protocol.dataReceived(sent)
        assert transport.pieces == []
        protocol.readConnectionLost()
        assert transport.pieces == [last]
        hangUp(protocol)


def test_halfAFrameIsNotAnswered(clock: Clock) -> None:
    protocol, transport = connected(clock, Frames)
    protocol.dataReceived(b"\0\0\0\5hel")
    protocol.readConnectionLost()
    assert transport.pieces == []
    hangUp(protocol)
    assert protocol.outcome == "closed in the middle of a message"


@pytest.mark.parametrize(
    ("echo", "sent", "outcome"),
    [
        (partial(Lines, Style.RAW), b"x" * (1 << 20), "a line of more than 65536 bytes"),
        (Frames, b"\xff\xff\xff\xff", "length 4294967295, allowed 0 to 1048576"),
    ],
)
def test_tooMuchEndsTheConnection(
    clock: Clock, echo: Callable[[], Echo], sent: bytes, outcome: str
) -> None:
    protocol, transport = connected(clock, echo)
    protocol.dataReceived(sent)
    assert transport.halfClosed
    protocol.dataReceived(b"more\n")
    assert transport.pieces == []
    protocol.readConnectionLost()
    hangUp(protocol)
    assert protocol.outcome == outcome


@pytest.mark.parametrize("echo", [partial(Pieces, Style.RAW), partial(Lines, Style.RAW), Frames])
def test_aPeerThatDoesNotReadIsNotReadFrom(clock: Clock, echo: Callable[[], Echo]) -> None:
    """The transport says that what is written piles up; from then on nothing more is read."""
    protocol, transport = connected(clock, echo)
    assert transport.reading
    transport.producer.pauseProducing()
    assert not transport.reading
    transport.producer.resumeProducing()
    assert transport.reading
    protocol.connectionLost(doneReason())


def test_aPeerThatNeverReadsLosesItsConnection(clock: Clock) -> None:
    protocol, transport = connected(clock, limits=Limits(idleTimeout=10.0))
    protocol.dataReceived(b"x")
    transport.producer.pauseProducing()
    clock.pump([1.0] * 11)
    assert transport.disconnected
    hangUp(protocol)
    assert protocol.outcome == "idle for 10 s"


def test_halfALineDoesNotKeepTheConnection(clock: Clock) -> None:
    """A byte now and then is no line: the idle time is not begun anew by it."""
    protocol, transport = connected(clock, partial(Lines, Style.RAW), Limits(idleTimeout=10.0))
    for _ in range(11):
        protocol.dataReceived(b"x")
        clock.advance(1.0)
    assert transport.disconnected
    hangUp(protocol)


def test_eachLineBeginsTheIdleTimeAnew(clock: Clock) -> None:
    """Also when every piece ends in the middle of the next line."""
    protocol, transport = connected(clock, partial(Lines, Style.RAW), Limits(idleTimeout=10.0))
    for _ in range(30):
        protocol.dataReceived(b"x\nx")
        clock.advance(1.0)
    assert not transport.disconnecting
    protocol.connectionLost(doneReason())


def test_aStoppingServiceWaitsForTheRestOfALine(clock: Clock) -> None:
    protocol, transport = connected(clock, partial(Lines, Style.RAW))
    protocol.dataReceived(b"hal")
    finished = protocol.factory.finish()
    clock.pump([0.001] * 10)
    assert not transport.disconnecting
    protocol.dataReceived(b"f\n")
    assert transport.pieces == [b"half\n"]
    assert transport.disconnecting
    hangUp(protocol)
    assert finished.called


def test_aResetIsNoBug(clock: Clock) -> None:
    protocol, _ = connected(clock)
    protocol.dataReceived(b"x")
    protocol.connectionLost(resetReason())
    assert "lost" in protocol.outcome


def test_theLineOfTheLog(clock: Clock) -> None:
    protocol, _ = connected(clock)
    protocol.dataReceived(b"x")
    assert protocol.summary() == "1 reply, 1 byte in, 7 out"
    protocol.connectionLost(doneReason())


# Datagrams

US = ("127.0.0.1", 7007)


class Elsewhere:
    """Lets every service believe that it is the only one of its process, as in processes of their own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(netDatagram, "_isOurs", lambda host, port: False)


def serving(
    network: DatagramNetwork,
    style: Style,
    port: int = US[1],
    patience: Patience | None = None,
    limits: DatagramLimits | None = None,
) -> EchoDatagramProtocol:
    service = EchoDatagramProtocol(network, style, patience=patience, limits=limits)
    network.listenUDP(port, service, "127.0.0.1")
    return service


def forged(network: DatagramNetwork, payload: bytes, source: tuple[str, int]) -> None:
    """A datagram to us that claims to come from C{source}."""
    network.send(Datagram(payload, source, US))


def stopped(network: DatagramNetwork) -> None:
    for socket in list(network.sockets.values()):
        socket.stopListening()


@pytest.mark.parametrize(
    ("style", "answer"),
    [
        (Style.PREFIX, b"Echo: hi"),
        (Style.UPPER, b"HI"),
        (Style.ACK, b"ACK: Message received!"),
        (Style.RAW, b"hi"),
    ],
)
def test_aDatagramIsAnswered(style: Style, answer: bytes) -> None:
    network = DatagramNetwork()
    serving(network, style)
    peer = network.peer()
    peer.send(b"hi", US)
    network.settle()
    assert peer.received == [(answer, US)]
    stopped(network)


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("other", Style)
def test_twoOfOneProcessNeverTalkToEachOther(style: Style, other: Style) -> None:
    """Not once, whoever forges what."""
    network = DatagramNetwork()
    serving(network, style)
    serving(network, other, 7008)
    forged(network, b"x", ("127.0.0.1", 7008))
    forged(network, b"x", US)
    network.settle()
    assert len(network.sent) == 2
    stopped(network)


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("other", Style)
def test_twoOfTwoProcessesFallSilent(monkeypatch: pytest.MonkeyPatch, style: Style, other: Style) -> None:
    """Of one forged datagram come 23 at most: 11 answers from each, and it."""
    Elsewhere(monkeypatch)
    network = DatagramNetwork()
    serving(network, style)
    serving(network, other, 7008)
    forged(network, b"x", ("127.0.0.1", 7008))
    network.settle()
    assert len(network.sent) <= 23
    stopped(network)


_NUMBERS = itertools.count()
_RANDOM = random.Random(7)

#: What plain programs answer, and how many datagrams come of a forged one at most, theirs included.
NAIVE: dict[str, tuple[Callable[[bytes], bytes], int]] = {
    "as it is": (lambda data: data, 24),
    "with the course's prefix": (lambda data: b"Echo: " + data, 24),
    "with a prefix of its own": (lambda data: b"Server: " + data, 2001),
    "with a prefix, cut at 64 bytes": (lambda data: (b"Server: " + data)[:64], 60),
    "with a prefix, cut at 1024 bytes": (lambda data: (b"Server: " + data)[:1024], 300),
    "in upper case": (bytes.upper, 24),
    "in the other case": (bytes.swapcase, 24),
    "backwards": (lambda data: data[::-1], 48),
    "an acknowledgement": (lambda data: b"Message received!", 26),
    "the course's acknowledgement": (lambda data: b"ACK: Message received!", 26),
    "nothing but an empty datagram": (lambda data: b"", 26),
    "a number": (lambda data: b"%d" % next(_NUMBERS), 2001),
    "noise": (lambda data: _RANDOM.randbytes(20), 2001),
}


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("naive", NAIVE)
def test_anotherProgramIsNotFed(style: Style, naive: str) -> None:
    """
    One forged datagram makes another program and ours talk; that ends by itself. Programs that return
    what they hear, or always say the same, get eleven answers, and any other one a thousand.
    """
    answer, most = NAIVE[naive]
    network = DatagramNetwork()
    service = serving(network, style)
    peer = network.peer(answer)
    forged(network, b"hello", network.addressOf(peer))
    for _ in range(10):
        network.settle()
    assert len(network.sent) <= most
    assert service.answered <= 1000
    stopped(network)


@pytest.mark.parametrize("style", Style)
def test_aHundredForgedAtOnce(style: Style) -> None:
    """A hundred different ones go round at a time: they share what there is for the port."""
    network = DatagramNetwork()
    service = serving(network, style)
    peer = network.peer(lambda data: data)
    for number in range(100):
        forged(network, b"%d" % number, network.addressOf(peer))
    for _ in range(10):
        network.settle()
    assert service.answered <= 1000
    stopped(network)


def test_aSlowProgramIsNotFedForEver() -> None:
    """One that takes its time to answer, but less than a second, is no better off."""
    network = DatagramNetwork()
    network.delay = 0.4
    service = serving(network, Style.RAW)
    peer = network.peer(lambda data: data)
    forged(network, b"hello", network.addressOf(peer))
    network.pass_(30)
    assert service.answered == 11
    stopped(network)


@pytest.mark.parametrize("port", [7, 9, 13, 17, 19, 37, 53, 123, 1023])
def test_reservedPortsAreNotAnswered(port: int) -> None:
    """Echo, chargen, DNS, NTP: what a forged source would most like to be."""
    network = DatagramNetwork()
    service = serving(network, Style.RAW)
    forged(network, b"x", ("192.0.2.1", port))
    network.settle()
    assert (service.answered, service.dropped.total) == (0, 1)
    stopped(network)


@pytest.mark.parametrize("size", [0, 1, 1472, 65_501, 65_507])
@pytest.mark.parametrize("style", Style)
def test_anySize(style: Style, size: int) -> None:
    """What is answered, is answered; an answer that does not fit a datagram costs that datagram only."""
    network = DatagramNetwork()
    serving(network, style)
    peer = network.peer()
    peer.send(b"x" * size, US)
    peer.send(b"after", US)
    network.settle()
    fits = size + (6 if style is Style.PREFIX else 0) <= 65_507
    assert len(peer.received) == (2 if fits else 1)
    stopped(network)


def test_whatIsDroppedIsCounted() -> None:
    network = DatagramNetwork()
    service = serving(network, Style.PREFIX, patience=Patience(repeats=1))
    peer = network.peer()
    for payload in (b"Echo: x", b"y", b"y", b"y"):
        peer.send(payload, US)
    network.settle()
    assert service.dropped._waiting == {"an answer of our own": 1, "said again and again": 1}
    stopped(network)


def test_theRateHoldsAsWell() -> None:
    network = DatagramNetwork()
    service = serving(network, Style.RAW, limits=DatagramLimits(perSource=5))
    for port in range(100):
        forged(network, b"x", ("192.0.2.1", 40_000 + port))
    network.settle()
    assert service.answered == 10
    stopped(network)
