"""
Clients that ask much and read nothing: what waits for them is bounded, and comes when they read.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.task import Clock

from labnet.files.connection import FilesConnection, FilesFactory
from labnet.files.server import FramedFactory
from labnet.files.web import WebFactory
from labnet.files.wire import FileHead, FramedReader, Get, List, Listing, encodeHead, parseReply
from labnet.testing import SlowTransport, TCPTransport, hangUp
from tests.files.world import connected, lose, shelfOf

BUFFER = SlowTransport.BUFFER
FILES = 40
REQUESTS = 400


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(FILES):
        (tmp_path / f"{'long name ' * 10}{number}").write_bytes(b"content")
    return tmp_path


def asked(factory: FilesFactory, requests: bytes) -> tuple[FilesConnection, SlowTransport]:
    """A client that has sent its requests, and has read nothing yet."""
    connection = connected(factory, socket := SlowTransport())
    for at in range(0, len(requests), BUFFER):
        if socket.reading:
            connection.dataReceived(requests[at : at + BUFFER])
    return connection, socket


def test_listsWaitUntilTheyAreRead(folder: Path, clock: Clock) -> None:
    """Of 400 lists of 6 KB no more is written than is read; and all of them come in the end."""
    connection, socket = asked(FramedFactory(clock, shelfOf(folder, clock)), encodeHead(List()) * REQUESTS)
    assert len(socket.value()) < 3 * BUFFER
    assert not socket.reading
    reader = FramedReader()
    answers = 0
    while piece := socket.read():
        assert len(piece) < 3 * BUFFER
        reader.feed(piece)
        while (head := reader.head()) is not None:
            listing = parseReply(head)
            assert isinstance(listing, Listing)
            assert len(listing.entries) == FILES
            answers += 1
    assert answers == REQUESTS
    assert socket.reading
    lose(connection)


def test_pagesWaitUntilTheyAreRead(folder: Path, clock: Clock) -> None:
    """The same of the folder's page."""
    requests = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * REQUESTS
    connection, socket = asked(WebFactory(clock, shelfOf(folder, clock)), requests)
    assert len(socket.value()) < 3 * BUFFER
    assert connection.busy
    assert socket.readAll().count(b"HTTP/1.1 200 OK\r\n") == REQUESTS
    assert socket.reading
    assert not connection.busy
    lose(connection)


def test_aFileAmongLists(folder: Path, clock: Clock) -> None:
    """Its head may be what fills the transport: afterwards the client is heard again all the same."""
    name = next(iter(folder.iterdir())).name
    requests = (encodeHead(List()) + encodeHead(Get(name))) * 50
    connection, socket = asked(FramedFactory(clock, shelfOf(folder, clock)), requests)
    reader = FramedReader()
    reader.feed(socket.readAll())
    files = 0
    while (head := reader.head()) is not None:
        if isinstance(answer := parseReply(head), FileHead):
            files += 1
            reader.expect(answer.size)
            assert reader.content() == b"content"
    assert files == 50
    assert socket.reading
    assert not connection.holding
    lose(connection)


@pytest.mark.parametrize("full", [BUFFER - 10, BUFFER + 10])
def test_theHeadThatFillsTheTransport(folder: Path, clock: Clock, full: int) -> None:
    """From then on it is the file that is asked for more; and when it has ended the client is heard."""
    connection = connected(FramedFactory(clock, shelfOf(folder, clock)), socket := SlowTransport())
    TCPTransport.write(socket, b"x" * full)
    connection.dataReceived(encodeHead(Get(next(iter(folder.iterdir())).name)))
    assert socket.readAll().endswith(b"content")
    assert socket.reading
    assert not connection.holding
    lose(connection)


def test_whoHasSaidEverythingStillGetsIt(folder: Path, clock: Clock) -> None:
    """The client's half ends while most of the answers are still to be made."""
    connection, socket = asked(FramedFactory(clock, shelfOf(folder, clock)), encodeHead(List()) * 100)
    connection.readConnectionLost()
    reader = FramedReader()
    reader.feed(socket.readAll())
    assert sum(iter(lambda: reader.head() is not None, False)) == 100
    hangUp(connection)


def test_whatWasDoneIsCountedAndNotKept(folder: Path, clock: Clock) -> None:
    """A connection that lives long does not grow: its line in the log has the first few, and a number."""
    connection = connected(FramedFactory(clock, shelfOf(folder, clock)), socket := SlowTransport())
    for _ in range(1_000):
        connection.dataReceived(encodeHead(List("z")))
        socket.readAll()
    assert connection.summary().startswith("listed, listed, listed and 997 more, ")
    lose(connection)
