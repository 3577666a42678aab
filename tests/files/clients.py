"""
A client of the framed protocol, over a transport in memory.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from twisted.internet.task import Clock

from labnet.files.refusal import Refusal, Trouble
from labnet.files.server import FramedConnection, FramedFactory
from labnet.files.wire import (
    FileHead,
    FramedReader,
    Get,
    Head,
    Listing,
    Put,
    Ready,
    Stored,
    encodeHead,
    parseReply,
)
from labnet.testing import hangUp
from tests.files.world import connected, drain, shelfOf

DATA = b"some bytes of a file"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def framed(folder: Path, clock: Clock, **options: object) -> FramedConnection:
    connection = connected(FramedFactory(clock, shelfOf(folder, clock, **options)))  # type: ignore[arg-type]
    assert isinstance(connection, FramedConnection)
    return connection


class Answers:
    """What a server has answered, taken apart."""

    def __init__(self, connection: FramedConnection) -> None:
        self.connection = connection
        self._reader = FramedReader()

    def ask(self, *requests: Head) -> None:
        self.connection.dataReceived(b"".join(map(encodeHead, requests)))

    def next(self) -> Listing | FileHead | Ready | Stored | Refusal | None:
        self._reader.feed(drain(self.connection))
        head = self._reader.head()
        try:
            return parseReply(head) if head is not None else None
        except Refusal as refusal:
            return refusal

    def trouble(self) -> Trouble:
        refusal = self.next()
        assert isinstance(refusal, Refusal)
        assert "/" not in str(refusal)
        return refusal.trouble

    def content(self, count: int) -> bytes:
        self._reader.expect(count)
        content = self._reader.content()
        assert not self._reader.contentLeft
        return content

    def get(self, name: str, offset: int = 0) -> tuple[FileHead, bytes]:
        self.ask(Get(name, offset))
        head = self.next()
        assert isinstance(head, FileHead)
        return head, self.content(head.size - head.offset)

    def put(self, name: str, data: bytes, *, replace: bool = False) -> Stored | Refusal:
        self.ask(Put(name, len(data), digest(data), None, replace, "joe", "secret"))
        ready = self.next()
        if isinstance(ready, Refusal):
            return ready
        assert ready == Ready()
        self.connection.dataReceived(data)
        stored = self.next()
        assert isinstance(stored, (Stored, Refusal))
        return stored


def end(answers: Answers) -> None:
    """The client is done."""
    answers.connection.readConnectionLost()
    hangUp(answers.connection)
