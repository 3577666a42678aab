"""
Who looks after the workers: restarts, ends, reloads and log lines, with processes that only exist on paper.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure

from labnet.net.worker import BEAT, CHANNEL, LIFELINE, SHARED
from labnet.net.workers import Command, Workers, onSignal
from labnet.testing import inPieces


class Process:
    """A process on paper."""

    def __init__(self, pid: int, protocol: ProcessProtocol, argv: list[str], childFDs: Any) -> None:
        self.pid: int | None = pid
        self.protocol = protocol
        self.argv = argv
        self.childFDs = childFDs
        self.signals: list[str] = []
        self.alive = True
        protocol.makeConnection(self)

    def signalProcess(self, name: str) -> None:
        if not self.alive:
            raise ProcessExitedAlready
        self.signals.append(name)

    def says(self, **row: object) -> None:
        self.protocol.childDataReceived(CHANNEL, json.dumps(row).encode() + b"\n")

    def ready(self) -> None:
        self.says(ready=True)

    def end(self, status: int = 0, signalNumber: int | None = None) -> None:
        self.alive, self.pid = False, None
        ended = ProcessTerminated(status, signalNumber) if status or signalNumber else ProcessDone(0)
        self.protocol.processEnded(Failure(ended))


class Reactor(Clock):
    """Time, and processes on paper."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[Process] = []
        self.stopped = 0
        self.exhausted = False
        self.signals: dict[int, Callable[[], object]] = {}

    def callWhenRunning(self, call: Callable[[], object]) -> None:
        call()

    def spawnProcess(
        self, protocol: ProcessProtocol, executable: str, args: list[str], env: object, childFDs: Any
    ) -> None:
        if self.exhausted:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        self.processes.append(Process(100 + len(self.processes), protocol, args, childFDs))

    def stop(self) -> None:
        self.stopped += 1

    def onHangup(self, reactor: object, call: Callable[[], object]) -> Callable[[], object]:
        return self.on(reactor, signal.SIGHUP, call)

    def on(self, reactor: object, number: int, call: Callable[[], object]) -> Callable[[], object]:
        assert reactor is self
        self.signals[number] = call
        return lambda: self.signals.pop(number)


class World:
    """A supervisor of two, and what it said."""

    def __init__(self, start: bool = True) -> None:
        self.reactor = Reactor()
        self.statuses: list[int] = []
        self.lines: list[str] = []
        command = Command("some.tap", ("--workers", "2"), "/some/where")
        reactor = self.reactor
        self.service = Workers(reactor, command, 2, 5.0, reactor.onHangup, reactor.on, self.statuses.append)
        if start:
            self.service.startService()

    @property
    def processes(self) -> list[Process]:
        return self.reactor.processes

    def observe(self, event: LogEvent) -> None:
        self.lines.append(formatEvent(event))


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    globalLogPublisher.addObserver(world.observe)
    yield world
    globalLogPublisher.removeObserver(world.observe)
    left = world.reactor.getDelayedCalls()
    assert not left or not world.service.stopping


def test_aWorkerIsToldAllThatItNeeds(world: World) -> None:
    """Its number, the reactor, the tap, the folder, how many sockets, and the command line."""
    first, second = world.processes
    after = ["some.tap", "/some/where", "0", "--workers", "2"]
    assert first.argv[-8:] == ["labnet.net.worker", "1", Reactor.__module__, *after]
    assert second.argv[-7] == "2"
    memory = first.childFDs.pop(SHARED)
    assert second.childFDs[SHARED] == memory
    assert first.childFDs == {LIFELINE: "w", 1: 1, 2: "r", CHANNEL: "r"}


def test_whoDiesIsReplacedAtOnceThenEverMoreSlowly(world: World) -> None:
    """The other is left alone; each time one line says how it ended, and when another starts."""
    world.processes[1].ready()
    for delay in (0, 1, 2, 4, 8, 16, 30, 30):
        count = len(world.processes)
        world.processes[-1 if count > 2 else 0].ready()
        world.processes[-1 if count > 2 else 0].end(signalNumber=signal.SIGKILL)
        assert world.lines[-1].startswith(f"worker 1 (pid {99 + count if count > 2 else 100}) was ended")
        assert world.lines[-1].endswith(f"in {delay} s" if delay else "at once")
        if delay:
            world.reactor.advance(delay - 0.5)
            assert len(world.processes) == count
        world.reactor.advance(0.5)
        assert len(world.processes) == count + 1
    assert not world.statuses
    assert world.processes[1].signals == []


def test_whoHasServedForAMinuteIsReplacedAtOnceAgain(world: World) -> None:
    first, second = world.processes
    second.ready()
    first.ready()
    first.end(1)
    world.reactor.advance(0)
    again = world.processes[2]
    again.ready()
    world.reactor.advance(60)
    again.end(1)
    assert world.lines[-1].endswith("ended with status 1; another starts at once")


def test_ifNoneComesUpTheProcessEnds(world: World) -> None:
    """With the reason that the last of them gave; as long as there is one that may, it is waited for."""
    first, second = world.processes
    first.protocol.childDataReceived(2, b"--block-file: x: Permission")
    first.protocol.childDataReceived(2, b" denied\n")
    first.end(1)
    assert not world.statuses
    second.protocol.childDataReceived(2, b"--block-file: x: Permission denied\n")
    second.end(1)
    assert world.statuses == [1]
    assert world.reactor.stopped == 1
    assert world.lines[-1] == "no worker came up: --block-file: x: Permission denied"


def test_whereNoProcessCanBeStartedItEnds() -> None:
    """Once, however many were to be started."""
    world = World(start=False)
    world.reactor.exhausted = True
    world.service.startService()
    assert world.statuses == [1]
    assert world.reactor.stopped == 1


def test_oneThatNeverComesUpIsTriedAgainWhileAnotherServes(world: World) -> None:
    first, second = world.processes
    second.ready()
    first.end(1)
    second.end(1)
    world.reactor.advance(0)
    assert not world.statuses
    assert len(world.processes) == 4


def test_thatThereCanBeNoMoreProcessesMayPass(world: World) -> None:
    first, second = world.processes
    second.ready()
    world.reactor.exhausted = True
    first.end(1)
    world.reactor.advance(0)
    assert (
        "could not be started: Resource temporarily unavailable; another starts in 1 s" in world.lines[-1]
    )
    world.reactor.exhausted = False
    world.reactor.advance(1)
    assert len(world.processes) == 3


def test_whoSaysNothingIsKilledAndReplaced(world: World) -> None:
    """A worker that hangs does not answer a polite signal either; the other says something."""
    silent, lively = world.processes
    silent.ready()
    lively.ready()
    for _ in range(12):
        world.reactor.advance(BEAT)
        lively.says(alive=True)
        if silent.signals:
            break
    assert silent.signals == ["KILL"]
    assert lively.signals == []
    assert "worker 1 (pid 100) has not said a word for 30 s; it is killed" in world.lines
    silent.end(signalNumber=signal.SIGKILL)
    world.reactor.advance(0)
    assert len(world.processes) == 3
    assert not [line for line in world.lines if "alive" in line]


def test_whoHasNotComeUpHasMoreTime(world: World) -> None:
    """A machine may be busy; but a file of rules that can never be read does not keep a place for ever."""
    world.processes[1].ready()
    beats = 0
    while not world.processes[0].signals:
        beats += 1
        world.reactor.advance(BEAT)
        world.processes[1].says(alive=True)
    assert beats * BEAT == 60
    assert "worker 1 (pid 100) has not said a word for 60 s; it is killed" in world.lines


def test_aSupervisorThatSleptDoesNotBlameTheWorkers(world: World) -> None:
    """After a long pause of its own, it listens first."""
    for process in world.processes:
        process.ready()
    world.reactor.advance(10_000.0)
    assert [process.signals for process in world.processes] == [[], []]


def test_allStopTogether(world: World) -> None:
    """Each is asked once; when the last has ended, so has the service, and signals are as before."""
    for process in world.processes:
        process.ready()
    stopped = world.service.stopService()
    assert [process.signals for process in world.processes] == [["TERM"], ["TERM"]]
    first, second = world.processes
    first.end()
    assert not stopped.called
    second.end()
    assert stopped.called
    assert len(world.processes) == 2
    assert not world.reactor.signals
    assert not world.reactor.getDelayedCalls()


def test_whoIsToBeReplacedIsNotWhenAllStop(world: World) -> None:
    first, second = world.processes
    second.ready()
    first.end(1)
    stopped = world.service.stopService()
    second.end()
    assert stopped.called
    assert not world.reactor.getDelayedCalls()


def test_whoDoesNotStopIsKilled(world: World) -> None:
    """Some seconds after the grace time, or at the second signal."""
    stopped = world.service.stopService()
    first, second = world.processes
    first.end()
    world.reactor.advance(9.9)
    assert second.signals == ["TERM"]
    world.reactor.advance(0.1)
    assert second.signals == ["TERM", "KILL"]
    second.end(signalNumber=signal.SIGKILL)
    assert stopped.called


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_theSecondSignalKills(world: World, number: int) -> None:
    assert number not in world.reactor.signals
    world.service.stopService()
    world.reactor.signals[number]()
    for process in world.processes:
        assert process.signals == ["TERM", "KILL"]
        process.end(signalNumber=signal.SIGKILL)


def test_allReload(world: World) -> None:
    """One that has not come up yet may have read the old rules: it is told when it has."""
    first, second = world.processes
    first.ready()
    world.reactor.signals[signal.SIGHUP]()
    assert (first.signals, second.signals) == (["HUP"], [])
    second.ready()
    assert second.signals == ["HUP"]


def test_whatAWorkerLogsIsLoggedWithItsNumber(world: World, loggedEvents: list[LogEvent]) -> None:
    """In whatever pieces it comes, with its level, its source and its fields; a traceback goes with it."""
    loggedEvents.clear()
    row = {"level": "warn", "source": "labnet.x", "text": "a {b}", "time": "t", "bytesIn": 3}
    for piece in inPieces(json.dumps(row).encode() + b"\n", 7):
        world.processes[1].protocol.childDataReceived(CHANNEL, piece)
    world.processes[0].says(level="critical", source="labnet.x", text="a bug", failure="Traceback")
    warned, failed = loggedEvents
    assert formatEvent(warned) == "worker 2: a {b}"
    assert (warned["log_level"].name, warned["log_namespace"]) == ("warn", "labnet.x")
    assert (warned["bytesIn"], warned["worker"]) == (3, 2)
    assert formatEvent(failed) == "worker 1: a bug\nTraceback"


def test_whatIsNoRowIsShown(world: World) -> None:
    """Whatever a library writes there is not lost, and breaks nothing."""
    world.processes[0].protocol.childDataReceived(CHANNEL, b"what\n[1]\n" + b'{"level": "loud"}\n')
    assert len(world.lines) == 3
    assert all(line.startswith("worker 1 wrote") for line in world.lines)


def test_ctrlCBeforeItIsReadyIsNotWorthALine(world: World) -> None:
    world.service.stopService()
    before = list(world.lines)
    for process in world.processes:
        process.protocol.childDataReceived(2, b"KeyboardInterrupt\n")
        process.end(signalNumber=signal.SIGINT)
    assert world.lines == before


def test_aSignalReachesAllWhoAskedForIt() -> None:
    """Two supervisors in one process; whoever ends first takes nothing from the other."""

    class Direct:
        def callFromThread(self, call: Callable[[], object]) -> None:
            call()

    heard: list[str] = []
    before = signal.getsignal(signal.SIGUSR2)
    first = onSignal(Direct(), signal.SIGUSR2, lambda: heard.append("first"))
    second = onSignal(Direct(), signal.SIGUSR2, lambda: heard.append("second"))
    signal.raise_signal(signal.SIGUSR2)
    assert heard == ["second", "first"]
    first()
    signal.raise_signal(signal.SIGUSR2)
    assert heard == ["second", "first", "second"]
    second()
    assert signal.getsignal(signal.SIGUSR2) is before
