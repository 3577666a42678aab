"""
What a worker has of its supervisor: a pipe for what it says, and one that ends with the supervisor.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.net.worker import Channel, Lifeline, Outlet


class Descriptors:
    """A reactor that only notes who wants to read and write."""

    def __init__(self) -> None:
        self.readers: set[object] = set()
        self.writers: set[object] = set()
        self.addReader = self.readers.add
        self.removeReader = self.readers.discard
        self.addWriter = self.writers.add
        self.removeWriter = self.writers.discard


class Pipe:
    """A pipe, and what is read from it."""

    def __init__(self) -> None:
        self.out, self.into = os.pipe()
        os.set_blocking(self.out, False)

    def read(self) -> bytes:
        data = b""
        while True:
            try:
                piece = os.read(self.out, 2**20)
            except BlockingIOError:
                return data
            if not piece:
                return data
            data += piece


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    for end in (pipe.out, pipe.into):
        with suppress(OSError):  # It is closed already.
            os.close(end)


@pytest.fixture
def reactor() -> Descriptors:
    return Descriptors()


def written(channel: Channel, reactor: Descriptors, pipe: Pipe) -> bytes:
    """Everything that the channel writes while the pipe is read."""
    data = b""
    while channel in reactor.writers:
        channel.doWrite()
        data += pipe.read()
    return data


def test_linesGoOutTogether(reactor: Descriptors, pipe: Pipe) -> None:
    channel = Channel(reactor, pipe.into)
    channel.write("one\n")
    channel.write("two\n")
    assert pipe.read() == b""
    channel.doWrite()
    assert pipe.read() == b"one\ntwo\n"


def test_aSlowReaderCostsLinesAndNotTime(reactor: Descriptors, pipe: Pipe) -> None:
    """What is beyond the bound is left out, whole lines of it, and that is said when there is room."""
    channel = Channel(reactor, pipe.into)
    line = "x" * 99_999 + "\n"
    for _ in range(13):
        channel.write(line)
    channel.doWrite()  # The pipe is full now.
    data = pipe.read() + written(channel, reactor, pipe)
    assert data == line.encode() * 10
    channel.write("after\n")
    first, second = written(channel, reactor, pipe).splitlines()
    assert json.loads(first) == {"level": "warn", "text": "3 lines of the log are left out"}
    assert second == b"after"


def test_withNobodyToReadItSaysNothing(reactor: Descriptors, pipe: Pipe) -> None:
    channel = Channel(reactor, pipe.into)
    channel.write("one\n")
    os.close(pipe.out)
    assert channel.doWrite() is CONNECTION_LOST
    channel.connectionLost(Failure(CONNECTION_LOST))
    channel.write("two\n")
    channel.finish()
    assert channel not in reactor.writers


def test_itIsAliveUnlessItHasSaidSoAlready(reactor: Descriptors, pipe: Pipe) -> None:
    """What waits says the same, and is read first; nothing is counted as left out."""
    channel = Channel(reactor, pipe.into)
    channel.beat()
    channel.beat()
    assert written(channel, reactor, pipe) == b'{"alive": true}\n'
    channel.beat()
    assert written(channel, reactor, pipe) == b'{"alive": true}\n'


def test_theLastWordsAreWritten(reactor: Descriptors, pipe: Pipe) -> None:
    """The reactor has stopped, and what waits still goes out."""
    channel = Channel(reactor, pipe.into)
    channel.write("the end\n")
    channel.finish()
    assert pipe.read() == b"the end\n"


def test_theEndOfTheSupervisorIsNoticed(reactor: Descriptors, pipe: Pipe) -> None:
    ended: list[Any] = []
    lifeline = Lifeline(reactor, pipe.out, lambda: ended.append(True))
    assert lifeline.doRead() is None
    os.close(pipe.into)
    why = lifeline.doRead()
    assert why is CONNECTION_DONE
    lifeline.connectionLost(Failure(why))
    assert ended == [True]


def test_untilItServesOnlyWhatIsWrongIsSaid(reactor: Descriptors, pipe: Pipe) -> None:
    channel = Channel(reactor, pipe.into)
    outlet = Outlet(channel)
    log = Logger(namespace="x", observer=outlet)
    log.info("a {word}", word="word")
    log.warn("wrong")
    outlet.serving = True
    log.info("a {word}", word="word")
    rows = [json.loads(line) for line in written(channel, reactor, pipe).splitlines()]
    assert [(row["level"], row["text"]) for row in rows] == [("warn", "wrong"), ("info", "a word")]
    assert rows[1]["word"] == "word"
