"""
The relay from UDP to UDP, with a network in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from twisted.internet.defer import Deferred

from labnet.net.endpoints import DatagramTarget
from labnet.net.limits import DatagramLimits
from labnet.relay.client import DatagramUpstream
from labnet.relay.datagrams import ClientLimits, DatagramRelay
from labnet.relay.wire import parseTampering
from labnet.testing import DatagramNetwork, Peer
from labnet.testing.datagrams import Address

RELAY: Address = ("127.0.0.1", 9100)
SERVER = DatagramTarget("127.0.0.1", 9001)


class Relay:
    """A relay in memory and a server behind it."""

    def __init__(
        self,
        answer: Callable[[bytes], bytes | None] | None = bytes.upper,
        limits: ClientLimits | None = None,
        tamper: str = "",
        target: DatagramTarget = SERVER,
    ) -> None:
        self.network = DatagramNetwork()
        self.server = self.network.peer(answer, SERVER.port)
        self.relay = DatagramRelay(
            self.network,
            target,
            clientLimits=limits,
            tampering=parseTampering(tamper) if tamper else None,
            limits=DatagramLimits(perSource=0, total=0),
        )
        self.port = self.network.listenUDP(RELAY[1], self.relay, RELAY[0])

    def client(self, *payloads: bytes) -> Peer:
        client = self.network.peer()
        for payload in payloads:
            client.send(payload, RELAY)
        self.network.settle()
        return client

    @property
    def ways(self) -> int:
        """How many sockets the relay has towards the server."""
        return sum(isinstance(s.protocol, DatagramUpstream) for s in self.network.sockets.values())

    def stop(self) -> None:
        self.port.stopListening()
        self.network.settle()
        assert self.ways == 0
        assert self.network.getDelayedCalls() == []


def test_eachClientHasAWayOfItsOwn() -> None:
    """The server sees two clients, and each gets its own replies and nobody else's."""
    relay = Relay()
    anna, berta = relay.client(b"anna"), relay.client(b"berta")
    anna.send(b"again", RELAY)
    relay.network.settle()
    assert anna.received == [(b"ANNA", RELAY), (b"AGAIN", RELAY)]
    assert berta.received == [(b"BERTA", RELAY)]
    assert relay.server.payloads == [b"anna", b"berta", b"again"]
    sources = [source for _, source in relay.server.received]
    assert sources[0] == sources[2] != sources[1]
    assert relay.ways == 2
    relay.stop()


def test_anyDatagramIsCarriedEvenAnEmptyOne() -> None:
    relay = Relay(lambda datagram: datagram)
    client = relay.client(b"", b"\0\xff" * 30_000)
    assert client.payloads == [b"", b"\0\xff" * 30_000]
    relay.stop()


def test_aSilentClientIsForgotten(loggedLines: list[str]) -> None:
    relay = Relay(limits=ClientLimits(expire=30.0))
    anna = relay.client(b"a")
    relay.network.pass_(20.0)
    berta = relay.client(b"b")
    relay.network.pass_(9.9)
    assert len(relay.relay) == 2
    relay.network.pass_(0.2)
    assert len(relay.relay) == relay.ways == 1
    berta.send(b"still here", RELAY)
    relay.network.pass_(29.9)
    assert len(relay.relay) == 1
    relay.network.pass_(0.2)
    assert len(relay.relay) == relay.ways == 0
    lines = [line for line in loggedLines if "silent for 30 s" in line]
    assert len(lines) == 2
    assert "1 datagram in, 1 out" in lines[0]
    assert "2 datagrams in, 2 out" in lines[1]
    anna.send(b"back", RELAY)
    relay.network.settle()
    assert anna.payloads == [b"A", b"BACK"]
    relay.stop()


def test_theOneThatIsSilentGoesThoughItCameLater() -> None:
    relay = Relay(limits=ClientLimits(expire=30.0))
    anna, berta = relay.client(b"a"), relay.client(b"b")
    relay.network.pass_(20.0)
    anna.send(b"again", RELAY)
    relay.network.pass_(10.1)
    assert len(relay.relay) == 1
    berta.send(b"back", RELAY)
    relay.network.settle()
    assert len({source for _, source in relay.server.received}) == 3
    relay.stop()


def test_repliesAreTrafficToo() -> None:
    relay = Relay(limits=ClientLimits(expire=1.0))
    client = relay.client(b"subscribe")
    way = relay.server.received[0][1]
    for _ in range(5):
        relay.network.pass_(0.9)
        relay.server.send(b"news", way)
    relay.network.settle()
    assert client.payloads == [b"SUBSCRIBE"] + [b"news"] * 5
    relay.stop()


def test_clientsAreBounded() -> None:
    relay = Relay(limits=ClientLimits(most=3))
    clients = [relay.client(b"x") for _ in range(5)]
    assert [client.payloads for client in clients] == [[b"X"]] * 3 + [[], []]
    assert relay.ways == 3
    assert relay.relay.dropped.total == 2
    relay.stop()


def test_clientsOfOneHostAreBounded() -> None:
    relay = Relay(limits=ClientLimits(most=100, mostPerHost=2))
    for _ in range(4):
        relay.client(b"x")
    assert relay.ways == 2
    relay.relay.datagramReceived(b"x", ("127.0.0.2", 5000))
    assert relay.ways == 3
    relay.stop()


def test_aServerThatSendsMoreThanAllowedIsCutOff() -> None:
    """No request is worth more than so many replies: a relay is no amplifier."""
    relay = Relay(lambda datagram: None, ClientLimits(repliesPerRequest=3, mostReplies=5))
    client = relay.client(b"once")
    way = relay.server.received[0][1]
    for number in range(10):
        relay.server.send(b"%d" % number, way)
    relay.network.settle()
    assert client.payloads == [b"0", b"1", b"2"]
    assert relay.relay.dropped.total == 7
    for _ in range(10):
        client.send(b"more", RELAY)
    relay.network.settle()
    for number in range(10):
        relay.server.send(b"%d" % number, way)
    relay.network.settle()
    assert client.payloads[3:] == [b"0", b"1", b"2", b"3", b"4"]
    relay.stop()


def test_onlyTheServerIsHeard() -> None:
    relay = Relay()
    client = relay.client(b"hello")
    way = relay.server.received[0][1]
    relay.client().send(b"forged", way)
    relay.network.settle()
    assert client.payloads == [b"HELLO"]
    relay.stop()


def test_aServerThatIsNotThereCostsTheDatagramOnly() -> None:
    relay = Relay()
    relay.network.sockets[relay.server.transport.address].stopListening()
    client = relay.client(b"lost")
    assert client.payloads == []
    assert relay.relay.dropped.total == 1
    relay.network.peer(bytes.upper, SERVER.port)
    client.send(b"found", RELAY)
    relay.network.settle()
    assert client.payloads == [b"FOUND"]
    relay.stop()


def test_withoutASocketTheClientIsForgotten(loggedLines: list[str]) -> None:
    relay = Relay()
    relay.network.mostSockets = 3
    client = relay.client(b"lost")
    assert len(relay.relay) == 0
    relay.network.mostSockets = 10
    client.send(b"found", RELAY)
    relay.network.settle()
    assert client.payloads == [b"FOUND"]
    relay.stop()


def test_aServerWithAName() -> None:
    relay = Relay(target=DatagramTarget("server.example", SERVER.port))
    client = relay.client(b"lost")
    assert len(relay.relay) == 0
    relay.network.names["server.example"] = SERVER.host
    client.send(b"found", RELAY)
    relay.network.settle()
    assert client.payloads == [b"FOUND"]
    relay.stop()


def test_whatComesDuringTheLookupIsHeldWithinBounds() -> None:
    relay = Relay(target=DatagramTarget("server.example", SERVER.port))
    looking: Deferred[str] = Deferred()
    relay.network.resolve = lambda name, timeout=(): looking  # type: ignore[method-assign]
    client = relay.client(*[b"%d" % number for number in range(20)])
    assert relay.server.payloads == []
    looking.callback(SERVER.host)
    relay.network.settle()
    assert client.payloads == [b"%d" % number for number in range(DatagramUpstream.MOST_HELD)]
    relay.stop()


def test_stoppingDuringTheLookup() -> None:
    relay = Relay(target=DatagramTarget("server.example", SERVER.port))
    cancelled: list[object] = []
    looking: Deferred[str] = Deferred(cancelled.append)
    relay.network.resolve = lambda name, timeout=(): looking  # type: ignore[method-assign]
    relay.client(b"x")
    relay.stop()
    assert cancelled


def test_aRelayThatIsItsOwnServerStopsAtOnce() -> None:
    relay = Relay(target=DatagramTarget(*RELAY))
    client = relay.client(b"x")
    assert client.payloads == []
    assert relay.ways == 1
    relay.stop()


def test_aLoopOfTwoRelaysEndsAtTheBoundOnClients() -> None:
    """Each time round makes a new client; as if in two processes, neither knows the other's sockets."""
    network = DatagramNetwork()
    limits = ClientLimits(most=100, mostPerHost=20)
    ends = [("127.0.0.1", 9100), ("127.0.0.1", 9200)]
    relays = []
    for here, there in (ends, reversed(ends)):
        relay = DatagramRelay(network, DatagramTarget(*there), clientLimits=limits)
        relays.append((relay, network.listenUDP(here[1], relay, here[0])))
    network.peer().send(b"round", ends[0])
    network.settle()
    assert [len(relay) for relay, _ in relays] == [20, 20]
    assert len(network.sent) <= 42
    for _, port in relays:
        port.stopListening()
    network.settle()
    assert network.getDelayedCalls() == []


def test_requestsAreTamperedWithAndTheRestPasses(loggedLines: list[str]) -> None:
    relay = Relay(lambda datagram: datagram, tamper="op=-,b=*2")
    request = struct.pack("<ii1s", 12, 34, b"+")
    client = relay.client(request, b"no request")
    assert client.payloads == [struct.pack("<ii1s", 12, 68, b"-"), b"no request"]
    relay.stop()
    assert any('"12 + 34" becomes "12 - 68"' in line for line in loggedLines)
    assert any("2 datagrams in, 2 out, 1 tampered with" in line for line in loggedLines)


def test_reservedPortsAndTooManyAreNotRelayed() -> None:
    relay = Relay()
    relay.relay.datagramReceived(b"x", ("127.0.0.1", 7))
    assert relay.ways == 0
    relay.stop()
