"""
The layers that record: they change nothing for the protocol, and miss nothing of what goes by.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import succeed
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost, TimeoutError
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer

from labnet.net.connection import ServiceConnection, ServiceFactory
from labnet.net.datagram import ServiceDatagramProtocol
from labnet.net.endpoints import DatagramAddress
from labnet.net.layers import LayeredClientEndpoint, LayeredEndpoint, Layers
from labnet.net.limits import Limits
from labnet.net.redaction import Redaction
from labnet.net.sendfile import FileTransfer
from labnet.net.service import DatagramListener
from labnet.net.trace import Conversation, Event, Happening, Trace
from labnet.net.tracing import MOST_PEERS, QUIET, Recorder, TracedConnection, TracedDatagrams, TracedFactory
from labnet.testing import DatagramNetwork, TCPTransport, doneReason, hangUp

O, R, W = Happening.OPENED, Happening.RECEIVED, Happening.WRITTEN  # noqa: E741
P, E, C = Happening.PEER_ENDED, Happening.WE_ENDED, Happening.CLOSED


class Upper(ServiceConnection):
    def received(self, data: bytes) -> None:
        self.write(data.upper())
        if b"." in data:
            self.close()


class UpperFactory(ServiceFactory):
    connectionClass = Upper


class Plain(Protocol):
    """A protocol that knows nothing of halves."""

    reason: Failure | None = None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.reason = reason


class Transport(TCPTransport):
    """One that reports the end that a peer's FIN is, as Twisted's does."""

    def __init__(self) -> None:
        super().__init__()
        self.hostAddr = IPv4Address("TCP", "127.0.0.1", 9000)
        self.peerAddr = IPv4Address("TCP", "127.0.0.1", 40_000)

    def end(self, protocol: Protocol) -> None:
        if IHalfCloseableProtocol.providedBy(protocol):
            protocol.readConnectionLost()
        else:
            protocol.connectionLost(doneReason())


class Traced:
    """A protocol with its layer, on a transport in memory."""

    def __init__(self, factory: Any, clock: Clock, transport: Any = None) -> None:
        self.trace = Trace()
        self.transport = transport or Transport()
        self.layer: TracedConnection = TracedFactory(
            factory, Recorder(self.trace, clock, "thing", "kind")
        ).buildProtocol(None)
        self.layer.makeConnection(self.transport)
        self.protocol: Any = self.layer.wrapped

    @property
    def conversation(self) -> Conversation:
        return self.layer.conversation

    @property
    def events(self) -> list[tuple[Happening, bytes]]:
        return [(event.what, event.data) for event in self.conversation.events]


@pytest.fixture
def traced(clock: Clock) -> Traced:
    return Traced(UpperFactory(clock, limits=Limits(idleTimeout=0.0)), clock)


def test_aConnectionIsRecorded(traced: Traced, clock: Clock) -> None:
    """Each piece at its time, who ended it, and the word for that."""
    clock.advance(1)
    traced.layer.dataReceived(b"ab")
    clock.advance(1)
    traced.layer.dataReceived(b"c.")
    hangUp(traced.layer)
    assert traced.transport.pieces == [b"AB", b"C."]
    assert traced.events == [(O, b""), (R, b"ab"), (W, b"AB"), (R, b"c."), (W, b"C."), (E, b""), (C, b"")]
    assert [event.at for event in traced.conversation.events] == [0, 1, 1, 2, 2, 2, 2]
    conversation = traced.conversation
    assert (conversation.service, conversation.detail, conversation.transport) == ("thing", "kind", "tcp")
    assert (conversation.local, conversation.peer) == (("127.0.0.1", 9000), ("127.0.0.1", 40_000))
    assert (conversation.outcome, conversation.secure) == ("closed by us", False)


def test_theProtocolHasEveryPartOfItsTransport(traced: Traced) -> None:
    """TCP's options, pausing and producers go through; what the transport is not, the layer is not."""
    above: Any = traced.protocol.transport
    assert above is traced.layer
    assert ITCPTransport.providedBy(above)
    assert not ISSLTransport.providedBy(above)
    assert traced.transport.noDelay
    assert traced.transport.keepAlive
    assert traced.transport.producer is traced.protocol
    traced.protocol.hold("test")
    assert not traced.transport.reading
    traced.protocol.release("test")
    assert traced.transport.reading
    assert above.getPeer() is traced.transport.getPeer()
    assert not above.disconnecting
    above.writeSequence([b"a", b"b"])
    above.write(b"")
    assert traced.events[-1] == (W, b"ab")
    assert traced.transport.value() == b"ab"
    with pytest.raises(AttributeError):
        _ = above.getPeerCertificate
    traced.protocol.drop("")
    hangUp(traced.layer)


def test_halves(traced: Traced) -> None:
    """Ours may end first, and the peer still sends."""
    traced.protocol.endOutput()
    assert traced.transport.halfClosed
    traced.layer.writeConnectionLost()
    traced.transport.end(traced.layer)
    hangUp(traced.layer)
    assert [what for what, _ in traced.events] == [O, E, P, E, C]
    assert traced.conversation.outcome == "closed by us"


def test_aPeerThatEndsFirst(traced: Traced) -> None:
    """Then it was its FIN that ended the connection, though we close it."""
    traced.transport.end(traced.layer)
    hangUp(traced.layer)
    assert [what for what, _ in traced.events] == [O, P, E, C]
    assert traced.conversation.outcome == "FIN from the peer"


def test_aProtocolWithoutHalves(clock: Clock) -> None:
    """The layer promises no more than its protocol, which sees the end as it would without."""
    traced = Traced(Factory.forProtocol(Plain), clock)
    assert not IHalfCloseableProtocol.providedBy(traced.layer)
    traced.transport.end(traced.layer)
    assert traced.protocol.reason.check(ConnectionDone)
    assert [what for what, _ in traced.events] == [O, P, C]
    assert traced.conversation.outcome == "FIN from the peer"


def test_aLayerAboveAnother(clock: Clock) -> None:
    """What the layer below promises to its transport is none of the protocol's promises."""
    below = Transport()
    alsoProvides(below, IHalfCloseableProtocol, IHandshakeListener)
    traced = Traced(Factory.forProtocol(Plain), clock, below)
    assert not IHalfCloseableProtocol.providedBy(traced.layer)
    assert not IHandshakeListener.providedBy(traced.layer)
    assert ITCPTransport.providedBy(traced.layer)


@pytest.mark.parametrize(
    ("said", "reason", "outcome"),
    [
        ("", ConnectionLost("reset"), "reset by the peer"),
        ("", ConnectionAborted(), "reset by us"),
        ("a bug in this service", ConnectionAborted(), "reset by us: a bug in this service"),
        ("idle for 300 s", ConnectionAborted(), "timed out: idle for 300 s"),
        ("", TimeoutError(), "timed out: the peer does not answer"),
        ("", ConnectionDone(), "FIN from the peer"),
        ("", OSError("what\never"), "what ever"),
        ("", SSL.Error([("SSL routines", "", "wrong version number")]), "wrong version number"),
    ],
)
def test_howItEnded(traced: Traced, said: str, reason: Exception, outcome: str) -> None:
    """By what the protocol says of its own ends, and by what the transport says."""
    traced.protocol.outcome = said
    traced.layer.connectionLost(Failure(reason))
    assert outcome in traced.conversation.outcome
    assert "\n" not in traced.conversation.outcome


def test_TLS(clock: Clock) -> None:
    """It may be there from the beginning, or begin later; its questions go to the transport."""
    secure = Transport()
    alsoProvides(secure, ISSLTransport)
    secure.getPeerCertificate = lambda: "certificate"  # type: ignore[attr-defined]
    traced = Traced(Factory.forProtocol(Plain), clock, secure)
    assert traced.conversation.secure
    assert traced.protocol.transport.getPeerCertificate() == "certificate"
    traced.layer.connectionLost(Failure(ConnectionLost()))
    assert "close_notify" in traced.conversation.outcome

    later = Traced(Factory.forProtocol(Plain), clock)
    begun: list[object] = []

    def startTLS(*given: object) -> None:
        begun.extend(given)
        alsoProvides(later.transport, ISSLTransport)

    later.transport.startTLS = startTLS
    later.protocol.transport.startTLS("context", True)
    assert begun == ["context", True]
    assert ISSLTransport.providedBy(later.protocol.transport)
    assert later.conversation.secure
    assert later.conversation.events[-1].note == "TLS begins"


def test_whoWantsToKnowOfTheHandshakeIsTold(clock: Clock) -> None:
    @implementer(IHandshakeListener)
    class Listening(Plain):
        completed = 0

        def handshakeCompleted(self) -> None:
            self.completed += 1

    traced = Traced(Factory.forProtocol(Listening), clock)
    assert IHandshakeListener.providedBy(traced.layer)
    traced.layer.handshakeCompleted()
    assert traced.protocol.completed == 1
    Traced(Factory.forProtocol(Plain), clock).layer.handshakeCompleted()


def test_aFileGoesThrough(clock: Clock, tmp_path: Path) -> None:
    """The kernel's short way from a file to a socket is not taken past the trace."""
    content = bytes(range(256)) * 4_000
    (tmp_path / "file").write_bytes(content)
    traced = Traced(Factory.forProtocol(Plain), clock)
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    try:
        sent = FileTransfer(clock, traced.protocol.transport, descriptor, 0, len(content)).start()
        while traced.transport.producer is not None:
            traced.transport.producer.resumeProducing()
    finally:
        os.close(descriptor)
    assert sent.called
    assert traced.transport.value() == content
    assert traced.conversation.bytesOut == len(content)


def test_aUNIXSocket(clock: Clock) -> None:
    transport = StringTransport(UNIXAddress("/run/here"), UNIXAddress(None))
    transport.abortConnection = lambda: None  # type: ignore[method-assign]
    conversation = Traced(Factory.forProtocol(Plain), clock, transport).conversation
    assert (conversation.transport, conversation.peer) == ("unix", ("", 0))


class Nobody(Factory):  # type: ignore[type-arg, unused-ignore]
    applicationProtocols = (b"http/1.1",)

    def buildProtocol(self, addr: object) -> None:
        return None


def test_whoIsRefusedGetsNoLayer(clock: Clock) -> None:
    """And what TLS asks the factory for is there."""
    trace = Trace()
    factory = TracedFactory(Nobody(), Recorder(trace, clock))
    assert factory.buildProtocol(None) is None
    assert factory.applicationProtocols == (b"http/1.1",)
    assert not trace.conversations


# The endpoints.


def test_withoutLayersNothingIsInBetween() -> None:
    """The factory itself listens."""
    reactor = MemoryReactorClock()
    factory = Factory.forProtocol(Plain)
    LayeredEndpoint(TCP4ServerEndpoint(reactor, 9000), Layers(), reactor).listen(factory)
    assert reactor.tcpServers[0][1] is factory
    network = DatagramNetwork()
    protocol = ServiceDatagramProtocol(network)
    DatagramListener("thing", network, DatagramAddress(9000, layers=Layers()), protocol).startService()
    assert network.sockets["127.0.0.1", 9000].protocol is protocol


def test_anEndpointWithATrace(clock: Clock) -> None:
    """Its connections are recorded under its names, with its own redaction, and told to its looker."""
    told: list[Event] = []
    trace = Trace()
    reactor = MemoryReactorClock()
    layers = Layers(trace, Redaction.of(["s.cret"]), lambda conversation, event: told.append(event))
    endpoint = LayeredEndpoint(TCP4ServerEndpoint(reactor, 9000), layers, reactor, "thing")
    endpoint.named("thing", "better")
    endpoint.listen(Factory.forProtocol(Plain))
    layer = reactor.tcpServers[0][1].buildProtocol(None)
    layer.makeConnection(Transport())
    layer.dataReceived(b"a secret")
    (conversation,) = trace.conversations.values()
    assert (conversation.service, conversation.detail) == ("thing", "better")
    assert told == list(conversation.events)
    assert told[-1].data == b"a ******"
    other = trace.begin("other", "", "tcp", ("", 0), ("", 0), 0.0)
    trace.add(other, Happening.RECEIVED, 0.0, b"a secret")
    assert other.events[-1].data == b"a secret"
    assert len(told) == 2


@pytest.mark.parametrize("trace", [None, Trace()])
def test_aConnectionThatWeMake(trace: Trace | None) -> None:
    """Whoever connects gets the protocol of the factory; the conversation is one of ours."""

    class Connecting:
        def connect(self, factory: Any) -> Any:
            layer = factory.buildProtocol(None)
            layer.makeConnection(Transport())
            return succeed(layer)

    got: list[object] = []
    endpoint = LayeredClientEndpoint(Connecting(), Layers(trace), Clock(), "relay", "there")  # type: ignore[arg-type]
    endpoint.connect(Factory.forProtocol(Plain)).addCallback(got.append)
    assert isinstance(got[0], Plain)
    if trace is not None:
        assert [conversation.outgoing for conversation in trace.conversations.values()] == [True]


def test_whatAServiceMakesItself() -> None:
    """Connections and ports with which it asks somebody have the layers, too, unless that is not wanted."""
    network = DatagramNetwork()
    endpoint = TCP4ServerEndpoint(network, 1)
    for layers in (Layers(), Layers(Trace(), outgoing=False)):
        assert layers.whereWeAsk(network, "relay") is network
        assert layers.towards(endpoint, network, "relay") is endpoint  # type: ignore[arg-type, comparison-overlap]
    layers = Layers(looker=lambda conversation, event: told.append((conversation.outgoing, event.data)))
    told: list[tuple[bool, bytes]] = []
    assert isinstance(layers.towards(endpoint, network, "relay"), LayeredClientEndpoint)  # type: ignore[arg-type]
    peer, asking = network.peer(bytes.upper), ServiceDatagramProtocol(network)
    reactor = layers.whereWeAsk(network, "relay", "there")
    port = reactor.listenUDP(0, asking)
    asking.transport.write(b"a", network.addressOf(peer))
    reactor.settle()
    assert told == [(True, b""), (True, b"a"), (True, b"A")]
    port.stopListening()


# Datagrams.


class Answering(ServiceDatagramProtocol):
    def requestReceived(self, datagram: bytes, address: tuple[str, int]) -> None:
        self.reply(datagram.upper() if datagram != b"huge" else bytes(70_000), address)


class Port:
    """A port of a network in memory, with an answering protocol below a trace."""

    def __init__(self, network: DatagramNetwork) -> None:
        self.trace = Trace()
        layers = Layers(self.trace)
        self.protocol = Answering(network)
        self.listener = DatagramListener(
            "thing", network, DatagramAddress(9000, layers=layers), self.protocol, "kind"
        )
        self.listener.startService()

    @property
    def conversations(self) -> list[Conversation]:
        return list(self.trace.conversations.values())


def events(conversation: Conversation) -> list[tuple[Happening, bytes, str]]:
    return [(event.what, event.data, event.note) for event in conversation.events]


def test_datagramsAreRecordedByPeer() -> None:
    """Each peer has a conversation; both end with the port."""
    network = DatagramNetwork()
    port = Port(network)
    one, other = network.peer(), network.peer()
    for peer, payload in ((one, b"a"), (other, b"b"), (one, b"c")):
        peer.send(payload, ("127.0.0.1", 9000))
        network.settle()
    assert one.payloads == [b"A", b"C"]
    port.listener.stopService()
    first, second = port.conversations
    stopped = (C, b"", "closed by us: the port is closed")
    assert [(what, data) for what, data, _ in events(first)][:-1] == [
        (O, b""), (R, b"a"), (W, b"A"), (R, b"c"), (W, b"C"),
    ]  # fmt: skip
    assert events(first)[-1] == events(second)[-1] == stopped
    assert (first.transport, first.local, first.detail) == ("udp", ("127.0.0.1", 9000), "kind")
    assert first.peer == network.addressOf(one)
    assert not network.getDelayedCalls()
    assert port.protocol.transport is None


def test_aSilentPeerIsOver() -> None:
    """One timer for all peers of a port, and none when there are none."""
    network = DatagramNetwork()
    port = Port(network)
    one, other = network.peer(), network.peer()
    for peer in (one, other, one):
        peer.send(b"a", ("127.0.0.1", 9000))
        network.pass_(QUIET / 3)
    network.pass_(QUIET / 3 + 1)
    assert [conversation.outcome for conversation in port.conversations] == ["", "silent for 60 s"]
    network.pass_(QUIET / 3)
    assert all(conversation.ended for conversation in port.conversations)
    assert not network.getDelayedCalls()
    one.send(b"again", ("127.0.0.1", 9000))
    network.settle()
    assert len(port.conversations) == 3
    port.listener.stopService()


def test_peersAreBounded(clock: Clock) -> None:
    """A flood of forged addresses does not pile up."""
    trace = Trace()
    traced = TracedDatagrams(Answering(clock), Recorder(trace, clock))
    traced.makeConnection(DatagramNetwork().listenUDP(9000, Answering(clock)))
    for port in range(MOST_PEERS + 10):
        traced.datagramReceived(b"", ("192.0.2.1", port))
    lasting = [conversation for conversation in trace.conversations.values() if not conversation.ended]
    assert len(lasting) == MOST_PEERS
    first = next(iter(trace.conversations.values()))
    assert first.outcome == f"forgotten: more than {MOST_PEERS} peers"
    traced.doStop()
    traced.wrapped.dropped.flush()  # type: ignore[attr-defined]


def test_whatCanNotBeSentIsNoted() -> None:
    """A datagram that is too long was not written; the service hears of it as without a trace."""
    network = DatagramNetwork()
    port = Port(network)
    peer = network.peer()
    peer.send(b"huge", ("127.0.0.1", 9000))
    network.settle()
    assert port.protocol.dropped.total == 1
    (conversation,) = port.conversations
    assert conversation.bytesOut == 0
    assert conversation.events[-1].note == "70000 bytes were not sent: too long"
    port.listener.stopService()


def test_aPortWithOnePeer() -> None:
    """What is written without an address goes to whom it is connected to, who may be nobody."""
    network = DatagramNetwork()
    trace = Trace()
    inner = ServiceDatagramProtocol(network)
    traced = TracedDatagrams(inner, Recorder(trace, network))
    network.listenUDP(0, traced)
    inner.transport.connect("127.0.0.1", 7)  # type: ignore[no-untyped-call, unused-ignore]
    inner.transport.write(b"hello")
    network.settle()
    (conversation,) = trace.conversations.values()
    assert conversation.peer == ("127.0.0.1", 7)
    assert [what for what, _, _ in events(conversation)] == [O, W, Happening.NOTE]
    traced.doStop()
