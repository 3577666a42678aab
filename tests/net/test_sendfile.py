"""
Files over connections, by the kernel and in pieces: the same bytes, and no more than the reader takes.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from labnet.net import sendfile as module
from labnet.net.direct import SUPPORTED
from labnet.net.sendfile import FileShrank, FileTransfer

SIZE = 3_000_000


@pytest.fixture
def data() -> bytes:
    return bytes(range(251)) * (SIZE // 251 + 1)


@pytest.fixture
def descriptor(tmp_path: Path, data: bytes) -> Iterator[int]:
    (tmp_path / "file").write_bytes(data)
    descriptor = os.open(tmp_path / "file", os.O_RDWR)
    yield descriptor
    os.close(descriptor)


class Writers:
    """In place of a reactor: who wants to write."""

    def __init__(self) -> None:
        self.writing = False

    def addWriter(self, writer: object) -> None:
        self.writing = True

    def removeWriter(self, writer: object) -> None:
        self.writing = False

    def addReader(self, reader: object) -> None: ...

    def removeReader(self, reader: object) -> None: ...


class Pair:
    """A TCP connection: a transport of Twisted's at one end, without a reactor, a plain socket beyond."""

    def __init__(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            self.peer = socket.create_connection(listener.getsockname())
            self.ours, _ = listener.accept()
        self.peer.setblocking(False)
        self.reactor = Writers()
        self.transport: Any = tcp.Connection(self.ours, Protocol(), self.reactor)
        self.transport.connected = 1

    def read(self) -> bytes:
        """What has come at the other end."""
        try:
            return self.peer.recv(1 << 20)
        except BlockingIOError:
            return b""

    def run(self, done: Deferred[None]) -> bytes:
        """Read, and let it write when it wants to, until it is done and everything has left."""
        results: list[object] = []
        done.addBoth(results.append)
        received = [self.read()]
        while not results or self.reactor.writing:
            assert self.reactor.writing, "it waits for nothing"
            self.transport.doWrite()
            received.append(self.read())
        assert results == [None]
        self.ours.shutdown(socket.SHUT_WR)
        self.peer.setblocking(True)
        while piece := self.peer.recv(1 << 20):
            received.append(piece)
        return b"".join(received)

    def close(self) -> None:
        self.peer.close()
        self.ours.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each call of C{os.sendfile} has sent."""
    amounts: list[int] = []
    real = os.sendfile

    def counted(*arguments: Any) -> int:
        amount = real(*arguments)
        amounts.append(amount)
        return amount

    monkeypatch.setattr(module.os, "sendfile", counted)
    return amounts


def test_thisTwistedIsSupported() -> None:
    assert SUPPORTED


@pytest.mark.parametrize(("offset", "count"), [(0, SIZE), (1, SIZE - 2), (SIZE - 1, 1), (100, 0), (0, 1)])
def test_theKernelSendsIt(
    pair: Pair, clock: Clock, descriptor: int, data: bytes, calls: list[int], offset: int, count: int
) -> None:
    sent: list[int] = []
    transfer = FileTransfer(clock, pair.transport, descriptor, offset, count, sent=sent.append)
    assert pair.run(transfer.start()) == data[offset : offset + count]
    assert sum(calls) == sum(sent) == count
    assert pair.transport.producer is None
    assert not pair.transport.dataBuffer


@pytest.mark.parametrize(("offset", "count"), [(0, SIZE), (1, SIZE - 2), (SIZE - 1, 1), (100, 0), (0, 1)])
def test_inPieces(
    pair: Pair,
    clock: Clock,
    descriptor: int,
    data: bytes,
    monkeypatch: pytest.MonkeyPatch,
    offset: int,
    count: int,
) -> None:
    """With a Twisted that is not supported, the same comes at the other end."""
    monkeypatch.setattr(module, "SUPPORTED", False)
    monkeypatch.setattr(module.os, "sendfile", None)
    transfer = FileTransfer(clock, pair.transport, descriptor, offset, count)
    assert pair.run(transfer.start()) == data[offset : offset + count]


def test_overTLSItGoesInPieces(
    pair: Pair, clock: Clock, descriptor: int, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.os, "sendfile", None)
    pair.transport.TLS = True
    pair.transport.write = lambda piece: tcp.abstract.FileDescriptor.write(pair.transport, piece)
    pair.transport.registerProducer = lambda *rest: tcp.abstract.FileDescriptor.registerProducer(
        pair.transport, *rest
    )
    pair.transport.unregisterProducer = lambda: tcp.abstract.FileDescriptor.unregisterProducer(
        pair.transport
    )
    assert pair.run(FileTransfer(clock, pair.transport, descriptor, 0, SIZE).start()) == data[:SIZE]


def test_whatWasWrittenBeforeGoesFirst(
    pair: Pair, clock: Clock, descriptor: int, data: bytes, calls: list[int]
) -> None:
    pair.transport.write(b"head")
    assert (
        pair.run(FileTransfer(clock, pair.transport, descriptor, 0, SIZE).start()) == b"head" + data[:SIZE]
    )
    assert sum(calls) == SIZE


def test_aReaderThatDoesNotReadIsWaitedFor(pair: Pair, clock: Clock, descriptor: int, data: bytes) -> None:
    """Nothing is kept for it in this process, and nothing turns in circles."""
    pair.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
    transfer = FileTransfer(clock, pair.transport, descriptor, 0, SIZE)
    done = transfer.start()
    for _ in range(5):
        pair.transport.doWrite()
    assert not done.called
    assert not pair.transport.dataBuffer
    assert not pair.transport._tempDataBuffer
    assert pair.run(done) == data[:SIZE]


def test_theTransportsBufferIsBoundedInPieces(clock: Clock, descriptor: int) -> None:
    transport = StringTransport()
    transfer = FileTransfer(clock, transport, descriptor, 0, SIZE)
    transfer.start()
    assert (transport.producer, transport.streaming) == (transfer, False)
    transfer.resumeProducing()
    assert len(transport.value()) == 256 * 1024
    transfer.stop()
    assert transfer.done.called
    transfer.done.addErrback(lambda failure: failure.trap(ConnectionLost))


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_aFileSystemWithoutIt(
    pair: Pair, clock: Clock, descriptor: int, data: bytes, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    tries: list[int] = []

    def refuse(*arguments: object) -> int:
        tries.append(number)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module.os, "sendfile", refuse)
    assert pair.run(FileTransfer(clock, pair.transport, descriptor, 0, SIZE).start()) == data[:SIZE]
    assert len(tries) == 1


def failed(done: Deferred[None], kind: type[BaseException]) -> None:
    results: list[Failure] = []
    done.addErrback(results.append)
    assert results
    assert results[0].check(kind), results


def shrink(pair: Pair, clock: Clock, descriptor: int) -> Deferred[None]:
    pair.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
    done = FileTransfer(clock, pair.transport, descriptor, 0, SIZE).start()
    os.ftruncate(descriptor, 0)
    while not done.called:
        pair.read()
        pair.transport.doWrite()
    return done


def test_aFileThatShrinks(pair: Pair, clock: Clock, descriptor: int) -> None:
    failed(shrink(pair, clock, descriptor), FileShrank)
    assert pair.transport.producer is None


def test_aFileThatShrinksInPieces(
    pair: Pair, clock: Clock, descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SUPPORTED", False)
    failed(shrink(pair, clock, descriptor), FileShrank)


def test_aFileThatCanNotBeRead(pair: Pair, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        failed(FileTransfer(clock, pair.transport, writing, 0, 10).start(), OSError)
    finally:
        os.close(writing)


def test_aConnectionThatIsLost(pair: Pair, clock: Clock, descriptor: int) -> None:
    pair.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
    done = FileTransfer(clock, pair.transport, descriptor, 0, SIZE).start()
    tcp.abstract.FileDescriptor.connectionLost(pair.transport, Failure(ConnectionLost()))
    failed(done, ConnectionLost)


def test_aResetIsFoundByTheTransport(pair: Pair, clock: Clock, descriptor: int) -> None:
    """The reactor learns of it as of any other: from what writing returns."""
    pair.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
    transfer = FileTransfer(clock, pair.transport, descriptor, 0, SIZE)
    transfer.start()
    pair.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    pair.peer.close()
    results: list[object] = []
    while not any(results):
        results.append(pair.transport.doWrite())
        assert len(results) < 10
    transfer.stop()
    failed(transfer.done, ConnectionLost)


def test_aConnectionThatIsGoneAlready(pair: Pair, clock: Clock, descriptor: int) -> None:
    pair.transport.disconnected = 1
    failed(FileTransfer(clock, pair.transport, descriptor, 0, SIZE).start(), ConnectionLost)


@pytest.mark.parametrize("plain", [True, False])
def test_atARate(
    pair: Pair, clock: Clock, descriptor: int, data: bytes, monkeypatch: pytest.MonkeyPatch, plain: bool
) -> None:
    """Between two pieces it is no producer at all, and waits for the clock."""
    monkeypatch.setattr(module, "SUPPORTED", plain)
    pace: Callable[[int], float] = lambda amount: amount / 100_000  # noqa: E731
    done = FileTransfer(clock, pair.transport, descriptor, 0, 250_000, pace=pace, most=50_000).start()
    received = b""
    for _ in range(5):
        while pair.reactor.writing:
            pair.transport.doWrite()
        received += pair.read()
        clock.advance(0.5)
    while pair.reactor.writing:
        pair.transport.doWrite()
    assert done.called
    assert received + pair.read() == data[:250_000]


def test_stoppedWhileItWaits(pair: Pair, clock: Clock, descriptor: int) -> None:
    transfer = FileTransfer(clock, pair.transport, descriptor, 0, SIZE, pace=lambda amount: 10.0, most=1000)
    done = transfer.start()
    transfer.stop()
    failed(done, ConnectionLost)


def test_theOthersHaveTheirTurn(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that is faster than the kernel's copying does not keep the process to itself."""
    amounts: list[int] = []

    def bottomless(socket: int, descriptor: int, offset: int, count: int) -> int:
        amounts.append(count)
        return count

    monkeypatch.setattr(module.os, "sendfile", bottomless)
    pair = Pair()
    transfer = FileTransfer(clock, pair.transport, 0, 0, 10**9)
    transfer.start()
    assert 0 < sum(amounts) < 10**8
    assert pair.reactor.writing
    transfer.stop()
    failed(transfer.done, ConnectionLost)
    pair.close()
