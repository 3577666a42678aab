"""
Programs of somebody else's: started, listened to, and ended, without harm to the examiner.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from labnet.check import keeper
from labnet.check.mistakes import Mistake

__all__ = ["Bounds", "Program"]

_MIB = 2**20
_STDOUT, _STDERR = 1, 2
#: Seconds that the keeper may take to end a program with all that it has started.
_LONGEST_KILL = 10.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """
    What a program may take.

    @ivar memory: bytes, of it and of everything that it has started.
    @ivar processes: that it may have started at the same time.
    @ivar output: bytes that it may write; more ends it.
    @ivar kept: bytes of that which are kept: as many of the beginning as of the end.
    """

    memory: int = 1024 * _MIB
    processes: int = 64
    output: int = 32 * _MIB
    kept: int = 64 * 1024


class _Stream:
    """What came on one stream, the beginning and the end of it."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._first = bytearray()
        self._last = bytearray()
        self.size = 0

    def add(self, data: bytes) -> None:
        self.size += len(data)
        room = self._kept - len(self._first)
        self._first += data[:room]
        self._last = (self._last + data[max(room, 0) :])[-self._kept :]

    @property
    def data(self) -> bytes:
        left = self.size - len(self._first) - len(self._last)
        between = b"\n[%d bytes are left out]\n" % left if left else b""
        return bytes(self._first) + between + bytes(self._last)


class Program(ProcessProtocol):
    """
    One run of a program, through L{labnet.check.keeper}.

    @param command: the program and its arguments.
    @param changed: is called whenever something has happened to it.
    @ivar over: whether it has ended, nothing of it is left, and all its output is there.
    """

    transport: IProcessTransport

    def __init__(
        self, command: Sequence[str], changed: Callable[[], None], bounds: Bounds = Bounds()
    ) -> None:
        self.command = tuple(command)
        self.changed = changed
        self._waiting: list[Deferred[None]] = []
        self.over = False
        self._bounds = bounds
        self._streams = {_STDOUT: _Stream(bounds.kept), _STDERR: _Stream(bounds.kept)}
        self._pid = 0
        self._told = b""
        self._how = ""
        self._killed = False
        self._reactor: Any = None
        self._force: IDelayedCall | None = None

    def start(self, reactor: Any) -> None:
        """Start it, with its standard input open."""
        self._reactor = reactor
        keeping = [sys.executable, "-I", "-S", str(Path(keeper.__file__))]
        limits = [str(self._bounds.memory), str(self._bounds.processes)]
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}
        streams: dict[int, str | int] = {
            0: "w", _STDOUT: "r", _STDERR: "r", keeper.CONTROL: "w", keeper.STATUS: "r",
        }  # fmt: skip
        reactor.spawnProcess(
            self, keeping[0], [*keeping, *limits, *self.command], environment, childFDs=streams
        )

    # What others ask

    @property
    def stdout(self) -> bytes:
        """What it has written to standard output; the middle is left out of what is too long."""
        return self._streams[_STDOUT].data

    @property
    def stderr(self) -> bytes:
        """The same of standard error."""
        return self._streams[_STDERR].data

    @property
    def status(self) -> int | None:
        """Its exit status, once it has ended by itself; that of a signal is negative."""
        word, _, number = self._how.partition(" ")
        if word not in ("exit", "signal"):
            return None
        return int(number) if word == "exit" else -int(number)

    @property
    def exceeded(self) -> Mistake | None:
        """The limit that it has passed, if that was its end."""
        return {
            "forks": Mistake.ENDLESS_FORKS,
            "memory": Mistake.TOO_MUCH_MEMORY,
            "output": Mistake.ENDLESS_OUTPUT,
        }.get(self._how)

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._pid != 0 and not self._how

    def tail(self, lines: int = 12) -> str:
        """The last lines of what it wrote, standard error after standard output."""
        text = (self.stdout + self.stderr).decode("utf-8", "backslashreplace")
        return "\n".join(line[:200] for line in text.splitlines()[-lines:])

    def doing(self) -> object | None:
        """
        What it does, as far as one can see it from outside: something that stays the same while all its
        threads sleep; L{None} while one of them works, or where nobody can tell.
        """
        if self.over:
            return self._how
        if not self._pid or self._how:
            return None
        used = []
        for pid in (self._pid, *keeper.descendants(self._pid)):
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/stat", "rb") as file:
                        fields = file.read().rpartition(b")")[2].split()
                    # The program itself, ended: its keeper is about to say so.
                    asleep = b"STI" if pid == self._pid else b"STIZ"
                    if fields[0] not in asleep:
                        return None
                    used.append((task, fields[11], fields[12]))
            except OSError:
                return None
        return tuple(used)

    # What is done to it

    def freeze(self, frozen: bool) -> None:
        """Let it, and everything that it has started, do nothing for a while; or go on."""
        if self.running:
            for pid in (self._pid, *keeper.descendants(self._pid)):
                with suppress(OSError):
                    os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def type(self, data: bytes) -> None:
        """Write to its standard input."""
        if not self.over:
            self.transport.writeToChild(0, data)

    def endInput(self) -> None:
        """The end of its standard input."""
        if not self.over:
            self.transport.closeChildFD(0)

    def kill(self) -> Deferred[None]:
        """End it and everything that it has started; fires when nothing of it is left."""
        self._kill()
        done: Deferred[None] = Deferred()
        if self.over:
            done.callback(None)
        else:
            self._waiting.append(done)
        return done

    # From the reactor

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == keeper.STATUS:
            self._told += data
            self._read()
        else:
            self._streams[childFD].add(data)
            if sum(stream.size for stream in self._streams.values()) > self._bounds.output:
                self._how = self._how or "output"
                self._kill()
        self.changed()

    def _read(self) -> None:
        *lines, self._told = self._told.split(b"\n")
        for line in lines:
            word, _, rest = line.decode("ascii", "replace").partition(" ")
            if word == "pid":
                self._pid = int(rest)
            else:
                self._how = self._how or f"{word} {rest}".strip()

    def _kill(self) -> None:
        if not self._killed and not self.over and self._reactor is not None:
            self._killed = True
            self.transport.closeChildFD(keeper.CONTROL)
            self._force = self._reactor.callLater(_LONGEST_KILL, self._killKeeper)

    def _killKeeper(self) -> None:
        """It should have ended by now; the program then ends with it."""
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

    def processEnded(self, reason: Failure) -> None:
        self.over = True
        if self._force is not None and self._force.active():
            self._force.cancel()
        if not self._how:
            self._how = "exit 0" if reason.check(ProcessDone) else "killed"
        self.changed()
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done.callback(None)
