"""
Datagrams in memory, and what happens to them under way.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError, DNSLookupError, MessageLengthError
from twisted.internet.protocol import DatagramProtocol

from labnet.testing import DatagramFaults, DatagramNetwork, DatagramPair, Peer
from labnet.testing.datagramfaults import Fate

NUMBERS = [b"%d" % number for number in range(1, 6)]


def arrived(**faults: object) -> list[bytes]:
    """In which order five datagrams arrive, a millisecond apart."""
    client, server = Peer(), Peer()
    pair = DatagramPair(client, server, toServer=DatagramFaults(**faults))
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
        ({}, b"12345"),
        ({"drop": {1, 4}}, b"235"),
        ({"drop": 1.0}, b""),
        ({"duplicate": {2}}, b"122345"),
        ({"duplicate": 1.0}, b"1122334455"),
        ({"reorder": {2}}, b"13245"),
        ({"reorder": {2, 3}}, b"14235"),
        ({"reorder": {5}}, b"12345"),
        ({"reorder": {1}, "duplicate": {1}}, b"211345"),
        ({"drop": {2}, "duplicate": {2}, "reorder": {2}}, b"1345"),
    ],
)
def test_faultsOfCertainDatagrams(faults: dict[str, object], order: bytes) -> None:
    assert b"".join(arrived(**faults)) == order


def test_faultsByChanceAreThoseOfTheSeed() -> None:
    """And what is said of one kind does not change the others."""
    half = [arrived(drop=0.5, seed=seed) for seed in range(20)]
    assert half == [arrived(drop=0.5, seed=seed) for seed in range(20)]
    assert 20 < sum(map(len, half)) < 80
    twice = [arrived(drop=0.5, duplicate=1.0, seed=seed) for seed in range(20)]
    assert [payloads[::2] for payloads in twice] == half


def test_theDelayAndItsJitter() -> None:
    faults = DatagramFaults(delay=0.2, jitter=0.1, seed=4)
    late = [faults.next().copies[0] for _ in range(100)]
    assert 0.2 <= min(late) < 0.22
    assert 0.28 < max(late) <= 0.3
    assert DatagramFaults(delay=0.2).next() == Fate((0.2,))


def test_oneThatIsNotOvertakenIsLate() -> None:
    client, server = Peer(), Peer()
    pair = DatagramPair(client, server, toServer=DatagramFaults(reorder={1}, patience=0.3))
    client.send(b"late", pair.serverAddress)
    pair.advance(0.29)
    assert server.payloads == []
    pair.advance(0.02)
    assert server.payloads == [b"late"]


def test_eachDirectionHasItsOwnFaults() -> None:
    """The first answer is lost, and nothing else."""
    client, server = Peer(), Peer(bytes.upper)
    pair = DatagramPair(client, server, toClient=DatagramFaults(drop={1}))
    for payload in (b"one", b"two"):
        client.send(payload, pair.serverAddress)
        pair.settle()
    assert (server.payloads, client.payloads) == ([b"one", b"two"], [b"TWO"])
    assert [datagram.payload for datagram in pair.lost] == [b"ONE"]
    assert len(pair.sent) == 4


@pytest.mark.parametrize(
    "faults",
    [
        {"drop": 1.1},
        {"duplicate": -0.1},
        {"reorder": 3},
        {"drop": [0]},
        {"delay": -1.0},
        {"patience": -1.0},
    ],
)
def test_faultsThatCanNotBe(faults: dict[str, object]) -> None:
    """Above all a number that was meant for that datagram."""
    with pytest.raises(ValueError, match=r"probability|counted|before"):
        DatagramFaults(**faults)


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
