"""
A folder, its servers in memory, and what the tests do with them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.files.access import Access
from labnet.files.connection import FilesConnection, FilesFactory, Shelf
from labnet.files.digests import Digests
from labnet.files.store import Store, StoreLimits
from labnet.net.passwords import PasswordHash
from labnet.net.sendfile import FileTransfer
from labnet.testing import TCPTransport
from tests.passwords import PASSWORDS, atOnce


def shelfOf(
    folder: Path | str,
    clock: Clock,
    *,
    passwords: dict[str, PasswordHash] | None = PASSWORDS,
    limits: StoreLimits | None = None,
    inThread: Callable[[Callable[[], Any]], Deferred[Any]] = atOnce,
    rate: float = 0.0,
    replace: bool = True,
) -> Shelf:
    store = Store(str(folder), limits)
    access = Access(clock, passwords, inThread)
    return Shelf(store, access, Digests(inThread), inThread, rate, replace)


def connected(factory: FilesFactory, transport: TCPTransport | None = None) -> FilesConnection:
    """A connection of the factory over a transport in memory."""
    connection = factory.buildProtocol(None)
    assert isinstance(connection, FilesConnection)
    connection.makeConnection(transport or TCPTransport())
    return connection


def drain(connection: FilesConnection) -> bytes:
    """Let everything that is being sent leave, and return what was written since the last time."""
    transport: Any = connection.transport
    while isinstance(transport.producer, FileTransfer):
        transport.producer.resumeProducing()
    written = transport.value()
    transport.clear()
    return bytes(written)


def lose(connection: FilesConnection, *, cleanly: bool = False) -> None:
    """The connection is gone."""
    transport: Any = connection.transport
    if transport.producer is not None:
        producer, transport.producer = transport.producer, None
        producer.stopProducing()
    connection.connectionLost(Failure(ConnectionDone() if cleanly else ConnectionLost()))


def content(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, hidden files too."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def descriptors() -> int:
    """How many are open in this process."""
    return len(os.listdir("/proc/self/fd"))


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for tests that Hypothesis runs many times."""
    return tempfile.TemporaryDirectory(prefix="labnet-test-")
