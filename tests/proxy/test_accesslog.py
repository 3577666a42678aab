"""
How the access log is written: in batches, to files that come and go, fill up, or are not read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.logger import Logger

from labnet.net.logfile import LogFile
from labnet.net.service import CannotStart
from labnet.proxy.accesslog import AccessLog, LoggedJournal
from labnet.proxy.journal import Record
from tests.proxy.records import record

MakeLog = Callable[..., AccessLog]


def line(row: Record) -> str:
    """A short one: the number of the connection."""
    return f"{row.connection}\n"


@pytest.fixture
def makeLog(clock: Clock) -> Iterator[MakeLog]:
    """Starts access logs, and stops them."""
    logs: list[AccessLog] = []

    def make(name: Path | str, **kw: int) -> AccessLog:
        log = AccessLog(clock, str(name), line, **kw)
        logs.append(log)
        log.startService()
        return log

    yield make
    for log in logs:
        if log.running:
            log.stopService()


def tell(log: AccessLog, *numbers: int) -> None:
    for number in numbers:
        log.ended(record(connection=number))


def test_linesAreWrittenTogether(clock: Clock, makeLog: MakeLog, tmp_path: Path) -> None:
    """After half a second, and at the end."""
    path = tmp_path / "log"
    log = makeLog(path)
    tell(log, 1)
    clock.advance(0.4)
    tell(log, 2)
    assert path.read_text() == ""
    clock.advance(0.1)
    assert path.read_text() == "1\n2\n"
    tell(log, 3)
    log.stopService()
    assert path.read_text() == "1\n2\n3\n"


def test_aFullBatchDoesNotWait(makeLog: MakeLog, tmp_path: Path) -> None:
    log = makeLog(tmp_path / "log", batch=2)
    tell(log, 1, 2)
    assert (tmp_path / "log").read_text() == "1\n2\n"


def test_whatIsThereStays(makeLog: MakeLog, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    log = makeLog(tmp_path / "log")
    tell(log, 1)
    log.stopService()
    assert (tmp_path / "log").read_text() == "before\n1\n"


def test_aFileThatIsRenamedIsFollowedByAnother(clock: Clock, makeLog: MakeLog, tmp_path: Path) -> None:
    """Whether somebody says so or not."""
    path = tmp_path / "log"
    log = makeLog(path)
    tell(log, 1)
    path.rename(tmp_path / "log.1")
    clock.advance(0.5)
    tell(log, 2)
    clock.advance(0.5)
    path.rename(tmp_path / "log.2")
    tell(log, 3)
    log.reload()
    tell(log, 4)
    clock.advance(0.5)
    contents = [(tmp_path / name).read_text() for name in ("log.1", "log.2", "log")]
    assert contents == ["1\n", "2\n3\n", "4\n"]


def test_whereNoneCanBeOpenedTheOldOneServes(
    makeLog: MakeLog, tmp_path: Path, loggedLines: list[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    log = makeLog(folder / "log")
    folder.rename(tmp_path / "elsewhere")
    log.reload()
    tell(log, 1)
    log.stopService()
    assert (tmp_path / "elsewhere" / "log").read_text() == "1\n"
    assert any("No such file" in text for text in loggedLines)


def test_aFullDiskCostsLinesAndNothingElse(clock: Clock, makeLog: MakeLog, loggedLines: list[str]) -> None:
    """Some wait; those that are lost are counted, and that is said."""
    log = makeLog("/dev/full", batch=7, mostWaiting=60)
    tell(log, *range(10, 100))
    assert log.lost > 50
    clock.advance(10)
    assert any(
        f"{log.lost} lines of the access log lost: {log.lost} No space left" in text for text in loggedLines
    )
    log.stopService()
    assert sum("lost at the end" in text for text in loggedLines) == 1


def test_aDiskThatHasRoomAgain(clock: Clock, makeLog: MakeLog, tmp_path: Path) -> None:
    """What has waited is written, and nothing of it is lost."""
    link = tmp_path / "log"
    link.symlink_to("/dev/full")
    log = makeLog(link)
    tell(log, 1, 2)
    clock.advance(0.5)
    link.unlink()
    clock.pump([0.5, 0.5])
    assert link.read_text() == "1\n2\n"
    assert log.lost == 0


def test_aPipeThatNobodyReads(clock: Clock, makeLog: MakeLog, tmp_path: Path) -> None:
    """It does not hold up anything; whoever reads at last gets whole lines, in order."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        log = makeLog(path, mostWaiting=1_000_000)
        numbers = range(100_000, 150_000)
        tell(log, *numbers)
        got = b""
        for _ in range(100):
            while True:
                try:
                    piece = os.read(reader, 65_536)
                except BlockingIOError:
                    break
                got += piece
            clock.advance(0.5)
        assert got == b"".join(b"%d\n" % number for number in numbers)
        assert log.lost == 0
    finally:
        os.close(reader)


def test_whatCanNotBeOpened(tmp_path: Path, clock: Clock) -> None:
    log = AccessLog(clock, str(tmp_path / "no" / "log"), line)
    with pytest.raises(CannotStart, match="No such file"):
        log.startService()


def test_standardOutputIsLeftOpen(capfd: pytest.CaptureFixture[str]) -> None:
    file = LogFile("-")
    assert file.write(b"a line\n") == 7
    assert not file.moved
    file.close()
    os.fstat(1)
    assert capfd.readouterr().out == "a line\n"


def test_theLogTellsWhatWasDecidedOrWentWrong(loggedLines: list[str]) -> None:
    """What was looked at and passed has no line there: there are many of these, and they tell nothing."""
    journal = LoggedJournal(Logger())
    journal.ended(record(status=200, why=""))
    assert loggedLines == []
    journal.ended(record(status=404, why="blocked; rule=x"))
    journal.ended(record(status=0, why="the client left"))
    assert [line.rpartition('" ')[2] for line in loggedLines] == [
        "404 blocked; rule=x",
        "- the client left",
    ]
