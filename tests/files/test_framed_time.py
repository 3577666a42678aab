"""
The framed protocol where time passes: digests, rates, idle peers, the end of the service.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from labnet.files.server import FramedConnection, FramedFactory
from labnet.files.wire import (
    FileHead,
    Get,
    Put,
    Ready,
    Stored,
    encodeHead,
)
from labnet.net.limits import Limits
from labnet.testing import TCPTransport, hangUp
from tests.files.clients import DATA, Answers, digest, framed
from tests.files.world import connected, content, drain, lose, shelfOf
from tests.passwords import Threads


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(DATA)
    return tmp_path / "folder"


# What takes a while


def test_theDigestIsComputedOnce(folder: Path, clock: Clock) -> None:
    """For all who ask meanwhile, and for all who come later, until the file changes."""
    threads = Threads()
    shelf = shelfOf(folder, clock, inThread=threads)
    factory = FramedFactory(clock, shelf)
    clients = [Answers(connected(factory)) for _ in range(5)]  # type: ignore[arg-type]
    for client in clients:
        client.ask(Get("file"))
        assert client.next() is None
    assert len(threads.waiting) == 1
    threads.runOne()
    for client in clients:
        assert isinstance(client.next(), FileHead)
        assert client.content(len(DATA)) == DATA
    clients[0].get("file")
    assert not threads.waiting
    (folder / "file").write_bytes(b"changed")
    clients[0].ask(Get("file"))
    threads.runOne()
    changed = clients[0].next()
    assert isinstance(changed, FileHead)
    assert changed.sha256 == digest(b"changed")
    for client in clients:
        lose(client.connection)


def test_whoeverLeavesDuringTheDigestLeavesNothing(folder: Path, clock: Clock) -> None:
    """The thread ends by itself, and its descriptor is closed then and not before."""
    threads = Threads()
    connection = framed(folder, clock, inThread=threads)
    connection.dataReceived(encodeHead(Get("file")))
    lose(connection)
    threads.runOne()


def test_whatCameWholeIsKeptEvenIfNobodyWaits(folder: Path, clock: Clock) -> None:
    """The peer vanishes while its upload is brought to the disk."""
    threads = Threads()
    connection = framed(folder, clock, inThread=threads)
    connection.dataReceived(encodeHead(Put("new", 5, digest(b"hello"), None, False, "joe", "secret")))
    threads.runOne()
    connection.dataReceived(b"hello")
    lose(connection)
    while threads.waiting:
        threads.runOne()
    assert content(folder) == {"file": DATA, "new": b"hello"}


# Limits


def test_aRateOfBytesASecond(folder: Path, clock: Clock) -> None:
    (folder / "file").write_bytes(b"x" * 100_000)
    connection = framed(folder, clock, rate=10_000)
    connection.dataReceived(encodeHead(Get("file")))
    received = len(drain(connection))
    for _ in range(70):
        clock.advance(0.1)
        received += len(drain(connection))
    assert 75_000 <= received <= 85_000
    lose(connection)


def test_aRateForUploads(folder: Path, clock: Clock) -> None:
    """Who sends faster is not read from for a while."""
    answers = Answers(framed(folder, clock, rate=10_000))
    transport = answers.connection.transport
    assert isinstance(transport, TCPTransport)
    answers.ask(Put("new", 100_000, digest(b"x" * 100_000), None, False, "joe", "secret"))
    assert answers.next() == Ready()
    seconds = 0.0
    for _ in range(10):
        while not transport.reading:
            clock.advance(0.1)
            seconds += 0.1
        answers.connection.dataReceived(b"x" * 10_000)
    assert 7 <= seconds <= 10
    assert isinstance(answers.next(), Stored)
    lose(answers.connection)


def idle(
    folder: Path,
    clock: Clock,
    start: Callable[[FramedConnection], object],
    step: Callable[[FramedConnection], object],
) -> float:
    """How long a connection lasts on which this happens each second."""
    factory = FramedFactory(clock, shelfOf(folder, clock), limits=Limits(idleTimeout=10))
    connection = connected(factory)
    assert isinstance(connection, FramedConnection)
    transport = connection.transport
    assert isinstance(transport, TCPTransport)
    start(connection)
    for second in range(60):
        if transport.disconnected:
            hangUp(connection)
            return second
        step(connection)
        clock.pump([0.25] * 4)
    lose(connection)
    return 60


def announce(connection: FramedConnection) -> None:
    connection.dataReceived(encodeHead(Put("new", 2**20 * 100, digest(b""), None, False, "joe", "secret")))


def test_whoSendsAByteASecondIsIdle(folder: Path, clock: Clock) -> None:
    assert 9 <= idle(folder, clock, announce, lambda connection: connection.dataReceived(b"x")) <= 12
    assert content(folder) == {"file": DATA}


def test_whoSendsWithoutPauseIsNot(folder: Path, clock: Clock) -> None:
    assert idle(folder, clock, announce, lambda connection: connection.dataReceived(b"x" * 10_000)) == 60


def test_whoDoesNotReadIsIdle(folder: Path, clock: Clock) -> None:
    (folder / "file").write_bytes(b"x" * 10_000_000)
    start = encodeHead(Get("file"))
    assert (
        9
        <= idle(folder, clock, lambda connection: connection.dataReceived(start), lambda connection: None)
        <= 12
    )


def test_aServiceThatStopsLetsAFileEnd(folder: Path, clock: Clock) -> None:
    (folder / "file").write_bytes(b"x" * 1_000_000)
    factory = FramedFactory(clock, shelfOf(folder, clock))
    connection = connected(factory)
    connection.dataReceived(encodeHead(Get("file")))
    finished = factory.finish()
    clock.pump([0.01] * 20)
    assert not finished.called
    assert len(drain(connection)) > 1_000_000
    clock.pump([0.03] * 20)
    hangUp(connection)
    assert finished.called
