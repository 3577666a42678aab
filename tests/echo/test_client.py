"""
The echo's client: where an answer ends, and how it fails.
"""

from __future__ import annotations

import struct

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError, TimeoutError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from labnet.echo.client import (
    EchoClient,
    FrameReplies,
    LineReplies,
    NotAnEcho,
    QuietReplies,
    Replies,
    echoDatagram,
)
from labnet.net.endpoints import DatagramTarget
from labnet.testing import DatagramNetwork, inPieces, resultOf


def connected(clock: Clock, replies: Replies | None = None) -> tuple[EchoClient, StringTransport]:
    client = EchoClient(clock, replies or QuietReplies(), timeout=5.0, pause=0.1)
    transport = StringTransport()
    client.makeConnection(transport)
    return client, transport


def frame(payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + payload


@pytest.mark.parametrize("reply", [b"hi", b"HI", b"Echo: hi", b"Message received!"])
def test_whatAStyleSaysIsWholeAtOnce(clock: Clock, reply: bytes) -> None:
    """Byte by byte, too, and no time has to pass."""
    client, transport = connected(clock)
    answer = client.say(b"hi")
    assert transport.value() == b"hi"
    for byte in reply[:-1]:
        client.dataReceived(bytes([byte]))
    assert not answer.called
    client.dataReceived(reply[-1:])
    assert resultOf(answer) == reply
    client.close()


def test_anotherAnswerEndsInSilence(clock: Clock) -> None:
    client, _ = connected(clock)
    answer = client.say(b"hi")
    client.dataReceived(b"hello ")
    clock.advance(0.09)
    client.dataReceived(b"you")
    clock.advance(0.09)
    assert not answer.called
    clock.advance(0.02)
    assert resultOf(answer) == b"hello you"
    client.close()


def test_anotherAnswerEndsWithTheStream(clock: Clock) -> None:
    client, _ = connected(clock)
    answer = client.say(b"hi")
    client.dataReceived(b"bye")
    client.connectionLost(Failure(ConnectionDone()))
    assert resultOf(answer) == b"bye"
    assert not client.open


def test_aLostConnectionIsNoAnswer(clock: Clock) -> None:
    """What came before a reset may be half of it."""
    client, _ = connected(clock)
    answers = [client.say(b"one"), client.say(b"two")]
    client.dataReceived(b"on")
    client.connectionLost(Failure(ConnectionLost()))
    for answer in answers:
        with pytest.raises(ConnectionLost):
            resultOf(answer)
    with pytest.raises(ConnectionLost):
        resultOf(client.say(b"three"))


def test_oneAfterTheOther(clock: Clock) -> None:
    """The next message waits for the answer to the last."""
    client, transport = connected(clock)
    first, second = client.say(b"one"), client.say(b"two")
    assert transport.value() == b"one"
    client.dataReceived(b"ONE")
    assert resultOf(first) == b"ONE"
    assert transport.value() == b"onetwo"
    client.dataReceived(b"TWO")
    assert resultOf(second) == b"TWO"
    client.close()


def test_noAnswer(clock: Clock) -> None:
    client, transport = connected(clock)
    answer = client.say(b"hi")
    clock.advance(5.0)
    with pytest.raises(TimeoutError, match="no answer for 5 s"):
        resultOf(answer)
    assert transport.disconnected
    assert not client.open


def test_whoDoesNotWaitDoesNotSend(clock: Clock) -> None:
    client, transport = connected(clock)
    first, second = client.say(b"one"), client.say(b"two")
    second.cancel()
    second.addErrback(lambda failure: None)
    client.dataReceived(b"one")
    assert resultOf(first) == b"one"
    assert transport.value() == b"one"
    client.close()


@pytest.mark.parametrize(
    ("replies", "message"),
    [(QuietReplies(), b""), (LineReplies(), b"a\nb"), (FrameReplies(), b"x" * ((1 << 20) + 1))],
)
def test_whatCanNotBeSaid(clock: Clock, replies: Replies, message: bytes) -> None:
    """It is refused, and what follows it is said all the same."""
    client, transport = connected(clock, replies)
    with pytest.raises(ValueError, match=r"empty|newline|bytes"):
        resultOf(client.say(message))
    client.say(b"x").addErrback(lambda failure: None)
    assert b"x" in transport.value()
    client.close()


def test_lines(clock: Clock) -> None:
    client, transport = connected(clock, LineReplies())
    answer = client.say(b"hi")
    assert transport.value() == b"hi\n"
    for byte in b"Echo: hi\r\n":
        client.dataReceived(bytes([byte]))
    assert resultOf(answer) == b"Echo: hi"
    client.close()


def test_frames(clock: Clock) -> None:
    client, transport = connected(clock, FrameReplies())
    answer = client.say(b"")
    assert transport.value() == b"\0\0\0\0"
    client.dataReceived(frame(b""))
    assert resultOf(answer) == b""
    answer = client.say(b"hi")
    for byte in inPieces(frame(b"anything"), 1):
        client.dataReceived(byte)
    assert resultOf(answer) == b"anything"
    client.close()


@pytest.mark.parametrize(
    ("replies", "data"),
    [
        (QuietReplies(), b"x" * (1 << 23)),
        (LineReplies(), b"x" * (1 << 23)),
        (LineReplies(), b"one\ntwo\n"),
        (LineReplies(), b"one\ntwo"),
        (FrameReplies(), b"\xff\xff\xff\xff"),
        (FrameReplies(), frame(b"one") + frame(b"two")),
        (FrameReplies(), frame(b"one") + b"\0"),
        (FrameReplies(), frame(b"one") + b"\xff\xff\xff\xff"),
    ],
)
def test_whatIsNoAnswer(clock: Clock, replies: Replies, data: bytes) -> None:
    client, transport = connected(clock, replies)
    answer = client.say(b"hi")
    client.dataReceived(data)
    with pytest.raises(NotAnEcho):
        resultOf(answer)
    assert transport.disconnected


def test_whatNobodyAskedFor(clock: Clock) -> None:
    client, transport = connected(clock)
    client.dataReceived(b"hello?")
    assert transport.disconnected
    with pytest.raises(NotAnEcho, match="nobody asked for"):
        resultOf(client.say(b"hi"))


# Datagrams


def asked(network: DatagramNetwork, target: DatagramTarget) -> Deferred[bytes]:
    return Deferred.fromCoroutine(echoDatagram(network, target, b"hi", timeout=0.5, tries=3))


def test_aDatagramIsSaidAgainUntilItIsAnswered() -> None:
    network = DatagramNetwork()
    peer = network.peer(bytes.upper)
    lost = iter([True, True, False, False])
    network.loses = lambda datagram: next(lost)
    answer = asked(network, DatagramTarget(*network.addressOf(peer)))
    network.pass_(2.0)
    assert resultOf(answer) == b"HI"
    assert peer.payloads == [b"hi"]


def test_noDatagramComesBack() -> None:
    network = DatagramNetwork()
    peer = network.peer()
    answer = asked(network, DatagramTarget(*network.addressOf(peer)))
    network.pass_(2.0)
    with pytest.raises(TimeoutError):
        resultOf(answer)
    assert peer.payloads == [b"hi"] * 3
    assert len(network.sockets) == 1


def test_nobodyListens() -> None:
    network = DatagramNetwork()
    answer = asked(network, DatagramTarget("127.0.0.1", 1))
    network.pass_(0.1)
    with pytest.raises(ConnectionRefusedError):
        resultOf(answer)
