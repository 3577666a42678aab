"""
The layers that break connections and datagrams: what they do to the protocol above and the transport below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IPullProducer, IPushProducer, ITCPTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer

from labnet.net.connection import ServiceConnection, ServiceFactory
from labnet.net.faulting import FaultSwitch, FaultyDatagrams, FaultyFactory
from labnet.net.faults import Faults
from labnet.net.impairment import MOST_HELD
from labnet.net.trace import Happening, Trace
from labnet.net.tracing import Recorder as TraceRecorder
from labnet.net.tracing import TracedDatagrams, TracedFactory
from labnet.testing import (
    DatagramNetwork,
    Peer,
    SlowTransport,
    TCPTransport,
    doneReason,
    hangUp,
    resetReason,
)
from tests.net.test_impairment import HARMLESS_LINES


class Recorder(Protocol):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.lost: str | None = None

    def dataReceived(self, data: bytes) -> None:
        self.pieces.append(data)

    def connectionLost(self, reason: object = None) -> None:
        self.lost = getattr(reason, "getErrorMessage", str)()


@implementer(IHalfCloseableProtocol)
class HalfRecorder(Recorder):
    """Takes halves, too."""

    ended = False

    def readConnectionLost(self) -> None:
        self.ended = True

    def writeConnectionLost(self) -> None:
        pass


class Connected:
    """A protocol behind faults, over a transport in memory."""

    def __init__(
        self,
        clock: Clock,
        line: str,
        protocol: Callable[[], Protocol] = Recorder,
        transport: TCPTransport | None = None,
    ) -> None:
        self.clock = clock
        self.factory = FaultyFactory(
            Factory.forProtocol(protocol), Faults.parse(line), clock, service="test"
        )
        self.transport = transport or TCPTransport()
        self.outer = self.factory.buildProtocol(None)
        self.inner = getattr(self.outer, "wrapped", None) or self.outer
        self.outer.makeConnection(self.transport)

    def end(self) -> None:
        """The connection is gone, with what is held."""
        self.outer.connectionLost(resetReason())


@contextmanager
def logged() -> Iterator[list[str]]:
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(observe)


def test_withoutFaultsThereIsNoLayer(clock: Clock) -> None:
    """Nothing is paid for what is not on."""
    for faults in (None, Faults.parse(""), Faults.parse("on=#2 cut=1"), Faults.parse("udp: drop=1%")):
        protocol = FaultyFactory(Factory.forProtocol(Recorder), faults, clock).buildProtocol(None)
        assert type(protocol) is Recorder


def test_whatComesIsCutForTheProtocol(clock: Clock) -> None:
    connected = Connected(clock, "in: cut=2/5ms")
    connected.outer.dataReceived(b"abcde")
    assert connected.inner.pieces == [b"ab"]
    clock.pump([0.005] * 2)
    assert connected.inner.pieces == [b"ab", b"cd", b"e"]
    connected.inner.transport.write(b"abcde")
    assert connected.transport.pieces == [b"abcde"]
    connected.end()


def test_whatIsWrittenIsCutForThePeer(clock: Clock) -> None:
    connected = Connected(clock, "out: cut=2/5ms")
    connected.inner.transport.writeSequence([b"abc", b"de"])
    clock.pump([0.005] * 2)
    assert connected.transport.pieces == [b"ab", b"cd", b"e"]
    connected.end()


def test_toTheProtocolItIsTheTransport(clock: Clock) -> None:
    connected = Connected(clock, "delay=1s")
    assert ITCPTransport.providedBy(connected.inner.transport)
    connected.inner.transport.setTcpNoDelay(True)
    assert connected.transport.noDelay
    assert connected.inner.transport.getPeer() == connected.transport.getPeer()
    connected.end()


def test_theEndOfTheInputComesAfterTheInput(clock: Clock) -> None:
    connected = Connected(clock, "in: delay=1s", HalfRecorder)
    connected.outer.dataReceived(b"abc")
    connected.outer.readConnectionLost()
    assert (connected.inner.pieces, connected.inner.ended) == ([], False)
    clock.advance(1)
    assert (connected.inner.pieces, connected.inner.ended) == ([b"abc"], True)
    connected.end()


def test_whoTakesNoHalvesIsClosed(clock: Clock) -> None:
    """As Twisted does it, but after what was held."""
    connected = Connected(clock, "delay=1s")
    connected.outer.dataReceived(b"abc")
    connected.outer.readConnectionLost()
    clock.advance(1)
    assert connected.inner.pieces == [b"abc"]
    assert not connected.transport.disconnecting
    clock.advance(1)
    hangUp(connected.outer)


@pytest.mark.parametrize("line", ["in: delay=1s", "in: merge=100/1s", "in: cut=2/500ms"])
def test_whatIsHeldComesBeforeAnOrderlyEnd(clock: Clock, line: str) -> None:
    """Over TLS the whole connection ends at once; its last bytes are not lost for that."""
    connected = Connected(clock, line)
    connected.outer.dataReceived(b"abcd")
    connected.outer.connectionLost(doneReason())
    assert connected.inner.lost is None
    connected.inner.transport.write(b"too late")
    clock.pump([0.5] * 3)
    assert b"".join(connected.inner.pieces) == b"abcd"
    assert connected.inner.lost is not None


@pytest.mark.parametrize("ending", ["abortConnection", "loseConnection"])
def test_whoWantsNothingMoreIsToldTheEnd(clock: Clock, ending: str) -> None:
    connected = Connected(clock, "in: delay=1s")
    connected.outer.dataReceived(b"abcd")
    connected.outer.connectionLost(doneReason())
    getattr(connected.inner.transport, ending)()
    assert connected.inner.lost is None
    clock.advance(0)
    assert (connected.inner.pieces, connected.inner.lost is None) == ([], False)


def test_aStallThatNeverEndsDoesNotOutliveItsConnection(clock: Clock) -> None:
    connected = Connected(clock, "in: stall@2")
    connected.outer.dataReceived(b"abcd")
    connected.outer.connectionLost(doneReason())
    assert (connected.inner.pieces, connected.inner.lost is None) == ([b"ab"], False)


@pytest.mark.parametrize("half", [True, False])
def test_theEndOfTheOutputComesAfterTheOutput(clock: Clock, half: bool) -> None:
    connected = Connected(clock, "out: delay=1s", HalfRecorder)
    connected.inner.transport.write(b"abc")
    if half:
        connected.inner.transport.loseWriteConnection()
    else:
        connected.inner.transport.loseConnection()
        assert connected.inner.transport.disconnecting
    assert not connected.transport.value()
    clock.advance(1)
    assert connected.transport.value() == b"abc"
    assert (connected.transport.halfClosed, connected.transport.disconnecting) == (half, not half)
    connected.end()


def test_halfClosesAtAByte(clock: Clock) -> None:
    connected = Connected(clock, "half-close@2", HalfRecorder)
    connected.outer.dataReceived(b"abcd")
    connected.inner.transport.write(b"efgh")
    connected.inner.transport.write(b"more")
    assert (connected.inner.pieces, connected.inner.ended) == ([b"ab"], True)
    assert (connected.transport.value(), connected.transport.halfClosed) == (b"ef", True)
    connected.inner.transport.loseConnection()
    hangUp(connected.outer)


@pytest.mark.parametrize("line", ["in: reset@2", "out: reset@2"])
def test_resetsAtAByte(clock: Clock, line: str) -> None:
    connected = Connected(clock, line)
    connected.outer.dataReceived(b"abcd")
    connected.inner.transport.write(b"efgh")
    clock.advance(1)
    assert connected.transport.disconnected
    assert sum(map(len, connected.inner.pieces)) == (2 if "in" in line else 4)
    assert len(connected.transport.value()) == (4 if "in" in line else 2)
    connected.outer.connectionLost(resetReason())
    assert "on purpose: reset at byte 2" in str(connected.inner.lost)


def test_aResetByTimeDoesNotWaitForWhoDoesNotRead(clock: Clock) -> None:
    connected = Connected(clock, "in: reset@2s")
    connected.inner.transport.pauseProducing()
    connected.outer.dataReceived(b"abcd")
    clock.pump([1.0] * 2)
    assert connected.transport.disconnected
    connected.outer.connectionLost(resetReason())
    assert "reset after 2s" in str(connected.inner.lost)


def test_aResetAtTheBeginning(clock: Clock) -> None:
    connected = Connected(clock, "reset")
    assert connected.transport.disconnected
    connected.outer.connectionLost(resetReason())


def test_aSourceThatIsNotReadWaits(clock: Clock) -> None:
    """Stalling stops the reading itself, so that the peer's own buffers fill."""
    connected = Connected(clock, "in: stall=5s@2")
    connected.outer.dataReceived(b"abcd")
    assert (connected.inner.pieces, connected.transport.reading) == ([b"ab"], False)
    clock.advance(5)
    assert (connected.inner.pieces, connected.transport.reading) == ([b"ab", b"cd"], True)
    connected.end()


def test_aProtocolThatPausesGetsNothing(clock: Clock) -> None:
    connected = Connected(clock, "in: cut=1/0")

    class Pausing(Recorder):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            self.transport.pauseProducing()

    connected = Connected(clock, "in: cut=1/0", Pausing)
    connected.outer.dataReceived(b"abc")
    assert (connected.inner.pieces, connected.transport.reading) == ([b"a"], False)
    connected.inner.transport.resumeProducing()
    assert connected.inner.pieces == [b"a", b"b"]
    for _ in range(2):
        connected.inner.transport.resumeProducing()
    assert connected.inner.pieces == [b"a", b"b", b"c"]
    assert connected.transport.reading
    connected.end()


def test_aStreamThatHasEndedIsNotResumed(clock: Clock) -> None:
    """The transport would report its end once more."""
    connected = Connected(clock, "in: delay=1s", HalfRecorder)
    connected.inner.transport.pauseProducing()
    connected.outer.readConnectionLost()
    connected.inner.transport.resumeProducing()
    clock.advance(1)
    assert not connected.transport.reading
    connected.end()


def test_tooMuchThatIsHeldStopsTheSource(clock: Clock) -> None:
    connected = Connected(clock, "in: delay=1s")
    connected.outer.dataReceived(bytes(MOST_HELD))
    assert not connected.transport.reading
    clock.advance(1)
    assert connected.transport.reading
    connected.end()


@implementer(IPushProducer)
class Pushing:
    """A producer that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pauseProducing(self) -> None:
        self.asked.append("pause")

    def resumeProducing(self) -> None:
        self.asked.append("resume")

    def stopProducing(self) -> None:
        self.asked.append("stop")


def test_aProducerWaitsForAPeerThatDoesNotRead(clock: Clock) -> None:
    """Back-pressure goes through the layer, and what is held has a bound."""
    transport = SlowTransport()
    connected = Connected(clock, "out: cut=1000/0", transport=transport)
    producer = Pushing()
    connected.inner.transport.registerProducer(producer, True)
    connected.inner.transport.write(bytes(100_000))
    assert producer.asked == ["pause"]
    assert len(transport.value()) < 70_000
    transport.readAll()
    assert producer.asked == ["pause", "resume"]
    connected.inner.transport.loseConnection()
    assert not transport.disconnecting
    connected.inner.transport.unregisterProducer()
    hangUp(connected.outer)


def test_aProducerWaitsForWhatIsHeld(clock: Clock) -> None:
    connected = Connected(clock, "out: delay=1s")
    producer = Pushing()
    connected.inner.transport.registerProducer(producer, True)
    connected.inner.transport.write(bytes(MOST_HELD))
    clock.advance(1)
    assert producer.asked == ["pause", "resume"]
    connected.end()
    assert producer.asked == ["pause", "resume", "stop"]


def test_aProducerThatIsAskedForEachPiece(clock: Clock) -> None:
    connected = Connected(clock, "out: delay=10ms")
    transport = connected.inner.transport

    @implementer(IPullProducer)
    class Pulled:
        left = 5

        def resumeProducing(self) -> None:
            transport.write(b"piece")
            self.left -= 1
            if not self.left:
                transport.unregisterProducer()
                transport.loseConnection()

        def stopProducing(self) -> None:
            raise AssertionError("not at the end")

    transport.registerProducer(Pulled(), False)
    clock.pump([0.01] * 30)
    assert connected.transport.value() == b"piece" * 5
    hangUp(connected.outer)


def test_noTimerIsLeftWhenTheConnectionEnds(clock: Clock) -> None:
    """The clock of the test must be empty in the end."""
    connected = Connected(clock, "cut=1 delay=40ms merge=5 throttle=3; stall=1s@1")
    connected.outer.dataReceived(b"abcdefgh")
    connected.inner.transport.write(b"abcdefgh")
    assert clock.getDelayedCalls()
    connected.end()


@pytest.mark.parametrize("ending", ["abortConnection", "loseConnection"])
def test_theProtocolEndsAConnectionThatStalls(clock: Clock, ending: str) -> None:
    """To abort needs no patience; a graceful end waits for the peer, as it does without faults."""
    connected = Connected(clock, "out: stall")
    connected.inner.transport.write(b"abc")
    getattr(connected.inner.transport, ending)()
    assert connected.transport.disconnecting == (ending == "abortConnection")
    connected.end()


def test_whatTheProtocolRaisesEndsTheConnection(clock: Clock, loggedFailures: object) -> None:
    class Broken(Protocol):
        def dataReceived(self, data: bytes) -> None:
            raise RuntimeError("a bug")

    connected = Connected(clock, "in: delay=1s", Broken)
    connected.outer.dataReceived(b"abc")
    clock.advance(1)
    assert connected.transport.disconnected
    connected.outer.connectionLost(resetReason())
    assert loggedFailures.flush(RuntimeError)  # type: ignore[attr-defined]


def test_aConnectionHasALineThatDoesTheSameAgain(clock: Clock) -> None:
    """Of three connections the third is done again by its line in the log, with another factory."""

    def connection(factory: FaultyFactory) -> tuple[bytes, str]:
        protocol, transport = factory.buildProtocol(None), TCPTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(bytes(50))
        inner = getattr(protocol, "wrapped", protocol)
        with logged() as lines:
            protocol.connectionLost(doneReason())
        return b"|".join(inner.pieces), lines[-1]

    first = FaultyFactory(
        Factory.forProtocol(Recorder), Faults.parse("seed=7; in: cut=1-9/0 corrupt=10%"), clock
    )
    third = [connection(first) for _ in range(3)][-1]
    line = third[1].partition("faults ")[2].partition(" (")[0]
    assert line == "seed=7/3; in: cut=1-9/0ms corrupt=10%"
    assert "(in: cut 1, corrupt " in third[1]
    again = FaultyFactory(Factory.forProtocol(Recorder), Faults.parse(line), clock)
    assert [connection(again)[0] for _ in range(2)] == [third[0]] * 2


def test_theSwitchIsForWhatBeginsLater(clock: Clock) -> None:
    switch = FaultSwitch()
    factory = FaultyFactory(Factory.forProtocol(Recorder), switch, clock)
    assert type(factory.buildProtocol(None)) is Recorder
    with logged() as lines:
        switch.set(Faults.parse("cut=1"))
    assert switch.current is not None
    assert switch.current.seed is not None
    assert lines == [f"faults: seed={switch.current.seed}; cut=1/1ms"]
    assert type(factory.buildProtocol(None)) is not Recorder
    switch.set(None)
    assert type(factory.buildProtocol(None)) is Recorder


def test_aServiceEndsGracefullyBehindFaults(clock: Clock) -> None:
    """What was received is answered before a stopping service closes, though the answer is held."""

    class Answering(ServiceConnection):
        def received(self, data: bytes) -> None:
            self.write(data.upper())

    class Service(ServiceFactory):
        connectionClass = Answering

    service = Service(clock)
    factory = FaultyFactory(service, Faults.parse("out: delay=500ms"), clock)
    protocol, transport = factory.buildProtocol(None), TCPTransport()
    protocol.makeConnection(transport)
    protocol.dataReceived(b"hello")
    finished = service.finish()
    clock.pump([0.01] * 20)
    assert not transport.disconnecting
    clock.advance(0.5)
    assert transport.value() == b"HELLO"
    hangUp(protocol)
    assert finished.called


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("come"), st.binary(min_size=1, max_size=40)),
        st.tuples(st.just("write"), st.binary(min_size=1, max_size=40)),
        st.tuples(st.just("pass"), st.sampled_from([b"\x01", b"\x20", b"\xff"])),
        st.tuples(
            st.sampled_from(["protocol pauses", "protocol resumes", "peer pauses", "peer resumes"]),
            st.just(b""),
        ),
    ),
    min_size=8,
    max_size=25,
)
QUICK = st.sampled_from(["cut=3/0", "cut=2/10ms", "merge=20/20ms", "cut=5/0 delay=10ms", "throttle=1k"])


@given(QUICK | HARMLESS_LINES, STEPS)
def test_bothDirectionsArriveWholeWhoeverPauses(line: str, steps: list[tuple[str, bytes]]) -> None:
    """
    Whatever is done to pieces and time, and however both sides stop and go on: each gets everything, in
    order, nothing while it has paused, and then the end. No timer is left.
    """
    clock = Clock()
    connected = Connected(clock, line, HalfRecorder)
    outer, inner, transport = connected.outer, connected.inner, connected.transport
    peer = transport.producer
    come = write = b""
    paused = {"protocol": False, "peer": False}
    for step, data in steps:
        before = {"protocol": len(inner.pieces), "peer": len(transport.pieces)}
        stays = dict(paused)
        match step.split():
            case ["come"] if transport.reading:
                come += data
                outer.dataReceived(data)
            case ["write"]:
                write += data
                inner.transport.write(data)
            case ["pass"]:
                clock.advance(data[0] / 50)
            case ["protocol" | "peer" as who, what] if who == "protocol" or peer is not None:
                side = inner.transport if who == "protocol" else peer
                (side.pauseProducing if what == "pauses" else side.resumeProducing)()
                paused[who] = what == "pauses"
                stays[who] = paused[who]
        after = {"protocol": len(inner.pieces), "peer": len(transport.pieces)}
        assert all(after[who] == before[who] for who in paused if stays[who])
    inner.transport.resumeProducing()
    if peer is not None:
        peer.resumeProducing()
    outer.readConnectionLost()
    inner.transport.loseConnection()
    for _ in range(2_000):
        if transport.disconnecting and inner.ended:
            break
        clock.advance(20)
    assert (b"".join(inner.pieces), inner.ended) == (come, True)
    assert (transport.value(), transport.disconnecting) == (write, True)
    connected.end()
    assert clock.getDelayedCalls() == []


# Datagrams


def listening(network: DatagramNetwork, line: str) -> tuple[FaultyDatagrams, Peer, tuple[str, int]]:
    """A server that answers in capitals, behind faults."""
    server = Peer(lambda datagram: datagram.upper())
    layer = FaultyDatagrams(server, Faults.parse(line), network, service="test")
    network.listenUDP(9_001, layer, "127.0.0.1")
    return layer, server, ("127.0.0.1", 9_001)


@pytest.mark.parametrize(
    ("line", "heard", "answered"),
    [
        ("in: drop=#2", [b"a", b"c"], [b"A", b"C"]),
        ("out: drop=#2", [b"a", b"b", b"c"], [b"A", b"C"]),
        ("out: duplicate=#1", [b"a", b"b", b"c"], [b"A", b"A", b"B", b"C"]),
        ("in: reorder=#1", [b"b", b"a", b"c"], [b"B", b"A", b"C"]),
        ("tcp: cut=1", [b"a", b"b", b"c"], [b"A", b"B", b"C"]),
    ],
)
def test_datagrams(line: str, heard: list[bytes], answered: list[bytes]) -> None:
    network = DatagramNetwork()
    layer, server, where = listening(network, line)
    client = network.peer()
    for datagram in (b"a", b"b", b"c"):
        client.send(datagram, where)
        network.settle()
    network.pass_(1)
    assert (server.payloads, client.payloads) == (heard, answered)
    layer.stopListening()


def test_heldDatagramsAreLostWithThePort() -> None:
    network = DatagramNetwork()
    layer, server, where = listening(network, "in: delay=1s")
    network.peer().send(b"a", where)
    network.settle()
    with logged() as lines:
        layer.stopListening()
    network.pass_(2)
    assert server.payloads == []
    assert "delay=1s (in: delay 1)" in lines[-1]
    assert network.getDelayedCalls() == []


def test_theSwitchOfDatagramsWorksAtOnce() -> None:
    network = DatagramNetwork()
    switch = FaultSwitch()
    server = Peer()
    network.listenUDP(9_001, FaultyDatagrams(server, switch, network), "127.0.0.1")
    client = network.peer()
    for faults in (None, Faults.parse("drop=#1"), None):
        switch.set(faults)
        client.send(b"a", ("127.0.0.1", 9_001))
        network.settle()
    assert len(server.payloads) == 2


def test_whatIsDoneIsInTheTrace(clock: Clock) -> None:
    """Each fault is an event of the conversation, behind the piece that it was done to."""
    trace = Trace()
    faulty = FaultyFactory(Factory.forProtocol(Recorder), Faults.parse("in: swallow=2@1"), clock)
    factory = TracedFactory(faulty, TraceRecorder(trace, clock, "test"))
    protocol, transport = factory.buildProtocol(None), TCPTransport()
    protocol.makeConnection(transport)
    protocol.dataReceived(b"abcd")
    protocol.connectionLost(doneReason())
    (conversation,) = trace.conversations.values()
    events = [(event.what, event.data or event.note) for event in conversation.events]
    assert events[1:3] == [
        (Happening.RECEIVED, b"abcd"),
        (Happening.FAULT, "in: swallows 2 bytes from byte 1 on"),
    ]


def test_whatIsDoneToDatagramsIsInTheTrace() -> None:
    network = DatagramNetwork()
    trace = Trace()
    layer = FaultyDatagrams(Peer(), Faults.parse("drop=#1"), network)
    network.listenUDP(9_001, TracedDatagrams(layer, TraceRecorder(trace, network, "test")), "127.0.0.1")
    network.peer().send(b"a", ("127.0.0.1", 9_001))
    network.settle()
    (conversation,) = trace.conversations.values()
    assert [event.note for event in conversation.events if event.what is Happening.FAULT] == [
        "in: datagram #1: drops it"
    ]
    layer.stopListening()


def test_theReasonIsALostConnection(clock: Clock) -> None:
    """What a protocol catches for a real reset it catches for ours."""
    reasons = []

    class Catching(Protocol):
        def connectionLost(self, reason: object = None) -> None:
            reasons.append(reason)

    connected = Connected(clock, "reset", Catching)
    connected.outer.connectionLost(resetReason())
    assert reasons[0].check(ConnectionLost)
