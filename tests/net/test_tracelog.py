"""
Where a trace is written to, and what happens when that takes no more.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from labnet.net.trace import Conversation, Happening, Trace
from labnet.net.tracefile import readConversations
from labnet.net.traceline import TraceLines
from labnet.net.tracelog import TraceFile, TraceLog, lookerFor


@pytest.fixture
def logged() -> Iterator[list[LogEvent]]:
    events: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if "trace" in event["log_namespace"]:
            events.append(event)

    globalLogPublisher.addObserver(observe)
    yield events
    globalLogPublisher.removeObserver(observe)


def begun(looker: TraceLog | TraceFile) -> tuple[Trace, Conversation]:
    trace = Trace()
    trace.subscribe(looker)
    return trace, trace.begin("mine", "", "tcp", ("127.0.0.1", 1), ("127.0.0.1", 2), 1_000.0)


def test_theLogHasTheLineAndTheNumbers(logged: list[LogEvent]) -> None:
    trace, conversation = begun(TraceLog(TraceLines()))
    trace.add(conversation, Happening.RECEIVED, 1_000.5, b"hello {you}")
    event = logged[-1]
    assert formatEvent(event) == 'mine #1   0.5000 < 11 bytes  "hello {you}"'
    assert (event["service"], event["conversation"], event["event"]) == ("mine", 1, 2)
    assert (event["what"], event["size"], event["at"]) == ("received", 11, 1_000.5)


def test_theLogIsNotFlooded(logged: list[LogEvent]) -> None:
    """So many lines a second; of the others the count."""
    trace, conversation = begun(TraceLog(TraceLines(), most=3))
    for _ in range(10):
        trace.add(conversation, Happening.NOTE, 1_000.5, note="x")
    assert len(logged) == 3
    trace.add(conversation, Happening.NOTE, 1_001.5, note="next")
    assert [formatEvent(event) for event in logged[3:]] == [
        "8 events of the trace left out",
        "mine #1   1.5000 - next",
    ]


def test_whatIsLeftOutIsFollowed(logged: list[LogEvent]) -> None:
    """A message whose beginning was left out is known when its end is told."""
    trace = Trace()
    trace.subscribe(TraceLog(TraceLines(), most=1))
    conversation = trace.begin("calculator", "struct9", "tcp", ("", 0), ("", 0), 1_000.0)
    trace.add(conversation, Happening.RECEIVED, 1_000.5, b"\x0c\0\0\0")
    trace.add(conversation, Happening.RECEIVED, 1_001.5, b"\x22\0\0\0+")
    assert any("= request 1: 12 + 34" in formatEvent(event) for event in logged)


def test_aFile(tmp_path: Path) -> None:
    """It is appended to, and opened when there is something to write."""
    path = tmp_path / "trace"
    looker = TraceFile(str(path), TraceLines())
    assert not path.exists()
    for _ in range(2):
        begun(looker)
        looker.close()
    assert len(path.read_text().splitlines()) == 2


def test_aLongFileIsPutAside(tmp_path: Path) -> None:
    """There are two at most, and nothing in between is missing."""
    path = tmp_path / "trace"
    looker = TraceFile(str(path), TraceLines(), most=500)
    trace, conversation = begun(looker)
    for number in range(200):
        trace.add(conversation, Happening.NOTE, 1_000.0, note=f"note {number}")
    looker.close()
    assert sorted(os.listdir(tmp_path)) == ["trace", "trace.1"]
    lines = (tmp_path / "trace.1").read_text().splitlines() + path.read_text().splitlines()
    numbers = [int(line.rpartition(" ")[2]) for line in lines]
    assert numbers == list(range(numbers[0], 200))
    assert path.stat().st_size < 1_500


def test_twoWriteToOneFile(tmp_path: Path) -> None:
    """As workers do: one puts it aside, and the other goes on in the new one."""
    path = tmp_path / "trace"
    lookers = [TraceFile(str(path), TraceLines(), most=500) for _ in range(2)]
    traces = [begun(looker) for looker in lookers]
    for number in range(100):
        for trace, conversation in traces:
            trace.add(conversation, Happening.NOTE, 1_000.0, note=f"note {number}")
    for looker in lookers:
        looker.close()
    assert path.stat().st_size < 2_000
    assert path.read_text().count("note 99") == 2


def test_aFileThatCanNotBeOpened(tmp_path: Path, logged: list[LogEvent]) -> None:
    """It is told once; when it can be, the file says what is missing."""
    path = tmp_path / "folder" / "trace"
    trace, conversation = begun(TraceFile(str(path), TraceLines()))
    trace.add(conversation, Happening.NOTE, 1_000.0, note="lost")
    assert [formatEvent(event) for event in logged] == [
        f"the trace can not be written to {path}: No such file or directory"
    ]
    path.parent.mkdir()
    trace.add(conversation, Happening.NOTE, 1_000.0, note="there")
    assert path.read_text() == "2 lines lost\nmine #1   0.0000 - there\n"


def test_aDiskThatIsFull(tmp_path: Path, logged: list[LogEvent]) -> None:
    """A limit on the size of files stands in for it: the service goes on, and the log says so once."""
    path = tmp_path / "trace"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
        trace, conversation = begun(TraceFile(str(path), TraceLines()))
        for _ in range(100):
            trace.add(conversation, Happening.NOTE, 1_000.0, note="more and more")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert len(logged) == 1
    assert path.stat().st_size == 1_000
    trace.add(conversation, Happening.NOTE, 1_000.0, note="again")
    assert "lines lost\n" in path.read_text()
    assert path.read_text().endswith("- again\n")


def test_whereItGoes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is named as seen from where the command was given, though twistd goes elsewhere."""
    assert isinstance(lookerFor(None, 64), TraceLog)
    monkeypatch.chdir(tmp_path)
    looker = lookerFor("trace", 64)
    assert isinstance(looker, TraceFile)
    monkeypatch.chdir("/")
    begun(looker)
    looker.close()
    assert (tmp_path / "trace").exists()


def test_aFileForPrograms(tmp_path: Path) -> None:
    """What ends in .jsonl holds all that is kept of a piece, and can be read back."""
    path = tmp_path / "trace.jsonl"
    looker = lookerFor(str(path), 3)
    trace, conversation = begun(looker)
    trace.add(conversation, Happening.RECEIVED, 1_000.0, b"0123456789")
    with path.open() as lines:
        (read,) = readConversations(lines)
    assert [event.data for event in read.events][-1] == b"0123456789"
