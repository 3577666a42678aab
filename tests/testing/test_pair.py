"""
A client and a server joined in memory.
"""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock

from labnet.testing import (
    ConnectedPair,
    RecordingProducer,
    Segmentation,
    asWritten,
    cutRandomly,
    inPieces,
    joined,
)
from tests.testing.test_transport import HalfCloseable, Recorder


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


def oneByOne(writes: tuple[bytes, ...]) -> list[bytes]:
    return inPieces(b"".join(writes), 1)


def test_whatOneWritesArrivesAtTheOther(clock: Clock) -> None:
    """When the clock is advanced, and not before; nothing is left in it."""
    client = Recorder()
    pair = ConnectedPair(clock, client, Echo())
    client.transport.write(b"hello")
    assert client.heard == []
    pair.settle()
    assert client.heard == [b"hello"]
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("segmentation", "pieces"),
    [
        (asWritten, [b"one", b"two"]),
        (joined, [b"onetwo"]),
        (oneByOne, [b"o", b"n", b"e", b"t", b"w", b"o"]),
    ],
)
def test_theSegmentationDecidesThePieces(
    clock: Clock, segmentation: Segmentation, pieces: list[bytes]
) -> None:
    """Of what is written in one turn; what is written later comes later."""
    client, server = Recorder(), Recorder()
    pair = ConnectedPair(clock, client, server, toServer=segmentation)
    client.transport.write(b"one")
    client.transport.writeSequence([b"t", b"wo"])
    pair.settle()
    assert server.heard == pieces
    client.transport.write(b"!")
    pair.settle()
    assert server.heard == [*pieces, b"!"]


def test_aSeedGivesTheSameRunAgain(clock: Clock) -> None:
    runs = []
    for _ in range(2):
        client = Recorder()
        pair = ConnectedPair(clock, client, Echo(), toServer=cutRandomly(7), toClient=cutRandomly(8))
        client.transport.write(bytes(range(256)))
        pair.settle()
        runs.append(client.heard)
    assert runs[0] == runs[1]
    assert b"".join(runs[0]) == bytes(range(256))
    assert len(runs[0]) > 16


def test_aSegmentationThatLosesBytesIsFoundOut(clock: Clock) -> None:
    pair = ConnectedPair(clock, Recorder(), Recorder(), toServer=lambda writes: writes[1:])
    pair.client.transport.write(b"gone")
    with pytest.raises(AssertionError, match="keeps the bytes"):
        pair.settle()


def test_theDelayIsOneWay(clock: Clock) -> None:
    """What is written at different times arrives at different times."""
    client, server = Recorder(), Echo()
    ConnectedPair(clock, client, server, delay=0.1)
    client.transport.write(b"a")
    clock.advance(0.05)
    client.transport.write(b"b")
    heard = []
    for _ in range(5):
        clock.advance(0.05)
        heard.append(b"".join(client.heard))
    assert heard == [b"", b"", b"a", b"ab", b"ab"]


def test_whoPausesIsNotGivenAnything(clock: Clock) -> None:
    """And the other's producer must wait, once 64 KiB are under way, until all is read."""
    client, server = Recorder(), Recorder()
    pair = ConnectedPair(clock, client, server)
    producer = RecordingProducer()
    client.transport.registerProducer(producer, True)
    server.transport.pauseProducing()
    for _ in range(2):
        client.transport.write(bytes(40_000))
        pair.settle()
    assert (server.heard, producer.calls) == ([], ["pause"])
    server.transport.resumeProducing()
    assert server.heard == []
    pair.settle()
    assert [len(piece) for piece in server.heard] == [40_000, 40_000]
    assert producer.calls == ["pause", "resume"]


def test_aPullProducerIsAskedAgainWhenAllIsRead(clock: Clock) -> None:
    client, server = Recorder(), Recorder()
    pair = ConnectedPair(clock, client, server)

    class Three(RecordingProducer):
        def resumeProducing(self) -> None:
            super().resumeProducing()
            client.transport.write(b"x")
            if len(self.calls) == 3:
                client.transport.unregisterProducer()
                client.transport.loseConnection()

    client.transport.registerProducer(Three(), False)
    pair.settle()
    assert server.heard == [b"x", b"x", b"x", ConnectionDone]


def test_whoClosesIsHeardToTheEnd(clock: Clock) -> None:
    """Both are told that it was in good order."""
    client, server = Recorder(), Recorder()
    pair = ConnectedPair(clock, client, server, toServer=oneByOne)
    client.transport.write(b"bye")
    client.transport.loseConnection()
    pair.settle()
    assert server.heard == [b"b", b"y", b"e", ConnectionDone]
    assert client.heard == [ConnectionDone]
    assert pair.ended


def test_whoClosesWaitsUntilTheRestFits(clock: Clock) -> None:
    """With more than 64 KiB that the other does not read, the connection stays open."""
    client, server = Recorder(), Recorder()
    pair = ConnectedPair(clock, client, server)
    server.transport.pauseProducing()
    for _ in range(3):
        client.transport.write(bytes(30_000))
    client.transport.loseConnection()
    pair.settle()
    assert (client.heard, server.heard) == ([], [])
    server.transport.resumeProducing()
    pair.settle()
    assert len(b"".join(server.heard[:3])) == 90_000
    assert (client.heard, server.heard[3:]) == ([ConnectionDone], [ConnectionDone])


def test_halvesEndOneAfterTheOther(clock: Clock) -> None:
    client, server = HalfCloseable(), HalfCloseable()
    pair = ConnectedPair(clock, client, server)
    client.transport.write(b"question")
    client.transport.loseWriteConnection()
    pair.settle()
    assert (client.heard, server.heard) == (["ended"], [b"question", "end"])
    server.transport.write(b"answer")
    server.transport.loseConnection()
    pair.settle()
    assert client.heard == ["ended", b"answer", "end"]
    assert server.heard == [b"question", "end", ConnectionDone]
    client.transport.loseConnection()
    pair.settle()
    assert client.heard[3:] == [ConnectionDone]
    assert pair.ended


def test_whoWritesToOneWhoHasLeftIsReset(clock: Clock) -> None:
    client, server = HalfCloseable(), Recorder()
    pair = ConnectedPair(clock, client, server)
    server.transport.loseConnection()
    pair.settle()
    assert client.heard == ["end"]
    client.transport.write(b"anyone?")
    pair.settle()
    assert client.heard == ["end", ConnectionLost]
    client.transport.write(b"nobody hears this")


def test_anAbortedConnection(clock: Clock) -> None:
    """What waits is lost."""
    client, server = Recorder(), Recorder()
    pair = ConnectedPair(clock, client, server)
    server.transport.pauseProducing()
    client.transport.write(b"lost")
    client.transport.abortConnection()
    pair.settle()
    assert (client.heard, server.heard) == ([ConnectionAborted], [ConnectionLost])


def test_theNetworkBreaks(clock: Clock) -> None:
    client, server = Recorder(), Recorder()
    pair = ConnectedPair(clock, client, server)
    client.transport.write(b"lost")
    pair.reset()
    pair.settle()
    assert (client.heard, server.heard) == ([ConnectionLost], [ConnectionLost])


def test_twoEchoesAreFoundOut(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would talk until the end of the world, and the test would hang."""
    monkeypatch.setattr("labnet.testing.pair._MOST_AT_ONCE", 1000)
    pair = ConnectedPair(clock, Echo(), Echo())
    pair.client.transport.write(b"hello")
    with pytest.raises(AssertionError, match="without end"):
        pair.settle()
    pair.reset()
    pair.settle()
