"""
The clients over transports in memory.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, TimeoutError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.files import client as module
from labnet.files.client import CourseFetch, Damaged, FilesClient, FilesClientFactory, Source
from labnet.files.refusal import Refusal, Trouble
from labnet.files.saving import Saving
from labnet.files.server import FramedFactory
from labnet.files.wire import (
    Entry,
    FileHead,
    Listing,
    NotUnderstood,
    Ready,
    Stored,
    encodeHead,
    parseRequest,
)
from labnet.testing import TCPTransport
from tests.files.world import connected, content, drain, lose, shelfOf


class Memory:
    """A sink in memory."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def sha256(self) -> str:
        return digest(self.data)

    def write(self, data: bytes) -> None:
        self.data += data

    def putInFront(self, data: bytes) -> None:
        self.data = data + self.data

    def restart(self) -> None:
        self.data = b""


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def outcome(deferred: Deferred[Any]) -> Any:
    results: list[Any] = []
    deferred.addBoth(results.append)
    assert len(results) == 1, "it has not ended"
    return results[0].value if isinstance(results[0], Failure) else results[0]


# The course's protocol


def fetching(clock: Clock, sink: Memory) -> CourseFetch:
    fetch = CourseFetch(clock, b"name", sink, 5.0)
    fetch.makeConnection(TCPTransport())
    return fetch


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(), st.from_regex(rb"[0-9]{0,30}.*")), st.lists(st.integers(0, 1000)))
def test_aFileInAnyPieces(data: bytes, cuts: list[int]) -> None:
    """What the course's kind of server sends, whatever the segments are."""
    clock, sink = Clock(), Memory()
    fetch = fetching(clock, sink)
    stream = b"OK%d%b" % (len(data), data)
    at = 0
    for cut in sorted({cut % (len(stream) + 1) for cut in cuts} | {len(stream)}):
        fetch.dataReceived(stream[at:cut])
        at = cut
    fetch.connectionLost(Failure(ConnectionDone()))
    assert outcome(fetch.done) == len(data)
    assert sink.data == data
    assert not clock.getDelayedCalls()


def test_theNameIsSentAsItIs(clock: Clock) -> None:
    fetch = fetching(clock, Memory())
    assert fetch.transport.value() == b"name"  # type: ignore[attr-defined]
    fetch.connectionLost(Failure(ConnectionDone()))
    assert isinstance(outcome(fetch.done), NotUnderstood)


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        (b"NOT_FOUND", Refusal),
        (b"OK10abc", NotUnderstood),
        (b"", NotUnderstood),
        (b"OK", NotUnderstood),
        (b"HTTP", NotUnderstood),
    ],
)
def test_whatIsNoFile(clock: Clock, stream: bytes, kind: type[BaseException]) -> None:
    fetch = fetching(clock, Memory())
    fetch.dataReceived(stream)
    fetch.connectionLost(Failure(ConnectionDone()))
    assert isinstance(outcome(fetch.done), kind)


def test_aResetIsNoEnd(clock: Clock) -> None:
    """Even where what has come would make a whole file."""
    fetch = fetching(clock, Memory())
    fetch.dataReceived(b"OK3abc")
    fetch.connectionLost(Failure(ConnectionLost()))
    assert isinstance(outcome(fetch.done), ConnectionLost)


def test_silenceIsNotWaitedForForEver(clock: Clock) -> None:
    fetch = fetching(clock, Memory())
    for _ in range(10):
        clock.advance(4)
        fetch.dataReceived(b"OK99999" if not clock.seconds() > 4 else b"x")
    clock.advance(5)
    assert isinstance(outcome(fetch.done), TimeoutError)
    assert fetch.transport.disconnected  # type: ignore[attr-defined]


def test_aFullDiskEndsIt(clock: Clock) -> None:
    class Full(Memory):
        def write(self, data: bytes) -> None:
            raise OSError(28, "full")

    fetch = fetching(clock, Full())
    fetch.dataReceived(b"OK3abc")
    fetch.dataReceived(b"more")
    assert isinstance(outcome(fetch.done), OSError)


def test_itCanBeCancelled(clock: Clock) -> None:
    fetch = fetching(clock, Memory())
    fetch.done.cancel()
    assert isinstance(outcome(fetch.done), ConnectionLost)


# The framed protocol, against our server


class Both:
    """A client and a server of ours, joined in memory."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.clock = clock
        self.server = connected(FramedFactory(clock, shelfOf(folder, clock)))
        self.client = FilesClient(clock, 5.0)
        self.client.makeConnection(TCPTransport())

    def run(self, coroutine: Any) -> Any:
        done = Deferred.fromCoroutine(coroutine)
        for _ in range(1000):
            moved = False
            transport: Any = self.client.transport
            while transport.producer is not None:
                transport.producer.resumeProducing()
            if requests := transport.value():
                transport.clear()
                self.server.dataReceived(requests)
                moved = True
            if answers := drain(self.server):
                self.client.dataReceived(answers)
                moved = True
            if not moved:
                break
        return outcome(done)

    def end(self) -> None:
        lose(self.server)
        self.client.connectionLost(Failure(ConnectionDone()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


@pytest.fixture
def both(folder: Path, clock: Clock) -> Iterator[Both]:
    both = Both(folder, clock)
    yield both
    both.end()


def test_aFileThere(both: Both, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"x" * 1_000_000)
    source = Source(str(tmp_path / "mine"))
    seen: list[tuple[int, int | None]] = []
    put = both.client.put(
        source,
        "a",
        source.digest(),
        user="joe",
        password="secret",
        reached=lambda done, total: seen.append((done, total)),
    )
    assert both.run(put) == Stored("a", 1_000_000, digest(b"x" * 1_000_000))
    source.close()
    assert seen[-1] == (1_000_000, 1_000_000)
    assert content(folder) == {"a": b"x" * 1_000_000}
    assert (folder / "a").stat().st_mtime == pytest.approx((tmp_path / "mine").stat().st_mtime, abs=0.001)


@pytest.mark.parametrize("there", [b"", b"x", b"x" * 500_000, b"x" * 1_000_000])
def test_aFileBackFromWhereItWasCutOff(both: Both, folder: Path, there: bytes) -> None:
    (folder / "a").write_bytes(b"x" * 1_000_000)
    sink = Memory(there)
    head = both.run(both.client.get("a", sink))
    assert isinstance(head, FileHead)
    assert head.offset == len(there)
    assert sink.data == b"x" * 1_000_000


@pytest.mark.parametrize("there", [b"y", b"x" * 499 + b"y", b"y" * 2000])
def test_whatDoesNotBelongToItIsFetchedAnew(both: Both, folder: Path, there: bytes) -> None:
    """The server's file has changed, or has become shorter than what we have."""
    (folder / "a").write_bytes(b"x" * 1000)
    sink = Memory(there)
    assert isinstance(both.run(both.client.get("a", sink)), FileHead)
    assert sink.data == b"x" * 1000


def test_alistOfManyPages(both: Both, folder: Path) -> None:
    for number in range(1234):
        (folder / f"{number:04}").write_bytes(b"")
    names = [entry.name for entry in both.run(both.client.list())]
    assert names == [f"{number:04}" for number in range(1234)]


def test_severalRequestsOnOneConnection(both: Both, folder: Path, tmp_path: Path) -> None:
    (folder / "a").write_bytes(b"a")
    assert both.run(both.client.get("b", Memory())).trouble is Trouble.NOT_FOUND
    assert isinstance(both.run(both.client.get("a", Memory())), FileHead)
    source = Source(str(folder / "a"))
    assert both.run(both.client.put(source, "b", source.digest())).trouble is Trouble.DENIED
    source.close()
    assert len(both.run(both.client.list())) == 1


def test_anUploadThatIsRefusedInTheMiddle(
    both: Both, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").write_bytes(b"x" * 1_000_000)
    source = Source(str(tmp_path / "mine"))

    def full(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("labnet.files.store.os.write", full)
    put = both.client.put(source, "a", source.digest(), user="joe", password="secret")
    assert both.run(put).trouble is Trouble.NO_ROOM
    source.close()
    assert content(folder) == {}


# The framed protocol, against a server that does not keep to it


class Alone:
    """A client, and what its server says."""

    def __init__(self, clock: Clock) -> None:
        self.client = FilesClient(clock, 5.0)
        self.transport = TCPTransport()
        self.client.makeConnection(self.transport)

    def say(self, *heads: Any) -> None:
        self.client.dataReceived(
            b"".join(head if isinstance(head, bytes) else encodeHead(head) for head in heads)
        )


HEAD = FileHead("a", 0, 3, digest(b"abc"), 1.0)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff\xff\xff\xff", b"\0\0\0\2{}", Ready(), Listing(()),
        Stored("a", 3, digest(b"abc")),
        FileHead("a", 1, 3, digest(b"abc"), 1.0),
    ],
)  # fmt: skip
def test_anAnswerToAnotherQuestion(clock: Clock, answer: object) -> None:
    alone = Alone(clock)
    done = Deferred.fromCoroutine(alone.client.get("a", Memory()))
    alone.say(answer)
    assert isinstance(outcome(done), NotUnderstood)
    if not alone.transport.disconnected:
        alone.client.connectionLost(Failure(ConnectionDone()))


def test_whatWasDamagedOnItsWay(clock: Clock) -> None:
    """It is not saved; and it is not fetched again and again."""
    alone = Alone(clock)
    sink = Memory()
    done = Deferred.fromCoroutine(alone.client.get("a", sink))
    alone.say(HEAD, b"abX")
    assert isinstance(outcome(done), Damaged)
    assert sink.data == b""
    sink = Memory(b"a")
    done = Deferred.fromCoroutine(alone.client.get("a", sink))
    alone.say(FileHead("a", 1, 3, digest(b"abc"), 1.0), b"bX")
    alone.say(HEAD, b"abX")
    assert isinstance(outcome(done), Damaged)


def test_aListThatDoesNotGoOn(clock: Clock) -> None:
    alone = Alone(clock)
    done = Deferred.fromCoroutine(alone.client.list())
    for _ in range(2):
        alone.say(Listing((Entry("a", 1, 1.0),), True))
    assert isinstance(outcome(done), NotUnderstood)


def test_aListWithoutAnEnd(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on and on: the client does not."""
    monkeypatch.setattr(module, "_MOST_LISTED", 10)
    alone = Alone(clock)
    done = Deferred.fromCoroutine(alone.client.list())
    for number in range(11):
        assert not done.called
        alone.say(Listing((Entry(f"{number:02}", 1, 1.0),), True))
    assert isinstance(outcome(done), NotUnderstood)


@pytest.mark.parametrize("reason", [ConnectionDone, ConnectionLost])
@pytest.mark.parametrize("said", [(), (HEAD,), (HEAD, b"ab")])
def test_aConnectionThatIsLost(clock: Clock, said: tuple[Any, ...], reason: type[BaseException]) -> None:
    alone = Alone(clock)
    sink = Memory()
    done = Deferred.fromCoroutine(alone.client.get("a", sink))
    alone.say(*said)
    alone.client.connectionLost(Failure(reason()))
    assert isinstance(outcome(done), reason)
    # What has come stays, to be continued.
    assert sink.data == (b"ab" if len(said) == 2 else b"")
    assert isinstance(outcome(Deferred.fromCoroutine(alone.client.list())), reason)


def test_aServerThatSaysNothing(clock: Clock) -> None:
    alone = Alone(clock)
    done = Deferred.fromCoroutine(alone.client.get("a", Memory()))
    clock.advance(4)
    alone.say(HEAD)
    clock.advance(4)
    alone.say(b"a")
    clock.advance(6)
    assert isinstance(outcome(done), TimeoutError)
    assert alone.transport.disconnected


def test_aServerThatDoesNotTakeAnUpload(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    source = Source(str(tmp_path / "a"))
    alone = Alone(clock)
    done = Deferred.fromCoroutine(alone.client.put(source, "a", source.digest()))
    alone.say(Ready())
    clock.advance(6)
    assert isinstance(outcome(done), TimeoutError)
    source.close()


def test_itCanBeCancelledInTheMiddle(clock: Clock) -> None:
    alone = Alone(clock)
    done = Deferred.fromCoroutine(alone.client.get("a", Memory()))
    alone.say(HEAD, b"a")
    done.cancel()
    outcome(done)
    assert alone.transport.disconnected


def test_theRequestsAreTheDocumentedOnes(clock: Clock) -> None:
    alone = Alone(clock)
    done = Deferred.fromCoroutine(alone.client.get("\u00e1", Memory(b"12")))
    raw = alone.transport.value()
    assert int.from_bytes(raw[:4], "big") == len(raw) - 4
    assert raw[4:] == '{"request":"get","name":"\u00e1","offset":2}'.encode()
    assert parseRequest(raw[4:])
    alone.client.connectionLost(Failure(ConnectionDone()))
    outcome(done)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary()))
def test_noBytesBreakTheClient(pieces: list[bytes]) -> None:
    clock = Clock()
    alone = Alone(clock)
    done = Deferred.fromCoroutine(alone.client.get("a", Memory()))
    for piece in pieces:
        alone.client.dataReceived(piece)
    alone.client.connectionLost(Failure(ConnectionDone()))
    assert isinstance(outcome(done), (NotUnderstood, ConnectionDone, Refusal, Damaged))
    assert not clock.getDelayedCalls()


def test_whatCanNotBeSent(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "fifo"):
        with pytest.raises(OSError, match=r".+"):
            Source(str(path))


def test_theFactoryBuildsClients(clock: Clock) -> None:
    assert isinstance(FilesClientFactory(clock).buildProtocol(None), FilesClient)


def test_savingIsASink(tmp_path: Path, clock: Clock) -> None:
    alone = Alone(clock)
    saving = Saving(str(tmp_path / "a"))
    done = Deferred.fromCoroutine(alone.client.get("a", saving))
    alone.say(HEAD, b"abc")
    assert outcome(done) == HEAD
    saving.finish(HEAD.mtime)
    assert content(tmp_path) == {"a": b"abc"}
