"""
Several processes that serve together, and the one that looks after them.

The supervisor binds every socket and accepts nothing; the workers (L{labnet.net.worker}) inherit the
sockets, read the same options, and serve. C{twisted.runner.procmon} does not pass sockets on, can not tell
a worker that never came up from one that died, and kills after a fixed time whatever is under way.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import LoopingCall
from twisted.logger import InvalidLogLevelError, Logger, LogLevel
from twisted.python.failure import Failure

from labnet.net.hangup import onHangup
from labnet.net.service import endProcessWith, listeners
from labnet.net.sharing import sharedMemory
from labnet.net.worker import BEAT, CHANNEL, LIFELINE, SHARED, SOCKETS

__all__ = ["Command", "Workers", "onSignal"]

#: Seconds that a worker must have served for its end to be the first again.
_STEADY = 60.0
_LONGEST_DELAY = 30.0
#: Beats without a sign of life after which a worker is killed; and how many until it serves.
_MOST_SILENT = 6
_SLOWEST_START = 12
#: Seconds beyond the grace time after which a worker that was asked to stop is killed.
_SLACK = 5.0
#: Bytes without an end of line that are kept of what a worker writes.
_LONGEST_LINE = 2**20


@dataclass(frozen=True, slots=True)
class Command:
    """
    What a worker runs.

    @ivar tap: the name of the module with C{Options} and C{makeService}.
    @ivar arguments: its command line.
    @ivar folder: where that was given.
    """

    tap: str
    arguments: tuple[str, ...]
    folder: str

    def argv(self, number: int, reactor: object, sockets: int) -> list[str]:
        """The whole command of a worker, with the same kind of reactor as its supervisor has."""
        module = type(reactor).__module__
        program = [sys.executable, "-P", "-m", "labnet.net.worker"]
        return [*program, str(number), module, self.tap, self.folder, str(sockets), *self.arguments]


class _Lines:
    """Takes pieces, gives lines."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> Iterator[bytes]:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest if len(rest) <= _LONGEST_LINE else b""
        yield from lines


class _Worker(ProcessProtocol):
    """
    One place among the workers, and the process that has it now.

    @ivar number: from 1.
    @ivar pid: the number of the process that has it, or had it last.
    @ivar alive: whether there is a process.
    @ivar ready: whether it serves.
    @ivar failures: how often in a row it has ended soon.
    @ivar lastWords: the last line that it wrote to its standard error.
    """

    log = Logger()

    def __init__(self, number: int, workers: Workers) -> None:
        self.number = number
        self.pid = 0
        self.alive = self.ready = False
        self.failures = 0
        self.lastWords = ""
        self._workers = workers
        self._since = 0.0
        self._silent = 0
        self._reloadWhenReady = False
        self._rows = _Lines()
        self._errors = _Lines()
        self._restart: IDelayedCall | None = None

    def start(self) -> None:
        """Have a process."""
        self._restart = None
        self.alive, self.ready, self.lastWords, self._reloadWhenReady = True, False, "", False
        self._rows, self._errors = _Lines(), _Lines()
        self._silent = 0
        try:
            self._workers.spawn(self)
        except OSError as error:
            # Too many processes, or no memory: that may pass.
            self._over(f"could not be started: {error.strerror}")

    def send(self, signalName: str) -> None:
        """Send a signal, C{"TERM"} or C{"KILL"}, if there is a process."""
        if self.alive and self.transport is not None:
            with suppress(ProcessExitedAlready):
                self.transport.signalProcess(signalName)

    def reload(self) -> None:
        """Let it read its rules again: at once, or when it has read them for the first time."""
        if self.ready:
            self.send("HUP")
        else:
            self._reloadWhenReady = True

    def watch(self) -> None:
        """
        Called with every beat: kill it if it has hung. Beats are counted and not seconds, for a supervisor
        that was held up itself has to hear first what its workers have said meanwhile.
        """
        self._silent += 1
        if self.alive and self._silent == (_MOST_SILENT if self.ready else _SLOWEST_START):
            self.log.error(
                "worker {worker} (pid {pid}) has not said a word for {seconds:g} s; it is killed",
                worker=self.number,
                pid=self.pid,
                seconds=self._silent * BEAT,
            )
            self.send("KILL")

    def stop(self) -> None:
        """Ask it to end, and have no other."""
        restart, self._restart = self._restart, None
        if restart is not None:
            restart.cancel()
        self.send("TERM")

    # ProcessProtocol.

    def connectionMade(self) -> None:
        # Kept, for it is not there any more when the process has ended.
        self.pid = cast(Any, self.transport).pid

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == CHANNEL:
            self._silent = 0
            for line in self._rows.take(data):
                self._row(line)
            return
        for line in self._errors.take(data):
            self.lastWords = line.decode("utf-8", "backslashreplace").strip() or self.lastWords
            # Ctrl-C finds a worker that has only just been started without an answer to it.
            if self.ready or not self._workers.stopping:
                self.log.error("worker {worker}: {text}", worker=self.number, text=self.lastWords)

    def processEnded(self, reason: Failure) -> None:
        self._over(_endOf(reason))

    def _over(self, end: str) -> None:
        served = self._workers.clock.seconds() - self._since if self.ready else 0.0
        if served >= _STEADY:
            self.failures = 0
        self.alive = self.ready = False
        if self._workers.stopping or self._workers.givesUp(self.lastWords or end):
            self._workers.ended()
            return
        delay = min(_LONGEST_DELAY, 2.0 ** (self.failures - 1)) if self.failures else 0.0
        self.failures += 1
        self.log.error(
            "worker {worker} (pid {pid}) {end}; another starts {when}",
            worker=self.number,
            pid=self.pid,
            end=end,
            when=f"in {delay:g} s" if delay else "at once",
        )
        self._restart = self._workers.clock.callLater(delay, self.start)

    def _row(self, line: bytes) -> None:
        try:
            row = json.loads(line)
            ready, alive = row.get("ready", False), row.get("alive", False)
            level = LogLevel.lookupByName(row.get("level", "info"))
            source, text = row.get("source") or self.log.namespace, row.get("text", "")
        except (ValueError, AttributeError, InvalidLogLevelError):
            self.log.error("worker {worker} wrote {line!r}", worker=self.number, line=line[:200])
            return
        if ready:
            self._isReady()
        if ready or alive:
            return
        fields = {name: row[name] for name in row.keys() - _OURS}
        form = "worker {worker}: {text}" + ("\n{failure}" if "failure" in row else "")
        Logger(namespace=source).emit(level, form, worker=self.number, text=text, **fields)

    def _isReady(self) -> None:
        self.ready = True
        self._since = self._workers.clock.seconds()
        self._workers.anyReady = True
        self.log.info("worker {worker} serves (pid {pid})", worker=self.number, pid=self.pid)
        if self._reloadWhenReady:
            self.reload()


#: Of a row, what is not one of the event's own fields.
_OURS = frozenset(("time", "source", "text", "worker", "level", "format"))


def _endOf(reason: Failure) -> str:
    error = reason.value
    if isinstance(error, ProcessTerminated):
        if error.signal is not None:
            return f"was ended by {signal.Signals(error.signal).name}"
        return f"ended with status {error.exitCode}"
    return "ended"


class _Receiver:
    """Called for a signal; calls on, in the reactor, and whoever of its kind was there before."""

    def __init__(self, reactor: Any, number: int, call: Callable[[], object]) -> None:
        self._reactor = reactor
        self._number = number
        self._call: Callable[[], object] | None = call
        self._before: Any = signal.signal(number, self)

    def __call__(self, number: int, frame: object) -> None:
        if self._call is not None:
            self._reactor.callFromThread(self._call)
        if isinstance(self._before, _Receiver):
            self._before(number, frame)

    def end(self) -> None:
        """Be as it was before."""
        self._call = None
        current: object = signal.getsignal(self._number)
        if current is self:
            before = self._before
            while isinstance(before, _Receiver) and before._call is None:
                before = before._before
            signal.signal(self._number, before)


def onSignal(reactor: Any, number: int, call: Callable[[], object]) -> Callable[[], object]:
    """
    Call something in the reactor whenever a signal comes, in place of what happens otherwise.

    @return: makes an end of it.
    """
    return _Receiver(reactor, number, call).end


class Workers(MultiService):
    """
    Starts the workers, has another in place of each that ends, and passes on what concerns all. Its
    children are the listeners, whose ports do not accept (L{labnet.net.inheritance.Holding}).

    A worker that ends is replaced at once, and one that gives no sign of life for half a minute is made to
    end. If that happens again before it has served for a minute it is after 1, 2, 4 ... 30 seconds. If at
    the start none comes up the process ends with status 1.

    C{SIGHUP} goes to all of them. When the service stops they are asked to, and have the grace time and a
    little more; on a further C{SIGTERM} or C{SIGINT} they are killed.

    @param reactor: starts processes, and tells the time.
    @param command: what each runs.
    @param count: how many.
    @param grace: seconds that each takes to stop, at most.
    @param onHangup: how C{SIGHUP} is received; see L{labnet.net.hangup.onHangup}.
    @param on: how other signals are received; see L{onSignal}.
    @param endProcess: lets the process end with a status when the reactor has stopped.
    @ivar stopping: whether the service stops.
    @ivar anyReady: whether there has been one that served.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        command: Command,
        count: int,
        grace: float,
        onHangup: Callable[[Any, Callable[[], object]], Callable[[], object]] = onHangup,
        on: Callable[[Any, int, Callable[[], object]], Callable[[], object]] = onSignal,
        endProcess: Callable[[int], object] = endProcessWith,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.clock = reactor
        self.stopping = self.anyReady = False
        self._command = command
        self._workers = [_Worker(number, self) for number in range(1, count + 1)]
        self._grace = grace
        self._onHangup = onHangup
        self._on = on
        self._endProcess = endProcess
        self._restoring: list[Callable[[], object]] = []
        self._killing: IDelayedCall | None = None
        self._stopped: Deferred[None] | None = None
        self._memory: int | None = None
        self._watching = LoopingCall(self._watch)
        self._watching.clock = reactor

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self.stopping = False
        # Not before: a process that ends sooner would not be noticed.
        self.clock.callWhenRunning(self._start)

    def _start(self) -> None:
        if self.running:
            self._restoring.append(self._onHangup(self.clock, self.reload))
            self._watching.start(BEAT, now=False)
            for worker in self._workers:
                if not self.stopping:
                    worker.start()

    def _watch(self) -> None:
        for worker in self._workers:
            worker.watch()

    def spawn(self, worker: _Worker) -> None:
        """Start a process for one of the places."""
        sockets = self._sockets()
        if self._memory is None:
            self._memory = sharedMemory(len(self._workers))
        files: dict[int, int | str] = {LIFELINE: "w", 1: 1, 2: "r", CHANNEL: "r", SHARED: self._memory}
        files |= {SOCKETS + at: handle for at, handle in enumerate(sockets)}
        argv = self._command.argv(worker.number, self.clock, len(sockets))
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self.clock.spawnProcess(
            worker, sys.executable, argv, env=os.environ | {"PYTHONPATH": path}, childFDs=files
        )

    def _sockets(self) -> Sequence[int]:
        return [cast(Any, listener.port).fileno() for listener in listeners(self)]

    def reload(self) -> None:
        """Let every worker read its rules again."""
        self.log.info("all workers are told to reload")
        for worker in self._workers:
            worker.reload()

    def givesUp(self, reason: str) -> bool:
        """
        Whether it is no use to go on: none has ever served, and none is left to.

        @param reason: of the one that has ended now.
        """
        if self.anyReady or any(worker.alive for worker in self._workers):
            return False
        self._stopWatching()
        for worker in self._workers:
            worker.stop()
        self.log.error("no worker came up: {reason}", reason=reason)
        self._endProcess(1)
        self.clock.stop()
        return True

    def _stopWatching(self) -> None:
        self.stopping = True
        if self._watching.running:
            self._watching.stop()

    def stopService(self) -> Deferred[None]:
        self._stopWatching()
        closed = maybeDeferred(super().stopService)
        stopped: Deferred[None] = Deferred()
        self._stopped = stopped
        for number in (signal.SIGTERM, signal.SIGINT):
            self._restoring.append(self._on(self.clock, number, self._kill))
        self._killing = self.clock.callLater(self._grace + _SLACK, self._kill)
        for worker in self._workers:
            worker.stop()
        self.ended()
        return cast("Deferred[None]", DeferredList([closed, stopped]).addCallback(lambda results: None))

    def _kill(self) -> None:
        for worker in self._workers:
            if worker.alive:
                self.log.warn("worker {worker} is killed", worker=worker.number)
                worker.send("KILL")

    def ended(self) -> None:
        """One has ended that is not replaced; the last ends the service."""
        if self._stopped is None or any(worker.alive for worker in self._workers):
            return
        stopped, self._stopped = self._stopped, None
        if self._killing is not None and self._killing.active():
            self._killing.cancel()
        while self._restoring:
            self._restoring.pop()()
        memory, self._memory = self._memory, None
        if memory is not None:
            os.close(memory)
        stopped.callback(None)
