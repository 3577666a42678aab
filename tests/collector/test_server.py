"""
The collector's server on a transport in memory, and as a plugin.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.usage import UsageError

from labnet.collector import server, tap
from labnet.collector.server import CollectorFactory, CollectorProtocol, appendTo
from labnet.collector.wire import Bounds, Collection, Piece, Pool
from labnet.net.service import StreamListener, listeners
from labnet.testing import TCPTransport, doneReason, hangUp, resetReason


def connected(factory: CollectorFactory) -> tuple[CollectorProtocol, TCPTransport]:
    protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
    assert isinstance(protocol, CollectorProtocol)
    transport = TCPTransport()
    protocol.makeConnection(transport)
    return protocol, transport


def test_eachPieceIsALineWhenTheStreamHasEnded(clock: Clock, loggedLines: list[str]) -> None:
    kept: list[Collection] = []
    protocol, transport = connected(CollectorFactory(clock, keep=kept.append))
    for piece in (b"one\n", b"\x1b[2Jtwo"):
        protocol.dataReceived(piece)
        clock.advance(0.25)
    assert loggedLines == []
    protocol.readConnectionLost()
    hangUp(protocol)
    number = protocol.connectionId
    assert loggedLines[0] == f'collector #{number} piece 1 after 0.000 s, 4 bytes: "one\\n"'
    assert loggedLines[1] == f'collector #{number} piece 2 after 0.250 s, 7 bytes: "\\x1b[2Jtwo"'
    assert "2 pieces, 11 bytes kept; closed by the peer" in loggedLines[2]
    assert [collection.data for collection in kept] == [b"one\n\x1b[2Jtwo"]
    assert transport.pieces == []


def test_aResetLosesNothingThatHasCome(clock: Clock) -> None:
    kept: list[Collection] = []
    protocol, _ = connected(CollectorFactory(clock, keep=kept.append))
    protocol.dataReceived(b"half")
    protocol.connectionLost(resetReason())
    assert [collection.data for collection in kept] == [b"half"]


def test_nothingIsNotKept(clock: Clock, loggedLines: list[str]) -> None:
    kept: list[Collection] = []
    protocol, _ = connected(CollectorFactory(clock, keep=kept.append))
    protocol.connectionLost(doneReason())
    assert kept == []
    assert len(loggedLines) == 1


def test_manyPiecesAreFewLines(clock: Clock, loggedLines: list[str]) -> None:
    protocol, _ = connected(CollectorFactory(clock, show=3))
    for _ in range(10):
        protocol.dataReceived(b"x")
    protocol.connectionLost(doneReason())
    assert len(loggedLines) == 5
    assert loggedLines[3].endswith("and 7 more")


def test_manyConnectionsDoNotFillTheLog(clock: Clock, loggedLines: list[str]) -> None:
    factory = CollectorFactory(clock)
    for _ in range(1000):
        protocol, _ = connected(factory)
        for _ in range(5):
            protocol.dataReceived(b"x")
        protocol.connectionLost(doneReason())
    assert sum(" piece " in line for line in loggedLines) == 200


@pytest.mark.parametrize(
    ("bounds", "outcome"),
    [
        (Bounds(pieces=2), "more than 2 pieces"),
        (Bounds(size=2), "more than 2 bytes"),
        (Bounds(total=2 * Piece.COST + 2), "no room for more from all together"),
    ],
)
def test_tooMuchEndsTheConnection(clock: Clock, bounds: Bounds, outcome: str) -> None:
    """What was kept is told; nobody else's connection is touched, and there is room again."""
    kept: list[Collection] = []
    factory = CollectorFactory(clock, bounds, keep=kept.append)
    other, _ = connected(factory)
    protocol, transport = connected(factory)
    for _ in range(3):
        protocol.dataReceived(b"x")
    assert transport.disconnected
    hangUp(protocol)
    assert protocol.outcome == outcome
    assert [collection.data for collection in kept] == [b"xx"]
    assert factory.pool.used == 0
    other.dataReceived(b"y")
    other.connectionLost(doneReason())
    assert kept[-1].data == b"y"


def test_aStreamThatHasBegunMayEndWhenTheServiceStops(clock: Clock) -> None:
    kept: list[Collection] = []
    factory = CollectorFactory(clock, keep=kept.append)
    protocol, transport = connected(factory)
    protocol.dataReceived(b"one")
    finished = factory.finish()
    clock.pump([0.001] * 10)
    assert not transport.disconnecting
    protocol.dataReceived(b"two")
    protocol.readConnectionLost()
    hangUp(protocol)
    assert finished.called
    assert kept[0].data == b"onetwo"


# Files


def collection(*pieces: bytes) -> Collection:
    collected = Collection(Pool(Bounds()))
    for piece in pieces:
        collected.add(Piece(0.0, piece))
    return collected


def test_whatWasCollectedIsAppended(tmp_path: Path) -> None:
    path = tmp_path / "collected"
    path.write_bytes(b"before ")
    append = appendTo(str(path))
    append(collection(b"one", b"two"))
    append(collection(b"\0\xff"))
    assert path.read_bytes() == b"before onetwo\0\xff"


def test_aFullDiskLeavesNoHalf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "collected"
    path.write_bytes(b"before")
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) < 6:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:3])

    monkeypatch.setattr(server.os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        appendTo(str(path))(collection(b"collected"))
    assert path.read_bytes() == b"before"


def test_whatCanNotBeWrittenIsOneLine(clock: Clock, tmp_path: Path, loggedLines: list[str]) -> None:
    path = tmp_path / "gone" / "collected"
    protocol, _ = connected(CollectorFactory(clock, show=0, keep=appendTo(str(path))))
    protocol.dataReceived(b"x")
    protocol.connectionLost(doneReason())
    assert any(line.endswith("1 bytes are not written: No such file or directory") for line in loggedLines)


def test_aPipeIsNoFile(tmp_path: Path) -> None:
    """To open one would make everybody wait for its reader."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match="No such device"):
        appendTo(str(path))(collection(b"x"))
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(OSError, match="not a regular file"):
            appendTo(str(path))(collection(b"x"))
    finally:
        os.close(reader)


# The plugin


def parsed(*arguments: str) -> tap.Options:
    options = tap.Options()
    options.parseOptions(arguments)
    return options


def test_everyOptionReachesTheFactory(memory: MemoryReactorClock, tmp_path: Path) -> None:
    path = tmp_path / "collected"
    service = tap.makeService(
        parsed(
            "--write", str(path), "--show", "5", "--most-pieces", "1", "--most-bytes", "2",
            "--most-memory", "3", "--max-connections", "4",
        )
    )  # fmt: skip
    (listener,) = listeners(service)
    assert isinstance(listener, StreamListener)
    factory = listener.factory
    assert isinstance(factory, CollectorFactory)
    assert (factory.pool.bounds, factory.show) == (Bounds(1, 2, 3), 5)
    assert factory.limits.maxConnections == 4
    assert factory._keep is not None
    factory._keep(collection(b"x"))
    assert path.read_bytes() == b"x"


def test_theDefaults(memory: MemoryReactorClock) -> None:
    service = tap.makeService(parsed())
    service.privilegedStartService()
    ((port, factory, _, interface),) = memory.tcpServers
    assert (port, interface) == (9090, "127.0.0.1")
    assert factory.pool.bounds == Bounds()
    service.stopService()


def test_aMistakeIsOneLine(tmp_path: Path) -> None:
    for arguments, sentence in (
        (["--listen", "udp:0"], "--listen: 'udp:0': a stream is collected; use tcp"),
        (["--write", str(tmp_path)], f"--write: {tmp_path}: Is a directory"),
        (["--write", "/nowhere/x"], "--write: /nowhere/x: No such file or directory"),
        (["--most-bytes", "0"], "--most-bytes: '0' is not a whole number at least 1"),
    ):
        with pytest.raises(UsageError) as caught:
            parsed(*arguments)
        assert str(caught.value) == sentence
