"""
The relay from TCP to UDP, with a network in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.calculator.arithmetic import Calculation, Fault
from labnet.calculator.wire import PROFILES, Profile
from labnet.net.endpoints import DatagramTarget
from labnet.net.limits import Limits
from labnet.relay.client import Upstream
from labnet.relay.server import RequestRelay, RequestRelayFactory, Tamperer
from labnet.relay.wire import AnswerCache, parseTampering
from labnet.testing import DatagramNetwork, Peer, TCPTransport, hangUp, inPieces, resetReason

STRUCT9 = PROFILES["struct9"]
SERVER = DatagramTarget("127.0.0.1", 9001)
NO_REPLY = STRUCT9.replies.encode(Fault.NO_REPLY)


def request(a: int, operator: str = "+", b: int = 0) -> bytes:
    return struct.pack("<ii1s", a, b, operator.encode())


def reply(result: int) -> bytes:
    return struct.pack("<ii1s", result, 0, b"R")


def calculate(datagram: bytes) -> bytes:
    """A student's UDP server."""
    a, b, _ = struct.unpack("<ii1s", datagram)
    return reply(a + b)


class Relay:
    """A relay in memory, with one client, and a UDP server if there is one."""

    def __init__(
        self,
        answer: Callable[[bytes], bytes | None] | None = calculate,
        profile: Profile = STRUCT9,
        *,
        target: DatagramTarget = SERVER,
        cache: AnswerCache | None = None,
        tamper: str = "",
        mostPipelined: int = 32,
        maxExchanges: int = 256,
    ) -> None:
        self.network = DatagramNetwork()
        self.server: Peer | None = self.network.peer(answer, SERVER.port) if answer is not None else None
        self.factory = RequestRelayFactory(
            self.network,
            Upstream(self.network, target, profile, maxExchanges=maxExchanges, cache=cache),
            profile,
            tampering=parseTampering(tamper) if tamper else None,
            mostPipelined=mostPipelined,
            limits=Limits(grace=2.0),
        )
        self.client, self.transport = self.connect()

    def connect(self) -> tuple[RequestRelay, TCPTransport]:
        client = self.factory.buildProtocol(None)
        assert isinstance(client, RequestRelay)
        transport = TCPTransport()
        client.makeConnection(transport)
        return client, transport

    def send(self, data: bytes) -> None:
        self.client.dataReceived(data)
        self.network.settle()

    @property
    def exchanges(self) -> int:
        """How many questions are on their way: sockets may also wait for the next one."""
        return sum(getattr(s.protocol, "busy", False) for s in self.network.sockets.values())

    def end(self) -> None:
        """The connection's end; then nothing is left."""
        if self.transport.disconnecting:
            hangUp(self.client)
        else:
            self.client.connectionLost(resetReason())
        # No new exchange is begun for it.
        sent = len(self.network.sent)
        self.network.settle()
        assert len(self.network.sent) == sent
        assert self.exchanges == 0
        # When the service stops, no socket stays.
        self.factory.upstream.close()
        assert len(self.network.sockets) == (self.server is not None)
        assert self.network.getDelayedCalls() == []


def test_theVeryBytesGoOutAndTheReplysComeBack() -> None:
    """Pad bytes included: the relay carries what it was given, in one datagram and in one write."""
    profile = PROFILES["ici"]
    relay = Relay(lambda datagram: b"reply of any kind", profile)
    raw = b"\x0c\0\0\0" + b"+\xaa\xbb\xcc" + b"\x22\0\0\0"
    relay.send(raw)
    assert relay.server is not None
    assert relay.server.payloads == [raw]
    assert relay.transport.pieces == [b"reply of any kind"]
    relay.end()


@pytest.mark.parametrize("name", PROFILES)
def test_anySegmentation(name: str) -> None:
    """However the stream is cut, each request is one datagram, verbatim."""
    profile = PROFILES[name]
    requests = [profile.requests.encode(Calculation(n, "+", 1)) for n in (1, 2, 3)]
    stream = b"".join(requests)
    for size in range(1, len(stream) + 1):
        relay = Relay(lambda datagram: b"<" + datagram + b">", profile)
        for piece in inPieces(stream, size):
            relay.send(piece)
        assert relay.server is not None
        assert relay.server.payloads == requests
        assert relay.transport.pieces == [b"<" + raw + b">" for raw in requests]
        relay.end()


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=12), st.data())
def test_anyCuts(numbers: list[int], data: st.DataObject) -> None:
    stream = b"".join(request(number) for number in numbers)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)))))
    relay = Relay()
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        relay.send(stream[start:stop])
    assert relay.transport.pieces == [reply(number) for number in numbers]
    relay.end()


def test_repliesComeInTheOrderOfTheRequests() -> None:
    """The first answer takes longest: the others wait for it."""
    relay = Relay()
    lost = [request(1)]
    relay.network.loses = lambda datagram: datagram.payload in lost and not lost.clear()  # type: ignore[func-returns-value]
    relay.send(request(1) + request(2) + request(3))
    assert relay.transport.pieces == []
    relay.network.pass_(1.0)
    assert relay.transport.pieces == [reply(1), reply(2), reply(3)]
    relay.end()


def test_aLostDatagramIsSentAgain() -> None:
    relay = Relay()
    lost: list[bytes] = []

    def loses(datagram: object) -> bool:
        lost.append(b"")
        return len(lost) <= 2

    relay.network.loses = loses
    relay.send(request(12, "+", 34))
    relay.network.pass_(1.0)
    assert relay.transport.pieces == []
    relay.network.pass_(1.0)
    assert relay.transport.pieces == [reply(46)]
    assert "1 request, 2 retries" in relay.client.summary()
    relay.end()


@pytest.mark.parametrize("name", PROFILES)
def test_noReplyBecomesTheProfilesError(name: str) -> None:
    profile = PROFILES[name]
    relay = Relay(lambda datagram: None, profile)
    relay.send(profile.requests.encode(Calculation(1, "+", 1)))
    relay.network.pass_(2.9)
    assert relay.transport.pieces == []
    relay.network.pass_(0.2)
    assert relay.server is not None
    assert len(relay.server.payloads) == 3
    assert relay.transport.pieces == [profile.replies.encode(Fault.NO_REPLY)]
    assert not relay.transport.disconnecting
    assert "1 unanswered (timed out" in relay.client.summary()
    relay.end()


def test_aRefusalIsAnsweredAtOnce() -> None:
    relay = Relay(answer=None)
    relay.send(request(1))
    assert relay.transport.pieces == [NO_REPLY]
    assert "connection refused" in relay.client.summary()
    relay.end()


def test_anEmptyReplyIsNone() -> None:
    """On a stream it would be nothing at all, and the client would wait for ever."""
    relay = Relay(lambda datagram: b"")
    relay.send(request(1))
    relay.network.pass_(3.1)
    assert relay.transport.pieces == [NO_REPLY]
    relay.end()


def test_withoutSocketsThereIsTheError() -> None:
    relay = Relay()
    relay.network.mostSockets = 1
    relay.send(request(1))
    assert relay.transport.pieces == [NO_REPLY]
    relay.end()


def test_manyWaitingThatAllFailAtOnce() -> None:
    """One after the other, not within each other."""
    relay = Relay(lambda datagram: None, maxExchanges=1, mostPipelined=2_000)
    relay.send(request(1) * 2_000)
    relay.network.mostSockets = 1
    relay.network.pass_(3.1)
    assert relay.transport.pieces == [NO_REPLY] * 2_000
    relay.end()


def test_aServerWithAName() -> None:
    relay = Relay(target=DatagramTarget("calculator.example", SERVER.port))
    relay.send(request(1))
    assert relay.transport.pieces == [NO_REPLY]
    assert "name not found" in relay.client.summary()
    relay.network.names["calculator.example"] = "127.0.0.1"
    relay.send(request(2))
    assert relay.transport.pieces == [NO_REPLY, reply(2)]
    relay.end()


def test_aMalformedRequestIsAnsweredHereAndInItsPlace() -> None:
    profile = PROFILES["framed"]
    relay = Relay(lambda datagram: b"ok", profile)
    good = profile.requests.encode(Calculation(1, "+", 1))
    relay.send(good + struct.pack("<i", 3) + b"abc" + good)
    malformed = profile.replies.encode(Fault.MALFORMED)
    assert relay.transport.pieces == [b"ok", malformed, b"ok"]
    assert relay.server is not None
    assert relay.server.payloads == [good, good]
    assert not relay.transport.disconnecting
    relay.end()


def test_aFatalOneIsAnsweredAndThenTheConnectionEnds() -> None:
    """But not before the requests ahead of it are answered; those behind it are not read."""
    profile = PROFILES["framed"]
    relay = Relay(lambda datagram: b"ok", profile)
    relay.network.delay = 0.1
    good = profile.requests.encode(Calculation(1, "+", 1))
    relay.send(good + struct.pack("<i", -1) + good)
    relay.send(good)
    assert relay.transport.pieces == []
    relay.network.pass_(0.3)
    assert relay.transport.pieces == [b"ok", profile.replies.encode(Fault.MALFORMED)]
    assert relay.transport.disconnecting
    relay.end()


def test_junkInJSON() -> None:
    profile = PROFILES["json"]
    relay = Relay(lambda datagram: b'{"result": 2}', profile)
    good = b'{ "oper1":1,\n "oper2": 1, "op":"+", "more": {} }'
    relay.send(b"junk\n" + good + b"{}")
    malformed = profile.replies.encode(Fault.MALFORMED)
    assert relay.transport.pieces == [malformed, b'{"result": 2}', malformed]
    assert relay.server is not None
    assert relay.server.payloads == [good]
    relay.end()


def test_theEndOfASessionIsNotRelayed() -> None:
    profile = PROFILES["ici"]
    relay = Relay(lambda datagram: b"1234", profile)
    relay.network.delay = 0.1
    relay.send(struct.pack("<i1s3xi", 1, b"+", 1) + struct.pack("<i1s3xi", 0, b"X", 0) + b"more")
    assert not relay.transport.disconnecting
    relay.network.pass_(0.3)
    assert relay.transport.pieces == [b"1234"]
    assert relay.transport.disconnecting
    assert relay.server is not None
    assert len(relay.server.payloads) == 1
    relay.end()


def test_aHalfClosedClientGetsItsReplies() -> None:
    relay = Relay()
    relay.network.delay = 0.1
    relay.send(request(1) + request(2))
    relay.client.readConnectionLost()
    assert not relay.transport.disconnecting
    relay.network.pass_(0.3)
    assert relay.transport.pieces == [reply(1), reply(2)]
    assert relay.transport.disconnecting
    relay.end()


def test_aClientThatLeavesCancelsWhatIsUnderWay() -> None:
    relay = Relay(lambda datagram: None, maxExchanges=2)
    relay.send(request(1) + request(2) + request(3))
    assert relay.exchanges == 2
    relay.end()


def test_requestsUnderWayAreBounded() -> None:
    """Beyond that the client is not read from, until there is room."""
    relay = Relay(mostPipelined=3)
    relay.network.delay = 0.1
    relay.send(b"".join(request(number) for number in range(5)))
    assert relay.exchanges == 3
    assert not relay.transport.reading
    relay.network.pass_(1.0)
    assert relay.transport.pieces == [reply(number) for number in range(5)]
    assert relay.transport.reading
    relay.end()


def test_socketsAreBoundedOverAllConnections() -> None:
    relay = Relay(maxExchanges=4)
    relay.network.delay = 0.1
    others = [relay.connect() for _ in range(5)]
    for client, _ in others:
        client.dataReceived(request(1) + request(2))
        assert relay.exchanges <= 4
    most = 0
    for _ in range(40):
        relay.network.pass_(0.05)
        most = max(most, relay.exchanges)
    assert most == 4
    for client, transport in others:
        assert transport.pieces == [reply(1), reply(2)]
        client.connectionLost(resetReason())
    relay.end()


def test_aClientThatDoesNotReadHasNoMoreAskedForIt() -> None:
    relay = Relay(mostPipelined=2)
    relay.network.delay = 0.1
    relay.send(b"".join(request(number) for number in range(6)))
    relay.transport.producer.pauseProducing()
    relay.network.pass_(2.0)
    assert len(relay.transport.pieces) == 2
    assert not relay.transport.reading
    relay.transport.producer.resumeProducing()
    relay.network.pass_(2.0)
    assert len(relay.transport.pieces) == 6
    assert relay.transport.reading
    relay.end()


def test_theServiceStopsWhenEverythingIsAnswered() -> None:
    relay = Relay()
    relay.network.delay = 0.4
    relay.send(request(1))
    finished = relay.factory.finish()
    relay.network.pass_(0.7)
    assert not relay.transport.disconnecting
    relay.network.pass_(0.2)
    assert relay.transport.pieces == [reply(1)]
    assert relay.transport.disconnecting
    relay.end()
    assert finished.called


def test_anIdleClientIsDropped() -> None:
    relay = Relay()
    relay.send(request(1))
    relay.network.advance(1)
    relay.network.advance(300)
    assert relay.transport.disconnected
    relay.end()


# The cache


def test_theSecondAnswerComesFromTheCacheUntilItsTimeIsOver(loggedLines: list[str]) -> None:
    relay = Relay(cache=AnswerCache(5.0))
    assert relay.server is not None
    relay.send(request(1))
    relay.send(request(1) + request(2))
    assert relay.transport.pieces == [reply(1), reply(1), reply(2)]
    assert relay.server.payloads == [request(1), request(2)]
    relay.network.advance(5.0)
    relay.send(request(1))
    assert relay.server.payloads == [request(1), request(2), request(1)]
    relay.end()
    assert any("4 requests, cache 1 hits 3 misses" in line for line in loggedLines)


def test_theCacheIsSharedByConnections() -> None:
    relay = Relay(cache=AnswerCache(5.0))
    relay.send(request(1))
    other, transport = relay.connect()
    other.dataReceived(request(1))
    assert transport.pieces == [reply(1)]
    assert relay.server is not None
    assert len(relay.server.payloads) == 1
    other.connectionLost(resetReason())
    relay.end()


@pytest.mark.parametrize("error", [STRUCT9.replies.encode(Fault.DIVISION_BY_ZERO), b"nonsense"])
def test_errorsAreNotKept(error: bytes) -> None:
    relay = Relay(lambda datagram: error, cache=AnswerCache(5.0))
    relay.send(request(1))
    relay.send(request(1))
    assert relay.transport.pieces == [error, error]
    assert relay.server is not None
    assert len(relay.server.payloads) == 2
    relay.end()


def test_neitherIsOurOwnError() -> None:
    relay = Relay(answer=None, cache=AnswerCache(50.0))
    relay.send(request(1))
    relay.server = relay.network.peer(calculate, SERVER.port)
    relay.send(request(1))
    assert relay.transport.pieces == [NO_REPLY, reply(1)]
    relay.end()


def test_manyKnownAnswersAtOnce() -> None:
    """A segment full of requests whose answers are known is answered without going deeper each time."""
    relay = Relay(cache=AnswerCache(5.0))
    relay.send(request(1))
    relay.send(request(1) * 7_000)
    assert relay.transport.pieces == [reply(1)] * 7_001
    assert relay.transport.reading
    relay.end()


# Tampering


def test_operandsAreChangedAndTheLogSaysSo(loggedLines: list[str]) -> None:
    relay = Relay(tamper="a=+1")
    relay.send(request(12, "+", 34))
    assert relay.transport.pieces == [reply(47)]
    relay.end()
    assert any('"12 + 34" becomes "13 + 34"' in line for line in loggedLines)
    assert any("1 tampered with" in line for line in loggedLines)


def test_whatWouldNotFitPassesUnchanged() -> None:
    relay = Relay(lambda datagram: b"ok", tamper="a=+1")
    relay.send(request(2**31 - 1))
    assert relay.server is not None
    assert relay.server.payloads == [request(2**31 - 1)]
    assert "tampered" not in relay.client.summary()
    relay.end()


def test_theLogOfTamperingIsBoundedAndEscaped(loggedLines: list[str]) -> None:
    relay = Relay(lambda datagram: b"ok", tamper="a=+1")
    relay.send(request(1, "\x1b") * (Tamperer.MOST_LINES + 5))
    relay.end()
    lines = [line for line in loggedLines if "becomes" in line]
    assert len(lines) == Tamperer.MOST_LINES
    assert not any("\x1b" in line for line in loggedLines)
    assert any(f"{Tamperer.MOST_LINES + 5} tampered with" in line for line in loggedLines)
