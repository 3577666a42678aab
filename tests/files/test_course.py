"""
The course's protocol, over transports in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from labnet.files.server import CourseConnection, CourseFactory
from labnet.testing import TCPTransport, hangUp, inPieces
from tests.files.world import connected, descriptors, drain, lose, shelfOf

DATA = b"some bytes of a file"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(DATA)
    return tmp_path / "folder"


@pytest.fixture(autouse=True)
def noDescriptorsLeft() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


# The course's protocol


def course(folder: Path, clock: Clock, **options: float) -> CourseConnection:
    connection = connected(CourseFactory(clock, shelfOf(folder, clock), **options))
    assert isinstance(connection, CourseConnection)
    return connection


def test_threeWritesWithTimeBetweenThem(folder: Path, clock: Clock) -> None:
    """C{OK}, the size and the first byte never leave together, and each leaves at once."""
    connection = course(folder, clock)
    transport = connection.transport
    assert isinstance(transport, TCPTransport)
    assert transport.noDelay
    connection.dataReceived(b"file\n")
    assert drain(connection) == b"OK"
    clock.advance(0.019)
    assert drain(connection) == b""
    clock.advance(0.002)
    assert drain(connection) == b"20"
    clock.advance(0.019)
    assert drain(connection) == b""
    clock.advance(0.002)
    assert drain(connection) == DATA
    assert transport.halfClosed
    connection.readConnectionLost()
    hangUp(connection)


def test_aNameEndsWithSilence(folder: Path, clock: Clock) -> None:
    """However it is cut; each piece begins the silence anew."""
    connection = course(folder, clock)
    for byte in inPieces(b"file", 1):
        connection.dataReceived(byte)
        clock.advance(0.019)
    assert drain(connection) == b""
    clock.advance(0.002)
    assert drain(connection) == b"OK"
    lose(connection)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_aNameEndsWithALine(folder: Path, clock: Clock, end: bytes) -> None:
    connection = course(folder, clock)
    connection.dataReceived(b"file" + end + b"and more")
    connection.dataReceived(b"and more")
    assert drain(connection) == b"OK"
    lose(connection)


def test_aNameEndsWithTheClientsHalf(folder: Path, clock: Clock) -> None:
    connection = course(folder, clock)
    connection.dataReceived(b"file")
    connection.readConnectionLost()
    assert drain(connection) == b"OK"
    clock.advance(0.03)
    clock.advance(0.03)
    assert drain(connection).endswith(DATA)
    hangUp(connection)


@pytest.mark.parametrize(
    "name",
    [
        b"nothing",
        b"../file",
        b"/etc/passwd",
        b"\0",
        b"\xff",
        b"\xc0\xaf",
        b"\n",
        b"x" * 1025,
        b"x" * 100_000,
        b"a/b",
    ],
)
def test_whatIsNotThere(folder: Path, clock: Clock, name: bytes) -> None:
    """One answer for everything; and then the end."""
    connection = course(folder, clock)
    connection.dataReceived(name)
    clock.advance(0.03)
    assert drain(connection) == b"NOT_FOUND"
    connection.readConnectionLost()
    hangUp(connection)


def test_nothingIsAnsweredToNothing(folder: Path, clock: Clock) -> None:
    connection = course(folder, clock)
    connection.readConnectionLost()
    assert drain(connection) == b""
    hangUp(connection)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.021, 0.05])
def test_aClientThatVanishes(folder: Path, clock: Clock, seconds: float) -> None:
    """In every state; the file is let go of, and no timer stays."""
    connection = course(folder, clock)
    connection.dataReceived(b"file")
    clock.advance(seconds)
    clock.advance(seconds)
    clock.advance(seconds)
    lose(connection)


def test_aClientThatStaysAfterTheEnd(folder: Path, clock: Clock) -> None:
    """It has two seconds; then it is closed."""
    connection = course(folder, clock)
    connection.dataReceived(b"nothing\n")
    drain(connection)
    clock.pump([0.5] * 5)
    hangUp(connection)
