"""
The netcopy server on a transport in memory, its files, and the plugins.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.usage import UsageError

from labnet.net.limits import Limits
from labnet.netcopy import checksumtap, clienttap, saving, tap
from labnet.netcopy.saving import isFileName
from labnet.netcopy.server import Copies, NetcopyFactory, NetcopyProtocol
from labnet.testing import TCPTransport, hangUp, resetReason

DIGEST = hashlib.md5(b"onetwo", usedforsecurity=False).hexdigest().encode()


class Table:
    """A checksum server that answers from a list; after the last answer it gives that one again."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def ask(self) -> bytes:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def connected(factory: NetcopyFactory) -> tuple[NetcopyProtocol, TCPTransport]:
    protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
    assert isinstance(protocol, NetcopyProtocol)
    transport = TCPTransport()
    protocol.makeConnection(transport)
    return protocol, transport


def copied(factory: NetcopyFactory, *pieces: bytes) -> NetcopyProtocol:
    protocol, transport = connected(factory)
    for piece in pieces:
        protocol.dataReceived(piece)
    protocol.readConnectionLost()
    assert transport.pieces == []
    return protocol


def test_theSumOfAllPiecesIsCompared(clock: Clock, loggedLines: list[str]) -> None:
    for answer, verdict in (
        (DIGEST, "CSUM OK: 6 bytes, md5 " + DIGEST.decode()),
        (DIGEST.upper(), "CSUM OK: 6 bytes, md5 " + DIGEST.decode()),
        (b"0" * 32, f"CSUM CORRUPTED: 6 bytes, md5 {DIGEST.decode()}; another checksum was announced"),
    ):
        hangUp(copied(NetcopyFactory(clock, Table(answer).ask), b"one", b"tw", b"o"))
        assert loggedLines[-2].endswith(verdict)


def test_aChecksumMayComeLate(clock: Clock, loggedLines: list[str]) -> None:
    table = Table(b"", b"", DIGEST)
    protocol = copied(NetcopyFactory(clock, table.ask), b"onetwo")
    clock.pump([0.1, 0.1])
    hangUp(protocol)
    assert table.asked == 3
    assert "CSUM OK" in loggedLines[-2]


def test_nobodyWaitsForItForEver(clock: Clock, loggedLines: list[str]) -> None:
    table = Table(b"")
    protocol = copied(NetcopyFactory(clock, table.ask), b"onetwo")
    clock.pump([0.1] * 11)
    hangUp(protocol)
    assert 10 <= table.asked <= 11
    assert loggedLines[-2].endswith("no checksum is known")


def test_aChecksumServerThatIsNotThereIsALine(clock: Clock, loggedLines: list[str]) -> None:
    hangUp(copied(NetcopyFactory(clock, Table(ConnectionRefusedError()).ask), b"onetwo"))
    assert "CSUM CORRUPTED" in loggedLines[-2]
    assert "the checksum server: connection refused" in loggedLines[-2]


def test_aStoppingServiceWaitsForItsGraceAndNoLonger(clock: Clock, loggedLines: list[str]) -> None:
    async def never() -> bytes:
        return await Deferred()

    factory = NetcopyFactory(clock, never, limits=Limits(grace=1.0))
    protocol = copied(factory, b"onetwo")
    finished = factory.finish()
    clock.pump([0.1] * 5)
    assert not finished.called
    clock.pump([0.1] * 6)
    hangUp(protocol)
    clock.advance(1.0)
    assert finished.called
    assert any("the service stopped before the checksum was known" in line for line in loggedLines)


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_copiesHaveNamesOfTheirOwn(clock: Clock, tmp_path: Path) -> None:
    """Nothing is overwritten, and a link that is there already is not followed."""
    tmp_path.joinpath("f-1").symlink_to(tmp_path / "elsewhere")
    copies = Copies("f", str(tmp_path))
    hangUp(copied(NetcopyFactory(clock, Table(DIGEST).ask, copies), b"onetwo"))
    hangUp(copied(NetcopyFactory(clock, Table(DIGEST).ask, copies), b"one", b"two"))
    hangUp(copied(NetcopyFactory(clock, Table(b"x").ask, copies), b"three"))
    tmp_path.joinpath("f-1").unlink()
    assert files(tmp_path) == {"f-2": b"onetwo", "f-3": b"onetwo", "f-1.corrupted": b"three"}
    assert tmp_path.joinpath("f-2").stat().st_mode & 0o777 == 0o600


def test_twoAtATimeDoNotMix(clock: Clock, tmp_path: Path) -> None:
    factory = NetcopyFactory(clock, Table(DIGEST).ask, Copies("f", str(tmp_path)))
    (one, _), (two, _) = connected(factory), connected(factory)
    for piece in (b"one", b"two"):
        one.dataReceived(piece)
        two.dataReceived(piece)
    for protocol in (one, two):
        protocol.readConnectionLost()
        hangUp(protocol)
    assert files(tmp_path) == {"f-1": b"onetwo", "f-2": b"onetwo"}


def test_whatIsNotWholeLeavesNothing(clock: Clock, tmp_path: Path, loggedLines: list[str]) -> None:
    table = Table(DIGEST)
    factory = NetcopyFactory(clock, table.ask, Copies("f", str(tmp_path), most=6))
    protocol, _ = connected(factory)
    protocol.dataReceived(b"one")
    protocol.connectionLost(resetReason())
    protocol, transport = connected(factory)
    protocol.dataReceived(b"onetwo")
    assert not transport.disconnected
    protocol.dataReceived(b"!")
    assert transport.disconnected
    hangUp(protocol)
    assert "more than 6 bytes" in loggedLines[-1]
    assert (table.asked, files(tmp_path)) == (0, {})


def test_aFullDiskEndsTheCopy(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving.os, "write", full)
    protocol, _ = connected(NetcopyFactory(clock, Table(DIGEST).ask, Copies("f", str(tmp_path))))
    protocol.dataReceived(b"one")
    hangUp(protocol)
    assert protocol.outcome == "cannot be written: No space left on device"
    assert files(tmp_path) == {}


def test_aDirectoryThatIsGoneIsALine(clock: Clock, tmp_path: Path) -> None:
    factory = NetcopyFactory(clock, Table(DIGEST).ask, Copies("f", str(tmp_path / "gone")))
    protocol, _ = connected(factory)
    hangUp(protocol)
    assert protocol.outcome == "cannot be written: No such file or directory"


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "a/b", "a\\b", "a\0", "-x", "x" * 101, "a\n", "á"])
def test_namesThatFilesDoNotGet(name: str) -> None:
    assert not isFileName(name)
    assert isFileName("notes_1.txt")


def test_aMistakeIsOneLine(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    for options, arguments, sentence in (
        (tap.Options(), ["--listen", "udp:0"], "--listen: 'udp:0': a stream is copied; use tcp"),
        (tap.Options(), ["-d", missing], f"--directory: {missing}: not a directory to write to"),
        (tap.Options(), ["--id", "a/b"], "--id: 'a/b' is not at most 100 letters, digits"),
        (tap.Options(), ["--checksums", "udp:x:1"], "--checksums: "),
        (checksumtap.Options(), ["--listen", "udp:0"], "--listen: 'udp:0': it is asked over tcp"),
        (checksumtap.Options(), ["--most", "0"], "--most: '0' is not a whole number at least 1"),
        (clienttap.Options(), ["a", "b"], "one FILE, please"),
        (clienttap.Options(), ["a", "--id", "x|y"], "--id: 'x|y' is not 1 to 255 bytes"),
    ):
        with pytest.raises(UsageError) as caught:
            options.parseOptions(arguments)
        assert str(caught.value).startswith(sentence)
    assert os.listdir(tmp_path) == []
