"""
The framed protocol, over transports in memory.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from labnet.files.refusal import Refusal, Trouble
from labnet.files.server import CourseFactory, FramedFactory
from labnet.files.store import StoreLimits
from labnet.files.wire import (
    FileHead,
    Get,
    List,
    Listing,
    Put,
    Ready,
    Stored,
    encodeHead,
)
from labnet.testing import LoggedFailures, TCPTransport, hangUp, inPieces
from tests.files.clients import DATA, Answers, digest, end, framed
from tests.files.world import connected, content, drain, lose, scratch, shelfOf


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(DATA)
    return tmp_path / "folder"


def test_aFileFromAnOffset(folder: Path, clock: Clock) -> None:
    answers = Answers(framed(folder, clock))
    for offset in (0, 5, len(DATA)):
        head, data = answers.get("file", offset)
        assert data == DATA[offset:]
        mtime = (folder / "file").stat().st_mtime
        assert head == FileHead("file", offset, len(DATA), digest(DATA), mtime)
    end(answers)


@pytest.mark.parametrize("offset", [len(DATA) + 1, 2**63 - 1])
def test_anOffsetBehindTheEnd(folder: Path, clock: Clock, offset: int) -> None:
    answers = Answers(framed(folder, clock))
    answers.ask(Get("file", offset), List())
    assert answers.trouble() is Trouble.BAD_OFFSET
    assert isinstance(answers.next(), Listing)
    end(answers)


def test_aList(folder: Path, clock: Clock) -> None:
    for number in range(600):
        (folder / f"{number:03}").write_bytes(b"x")
    answers = Answers(framed(folder, clock))
    answers.ask(List())
    listing = answers.next()
    assert isinstance(listing, Listing)
    assert (len(listing.entries), listing.more) == (500, True)
    answers.ask(List(listing.entries[-1].name))
    rest = answers.next()
    assert isinstance(rest, Listing)
    assert [entry.name for entry in rest.entries] == [
        *(f"{number:03}" for number in range(500, 600)),
        "file",
    ]
    assert not rest.more
    end(answers)


def test_anUpload(folder: Path, clock: Clock) -> None:
    answers = Answers(framed(folder, clock))
    assert answers.put("new", b"x" * 100_000) == Stored("new", 100_000, digest(b"x" * 100_000))
    assert answers.get("new")[1] == b"x" * 100_000
    assert answers.put("empty", b"") == Stored("empty", 0, digest(b""))
    assert content(folder) == {"file": DATA, "new": b"x" * 100_000, "empty": b""}
    end(answers)


def test_anUploadThatReplaces(folder: Path, clock: Clock) -> None:
    answers = Answers(framed(folder, clock))
    refused = answers.put("file", b"new")
    assert isinstance(refused, Refusal)
    assert refused.trouble is Trouble.EXISTS
    assert isinstance(answers.put("file", b"new", replace=True), Stored)
    assert content(folder) == {"file": b"new"}
    assert answers.get("file")[0].sha256 == digest(b"new")
    end(answers)


def test_aServerWhereNothingIsReplaced(folder: Path, clock: Clock) -> None:
    answers = Answers(framed(folder, clock, replace=False))
    refused = answers.put("file", b"new", replace=True)
    assert isinstance(refused, Refusal)
    assert content(folder) == {"file": DATA}
    end(answers)


def test_anUploadThatIsDamaged(folder: Path, clock: Clock) -> None:
    """The digest does not fit: nothing appears, and the connection goes on, for all its bytes have come."""
    answers = Answers(framed(folder, clock))
    answers.ask(Put("new", 5, digest(b"hello"), None, False, "joe", "secret"))
    assert answers.next() == Ready()
    answers.connection.dataReceived(b"hellO")
    assert answers.trouble() is Trouble.DAMAGED
    assert content(folder) == {"file": DATA}
    assert answers.get("file")[1] == DATA
    end(answers)


@pytest.mark.parametrize(
    ("user", "password", "trouble"),
    [
        ("", "", Trouble.DENIED),
        ("joe", "wrong", Trouble.DENIED),
        ("jim", "secret", Trouble.DENIED),
        ("joe", "", Trouble.DENIED),
    ],
)
def test_whoMayNotWrite(folder: Path, clock: Clock, user: str, password: str, trouble: Trouble) -> None:
    answers = Answers(framed(folder, clock))
    answers.ask(Put("new", 5, digest(b"hello"), None, False, user, password))
    assert answers.trouble() is trouble
    end(answers)


def test_withoutPasswordsNobodyMayWrite(folder: Path, clock: Clock) -> None:
    answers = Answers(framed(folder, clock, passwords=None))
    refused = answers.put("new", b"hello")
    assert isinstance(refused, Refusal)
    assert refused.trouble is Trouble.READ_ONLY
    end(answers)


def test_passwordsAreNotTriedFast(folder: Path, clock: Clock) -> None:
    answers = Answers(framed(folder, clock))
    found = []
    for _ in range(10):
        answers.ask(Put("new", 5, digest(b"hello"), None, False, "joe", "wrong"))
        found.append(answers.trouble())
    assert found.count(Trouble.DENIED) == 2
    assert found.count(Trouble.BUSY) == 8
    clock.advance(1.5)
    # Whoever was right once is known, and need not wait.
    for number in range(5):
        assert isinstance(answers.put(f"new{number}", b"x"), Stored)
    end(answers)


@pytest.mark.parametrize("cleanly", [True, False])
@pytest.mark.parametrize("share", [0, 1, 50, 99])
def test_aPeerThatVanishesInAnUpload(folder: Path, clock: Clock, share: int, cleanly: bool) -> None:
    answers = Answers(framed(folder, clock))
    answers.ask(Put("file", 100, digest(b"x" * 100), None, True, "joe", "secret"))
    assert answers.next() == Ready()
    answers.connection.dataReceived(b"x" * share)
    if cleanly:
        end(answers)
    else:
        lose(answers.connection)
    assert content(folder) == {"file": DATA}


def test_moreThanWasAnnouncedIsTheNextRequest(folder: Path, clock: Clock) -> None:
    answers = Answers(framed(folder, clock))
    answers.ask(Put("new", 5, digest(b"hello"), None, False, "joe", "secret"))
    assert answers.next() == Ready()
    answers.connection.dataReceived(b"hello" + encodeHead(List()))
    assert isinstance(answers.next(), Stored)
    assert isinstance(answers.next(), Listing)
    end(answers)


def test_aDiskThatFillsUpInTheMiddle(folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer, no rest on the disk, and the end: what still comes belongs to the upload."""
    answers = Answers(framed(folder, clock))
    answers.ask(Put("file", 100, digest(b"x" * 100), None, True, "joe", "secret"))
    assert answers.next() == Ready()
    answers.connection.dataReceived(b"x" * 50)

    def full(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("labnet.files.store.os.write", full)
    answers.connection.dataReceived(b"x" * 10)
    assert answers.trouble() is Trouble.NO_ROOM
    answers.connection.dataReceived(b"x" * 40)
    assert answers.connection.lingering
    assert content(folder) == {"file": DATA}
    lose(answers.connection)


def test_theQuota(folder: Path, clock: Clock) -> None:
    answers = Answers(framed(folder, clock, limits=StoreLimits(largest=50, quota=100, mostFiles=3)))
    for size, expected in (
        (51, Trouble.TOO_LARGE),
        (50, None),
        (50, Trouble.NO_ROOM),
        (10, None),
        (1, Trouble.NO_ROOM),
    ):
        result = answers.put(f"f{size}{expected}", b"x" * size)
        assert (result.trouble if isinstance(result, Refusal) else None) is expected
    end(answers)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"{",
        b"[]",
        b'{"request":"delete"}',
        b"\xff\xfe",
        b"\0" * 100,
        b'{"request":"get","name":"../x"}',
        b"[" * 60_000,
    ],
)
def test_badRequestsAreAnsweredAndTheConnectionGoesOn(folder: Path, clock: Clock, head: bytes) -> None:
    answers = Answers(framed(folder, clock))
    answers.connection.dataReceived(len(head).to_bytes(4, "big") + head + encodeHead(List()))
    assert answers.trouble() in (Trouble.BAD_REQUEST, Trouble.BAD_NAME)
    assert isinstance(answers.next(), Listing)
    end(answers)


@pytest.mark.parametrize("length", [2**18 + 1, 2**31, 2**32 - 1])
def test_aLengthThatLiesEndsTheConnection(folder: Path, clock: Clock, length: int) -> None:
    answers = Answers(framed(folder, clock))
    answers.ask(List())
    answers.connection.dataReceived(length.to_bytes(4, "big") + b"x" * 1000)
    assert isinstance(answers.next(), Listing)
    assert answers.trouble() is Trouble.BAD_REQUEST
    end(answers)


def test_aByteAtATime(folder: Path, clock: Clock) -> None:
    """An upload, a list and a get in single bytes, and all in one piece."""
    data = b"x" * 300
    requests = encodeHead(Put("new", 300, digest(data), None, True, "joe", "secret")) + data
    requests += encodeHead(List()) + encodeHead(Get("new")) + encodeHead(Get("nothing"))
    for pieces in ([requests], inPieces(requests, 1)):
        answers = Answers(framed(folder, clock))
        for piece in pieces:
            answers.connection.dataReceived(piece)
        assert answers.next() == Ready()
        assert answers.next() == Stored("new", 300, digest(data))
        assert isinstance(answers.next(), Listing)
        head = answers.next()
        assert isinstance(head, FileHead)
        assert answers.content(300) == data
        assert answers.trouble() is Trouble.NOT_FOUND
        end(answers)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=50), max_size=10))
def test_noBytesBreakTheServers(pieces: list[bytes]) -> None:
    clock = Clock()
    with scratch() as name:
        shelf = shelfOf(name, clock)
        for factory in (FramedFactory(clock, shelf), CourseFactory(clock, shelf)):
            connection = connected(factory)
            for piece in pieces:
                connection.dataReceived(piece)
            lose(connection)
        assert content(Path(name)) == {}
    assert not clock.getDelayedCalls()


def test_manyRequestsInOnePiece(folder: Path, clock: Clock) -> None:
    """Thousands, answered one after another and not one within another."""
    answers = Answers(framed(folder, clock))
    answers.ask(*[List()] * 3_000, *[Get("nothing")] * 3_000)
    for _ in range(3_000):
        assert isinstance(answers.next(), Listing)
    for _ in range(3_000):
        assert answers.trouble() is Trouble.NOT_FOUND
    end(answers)


def test_nothingIsReadWhileAFileIsSent(folder: Path, clock: Clock) -> None:
    """And what was read before waits; the answers keep their order."""
    (folder / "file").write_bytes(b"x" * 1_000_000)
    answers = Answers(framed(folder, clock))
    transport = answers.connection.transport
    assert isinstance(transport, TCPTransport)
    answers.ask(Get("file"), List())
    assert not transport.reading
    assert len(transport.value()) < 400_000
    head = answers.next()
    assert isinstance(head, FileHead)
    assert len(answers.content(1_000_000)) == 1_000_000
    assert isinstance(answers.next(), Listing)
    assert transport.reading
    end(answers)


def test_aPeerThatVanishesWhileAFileIsSent(
    folder: Path, clock: Clock, loggedFailures: LoggedFailures
) -> None:
    (folder / "file").write_bytes(b"x" * 1_000_000)
    connection = framed(folder, clock)
    connection.dataReceived(encodeHead(Get("file")) + encodeHead(List()))
    lose(connection)


def test_aFileThatShrinksIsNotPaddedNorWaitedFor(folder: Path, clock: Clock) -> None:
    (folder / "file").write_bytes(b"x" * 1_000_000)
    connection = framed(folder, clock)
    connection.dataReceived(encodeHead(Get("file")))
    (folder / "file").write_bytes(b"")
    transport = connection.transport
    assert isinstance(transport, TCPTransport)
    drain(connection)
    assert transport.disconnected
    hangUp(connection)
