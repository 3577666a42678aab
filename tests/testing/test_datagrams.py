"""
Datagrams in memory, and what happens to them under way.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError, DNSLookupError, MessageLengthError
from twisted.internet.protocol import DatagramProtocol

from labnet.net.faults import BadFaults
from labnet.testing import DatagramNetwork, DatagramPair, Peer

NUMBERS = [b"%d" % number for number in range(1, 6)]


def arrived(faults: str) -> list[bytes]:
    """In which order five datagrams arrive, a millisecond apart."""
    client, server = Peer(), Peer()
    pair = DatagramPair(client, server, faults)
    for payload in NUMBERS:
        client.send(payload, pair.serverAddress)
        pair.advance(0.001)
    pair.advance(10)
    assert pair.getDelayedCalls() == []
    return server.payloads


def test_aQuestionAndItsAnswer() -> None:
    """When the clock is advanced, and not before; each knows where the other is."""
    client, server = Peer(), Peer(bytes.upper)
    pair = DatagramPair(client, server)
    client.send(b"hello", pair.serverAddress)
    assert server.received == []
    pair.settle()
    assert server.received == [(b"hello", pair.clientAddress)]
    assert client.received == [(b"HELLO", pair.serverAddress)]


@pytest.mark.parametrize(
    ("faults", "order"),
    [
        ("", b"12345"),
        ("drop=#1,#4", b"235"),
        ("in: drop=100%", b""),
        ("out: drop=100%", b"12345"),
        ("duplicate=#2", b"122345"),
        ("reorder=#2", b"13245"),
        ("reorder=#2-3", b"14235"),
        ("reorder=#5", b"12345"),
        ("drop=#2 duplicate=#2 reorder=#2", b"1345"),
    ],
)
def test_faultsOfCertainDatagrams(faults: str, order: bytes) -> None:
    """Those of a line of C{docs/faults.md}, counted in each direction."""
    assert b"".join(arrived(faults)) == order


def test_faultsByChanceAreThoseOfTheSeed() -> None:
    """A line without a seed does the same each time, too."""
    half = [arrived(f"seed={seed}; drop=50%") for seed in range(20)]
    assert half == [arrived(f"seed={seed}; drop=50%") for seed in range(20)]
    assert 20 < sum(map(len, half)) < 80
    assert arrived("drop=50%") == half[0]


def test_theDelayIsThatOfTheFaultsAndOfTheNetwork() -> None:
    client, server = Peer(), Peer()
    pair = DatagramPair(client, server, "delay=200ms")
    pair.delay = 0.1
    client.send(b"late", pair.serverAddress)
    for _ in range(29):
        pair.advance(0.01)
    assert server.payloads == []
    pair.advance(0.02)
    assert server.payloads == [b"late"]


def test_eachDirectionHasItsOwnFaults() -> None:
    """The first answer is lost, and nothing else; what was done is told, and what was lost is kept."""
    client, server = Peer(), Peer(bytes.upper)
    pair = DatagramPair(client, server, "out: drop=#1")
    for payload in (b"one", b"two"):
        client.send(payload, pair.serverAddress)
        pair.settle()
    assert (server.payloads, client.payloads) == ([b"one", b"two"], [b"TWO"])
    assert [datagram.payload for datagram in pair.lost] == [b"ONE"]
    assert pair.done == ["out: datagram #1: drops it"]
    assert len(pair.sent) == 4


def test_somebodyElseIsNotTouched() -> None:
    """What is not between the two is not broken, nor counted."""
    client, server = Peer(), Peer()
    pair = DatagramPair(client, server, "drop=#1")
    pair.peer().send(b"hello", pair.serverAddress)
    client.send(b"lost", pair.serverAddress)
    pair.settle()
    assert server.payloads == [b"hello"]


def test_faultsThatThereAreNot() -> None:
    with pytest.raises(BadFaults, match="droop"):
        DatagramPair(Peer(), Peer(), "droop=#1")


def test_aNetworkWithSeveralSockets() -> None:
    """Who is not connected hears everybody, and who is connected only one."""
    network = DatagramNetwork()
    one, two, three = network.peer(), network.peer(), network.peer(port=5000)
    assert network.addressOf(three) == ("127.0.0.1", 5000)
    three.transport.connect(*network.addressOf(one))
    one.send(b"from one", network.addressOf(three))
    two.send(b"from two", network.addressOf(three))
    two.send(b"to nobody", ("127.0.0.1", 9))
    network.settle()
    assert three.payloads == [b"from one"]
    with pytest.raises(CannotListenError):
        network.peer(port=5000)
    with pytest.raises(MessageLengthError):
        one.send(bytes(65_508), network.addressOf(two))


def test_whoIsConnectedToNobodyIsTold() -> None:
    class Told(DatagramProtocol):
        noisy = False
        refused = stopped = False

        def connectionRefused(self) -> None:
            self.refused = True

        def stopProtocol(self) -> None:
            self.stopped = True

    network = DatagramNetwork()
    told = Told()
    socket = network.listenUDP(0, told)
    told.transport.connect("127.0.0.1", 9)
    told.transport.write(b"anyone?")
    network.settle()
    assert told.refused
    socket.stopListening()
    assert told.stopped
    assert network.sockets == {}


def test_namesAreLookedUp() -> None:
    network = DatagramNetwork()
    network.names["here"] = "127.0.0.1"
    results: list[object] = []
    for name in ("here", "nowhere"):
        looked: Deferred[str] = network.resolve(name)
        looked.addErrback(lambda failure: failure.type).addCallback(results.append)
    assert results == ["127.0.0.1", DNSLookupError]


def test_twoEchoesAreFoundOut(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would talk until the end of the world, and the test would hang."""
    monkeypatch.setattr("labnet.testing.datagrams._MOST_AT_ONCE", 1000)
    client, server = Peer(bytes), Peer(bytes)
    pair = DatagramPair(client, server)
    client.send(b"hello", pair.serverAddress)
    with pytest.raises(AssertionError, match="round and round"):
        pair.settle()
